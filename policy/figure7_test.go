package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"lockstep/policy"
	"lockstep/policy/supervision"
)

// TestFigures replays the scenarios of the patent under testdata/figures with
// supervision and placement together: each node has its own watch, and the group's
// leader decides by what it sees. Raft is imitated: where the leader is gone, the
// most advanced voter is elected.
//
//	group n1 n2 n3            with the tasks primary and mailer
//	policy                    a document
//	kill, start, join NODE
//	drain, undrain NODE
//	run 2s                    what happens meanwhile
func TestFigures(t *testing.T) {
	datadriven.Walk(t, "testdata/figures", func(t *testing.T, path string) {
		g := &group{t: t}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return g.command(d) })
	})
}

type group struct {
	t        *testing.T
	compiler *policy.Compiler
	set      *policy.Set
	now      time.Duration
	names    []string
	nodes    map[string]*system
	tasks    map[string]*policy.Holder
	epoch    int
	out      strings.Builder
}

// system is a computing system with its partition.
type system struct {
	watch    *supervision.Watch
	alive    bool
	voter    bool
	lag      int64 // revisions behind the primary
	draining bool
	boot     uint64
	seq      uint64
}

const step = 100 * time.Millisecond

func (g *group) command(d *datadriven.TestData) string {
	g.out.Reset()
	switch d.Cmd {
	case "group":
		g.begin(d)
	case "policy":
		p, problems := g.compiler.Read([]byte(d.Input))
		if problems != nil {
			g.t.Fatal(problems)
		}
		g.set = g.set.With(p)
	case "kill":
		g.nodes[d.CmdArgs[0].Key].alive = false
	case "start":
		g.start(d.CmdArgs[0].Key, true, 300)
	case "join":
		name := d.CmdArgs[0].Key
		g.names = append(g.names, name)
		g.start(name, false, 600)
		for _, other := range g.names {
			if err := g.nodes[other].watch.SetMembers(g.now, g.names); err != nil {
				g.t.Fatal(err)
			}
		}
	case "drain", "undrain":
		g.nodes[d.CmdArgs[0].Key].draining = d.Cmd == "drain"
	case "run":
		by, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			g.t.Fatal(err)
		}
		start := g.now
		for end := g.now + by; g.now < end; {
			g.now += step
			g.step(g.now - start)
		}
		fmt.Fprintf(&g.out, "primary %s, mailer %s\n", g.tasks["primary"].Node, g.tasks["mailer"].Node)
	default:
		g.t.Fatalf("unknown command %s", d.Cmd)
	}
	return g.out.String()
}

func (g *group) begin(d *datadriven.TestData) {
	var err error
	if g.compiler, err = policy.NewCompiler(); err != nil {
		g.t.Fatal(err)
	}
	if g.set, err = g.compiler.NewSet(); err != nil {
		g.t.Fatal(err)
	}
	g.now, g.nodes, g.tasks = time.Hour, map[string]*system{}, map[string]*policy.Holder{"primary": {}, "mailer": {}}
	g.names = nil
	for _, a := range d.CmdArgs {
		g.names = append(g.names, a.Key)
	}
	for _, name := range g.names {
		g.start(name, true, 0)
	}
	g.tasks["primary"].Node = g.names[0]
}

func (g *group) start(name string, voter bool, lag int64) {
	w, err := supervision.New(supervision.Defaults(), name, g.names, g.now)
	if err != nil {
		g.t.Fatal(err)
	}
	g.nodes[name] = &system{watch: w, alive: true, voter: voter, lag: lag, boot: uint64(g.now)}
}

func (g *group) tell(after time.Duration, format string, args ...any) {
	fmt.Fprintf(&g.out, "%6s  %s\n", after, fmt.Sprintf(format, args...))
}

func (g *group) step(after time.Duration) {
	g.beat()
	leader := g.tasks["primary"]
	for _, name := range g.names {
		n := g.nodes[name]
		if !n.alive {
			continue
		}
		n.watch.Wish(g.now, name, "")
		for _, other := range g.names {
			wished := supervision.State("")
			if g.nodes[other].draining {
				wished = supervision.Draining
			}
			n.watch.Wish(g.now, other, wished)
		}
		for _, c := range n.watch.Tick(g.now) {
			if name == leader.Node {
				g.tell(after, "%s sees %s: %s -> %s, %s", name, c.Node, c.From, c.To, c.Text)
			}
		}
	}
	if !g.nodes[leader.Node].alive {
		g.elect(after)
		return
	}
	g.catchUp(after)
	for task := range g.tasks {
		g.tasks[task].Held += step
	}
	if g.nodes[leader.Node].watch.Settled(g.now) {
		g.place(after)
	}
}

// beat lets everybody send and hear heartbeats.
func (g *group) beat() {
	for _, from := range g.names {
		n := g.nodes[from]
		if n.seq++; !n.alive {
			continue
		}
		for _, to := range g.names {
			if other := g.nodes[to]; to != from && other.alive {
				b := n.watch.Beat(g.now, to)
				b.Boot, b.Sequence = n.boot, n.seq
				other.watch.Heard(g.now, &b)
			}
		}
	}
}

// elect is Raft's part: the most advanced voter leads, which a policy can't delay.
func (g *group) elect(after time.Duration) {
	var best string
	for _, name := range g.names {
		if n := g.nodes[name]; n.alive && n.voter && (best == "" || n.lag < g.nodes[best].lag) {
			best = name
		}
	}
	if best != "" {
		g.assign(after, "primary", policy.Slot{Node: best, Was: g.tasks["primary"].Node, Cause: policy.Recovery, Why: "Raft elected it"})
	}
}

func (g *group) assign(after time.Duration, task string, s policy.Slot) {
	g.epoch++
	was := s.Was
	if was == "" {
		was = "nobody"
	}
	g.tell(after, "%s: %s -> %s, %s, epoch %d: %s", task, was, s.Node, s.Cause, g.epoch, s.Why)
	*g.tasks[task] = policy.Holder{Node: s.Node}
}

// catchUp lets the primary bring those that are behind up to date.
func (g *group) catchUp(after time.Duration) {
	for _, name := range g.names {
		n := g.nodes[name]
		if !n.alive || n.lag == 0 {
			continue
		}
		if n.lag = max(n.lag-100, 0); n.lag > 0 {
			continue
		}
		g.tell(after, "%s is up to date, by the primary %s", name, g.tasks["primary"].Node)
		if !n.voter {
			n.voter = true
			g.tell(after, "%s has a vote", name)
		}
	}
}

// place is the supervisor on duty: what it sees, decided by the policies.
func (g *group) place(after time.Duration) {
	leader := g.tasks["primary"].Node
	for _, task := range []string{"primary", "mailer"} {
		d := g.set.Decide(g.input(leader, task))
		if s := d.Slots[0]; s.Changes() {
			g.assign(after, task, s)
		}
	}
}

func (g *group) input(leader, task string) *policy.Input {
	in := &policy.Input{Now: time.Unix(int64(g.now/time.Second), 0), Group: policy.Group{Name: "orders"}, Task: policy.Task{Name: task},
		Holders: []policy.Holder{*g.tasks[task]}}
	for _, s := range g.nodes[leader].watch.Status(g.now) {
		n := g.nodes[s.Node]
		p := &policy.Partition{Role: policy.RoleSubscriber, Status: policy.Available, Lag: n.lag}
		switch {
		case s.Node == leader:
			p.Role = policy.RolePrimary
		case !n.voter:
			p.Role = policy.RoleJoining
		}
		in.Candidates = append(in.Candidates, policy.Candidate{Partition: p,
			Node: policy.Node{Name: s.Node, Status: string(s.State), HeartbeatAge: s.Age, Labels: map[string]string{"zone": "z" + s.Node[1:]}}})
	}
	slices.Reverse(in.Candidates) // their order does not matter
	in.Recount()
	return in
}
