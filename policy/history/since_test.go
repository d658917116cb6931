package history

import (
	"strings"
	"testing"
	"time"
)

// A recording that is cut is read as the whole one from there on: who was there and
// who held what is said anew.
func TestSince(t *testing.T) {
	rec, err := Read(strings.NewReader(`{"at":"2026-01-01T10:00:00Z","group":"g","begin":true,"labels":{"tier":"gold"}}
{"at":"2026-01-01T10:00:00Z","group":"g","nodes":{"n1":{"status":"available"},"n2":{"status":"available"},"n3":{"status":"available"}}}
{"at":"2026-01-01T10:00:00Z","group":"g","task":"primary","holder":"n1","epoch":1,"cause":"normal"}
{"at":"2026-01-01T10:01:00Z","group":"g","nodes":{"n1":{"status":"unavailable"},"n3":null}}
{"at":"2026-01-01T10:01:01Z","group":"g","task":"primary","holder":"n2","epoch":2,"cause":"recovery"}
{"at":"2026-01-01T10:05:00Z","group":"g","nodes":{"n1":{"status":"available"}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	show := func(list []Record) string {
		var out []byte
		for i := range list {
			if out, err = list[i].Append(out); err != nil {
				t.Fatal(err)
			}
		}
		return string(out)
	}
	at := time.Date(2026, 1, 1, 10, 2, 0, 0, time.UTC)
	want := `{"at":"2026-01-01T10:02:00Z","group":"g","begin":true,"labels":{"tier":"gold"}}
{"at":"2026-01-01T10:02:00Z","group":"g","nodes":{"n1":{"status":"unavailable"},"n2":{"status":"available"}}}
{"at":"2026-01-01T10:02:00Z","group":"g","task":"primary","holder":"n2","epoch":2,"cause":"recovery"}
{"at":"2026-01-01T10:05:00Z","group":"g","nodes":{"n1":{"status":"available"}}}
`
	if got := show(rec.Since(at)); got != want {
		t.Errorf("%s", got)
	}
	if got := len(rec.Since(time.Time{})); got != len(rec.Records) {
		t.Errorf("%d of %d records", got, len(rec.Records))
	}
	if got := rec.Since(at.Add(time.Hour)); len(got) != 3 || !got[0].Begin {
		t.Errorf("%+v", got)
	}
}
