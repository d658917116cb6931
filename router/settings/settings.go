package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"lockstep/policy/supervision"
	"lockstep/router/windows"
)

// What a group does when its copies fail one after the other.
const (
	// LastCopyStop: updates need a majority of the data copies that were chosen.
	LastCopyStop = "stop"
	// LastCopyServe: copies that stay unavailable are replaced by witnesses on free
	// nodes, so that the last one still takes updates (patent, paragraphs 35 and 36).
	LastCopyServe = "serve"
)

// Bounds, with the reason for each.
const (
	// A copy is not replaced before several heartbeats are missing, nor waited for
	// for longer than a month.
	minReplaceAfter = time.Second
	maxReplaceAfter = 31 * 24 * time.Hour
	// Clients' keys are kept for a minute at least, for retries; their outcomes fill
	// the disk, up to a bound, for a month at most.
	minKeyRetention = time.Minute
	maxKeyRetention = 31 * 24 * time.Hour
	// MaxBytes bounds the object.
	MaxBytes = 16 << 10
)

// Settings are a group's settings, all of them.
type Settings struct {
	LastCopy     string
	ReplaceAfter time.Duration
	Supervision  supervision.Config
	KeyRetention time.Duration
	// Windows are nil where there are none; WindowsText is the setting as it was
	// written.
	Windows     *windows.Windows
	WindowsText json.RawMessage
}

// Defaults are the settings of a group that names none.
func Defaults() Settings {
	return Settings{LastCopy: LastCopyStop, ReplaceAfter: time.Minute, Supervision: supervision.Defaults(), KeyRetention: 24 * time.Hour}
}

// Problem is what is wrong with a key, and where.
type Problem struct {
	Pointer string // RFC 6901
	Detail  string
}

// form reads and shows one setting.
type form struct {
	key  string
	read func(raw json.RawMessage, s *Settings) error
	show func(s *Settings) any
}

func forms() []form {
	return []form{
		{"last_copy", func(raw json.RawMessage, s *Settings) error {
			return oneOf(raw, &s.LastCopy, LastCopyStop, LastCopyServe)
		}, func(s *Settings) any { return s.LastCopy }},
		{"replace_after", func(raw json.RawMessage, s *Settings) error {
			return span(raw, &s.ReplaceAfter, minReplaceAfter, maxReplaceAfter)
		}, func(s *Settings) any { return Span(s.ReplaceAfter) }},
		{"heartbeat", func(raw json.RawMessage, s *Settings) error {
			return span(raw, &s.Supervision.Interval, supervision.MinInterval, supervision.MaxInterval)
		}, func(s *Settings) any { return Span(s.Supervision.Interval) }},
		{"heartbeat_timeout", func(raw json.RawMessage, s *Settings) error {
			return span(raw, &s.Supervision.Timeout, supervision.MinInterval, supervision.MaxTimeout)
		}, func(s *Settings) any { return Span(s.Supervision.Timeout) }},
		{"heartbeat_retries", func(raw json.RawMessage, s *Settings) error {
			if err := json.Unmarshal(raw, &s.Supervision.Retries); err != nil || s.Supervision.Retries < 1 || s.Supervision.Retries > supervision.MaxRetries {
				return fmt.Errorf("a whole number from 1 to %d is wanted", supervision.MaxRetries)
			}
			return nil
		}, func(s *Settings) any { return s.Supervision.Retries }},
		{"key_retention", func(raw json.RawMessage, s *Settings) error {
			return span(raw, &s.KeyRetention, minKeyRetention, maxKeyRetention)
		}, func(s *Settings) any { return Span(s.KeyRetention) }},
		{"update_windows", nil, func(s *Settings) any { // read by readWindows, which may find several problems
			if s.WindowsText == nil {
				return []string{}
			}
			return s.WindowsText
		}},
	}
}

// Names are the names of all settings.
func Names() []string {
	var out []string
	for _, f := range forms() {
		out = append(out, f.key)
	}
	return out
}

// Parse reads an object of settings, which may be empty, null or nothing at all. The
// settings of keys that are wrong or missing are the defaults, so that what was
// written by a later program is used as far as it is understood; whoever writes
// settings refuses them by the problems.
func Parse(raw []byte) (Settings, []Problem) {
	s := Defaults()
	if len(bytes.TrimSpace(raw)) == 0 {
		return s, nil
	}
	if len(raw) > MaxBytes {
		return s, []Problem{{"", fmt.Sprintf("%d bytes; at most %d are taken", len(raw), MaxBytes)}}
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return s, []Problem{{"", "an object of settings is wanted"}}
	}
	var problems []Problem
	all := forms()
	for _, key := range slices.Sorted(maps.Keys(given)) {
		i := slices.IndexFunc(all, func(f form) bool { return f.key == key })
		if i < 0 {
			problems = append(problems, Problem{"/" + escape(key), "there is no such setting; there are " + strings.Join(Names(), ", ")})
			continue
		}
		if string(given[key]) == "null" {
			continue // the default
		}
		if key == "update_windows" {
			problems = append(problems, readWindows(given[key], &s)...)
			continue
		}
		before := s
		if err := all[i].read(given[key], &s); err != nil {
			s = before
			problems = append(problems, Problem{"/" + key, err.Error()})
		}
	}
	if err := s.Supervision.Validate(); err != nil {
		s.Supervision = supervision.Defaults()
		if len(problems) == 0 {
			problems = append(problems, Problem{"/heartbeat_timeout", err.Error()})
		}
	}
	return s, problems
}

// Merge changes the keys that change gives and leaves the others; null takes a key
// back to its default. What comes out is checked as a whole.
func Merge(before, change []byte) ([]byte, []Problem) {
	var old, next map[string]json.RawMessage
	if len(bytes.TrimSpace(before)) > 0 {
		if err := json.Unmarshal(before, &old); err != nil {
			return nil, []Problem{{"", "the group's present settings can't be read"}}
		}
	}
	if err := json.Unmarshal(change, &next); err != nil {
		return nil, []Problem{{"", "an object of settings is wanted"}}
	}
	merged := map[string]json.RawMessage{}
	maps.Copy(merged, old)
	for key, v := range next {
		if string(v) == "null" {
			if !slices.Contains(Names(), key) {
				merged[key] = v // Parse tells that there is no such setting
				continue
			}
			delete(merged, key)
			continue
		}
		merged[key] = v
	}
	raw, err := json.Marshal(merged) // keys in order: equal settings have equal text
	if err != nil {
		return nil, []Problem{{"", err.Error()}}
	}
	if _, problems := Parse(raw); problems != nil {
		return nil, problems
	}
	return raw, nil
}

// MarshalJSON shows all settings, the defaults too.
func (s Settings) MarshalJSON() ([]byte, error) {
	out := map[string]any{}
	for _, f := range forms() {
		out[f.key] = f.show(&s)
	}
	return json.Marshal(out)
}

// Differences are the names of the settings whose values differ, in their order.
func Differences(a, b Settings) (names []string) {
	for _, f := range forms() {
		if !sameValue(f.show(&a), f.show(&b)) {
			names = append(names, f.key)
		}
	}
	return names
}

// sameValue compares what two settings are shown as, whatever spaces and order of keys
// they were written with.
func sameValue(a, b any) bool {
	var values [2]any
	for i, v := range []any{a, b} {
		raw, err := json.Marshal(v)
		if err != nil || json.Unmarshal(raw, &values[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

// Span writes a duration as users do: 24h, 60s, 100ms.
func Span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// readWindows reads update_windows; see package windows.
func readWindows(raw json.RawMessage, s *Settings) (problems []Problem) {
	w, wrong := windows.Parse(raw)
	for _, p := range wrong {
		problems = append(problems, Problem{"/update_windows" + p.Pointer, p.Detail})
	}
	if wrong == nil {
		s.Windows, s.WindowsText = w, raw
	}
	return problems
}

func span(raw json.RawMessage, into *time.Duration, least, most time.Duration) error {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return fmt.Errorf("a duration as text is wanted, such as \"%s\"", Span(least))
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return fmt.Errorf("a duration from %s to %s is wanted, such as \"100ms\", \"60s\" or \"24h\"", Span(least), Span(most))
	}
	*into = d
	return nil
}

func oneOf(raw json.RawMessage, into *string, values ...string) error {
	var text string
	if json.Unmarshal(raw, &text) != nil || !slices.Contains(values, text) {
		return fmt.Errorf("one of %s is wanted", strings.Join(values, ", "))
	}
	*into = text
	return nil
}

// escape writes a key as a part of a JSON pointer.
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
