package tasks

import (
	"strings"
	"testing"
)

// What is wrong with a task is told with its place and the remedy.
func TestADefinitionThatIsWrongSaysWhere(t *testing.T) {
	for _, c := range []struct{ doc, pointer, detail string }{
		{`{`, "", "not JSON"},
		{`{"group": "bank", "command": ["x"]}`, "/command", "unknown field"},
		{`{"run": ["x"]}`, "/group", "name the group"},
		{`{"group": "bank", "run": []}`, "/run", "tasks.commands"},
		{`{"group": "bank", "run": ["x"], "webhook": "https://a.example"}`, "/webhook", "not both"},
		{`{"group": "bank", "webhook": "ftp://a.example"}`, "/webhook", "https://"},
		{`{"group": "bank", "webhook": "https://me:word@a.example"}`, "/webhook", "password"},
		{`{"group": "bank", "run": ["x"], "restart": "sometimes"}`, "/restart", "on-failure"},
		{`{"group": "bank", "restart": "never"}`, "/run", "about a command"},
		{`{"group": "bank", "run": ["x"], "stop_timeout": "2 days"}`, "/stop_timeout", "such as 5s"},
		{`{"group": "bank", "run": ["x"], "health": {}}`, "/health", "give http"},
		{`{"group": "bank", "run": ["x"], "health": {"run": ["y"], "interval": "1ms"}}`, "/health/interval", "100ms"},
		{`{"group": "bank", "payload": "` + strings.Repeat("x", MaxPayloadBytes) + `"}`, "/payload", "keep more in a table"},
		{`{"group": "bank", "labels": {"a\nb": ""}}`, "/labels", "label"},
	} {
		_, err := Parse([]byte(c.doc))
		w, ok := err.(*Wrong)
		if !ok || w.Pointer != c.pointer || !strings.Contains(w.Detail, c.detail) {
			t.Errorf("%.80s: %v", c.doc, err)
		}
	}
}

func TestTwoDefinitionsThatMeanTheSameAreKeptAlike(t *testing.T) {
	a, err := Parse([]byte(`{"group": "bank", "labels": {"b": "2", "a": "1"}, "payload": {"y": 1.0, "x": 2}}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse([]byte(`{"payload": {"x": 2, "y": 1}, "labels": {"a": "1", "b": "2"}, "group": "bank", "run": null}`))
	if err != nil {
		t.Fatal(err)
	}
	first, _ := a.Canonical()
	second, _ := b.Canonical()
	if string(first) != string(second) || len(first) == 0 {
		t.Errorf("%s and %s", first, second)
	}
}

// "Payload is the application's own, any JSON": its numbers are kept as they are.
func TestAPayloadsNumbersAreKept(t *testing.T) {
	for given, kept := range map[string]string{
		`9007199254740993`: `9007199254740993`, `[1.0, -0.50, 1E2, 1.5e-7]`: `[1,-0.5,100,1.5e-7]`, `-0.0`: `-0.0`,
		`123456789012345678901234567890`: `123456789012345678901234567890`, `0.12345678901234567890`: `0.12345678901234567890`,
		`1e400`: `1e400`, `1e20`: `1e20`, `1e99999999999`: `1e99999999999`,
		`{"b": "9007199254740993.0 \\\" 1.0", "a": 9007199254740993.0}`: `{"a":9007199254740993.0,"b":"9007199254740993.0 \\\" 1.0"}`,
	} {
		d, err := Parse([]byte(`{"group": "bank", "payload": ` + given + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Canonical(); err != nil || string(got) != `{"group":"bank","payload":`+kept+`}` {
			t.Errorf("%s is kept as %s, %v", given, got, err)
		}
	}
}

func TestNamesOfTasks(t *testing.T) {
	for name, fine := range map[string]bool{
		"sweep": true, "end-of-day.eu_1": true, "": false, "primary": false, "backup": false, "copy": false,
		"sweep#2": false, "Sweep": false, "1st": false, "a/b": false, strings.Repeat("a", 64): false,
	} {
		if (ValidName(name) == nil) != fine {
			t.Errorf("%q: %v", name, ValidName(name))
		}
	}
}

func TestWhatANodeAllows(t *testing.T) {
	a := Allow{
		Commands: []string{"/usr/bin/sweep", "close=/opt/eod/close.sh"},
		Hosts:    []string{"hooks.example.org", "local.example.org:8443", "*.apps.example.org"},
	}
	if err := a.Valid(); err != nil {
		t.Fatal(err)
	}
	for word, path := range map[string]string{
		"sweep": "/usr/bin/sweep", "/usr/bin/sweep": "/usr/bin/sweep", "close": "/opt/eod/close.sh",
		"close.sh": "", "./sweep": "", "bin/sweep": "", "rm": "",
	} {
		if got, _ := a.Program(word); got != path {
			t.Errorf("%s is %q, not %q", word, got, path)
		}
	}
	for address, fine := range map[string]bool{
		"https://hooks.example.org/x": true, "http://HOOKS.example.org:9000/": true, "https://local.example.org:8443/": true,
		"https://local.example.org/": false, "https://a.apps.example.org/": true, "https://apps.example.org/": false,
		"https://evil-hooks.example.org/": false, "https://hooks.example.org@evil.example/": false, "http://127.0.0.1/": false,
	} {
		if (a.Host(address) == nil) != fine {
			t.Errorf("%s: %v", address, a.Host(address))
		}
	}
	for _, bad := range []Allow{{Commands: []string{"sweep"}}, {Commands: []string{"/a/x", "/b/x"}}, {Hosts: []string{"https://x"}}, {Hosts: []string{"*"}}} {
		if bad.Valid() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// FuzzParse: no document panics, and what is accepted is accepted again as it is kept.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"group": "bank", "run": ["x"], "health": {"http": "http://a", "failures": 2}, "payload": [1, null]}`))
	f.Add([]byte(`{"group": "bank", "webhook": "https://a.example/%zz"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := Parse(raw)
		if err != nil {
			if _, ok := err.(*Wrong); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		first, err := d.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := again.Canonical()
		if err != nil || string(first) != string(second) {
			t.Fatalf("%s became %s: %v", first, second, err)
		}
	})
}
