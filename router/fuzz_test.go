package router

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"pgregory.net/rapid"
)

// An id of any printable characters stands in a path and comes back as it was.
func TestIDsInPaths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringOfN(rapid.RuneFrom(printable()), 1, 255, -1).Draw(t, "id")
		var escaped strings.Builder
		for i := range len(id) {
			const digits = "0123456789ABCDEF"
			escaped.WriteByte('%')
			escaped.WriteByte(digits[id[i]>>4])
			escaped.WriteByte(digits[id[i]&15])
		}
		got := locate([]byte("/v1/groups/bank/transactions/" + escaped.String()))
		if got.route != routeTransaction || got.group != "bank" || got.arg != id {
			t.Fatalf("%q became %+v", id, got)
		}
		var h fasthttp.RequestHeader
		h.Set("Idempotency-Key", `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(id)+`"`)
		key, present, p := idempotencyKey(&h)
		if !present || p != nil || key != id {
			t.Fatalf("%q was read as %q, %v", id, key, p)
		}
	})
}

// A problem is a JSON document on one line, whatever its texts hold.
func FuzzProblem(f *testing.F) {
	f.Add("overdraft", "line\nbreak \"quoted\" \xff", "steps[1]", true)
	f.Fuzz(func(t *testing.T, code, detail, place string, aborted bool) {
		p := &Problem{Code: code, Detail: detail, Step: place, ID: code, Group: place, aborted: aborted, Errors: pointerDetail(place, detail)}
		if !aborted {
			p.Code = "invalid"
		}
		text := p.appendJSON(nil)
		var doc map[string]any
		if err := json.Unmarshal(text, &doc); err != nil || bytes.ContainsRune(text, '\n') {
			t.Fatalf("%s: %v", text, err)
		}
	})
}

// Paths and headers from outside never panic.
func FuzzRequestHead(f *testing.F) {
	f.Add("/v1/groups/bank/tables/a%20b/rows", `"k\"1"`, "2.5")
	f.Add("/v1/groups/%", `"`, "1e400")
	f.Fuzz(func(t *testing.T, path, key, timeout string) {
		at := locate([]byte(path))
		if at.route > routeGroups && at.group == "" {
			t.Fatalf("%q has no group: %+v", path, at)
		}
		if text, ok := unquote([]byte(key)); ok && len(text) > len(key) {
			t.Fatalf("%q grew to %q", key, text)
		}
		if d, ok := parseTimeout(timeout); ok && (d <= 0 || d > maxTimeout) {
			t.Fatalf("%q is %v", timeout, d)
		}
	})
}

// Lines come out as they went in, however the reads are cut, and none over the
// limit is held.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\n\r\n bb \nccc"), uint8(1))
	f.Add([]byte(strings.Repeat("x", 300)+"\ny"), uint8(7))
	f.Fuzz(func(t *testing.T, body []byte, cut uint8) {
		const limit = 64
		var want []string
		for _, line := range bytes.Split(body, []byte{'\n'}) {
			if trimmed := bytes.TrimSpace(line); len(line) > limit+1 {
				want = append(want, "long")
			} else if len(trimmed) > 0 {
				want = append(want, string(trimmed))
			}
		}
		from := &patientReader{body: &cutReader{body, int(cut%16) + 1}, stop: make(chan struct{})}
		l := lineReader{from: bufio.NewReaderSize(from, 16)}
		for i := 0; ; i++ {
			line, err := l.next(limit)
			got := string(line)
			if errors.Is(err, errLongLine) {
				got, err = "long", nil
			}
			if err == io.EOF {
				if i != len(want) {
					t.Fatalf("%d lines of %d", i, len(want))
				}
				return
			}
			// Where a line is a byte or two over, its end decides: either is right.
			if err != nil || i >= len(want) || got != want[i] && (got == "long") == (want[i] == "long") {
				t.Fatalf("line %d is %q, want %q (%v)", i, got, want, err)
			}
		}
	})
}

// cutReader gives a few bytes at a time.
type cutReader struct {
	rest []byte
	n    int
}

func (c *cutReader) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(c.n, len(p))], c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func TestTimeouts(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"2.5": 2500 * time.Millisecond, "250ms": 250 * time.Millisecond, "1e9": maxTimeout, "0.000000000001": 1,
		"0": 0, "-1": 0, "NaN": 0, "Inf": maxTimeout, "soon": 0, "": 0, "48h": maxTimeout,
	} {
		if got, ok := parseTimeout(text); got != want && ok || ok != (want > 0) {
			t.Errorf("%q is %v %t, want %v", text, got, ok, want)
		}
	}
}

// printable are the characters of an id.
func printable() []rune {
	var all []rune
	for r := ' '; r <= '~'; r++ {
		all = append(all, r)
	}
	return all
}
