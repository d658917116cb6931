package lastcopy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"lockstep/router/node/lastcopy"
)

// world is a group and nodes, to which steps are done as a node does them.
type world struct {
	g     lastcopy.Group
	nodes []string
	dead  map[string]bool
	now   time.Duration
	since map[string]time.Duration // silent since
}

func (w *world) refresh() {
	w.g.Free = nil
	for i, name := range w.nodes {
		if !w.dead[name] && !slices.ContainsFunc(w.g.Copies, func(c lastcopy.Copy) bool { return c.Name == name }) {
			w.g.Free = append(w.g.Free, lastcopy.Candidate{Node: uint64(i + 1), Name: name})
		}
	}
	for i := range w.g.Copies {
		c := &w.g.Copies[i]
		if c.Silent = 0; w.dead[c.Name] {
			c.Silent = w.now - w.since[c.Name] + time.Millisecond
		}
	}
}

// majority tells whether enough voters answer, a copy with data among them.
func (w *world) majority() bool {
	voters, live, data := 0, 0, 0
	for _, c := range w.g.Copies {
		if !c.Member || !c.Votes {
			continue
		}
		voters++
		if !w.dead[c.Name] {
			live++
			if !c.Witness {
				data++
			}
		}
	}
	return 2*live > voters && data > 0
}

// do is what a step does to the catalog, and the group's primary to its members, in
// this order: out first, then in.
func (w *world) do(s lastcopy.Step) {
	witness := lastcopy.Copy{Node: s.On, Witness: true, Member: true, Votes: true}
	if s.On != 0 {
		witness.Name = w.nodes[s.On-1]
	}
	at := slices.IndexFunc(w.g.Copies, func(c lastcopy.Copy) bool { return c.Node == s.Node })
	switch s.Do {
	case lastcopy.Replace:
		w.g.Copies[at].Away, w.g.Copies[at].Member, w.g.Copies[at].Votes = true, false, false
		w.g.Copies = append(w.g.Copies, witness)
	case lastcopy.Return:
		w.g.Copies[at].Away, w.g.Copies[at].Member = false, true
	case lastcopy.Exchange:
		w.g.Copies[at] = witness
	case lastcopy.Add:
		w.g.Copies = append(w.g.Copies, witness)
	case lastcopy.Drop:
		w.g.Copies = slices.Delete(w.g.Copies, at, at+1)
	}
}

func (w *world) String() string {
	var parts []string
	for _, c := range w.g.Copies {
		kind := "copy"
		switch {
		case c.Witness:
			kind = "witness"
		case c.Away:
			kind = "away"
		case !c.Votes:
			kind = "joining"
		}
		if w.dead[c.Name] {
			kind += "(silent)"
		}
		parts = append(parts, c.Name+" "+kind)
	}
	answer := "takes updates"
	if !w.majority() {
		answer = "no majority"
	}
	return strings.Join(parts, ", ") + ": " + answer
}

// doc.go, What is counted, as transcripts.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := &world{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			switch d.Cmd {
			case "group":
				w = &world{dead: map[string]bool{}, since: map[string]time.Duration{}}
				w.g.ReplaceAfter = time.Minute
				w.g.Serve = !d.HasArg("stop")
				var copies, nodes int
				d.ScanArgs(t, "copies", &copies)
				d.ScanArgs(t, "nodes", &nodes)
				for i := range nodes {
					w.nodes = append(w.nodes, fmt.Sprintf("n%d", i+1))
					if i < copies {
						w.g.Copies = append(w.g.Copies, lastcopy.Copy{Node: uint64(i + 1), Name: w.nodes[i], Member: true, Votes: true})
					}
				}
			case "kill", "start":
				for _, a := range d.CmdArgs {
					w.dead[a.Key], w.since[a.Key] = d.Cmd == "kill", w.now
				}
			case "vote":
				for i := range w.g.Copies {
					if w.g.Copies[i].Name == d.CmdArgs[0].Key {
						w.g.Copies[i].Votes = true
					}
				}
			case "wait":
				duration, err := time.ParseDuration(d.CmdArgs[0].Key)
				if err != nil {
					t.Fatal(err)
				}
				w.now += duration
			case "serve":
				w.g.Serve = true
			case "stop":
				w.g.Serve = false
			}
			for range 20 {
				w.refresh()
				if !w.majority() {
					break // nobody decides
				}
				s := lastcopy.Next(&w.g)
				if s.Do == lastcopy.Nothing {
					break
				}
				fmt.Fprintf(&out, "%s: %s\n", s.Do, s.Why)
				w.do(s)
			}
			w.refresh()
			fmt.Fprintln(&out, w)
			return out.String()
		})
	})
}

// doc.go: a step is waited for before the next is named.
func TestOneStepAtATime(t *testing.T) {
	g := lastcopy.Group{Serve: true, ReplaceAfter: time.Minute, Free: []lastcopy.Candidate{{Node: 5, Name: "n5"}}, Copies: []lastcopy.Copy{
		{Node: 1, Name: "n1", Member: true, Votes: true},
		{Node: 2, Name: "n2", Member: true, Votes: true, Silent: time.Hour},
		{Node: 3, Name: "n3", Away: true, Silent: time.Hour, Member: true, Votes: true},
		{Node: 4, Name: "n4", Witness: true, Member: true, Votes: true},
	}}
	if s := lastcopy.Next(&g); s.Do != lastcopy.Nothing {
		t.Errorf("a copy that was replaced is still a member: %+v", s)
	}
	g.Copies[2].Silent = 0
	if s := lastcopy.Next(&g); s.Do != lastcopy.Nothing {
		t.Errorf("it is back, and still a member: its data must stay until it is none: %+v", s)
	}
	g.Copies[2].Silent = time.Hour
	g.Copies[2].Member, g.Copies[2].Votes = false, false
	g.Copies[3].Member, g.Copies[3].Votes = false, false
	if s := lastcopy.Next(&g); s.Do != lastcopy.Nothing {
		t.Errorf("the witness does not vote yet: %+v", s)
	}
	g.Copies[3].Member, g.Copies[3].Votes = true, true
	if s := lastcopy.Next(&g); s.Do != lastcopy.Replace || s.Node != 2 || s.On != 5 {
		t.Errorf("then the next is replaced: %+v", s)
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct{ last, after, want string }{
		{"", "", "false 1m0s"}, {"stop", "5s", "false 5s"}, {"serve", "", "true 1m0s"}, {"serve", "2s", "true 2s"},
		{"go", "", "last_copy"}, {"serve", "10ms", "replace_after"}, {"serve", "soon", "replace_after"},
	} {
		s, err := lastcopy.ParseSettings(c.last, c.after)
		got := fmt.Sprint(s.Serve, " ", s.ReplaceAfter)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%q %q: %s, not %s", c.last, c.after, got, c.want)
		}
	}
}
