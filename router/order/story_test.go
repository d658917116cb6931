package order

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"

	"github.com/cockroachdb/datadriven"
)

// TestStories runs the transcripts in testdata/stories. Their commands:
//
//	group [pipeline=N] [requests=N] [foreign=N] [items=N]
//	submit node=N [count=N] [key=K] [document=N] [timeout=ms] [schema=N]
//	change node=N [match=VERSION]        a schema change
//	elect leader=N [heard=(N,...)]       0: the group has no leader
//	hear node=N
//	dial | write | there | back          one step of every link, in order of nodes
//	commit | drop | lose | unknown       the oldest entry proposed
//	apply [node=N]                       everything committed, everywhere or there
//	flow                                 all of these until nothing moves
//	sever | cut from=N to=N | refuse node=N
//	pause node=N | resume node=N         nothing is proposed there meanwhile
//	pass ms=N
//	stats node=N
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		st := &story{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			st.out.Reset()
			st.run(t, d)
			if st.out.Len() == 0 {
				return "ok\n"
			}
			return st.out.String()
		})
	})
}

type story struct {
	s     *sim
	out   strings.Builder
	count int
}

func arg(t *testing.T, d *datadriven.TestData, name string, value int) int {
	if d.HasArg(name) {
		d.ScanArgs(t, name, &value)
	}
	return value
}

func (st *story) run(t *testing.T, d *datadriven.TestData) {
	s := st.s
	switch d.Cmd {
	case "group":
		st.s = newSim(3, func(c *Config) {
			c.Pipeline, c.Requests = arg(t, d, "pipeline", 0), arg(t, d, "requests", 0)
			c.Foreign, c.BatchItems = arg(t, d, "foreign", 0), arg(t, d, "items", 0)
		})
		st.s.trace = func(format string, args ...any) { fmt.Fprintf(&st.out, format+"\n", args...) }
	case "submit":
		for range arg(t, d, "count", 1) {
			st.submit(t, d, nil)
		}
	case "change":
		st.submit(t, d, &entry.Schema{IfMatch: uint64(arg(t, d, "match", 0)), Document: []byte("{}")})
	case "elect":
		var heard []int
		for _, a := range d.CmdArgs {
			for _, v := range a.Vals {
				if a.Key == "heard" {
					heard = append(heard, int(v[0]-'1'))
				}
			}
		}
		s.elect(arg(t, d, "leader", 0)-1, heard...)
	case "hear":
		s.hear(arg(t, d, "node", 0) - 1)
	case "cut":
		s.cut[[2]int{arg(t, d, "from", 0) - 1, arg(t, d, "to", 0) - 1}] = true
	case "refuse":
		s.nodes[arg(t, d, "node", 0)-1].refuse = fmt.Errorf("busy")
	case "pause":
		o := s.nodes[arg(t, d, "node", 0)-1].o
		select {
		case <-o.pause():
			fmt.Fprintln(&st.out, "nothing is in flight")
		default:
			fmt.Fprintln(&st.out, "waits for what is in flight")
		}
	case "resume":
		s.nodes[arg(t, d, "node", 0)-1].o.resume()
	case "pass":
		s.pass(time.Duration(arg(t, d, "ms", 0)) * time.Millisecond)
	case "flow":
		s.flow()
	case "apply":
		for i := range s.nodes {
			for arg(t, d, "node", i+1) == i+1 && s.applyNext(i) {
			}
		}
	case "stats":
		fmt.Fprintf(&st.out, "%+v\n", s.nodes[arg(t, d, "node", 0)-1].o.Stats())
	default:
		st.step(t, d.Cmd)
	}
}

func (st *story) step(t *testing.T, cmd string) {
	s := st.s
	switch cmd {
	case "dial":
		for i := range s.nodes {
			s.dial(i)
		}
	case "write":
		for _, c := range s.conns {
			s.carry(c)
		}
	case "there":
		for _, c := range s.conns {
			s.deliverThere(c)
		}
	case "back":
		for _, c := range s.conns {
			s.deliverBack(c)
		}
	case "sever":
		for len(s.conns) > 0 {
			s.sever(s.conns[0])
		}
	case "commit":
		s.commit(0)
	case "drop":
		s.drop(0)
	case "lose":
		st.s.open = st.s.open[1:]
	case "unknown":
		s.open[0].done(Unknown)
	default:
		t.Fatalf("unknown command %q", cmd)
	}
}

func (st *story) submit(t *testing.T, d *datadriven.TestData, change *entry.Schema) {
	st.count++
	name := fmt.Sprintf("r%d", st.count)
	r := &Request{
		SchemaVersion: uint64(arg(t, d, "schema", int(st.s.engine.schema))), Schema: change,
		Deadline: st.s.now.Add(time.Duration(arg(t, d, "timeout", 30_000)) * time.Millisecond),
	}
	if change == nil {
		document := byte(arg(t, d, "document", 1))
		r.Item = entry.Item{Fingerprint: entry.Fingerprint{document}, Params: []byte{document}}
		if d.HasArg("key") {
			d.ScanArgs(t, "key", &r.Item.ID.Key)
		}
	}
	r.Done = func(a Answer) {
		if a.Err != nil {
			fmt.Fprintf(&st.out, "%s: %v\n", name, a.Err)
			return
		}
		o := a.Verdict.Outcome
		kind := [...]string{"", "executed", "duplicate", "key reused", "stale schema", "expired"}[a.Verdict.Kind]
		if a.Verdict.Kind > outcome.Duplicate {
			fmt.Fprintf(&st.out, "%s: %s, attempted %t\n", name, kind, r.Attempted)
			return
		}
		fmt.Fprintf(&st.out, "%s: %s at revision %d %s\n", name, kind, o.Revision, o.Code)
	}
	st.s.nodes[arg(t, d, "node", 1)-1].o.Submit(r)
}
