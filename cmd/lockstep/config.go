package main

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"lockstep/router/node"
)

// kind is the shape of a setting's value.
type kind int

const (
	oneValue kind = iota
	yesNo
	list  // separated by commas; a sequence in the file
	pairs // NAME=VALUE, separated by commas; a mapping in the file
)

func (k kind) String() string {
	return [...]string{"one value", "true or false", "a list", "names with values"}[k]
}

// setting is one thing that can be configured. The flag is its name; the
// environment variable is LOCKSTEP_ and the name in capitals, with "_" for "-"; the
// key of the file has "_" for "-" too.
type setting struct {
	name  string
	arg   string // what stands for the value in --help
	kind  kind
	usage string
	set   func(c *serveConfig, text string) error
	show  func(c *serveConfig) any // its value; nil where there is no default
}

// sections of the file hold settings whose names begin alike: --tasks-commands is
// tasks.commands there, or commands below tasks.
var sections = [...]string{"tasks", "backup"}

// key is a setting's in the file.
func (s *setting) key() string {
	for _, section := range sections {
		if rest, ok := strings.CutPrefix(s.name, section+"-"); ok {
			return section + "." + strings.ReplaceAll(rest, "-", "_")
		}
	}
	return strings.ReplaceAll(s.name, "-", "_")
}

// help is the line of --help: what it is, and the default.
func (s *setting) help() string {
	if s.show == nil {
		return s.usage
	}
	c := defaultServeConfig()
	return fmt.Sprintf("%s (default %v)", s.usage, s.show(&c))
}

func (s *setting) variable() string {
	return "LOCKSTEP_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// serveConfig is what serve works with: the node's own configuration, and how the
// process keeps its log.
type serveConfig struct {
	node      node.Config
	logLevel  slog.Level
	logFormat string
}

func defaultServeConfig() serveConfig {
	return serveConfig{node: node.Defaults(), logLevel: slog.LevelInfo, logFormat: "text"}
}

// settings is the table of all settings, in the order of --help. It is the one
// place where a setting has its name.
func settings() []setting {
	return []setting{
		{"name", "NAME", oneValue, "the node's name, unique in the cluster, for example n1",
			func(c *serveConfig, t string) error { c.node.Name = t; return nil }, nil},
		{"data", "DIR", oneValue, "the folder of the node's data; made where it is missing, used by one node only",
			func(c *serveConfig, t string) error { c.node.Data = t; return nil }, nil},
		{"http", "ADDR", oneValue, "where clients are served, host:port",
			func(c *serveConfig, t string) error { c.node.HTTP = t; return nil },
			func(c *serveConfig) any { return c.node.HTTP }},
		{"raft", "ADDR", oneValue, "where other nodes are served, host:port, on a private network",
			func(c *serveConfig, t string) error { c.node.Raft = t; return nil },
			func(c *serveConfig) any { return c.node.Raft }},
		{"bootstrap", "", yesNo, "begin a new cluster with this node; on a node that has data it changes nothing",
			func(c *serveConfig, t string) error { return setBool(&c.node.Bootstrap, t) }, nil},
		{"join", "ADDR,...", list, "join the cluster that one of these nodes' raft addresses belongs to",
			func(c *serveConfig, t string) error { c.node.Join = splitList(t); return nil }, nil},
		{"join-token", "TOKEN", oneValue, "by what a node that is new may join; with --bootstrap others need it from then on",
			func(c *serveConfig, t string) error { c.node.JoinToken = t; return nil }, nil},
		{"replace", "", yesNo, "with an empty data folder: take the place of the node of this name, whose data is lost",
			func(c *serveConfig, t string) error { return setBool(&c.node.Replace, t) }, nil},
		{"raft-profile", "lan|wan", oneValue, "how fast failures are noticed, alike on all nodes: lan within a data centre, wan beyond",
			func(c *serveConfig, t string) error { c.node.Profile = t; return nil },
			func(c *serveConfig) any { return c.node.Profile }},
		{"labels", "NAME=VALUE,...", pairs, "labels for placement, for example zone=eu-1",
			func(c *serveConfig, t string) (err error) {
				c.node.Labels, err = parsePairs(splitList(t))
				return err
			}, nil},
		{"cache-bytes", "BYTES", oneValue, "memory for blocks read from disk, shared by all groups",
			func(c *serveConfig, t string) error { return setInt(&c.node.CacheBytes, t) },
			func(c *serveConfig) any { return c.node.CacheBytes }},
		{"memtable-bytes", "BYTES", oneValue, "memory for rows not yet written to disk, shared by all groups",
			func(c *serveConfig, t string) error { return setInt(&c.node.MemTableBytes, t) },
			func(c *serveConfig) any { return c.node.MemTableBytes }},
		{"query-budget", "TIMES", oneValue, "how many times a transaction's budget of steps, rows and cost a query may use",
			func(c *serveConfig, t string) error { return setInt(&c.node.QueryBudget, t) },
			func(c *serveConfig) any { return c.node.QueryBudget }},
		{"check-every", "DURATION", oneValue, "after how long the copies of a group compare their running digests",
			func(c *serveConfig, t string) error { return setDuration(&c.node.CheckEvery, t) },
			func(c *serveConfig) any { return c.node.CheckEvery }},
		{"check-revisions", "NUMBER", oneValue, "after how many revisions they do so at the latest",
			func(c *serveConfig, t string) error { return setInt(&c.node.CheckRevisions, t) },
			func(c *serveConfig) any { return c.node.CheckRevisions }},
		{"scrub-every", "DURATION", oneValue, "after how long they compare whole contents, which finds data that was altered on disk; 0: never",
			func(c *serveConfig, t string) error { return setDuration(&c.node.ScrubEvery, t) },
			func(c *serveConfig) any { return c.node.ScrubEvery }},
		{"scrub-bytes", "BYTES", oneValue, "how many bytes a second are read for that at most",
			func(c *serveConfig, t string) error { return setInt(&c.node.ScrubBytes, t) },
			func(c *serveConfig) any { return c.node.ScrubBytes }},
		{"tasks-commands", "PATH,...", list, "programs that tasks may have this node run, absolute paths or NAME=PATH (default none)",
			func(c *serveConfig, t string) error { c.node.Commands = splitList(t); return nil }, nil},
		{"tasks-webhook-hosts", "HOST,...", list, "hosts that tasks may have this node call, for example hooks.example.org or *.example.org (default none)",
			func(c *serveConfig, t string) error { c.node.WebhookHosts = splitList(t); return nil }, nil},
		{"tasks-webhook-secret", "TEXT", oneValue, "signs these calls (X-Lockstep-Signature-256); better given by file or environment",
			func(c *serveConfig, t string) error { c.node.WebhookSecret = t; return nil }, nil},
		{"backup-dir", "DIR", oneValue, "the folder of the backups that this node makes (default none)",
			func(c *serveConfig, t string) error { c.node.BackupDir = t; return nil }, nil},
		{"backup-keep", "NUMBER", oneValue, "how many backups of a group stay there; 0: all",
			func(c *serveConfig, t string) error { return setInt(&c.node.BackupKeep, t) },
			func(c *serveConfig) any { return c.node.BackupKeep }},
		{"backup-max-age", "DURATION", oneValue, "how old they may become, but for the newest; 0: any age",
			func(c *serveConfig, t string) error { return setDuration(&c.node.BackupMaxAge, t) },
			func(c *serveConfig) any { return c.node.BackupMaxAge }},
		{"log-level", "LEVEL", oneValue, "debug, info, warn or error",
			func(c *serveConfig, t string) error { return setLevel(&c.logLevel, t) },
			func(c *serveConfig) any { return strings.ToLower(c.logLevel.String()) }},
		{"log-format", "FORMAT", oneValue, "text or json",
			func(c *serveConfig, t string) error { return setFormat(&c.logFormat, t) },
			func(c *serveConfig) any { return c.logFormat }},
	}
}

func setBool(field *bool, text string) error {
	v, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", text)
	}
	*field = v
	return nil
}

func setInt[T int | int64 | uint64](field *T, text string) error {
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || int64(T(v)) != v || T(v) < 0 != (v < 0) {
		return fmt.Errorf("%q is no whole number", text)
	}
	*field = T(v)
	return nil
}

func setDuration(field *time.Duration, text string) error {
	v, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is no duration such as 10s, 5m or 24h", text)
	}
	*field = v
	return nil
}

func setLevel(field *slog.Level, text string) error {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	v, ok := levels[text]
	if !ok {
		return fmt.Errorf("%q: must be debug, info, warn or error", text)
	}
	*field = v
	return nil
}

func setFormat(field *string, text string) error {
	if text != "text" && text != "json" {
		return fmt.Errorf("%q: must be text or json", text)
	}
	*field = text
	return nil
}

// source is where a setting's value comes from; a later one goes before an
// earlier one: file, environment, flags.
type source struct {
	values map[string]string     // by the setting's name
	where  func(*setting) string // names the place, for errors
}

// gather puts a node's configuration together from its sources, the weakest
// first. Errors name the place and are usage errors.
func gather(sources ...source) (serveConfig, error) {
	c := defaultServeConfig()
	all := settings()
	for _, from := range sources {
		for i := range all {
			text, ok := from.values[all[i].name]
			if !ok {
				continue
			}
			if err := all[i].set(&c, text); err != nil {
				return c, usagef("%s: %w", from.where(&all[i]), err)
			}
		}
	}
	return c, nil
}

// fromEnvironment reads LOCKSTEP_…; a variable that is empty counts as absent.
func fromEnvironment(lookup func(string) (string, bool)) source {
	s := source{values: map[string]string{}, where: (*setting).variable}
	for _, one := range settings() {
		if text, ok := lookup(one.variable()); ok && text != "" {
			s.values[one.name] = text
		}
	}
	return s
}

// strangeVariables finds LOCKSTEP_… variables that nothing reads: misspelt, most
// likely.
func strangeVariables(environment []string) []string {
	known := map[string]bool{"LOCKSTEP_CONFIG": true, "LOCKSTEP_SERVER": true}
	for _, s := range settings() {
		known[s.variable()] = true
	}
	strange := map[string]bool{}
	for _, pair := range environment {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "LOCKSTEP_") && !known[name] {
			strange[name] = true
		}
	}
	return slices.Sorted(maps.Keys(strange))
}
