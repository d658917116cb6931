package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// documents that the properties are tried with: what can be preferred, required and
// held in every way there is.
func anyDocument(t *rapid.T, task string) string {
	require := []string{"node.status == 'available'", "partition.lag < 10", "node.labels.zone != 'a'", "node.status in ['available', 'unavailable']", "10 / node.tasks > 0"}
	prefer := []string{"1.0 - node.cpu", "node.labels.zone == 'b'", "partition.role == 'subscriber'", "1 / partition.lag", "node.name == task.holder", "now.getHours() < 12"}
	var b strings.Builder
	fmt.Fprintf(&b, "policy: p\ntask: %s\nhold: %ds\nmargin: %d\n", task, rapid.IntRange(0, 60).Draw(t, "hold"), rapid.IntRange(0, 30).Draw(t, "margin"))
	if task == "mailer" {
		fmt.Fprintf(&b, "count: %d\n", rapid.IntRange(1, 4).Draw(t, "count"))
	}
	list := func(name string, from []string, form string) {
		fmt.Fprintf(&b, "%s:\n", name)
		some := rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 3, rapid.ID[string]).Draw(t, name)
		for _, x := range some {
			fmt.Fprintf(&b, form, x)
		}
		if len(some) == 0 {
			b.WriteString("  []\n")
		}
	}
	list("require", require, "  - %q\n")
	list("prefer", prefer, "  - {expr: %q, weight: "+fmt.Sprint(rapid.IntRange(1, 50).Draw(t, "weight"))+"}\n")
	return b.String()
}

func anyInput(t *rapid.T, task string) *Input {
	in := &Input{Now: time.Unix(rapid.Int64Range(0, 1e9).Draw(t, "now"), 0), Group: Group{Name: "g"}, Task: Task{Name: task}}
	nodes := rapid.IntRange(0, 6).Draw(t, "nodes")
	for i := range nodes {
		c := Candidate{Node: Node{Name: fmt.Sprintf("n%d", i+1), CPU: float64(rapid.IntRange(0, 4).Draw(t, "cpu")) / 4,
			Status: rapid.SampledFrom([]string{Available, Available, Available, Suspect, Unavailable, Draining, Drained}).Draw(t, "status"),
			Labels: map[string]string{"zone": rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "zone")}, Tasks: int64(rapid.IntRange(0, 2).Draw(t, "tasks"))}}
		if rapid.IntRange(0, 9).Draw(t, "copy") > 0 {
			c.Partition = &Partition{Role: rapid.SampledFrom([]string{RolePrimary, RoleSubscriber, RoleSubscriber, RoleJoining, RoleWitness}).Draw(t, "role"),
				Lag: int64(rapid.IntRange(0, 12).Draw(t, "lag")), Diverged: rapid.IntRange(0, 9).Draw(t, "diverged") == 0}
		}
		in.Candidates = append(in.Candidates, c)
	}
	slots := 1
	if task == "mailer" {
		slots = rapid.IntRange(0, 4).Draw(t, "slots")
	}
	for range slots {
		h := Holder{Held: time.Duration(rapid.IntRange(0, 90).Draw(t, "held")) * time.Second}
		if n := rapid.IntRange(0, nodes+1).Draw(t, "holder"); n > 0 {
			h.Node = fmt.Sprintf("n%d", n) // maybe one that is gone
		}
		in.Holders = append(in.Holders, h)
	}
	in.Recount()
	return in
}

func anyCase(t *rapid.T, s *story) (*Policy, *Set, *Input) {
	task := rapid.SampledFrom([]string{"primary", "mailer", "backup"}).Draw(t, "task")
	p, problems := s.compiler.Read([]byte(anyDocument(t, task)))
	if problems != nil {
		t.Fatal(problems)
	}
	return p, s.set.With(p), anyInput(t, task)
}

// The choice is a function of what is, not of the order in which it is told.
func TestOrderOfCandidatesDoesNotMatter(t *testing.T) {
	s := newStory(t)
	rapid.Check(t, func(t *rapid.T) {
		_, set, in := anyCase(t, s)
		want := fmt.Sprint(*set.Decide(in))
		other := in.Clone()
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		r.Shuffle(len(other.Candidates), func(i, j int) {
			other.Candidates[i], other.Candidates[j] = other.Candidates[j], other.Candidates[i]
		})
		if got := fmt.Sprint(*set.Decide(other)); got != want {
			t.Fatalf("in another order\n%s\nwas\n%s", got, want)
		}
		d, _ := set.Explain(in)
		if got := fmt.Sprint(*d); got != want {
			t.Fatalf("explained\n%s\nwas\n%s", got, want)
		}
	})
}

// "Who may be chosen", hold and margin, for every decision there is: whoever is
// chosen anew may be chosen; no node holds two slots; a holder that may hold it is
// replaced only after hold, by a score higher by the margin; and one that may not
// is replaced at once if anybody may.
func TestHoldNeverDelaysRecovery(t *testing.T) {
	s := newStory(t)
	rapid.Check(t, func(t *rapid.T) {
		p, set, in := anyCase(t, s)
		d := set.Decide(in)
		list := p.judge(in, false)
		held := map[string]bool{}
		for i, slot := range d.Slots {
			if slot.Node != "" && held[slot.Node] {
				t.Fatalf("%s holds two slots", slot.Node)
			}
			held[slot.Node] = true
			now := find(list, slot.Node)
			if slot.Changes() && slot.Node != "" && (now == nil || !now.eligible()) {
				t.Fatalf("%s may not be chosen: %+v", slot.Node, slot)
			}
			if slot.Changes() && slot.Was != "" && slot.Cause == "" || slot.Why == "" && (slot.Was != "" || slot.Node != "") {
				t.Fatalf("no cause or no reason: %+v", slot)
			}
			was := find(list, slot.Was)
			healthy := was != nil && was.eligible() && !slices.ContainsFunc(in.Holders[:min(i, len(in.Holders))], func(h Holder) bool { return h.Node == slot.Was })
			switch {
			case i >= d.Count:
				if slot.Node != "" {
					t.Fatalf("more than %d holders: %+v", d.Count, slot)
				}
			case healthy && slot.Changes():
				if in.Holders[i].Held < p.Hold || now == nil || rounded(now.score-was.score) < p.Margin || now.score <= was.score {
					t.Fatalf("held for %s of %s, scores %g, the new one %v: %+v", in.Holders[i].Held, p.Hold, was.score, now, slot)
				}
			case !healthy && slot.Node == "":
				if free := slices.IndexFunc(list, func(j judged) bool { return j.eligible() && !held[j.Node.Name] }); free >= 0 && !slices.ContainsFunc(d.Slots, func(s Slot) bool { return s.Node == list[free].Node.Name }) {
					t.Fatalf("%s could hold it at once: %+v", list[free].Node.Name, slot)
				}
			}
		}
	})
}

// Doing what was decided settles: with the same status the next decision changes
// nothing, at once and after any time.
func TestADecisionSettles(t *testing.T) {
	s := newStory(t)
	rapid.Check(t, func(t *rapid.T) {
		p, set, in := anyCase(t, s)
		for _, x := range p.prefer {
			if x.outline.Names("task") || x.outline.Names("now") {
				return // what is preferred changes by what is decided, or by itself
			}
		}
		in = in.Clone()
		for range 2 {
			d := set.Decide(in)
			for i := range in.Holders {
				in.Holders[i].Held = time.Hour
			}
			in.Holders = in.Holders[:0]
			for _, slot := range d.Slots[:d.Count] {
				in.Holders = append(in.Holders, Holder{Node: slot.Node, Held: time.Hour})
			}
		}
		if d := set.Decide(in); d.Changes() {
			t.Fatalf("it changes again: %+v", d.Slots)
		}
	})
}

// A decider that remembers decides as one that does not, whatever changes.
func TestADeciderDecidesAlike(t *testing.T) {
	s := newStory(t)
	rapid.Check(t, func(t *rapid.T) {
		_, set, in := anyCase(t, s)
		var d Decider
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			in = in.After(time.Duration(rapid.IntRange(0, 40).Draw(t, "s")) * time.Second)
			switch n := len(in.Candidates); rapid.IntRange(0, 6).Draw(t, "what") {
			case 0:
				in = anyInput(t, in.Task.Name)
			case 1:
				in = in.Do(set.Decide(in))
			case 2:
				if n > 0 {
					c := &in.Candidates[rapid.IntRange(0, n-1).Draw(t, "which")]
					c.Node.CPU = float64(rapid.IntRange(0, 4).Draw(t, "cpu")) / 4
				}
			case 3:
				if n > 0 && in.Candidates[0].Partition != nil {
					in.Candidates[0].Partition.Lag = int64(rapid.IntRange(0, 12).Draw(t, "lag"))
				}
			}
			for range 2 {
				want, got := set.Decide(in), d.Decide(set, in)
				for i := range want.Slots {
					w, g := want.Slots[i], got.Slots[i]
					if w.Node != g.Node || w.Was != g.Was || w.Cause != g.Cause {
						t.Fatalf("%+v, without memory %+v", g, w)
					}
				}
			}
		}
	})
}

// A glob is matched as a regular expression would.
func TestGlobs(t *testing.T) {
	for _, tt := range []struct {
		pattern, task string
		want          bool
	}{
		{"*", "", true}, {"*", "primary", true}, {"prim*", "primary", true}, {"*mary", "primary", true}, {"p*m*y", "primary", true},
		{"p*m*z", "primary", false}, {"?rimary", "primary", true}, {"?", "", false}, {"primary", "primary2", false}, {"**a**", "a", true},
		{"a*b?c", "axxbyc", true}, {"a*b?c", "axxbc", false}, {"mail/*", "mail/eu", true}, {"*ab", "aab", true},
	} {
		if got := matchesTask(tt.pattern, tt.task); got != tt.want {
			t.Errorf("%s of %s: %v", tt.pattern, tt.task, got)
		}
	}
	a, b := strings.Repeat("*a", 60), strings.Repeat("a", 120)
	start := time.Now()
	if matchesTask(a, b+"b") || time.Since(start) > time.Second {
		t.Errorf("a hard pattern took %s", time.Since(start))
	}
}

// The variables of a scope stand in the order in which values are made for them.
func TestVariablesHaveTheirValues(t *testing.T) {
	s := newStory(t)
	node := Node{Name: "name", Status: Suspect, Labels: map[string]string{"zone": "z"}, Version: "version", OS: "os", Arch: "arch", CPU: 0.1, MemoryFree: 0.2,
		DiskFree: 0.3, HeartbeatAge: 1 * time.Second, Uptime: 2 * time.Second, Tasks: 3, Primaries: 4, Partitions: 5}
	part := Partition{Role: RolePrimary, Status: "status", Revision: 6, Lag: 7, LagTime: 8 * time.Second, ApplyRate: 9.5, SizeBytes: 10, Diverged: true}
	in := &Input{Now: time.Unix(11, 0), Group: Group{Name: "group", Labels: map[string]string{"a": "b"}, Size: 12, Available: 13, Zones: map[string]int64{"z": 14}},
		Task: Task{Name: "backup", Labels: map[string]string{"c": "d"}}, Holders: []Holder{{Node: "holder", Held: 15 * time.Second}},
		Candidates: []Candidate{{Node: node, Partition: &part}}}
	for name, want := range map[string]string{
		"node.name": "'name'", "node.status": "'suspect'", "node.labels.zone": "'z'", "node.labels['no/such']": "''", "node.version": "'version'", "node.os": "'os'", "node.arch": "'arch'",
		"node.cpu": "0.1", "node.memory_free": "0.2", "node.disk_free": "0.3", "node.heartbeat_age": "duration('1s')", "node.uptime": "duration('2s')",
		"node.tasks": "3", "node.primaries": "4", "node.partitions": "5", "partition.role": "'primary'", "partition.status": "'status'",
		"partition.revision": "6", "partition.lag": "7", "partition.lag_time": "duration('8s')", "partition.apply_rate": "9.5", "partition.size_bytes": "10", "partition.diverged": "true",
		"group.name": "'group'", "group.labels.a": "'b'", "group.size": "12", "group.available": "13", "group.zones.z": "14", "group.zones.other": "0",
		"task.name": "'backup'", "task.kind": "'backup'", "task.holder": "'holder'", "task.held_for": "duration('15s')", "task.labels.c": "'d'", "now": "timestamp(11)",
	} {
		p, problems := s.compiler.Read([]byte(fmt.Sprintf("{\"policy\": \"p\", \"task\": \"backup\", \"require\": [\"%s == %s\"]}", name, want)))
		if problems != nil {
			t.Error(name, problems)
			continue
		}
		list := p.judge(in, true)
		if e := list[0].require[0]; e.fault != nil || !e.value.Bool() {
			t.Errorf("%s is not %s: %v", name, want, e.fault)
		}
	}
	for _, v := range Variables() {
		if v.Doc == "" && !strings.HasSuffix(v.Name, ".name") {
			t.Errorf("%s is told nowhere", v.Name)
		}
	}
}
