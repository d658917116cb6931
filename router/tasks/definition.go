package tasks

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Definition is a task of an application, as a client writes it.
type Definition struct {
	Group  string            `json:"group"`
	Labels map[string]string `json:"labels,omitzero"`
	// Payload is the application's own, any JSON.
	Payload jsontext.Value `json:"payload,omitempty"`
	// Run is a command with its arguments, of those that the node's configuration
	// lists; Webhook is a URL instead of it. Where there is neither, the application
	// watches who holds the task.
	Run     []string `json:"run,omitempty"`
	Webhook string   `json:"webhook,omitempty"`
	// Restart says when a command that has ended is started again: always (the
	// default), on-failure or never.
	Restart string `json:"restart,omitempty"`
	// StopTimeout lies between SIGTERM and SIGKILL; empty: 10s.
	StopTimeout string  `json:"stop_timeout,omitempty"`
	Health      *Health `json:"health,omitempty"`
}

// Health says how a node finds out whether a command that runs also works.
type Health struct {
	// HTTP is a URL that answers with 2xx or 3xx, Run a command that exits with 0:
	// one of the two.
	HTTP string   `json:"http,omitempty"`
	Run  []string `json:"run,omitempty"`
	// Interval lies between checks (5s), each takes at most Timeout (1s), and so many
	// Failures (3) one after the other have the command started again. The first
	// check is Delay after the start (an Interval).
	Interval string `json:"interval,omitempty"`
	Timeout  string `json:"timeout,omitempty"`
	Failures int    `json:"failures,omitempty"`
	Delay    string `json:"delay,omitempty"`
}

// Restart says when a command that has ended is started again.
const (
	RestartAlways    = "always"
	RestartOnFailure = "on-failure"
	RestartNever     = "never"
)

// Wrong is what is wrong with a definition, and where.
type Wrong struct {
	Pointer string // a JSON pointer; empty: the whole document
	Detail  string // what is wrong, and the remedy
	Shape   bool   // it is not a document of this kind at all
}

func (w *Wrong) Error() string {
	if w.Pointer == "" {
		return w.Detail
	}
	return w.Pointer + ": " + w.Detail
}

func wrong(pointer, format string, args ...any) *Wrong {
	return &Wrong{Pointer: pointer, Detail: fmt.Sprintf(format, args...)}
}

// Valid checks a definition. The error is a *Wrong.
func (d *Definition) Valid() error {
	checks := []func() *Wrong{d.validGroup, d.validLabels, d.validPayload, d.validRun, d.validHealth}
	for _, check := range checks {
		if w := check(); w != nil {
			return w
		}
	}
	return nil
}

func (d *Definition) validGroup() *Wrong {
	if d.Group == "" {
		return wrong("/group", "name the group that the task belongs to")
	}
	return nil
}

func (d *Definition) validLabels() *Wrong {
	if len(d.Labels) > MaxLabels {
		return wrong("/labels", "at most %d labels", MaxLabels)
	}
	for name, text := range d.Labels {
		if name == "" || len(name) > maxLabelBytes || len(text) > maxLabelBytes || !plainText(name) || !plainText(text) {
			return wrong("/labels", "a label's name has 1 to %d bytes of text and its value at most as many", maxLabelBytes)
		}
	}
	return nil
}

func (d *Definition) validPayload() *Wrong {
	if len(d.Payload) > MaxPayloadBytes {
		return wrong("/payload", "it has %d bytes, and may have %d: keep more in a table and its key here", len(d.Payload), MaxPayloadBytes)
	}
	return nil
}

func (d *Definition) validRun() *Wrong {
	if d.Run != nil && d.Webhook != "" {
		return wrong("/webhook", "give run or webhook, not both")
	}
	if w := validCommand("/run", d.Run); w != nil {
		return w
	}
	if d.Webhook != "" {
		if w := validURL("/webhook", d.Webhook); w != nil {
			return w
		}
	}
	switch d.Restart {
	case "", RestartAlways, RestartOnFailure, RestartNever:
	default:
		return wrong("/restart", "%q: write %s, %s or %s", d.Restart, RestartAlways, RestartOnFailure, RestartNever)
	}
	if d.Run == nil && (d.Restart != "" || d.StopTimeout != "" || d.Health != nil) {
		return wrong("/run", "restart, stop_timeout and health are about a command: give run, or leave them out")
	}
	return validTime("/stop_timeout", d.StopTimeout, 0)
}

func (d *Definition) validHealth() *Wrong {
	h := d.Health
	if h == nil {
		return nil
	}
	if (h.HTTP == "") == (h.Run == nil) {
		return wrong("/health", "give http, a URL that answers with 2xx, or run, a command that exits with 0")
	}
	if h.HTTP != "" {
		if w := validURL("/health/http", h.HTTP); w != nil {
			return w
		}
	}
	if w := validCommand("/health/run", h.Run); w != nil {
		return w
	}
	if h.Failures < 0 || h.Failures > maxFailures {
		return wrong("/health/failures", "1 to %d", maxFailures)
	}
	for _, t := range []struct {
		pointer, text string
		least         time.Duration
	}{
		{"/health/interval", h.Interval, minInterval}, {"/health/timeout", h.Timeout, minInterval}, {"/health/delay", h.Delay, 0},
	} {
		if w := validTime(t.pointer, t.text, t.least); w != nil {
			return w
		}
	}
	return nil
}

func validCommand(pointer string, words []string) *Wrong {
	switch {
	case words == nil:
		return nil
	case len(words) == 0 || words[0] == "":
		return wrong(pointer, "name a command that the nodes' configuration lists (tasks.commands), then its arguments")
	case len(words) > maxArguments:
		return wrong(pointer, "at most %d arguments", maxArguments)
	}
	for _, w := range words {
		if len(w) > maxArgumentBytes || strings.ContainsRune(w, 0) || !utf8.ValidString(w) {
			return wrong(pointer, "an argument is text of at most %d bytes without a zero", maxArgumentBytes)
		}
	}
	return nil
}

func validURL(pointer, text string) *Wrong {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURLBytes || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return wrong(pointer, "write a URL such as https://example.org/hooks/lockstep, without a password in it")
	}
	return nil
}

func validTime(pointer, text string, least time.Duration) *Wrong {
	if text == "" {
		return nil
	}
	if t, err := time.ParseDuration(text); err != nil || t < least || t > maxDuration {
		return wrong(pointer, "%q: write a time of %v to %v, such as 5s", text, least, maxDuration)
	}
	return nil
}

// plainText has no control characters, which have no place in a table or a header.
func plainText(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f }) < 0
}

// ValidName tells whether a task of an application may have this name. Names of
// built-in tasks, and those of a task's further holders, are others.
func ValidName(name string) error {
	if name == "" || len(name) > MaxName || name[0] < 'a' || name[0] > 'z' {
		return wrong("", "a task's name begins with a letter a-z and has at most %d letters, digits, '-', '_' and '.'", MaxName)
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return wrong("", "a task's name has letters a-z, digits, '-', '_' and '.': %q has another character", name)
		}
	}
	if BuiltIn(name) {
		return wrong("", "%s is a task that every group has: choose another name", name)
	}
	return nil
}

// BuiltIn tells whether every group has a task of this name; copy is a name of
// policies.
func BuiltIn(name string) bool {
	switch name {
	case "primary", "reader", "verify", "backup", "copy":
		return true
	}
	return false
}

// SlotOf is the task that a name in a log belongs to: further holders of a task
// have "#2", "#3" … behind its name.
func SlotOf(name string) string {
	task, _, _ := strings.Cut(name, "#")
	return task
}

// Parse reads a definition, JSON or YAML that was made JSON. The error is a *Wrong.
func Parse(raw []byte) (*Definition, error) {
	var d Definition
	if err := json.Unmarshal(raw, &d, json.RejectUnknownMembers(true)); err != nil {
		return nil, &Wrong{Shape: true, Pointer: pointerOf(err), Detail: shapeOf(err)}
	}
	if err := d.Valid(); err != nil {
		return nil, err
	}
	return &d, nil
}

// Stored reads a definition that was kept. Fields that a later program has added are
// passed over: until this one is replaced, it does what it knows.
func Stored(raw []byte) (*Definition, error) {
	var d Definition
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("read a task that was kept: %w", err)
	}
	return &d, nil
}

// Canonical is the definition as it is kept: two that mean the same have the same.
func (d *Definition) Canonical() ([]byte, error) {
	raw, err := json.Marshal(d, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("write the task: %w", err)
	}
	return canonical(raw)
}

// compact is a payload on one line, null where there is none.
func compact(payload []byte) string {
	var b bytes.Buffer
	if len(payload) == 0 || stdjson.Compact(&b, payload) != nil {
		return "null"
	}
	return b.String()
}

// timeOf reads a time that Valid has seen.
func timeOf(text string, otherwise time.Duration) time.Duration {
	t, err := time.ParseDuration(text)
	if text == "" || err != nil {
		return otherwise
	}
	return t
}

func (d *Definition) stopTimeout() time.Duration { return timeOf(d.StopTimeout, defaultStopTimeout) }

// restarts tells whether a command that has ended is started again.
func (d *Definition) restarts(failed bool) bool {
	switch d.Restart {
	case RestartNever:
		return false
	case RestartOnFailure:
		return failed
	}
	return true
}
