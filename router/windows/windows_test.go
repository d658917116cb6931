package windows

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"
)

// TestTranscripts reads settings and asks them about times.
//
//	parse                the setting below; what the windows are, or what is wrong
//	at KIND              the times below, RFC 3339 or a weekday and a time of the
//	                     week of 4 January 2026: open, or why not and until when
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var w *Windows
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			switch d.Cmd {
			case "parse":
				var problems []Problem
				w, problems = Parse([]byte(d.Input))
				for _, p := range problems {
					fmt.Fprintln(&out, p)
				}
				for _, v := range w.All() {
					fmt.Fprintln(&out, &v)
				}
			case "at":
				kind := Updates
				if d.CmdArgs[0].Key == HeavyQueries.String() {
					kind = HeavyQueries
				}
				for _, line := range strings.Split(d.Input, "\n") {
					now := moment(t, line)
					c, closed := w.Closed(kind, now)
					if !closed {
						fmt.Fprintf(&out, "%s: open\n", line)
						continue
					}
					fmt.Fprintf(&out, "%s: %s; opens %s\n", line, c.Window, c.Opens.Format("Mon 2006-01-02 15:04 MST"))
				}
			}
			if out.Len() == 0 {
				return "none\n"
			}
			return out.String()
		})
	})
}

// moment reads a time of a transcript.
func moment(t *testing.T, text string) time.Time {
	t.Helper()
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at
	}
	name, clock, _ := strings.Cut(text, " ")
	for day := range 7 {
		if dayNames[day] == name {
			at, err := time.Parse("2006-01-02 15:04:05", fmt.Sprintf("2026-01-%02d %s", 4+day, clock))
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
	}
	t.Fatalf("%q is no time", text)
	return time.Time{}
}

// Whether a request is refused is what the windows say one by one, and it is refused
// up to the time that it is told, and not at that time.
func TestWorkedOutIsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &Windows{}
		for range rapid.IntRange(1, 4).Draw(t, "windows") {
			v := Window{Kind: Updates, Allow: rapid.Bool().Draw(t, "allow"), from: rapid.IntRange(0, dayMinutes-1).Draw(t, "from")}
			v.to = v.from + rapid.IntRange(1, dayMinutes).Draw(t, "length")
			for day := range v.days {
				v.days[day] = rapid.Bool().Draw(t, "day")
			}
			w.list = append(w.list, v)
		}
		w.compile(Updates)
		now := time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, int64(week)-1).Draw(t, "now")))
		refused := func(at time.Time) bool {
			minute := int(at.Sub(weekStart(at)) / time.Minute)
			allows, allowed := false, false
			for i := range w.list {
				v := &w.list[i]
				in := false
				for _, m := range [2]int{minute, minute + weekMinutes} {
					for _, s := range v.spans() {
						in = in || s.from <= m && m < s.to
					}
				}
				if in && !v.Allow {
					return true
				}
				allows, allowed = allows || v.Allow, allowed || in && v.Allow
			}
			return allows && !allowed
		}
		c, closed := w.Closed(Updates, now)
		if closed != refused(now) {
			t.Fatalf("%v at %s: closed is %v", w.list, now, closed)
		}
		if !closed || always(w.closed[Updates]) {
			return
		}
		if refused(c.Opens) || !refused(c.Opens.Add(-time.Nanosecond)) || !c.Opens.After(now) {
			t.Fatalf("%v at %s opens at %s", w.list, now, c.Opens)
		}
		if c.Window == "" {
			t.Fatal("no window is named")
		}
	})
}

// No input may panic, and what is taken is never closed for ever.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`[{"deny": "updates", "days": "mon-fri,sun", "from": "08:00", "to": "18:00", "name": "trading"}]`))
	f.Add([]byte(`[{"allow": "heavy_queries", "from": "22:00", "to": "06:00"}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, problems := Parse(raw)
		if (w == nil) != (problems != nil) {
			t.Fatalf("%v, %v", w, problems)
		}
		for k := range kinds {
			now := time.Date(2026, 1, 7, 12, 0, 0, 0, time.UTC)
			if c, closed := w.Closed(k, now); closed && (c.Opens.Sub(now) > week || !c.Opens.After(now)) {
				t.Fatalf("opens at %s", c.Opens)
			}
		}
	})
}
