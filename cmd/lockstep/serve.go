package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"lockstep/router/node"
)

// stopTime bounds a graceful stop: handing over primaries takes well under a
// second, and a request's default deadline is 30 s.
const stopTime = 30 * time.Second

// stopGrace is what a node may take beyond that to put things down.
const stopGrace = 5 * time.Second

// flagValue is a setting's flag: text that is read later, with the other sources.
type flagValue struct {
	one    *setting
	values map[string]string
}

func (f *flagValue) String() string { return f.values[f.one.name] }

func (f *flagValue) Type() string {
	if f.one.kind == yesNo {
		return "bool"
	}
	return f.one.arg
}

func (f *flagValue) Set(text string) error {
	if before, ok := f.values[f.one.name]; ok && (f.one.kind == list || f.one.kind == pairs) {
		text = before + "," + text
	}
	f.values[f.one.name] = text
	return nil
}

func (a *app) serveCommand() *cobra.Command {
	given := map[string]string{}
	var file string
	c := &cobra.Command{
		Use:   "serve --name NAME --data DIR --http ADDR --raft ADDR (--bootstrap | --join ADDR,...)",
		Short: "Run one node",
		Long: `Run one node of a cluster until SIGTERM or SIGINT, which hands its primaries over,
finishes what is under way and exits with 0; a second signal exits at once.

The first node of a cluster is started with --bootstrap, every other one with --join
and the raft address of any node. A node that has data starts with the same
flags again: both are then without effect.

Every setting is also an environment variable (--http is LOCKSTEP_HTTP) and a key
of the file that --config names (http: 127.0.0.1:7400; --raft-profile is
raft_profile). A flag goes before the environment, the environment before the
file.`,
		Example: `  lockstep serve --name n1 --data /var/lib/lockstep --http 10.0.0.1:7400 --raft 10.0.0.1:7500 --bootstrap
  lockstep serve --name n2 --data /var/lib/lockstep --http 10.0.0.2:7400 --raft 10.0.0.2:7500 --join 10.0.0.1:7500
  lockstep serve --config /etc/lockstep.yaml`,
		Args: cobra.NoArgs,
		RunE: a.runs(func(cmd *cobra.Command, _ []string) error {
			cfg, err := configure(file, given, os.LookupEnv)
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), cfg)
		}),
	}
	c.Flags().StringVar(&file, "config", "", "read settings from the YAML `FILE` (LOCKSTEP_CONFIG)")
	all := settings()
	for i := range all {
		f := c.Flags().VarPF(&flagValue{one: &all[i], values: given}, all[i].name, "", all[i].help())
		if all[i].kind == yesNo {
			f.NoOptDefVal = "true"
		}
	}
	c.Flags().SortFlags = false
	return c
}

// configure puts the configuration together and checks it.
func configure(file string, flags map[string]string, lookup func(string) (string, bool)) (serveConfig, error) {
	if file == "" {
		file, _ = lookup("LOCKSTEP_CONFIG")
	}
	var sources []source
	if file != "" {
		s, err := fromFile(file)
		if err != nil {
			return serveConfig{}, err
		}
		sources = append(sources, s)
	}
	sources = append(sources, fromEnvironment(lookup),
		source{values: flags, where: func(one *setting) string { return "--" + one.name }})
	cfg, err := gather(sources...)
	if err != nil {
		return cfg, err
	}
	return cfg, check(&cfg.node)
}

// check finds what is missing, in the words of the command line; the node checks
// the rest, naming field and remedy.
func check(c *node.Config) error {
	needed := []struct{ name, value, example string }{
		{"name", c.Name, "n1"}, {"data", c.Data, "/var/lib/lockstep"},
	}
	for _, n := range needed {
		if n.value == "" {
			return usagef("--%s is missing: give it, LOCKSTEP_%s or the key %s of the file, for example %s",
				n.name, strings.ToUpper(n.name), n.name, n.example)
		}
	}
	if err := c.Validate(); err != nil {
		return usagef("%w", err)
	}
	return nil
}

// A node's heap is caches and buffers of known size that live long, beside much
// that lives for microseconds: the collector may wait until the heap is several
// times the former, as long as the node stays within its memory.
const (
	gcPercent   = 400
	memoryLimit = 400 << 20 // bytes; above it the collector works harder, and nothing fails
)

// tuneCollector sets the collector, unless the environment does.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// serve runs a node until a signal.
func (a *app) serve(ctx context.Context, cfg serveConfig) error {
	tuneCollector()
	log := newLog(a.err, cfg)
	for _, name := range strangeVariables(os.Environ()) {
		log.Warn("an environment variable is not known and has no effect", "variable", name)
	}
	cfg.node.Log = log
	cfg.node.Keeper = keeperCommand()
	ctx, cancel := untilSignal(ctx)
	defer cancel()
	n, err := node.Start(ctx, cfg.node)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil // asked to stop while it was starting
		}
		return fmt.Errorf("node %s does not start: %w", cfg.node.Name, err)
	}
	log.Info("serving", "node", cfg.node.Name, "http", n.HTTPAddr(), "raft", cfg.node.Raft, "data", cfg.node.Data, "pid", os.Getpid())
	select {
	case <-ctx.Done():
	case err := <-n.Failed():
		return fmt.Errorf("node %s can't go on: %w", cfg.node.Name, err)
	}
	log.Info("stopping: handing groups over, finishing what is under way")
	if err := stopNode(n); err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	log.Info("stopped")
	return nil
}

// stopNode stops a node in good order, and comes back a little after stopTime at
// the latest: what is on disk is whole at any moment.
func stopNode(n *node.Node) error {
	limit, done := context.WithTimeout(context.Background(), stopTime)
	defer done()
	stopped := make(chan error, 1)
	go func() { stopped <- n.Stop(limit) }()
	select {
	case err := <-stopped:
		return err
	case <-time.After(stopTime + stopGrace):
		return fmt.Errorf("the node was still busy after %v", stopTime)
	}
}

// untilSignal gives a context that ends with the first SIGINT or SIGTERM; the
// second ends the process at once, with the exit code that shells give it.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
		if s, ok := (<-signals).(syscall.Signal); ok {
			os.Exit(128 + int(s))
		}
	}()
	return ctx, cancel
}

func newLog(w io.Writer, cfg serveConfig) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.logLevel}
	if cfg.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
