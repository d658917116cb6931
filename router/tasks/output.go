package tasks

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Line is a line of a command's output.
type Line struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// output keeps the last lines of a command, over its restarts.
type output struct {
	mu    sync.Mutex
	lines []Line
	bytes int
	part  []byte // the line that has not ended
	now   func() time.Time
}

// Write takes what a command writes. It never fails: a command does not end because
// nobody keeps its words.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for rest := b; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte{'\n'})
		if room := lineBytes - len(o.part); room > 0 {
			o.part = append(o.part, line[:min(room, len(line))]...)
		}
		if ended {
			o.end()
		}
		rest = after
	}
	return len(b), nil
}

// end makes the line that has not ended one of the others.
func (o *output) end() {
	o.add(strings.ToValidUTF8(strings.TrimRight(string(o.part), "\r"), "\uFFFD"))
	o.part = o.part[:0]
}

// note adds a line of the node's own.
func (o *output) note(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.part) > 0 {
		o.end()
	}
	o.add(text)
}

func (o *output) add(text string) {
	o.lines = append(o.lines, Line{Time: o.now(), Text: text})
	o.bytes += len(text)
	drop := 0
	for left := o.bytes; drop < len(o.lines)-1 && (len(o.lines)-drop > outputLines || left > outputBytes); drop++ {
		left -= len(o.lines[drop].Text)
		o.bytes = left
	}
	o.lines = slices.Delete(o.lines, 0, drop)
}

func (o *output) last() []Line {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := slices.Clone(o.lines)
	if len(o.part) > 0 {
		out = append(out, Line{Time: o.now(), Text: strings.ToValidUTF8(string(o.part), "\uFFFD")})
	}
	return out
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
