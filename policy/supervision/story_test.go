package supervision

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestStories replays what happens under testdata: a few nodes, each with its own
// watch, exchange heartbeats over links that can be cut (issue: Supervision).
//
//	cluster n1 n2 n3 [interval= timeout= retries=]
//	kill, stop, go, start NODE     stop is SIGSTOP, go is SIGCONT
//	cut from=n1 to=n2              heal takes all cuts away
//	slow NODE every=700ms          its heartbeats come late
//	jump NODE by=5s                its clock jumps, forwards or back
//	wish NODE draining
//	reach NODE of=n2 refused       what n1 sees when it connects to n2
//	run 2s [at=n1]                 what changes meanwhile at that node, n1 if none is named
//	status [at=n1]
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		c := &cluster{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return c.command(t, d) })
	})
}

// step is how finely time goes on.
const step = 10 * time.Millisecond

type cluster struct {
	cfg   Config
	now   time.Duration
	names []string
	nodes map[string]*node
	cuts  map[[2]string]bool
}

type node struct {
	watch   *Watch
	boot    uint64
	seq     uint64
	next    time.Duration // heartbeat
	every   time.Duration
	skew    time.Duration // its clock's difference
	dead    bool
	stopped bool
	queue   []Beat // what came while it was stopped
}

func (c *cluster) command(t *testing.T, d *datadriven.TestData) string {
	arg := func(key, otherwise string) string {
		if d.HasArg(key) {
			d.ScanArgs(t, key, &otherwise)
		}
		return otherwise
	}
	span := func(text string) time.Duration {
		by, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		return by
	}
	var first string
	if len(d.CmdArgs) > 0 {
		first = d.CmdArgs[0].Key
	}
	switch d.Cmd {
	case "cluster":
		c.cfg = Defaults()
		if d.HasArg("timeout") {
			c.cfg.Timeout = span(arg("timeout", ""))
		}
		c.now, c.nodes, c.cuts, c.names = time.Hour, map[string]*node{}, map[[2]string]bool{}, nil
		for _, a := range d.CmdArgs {
			if len(a.Vals) == 0 {
				c.names = append(c.names, a.Key)
			}
		}
		for _, name := range c.names {
			c.start(t, name)
		}
	case "join":
		c.names = append(c.names, first)
		c.start(t, first)
		for _, name := range c.names {
			if err := c.nodes[name].watch.SetMembers(c.clock(name), c.names); err != nil {
				t.Fatal(err)
			}
		}
	case "kill":
		c.nodes[first].dead = true
	case "stop":
		c.nodes[first].stopped = true
	case "go":
		c.nodes[first].stopped = false
	case "start":
		c.start(t, first)
	case "cut":
		c.cuts[[2]string{arg("from", ""), arg("to", "")}] = true
	case "heal":
		clear(c.cuts)
	case "slow":
		c.nodes[first].every = span(arg("every", ""))
	case "jump":
		c.nodes[first].skew += span(arg("by", ""))
	case "wish":
		wished := State("")
		if len(d.CmdArgs) > 1 {
			wished = State(d.CmdArgs[1].Key)
		}
		for _, name := range c.names {
			c.nodes[name].watch.Wish(c.clock(name), first, wished)
		}
	case "reach":
		reach := map[string]Reach{"refused": ReachRefused, "taken": ReachTaken, "none": ReachNone}[d.CmdArgs[2].Key]
		c.nodes[first].watch.Reached(c.clock(first), arg("of", ""), reach)
	case "run":
		return c.run(span(first), arg("at", "n1"))
	case "status":
		return c.status(arg("at", "n1"))
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	return ""
}

func (c *cluster) clock(name string) time.Duration { return c.now + c.nodes[name].skew }

func (c *cluster) start(t *testing.T, name string) {
	n := &node{boot: uint64(c.now), every: c.cfg.Interval}
	c.nodes[name] = n
	var err error
	if n.watch, err = New(c.cfg, name, c.names, c.now); err != nil {
		t.Fatal(err)
	}
	n.next = c.now + time.Duration(slices.Index(c.names, name))*step // not all at once
}

// run lets time go on, and tells what one node sees change.
func (c *cluster) run(by time.Duration, at string) string {
	var b strings.Builder
	start := c.now
	for end := c.now + by; c.now < end; {
		c.now += step
		for _, name := range c.names {
			if n := c.nodes[name]; !n.dead && !n.stopped {
				c.turn(name, n)
			}
		}
		for _, name := range c.names {
			n := c.nodes[name]
			if n.dead || n.stopped || (c.now-start)%c.cfg.Interval != 0 && len(n.queue) == 0 {
				continue
			}
			for _, ch := range n.watch.Tick(c.clock(name)) {
				if name == at {
					fmt.Fprintf(&b, "%6s  %s %s -> %s (%s): %s\n", (c.now - start), ch.Node, ch.From, ch.To, ch.Code, ch.Text)
				}
			}
		}
	}
	if b.Len() == 0 {
		return "nothing changes\n"
	}
	return b.String()
}

// turn is what a node does when it runs: it hears, and sends.
func (c *cluster) turn(name string, n *node) {
	for i := range n.queue {
		n.watch.Heard(c.clock(name), &n.queue[i])
	}
	n.queue = n.queue[:0]
	if c.now < n.next {
		return
	}
	n.next = c.now + n.every
	n.seq++
	for _, to := range c.names {
		other := c.nodes[to]
		if to == name || other.dead || c.cuts[[2]string{name, to}] {
			continue
		}
		beat := n.watch.Beat(c.clock(name), to)
		beat.Boot, beat.Sequence = n.boot, n.seq
		if other.queue = append(other.queue, beat); other.stopped {
			continue
		}
		other.watch.Heard(c.clock(to), &beat)
		other.queue = other.queue[:0]
	}
}

func (c *cluster) status(at string) string {
	var b strings.Builder
	for _, s := range c.nodes[at].watch.Status(c.clock(at)) {
		fmt.Fprintf(&b, "%s %s (%s): %s\n", s.Node, s.State, s.Code, s.Text)
	}
	return b.String()
}
