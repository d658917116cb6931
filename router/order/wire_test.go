package order

import (
	"slices"
	"testing"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
)

type verdict = outcome.Verdict

func equal(a, b []int) bool { return slices.Equal(a, b) }

func countItems(t *testing.T, cmd []byte) (n int) {
	t.Helper()
	var r entry.Reader
	if _, err := r.Reset(cmd); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Batch(); err != nil {
		t.Fatal(err)
	}
	var it entry.Item
	for r.Next(&it) {
		n++
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return n
}

// FuzzRequests: "a malformed byte never panics", and what is taken from a frame
// makes a well-formed entry: what is malformed must never get into the log.
func FuzzRequests(f *testing.F) {
	s := newSim(2, nil)
	s.elect(0, 1)
	o := s.nodes[1].o
	for _, r := range []*Request{
		{Item: entry.Item{Proc: 3, Params: []byte("p")}},
		{Item: entry.Item{ID: entry.ID{Key: "k"}, Proc: -1, Source: []byte("s")}},
		{Schema: &entry.Schema{Document: []byte("{}"), IfMatch: 1}},
		{Checkpoint: &entry.Checkpoint{ID: 4}},
		{Verdict: &entry.Verdict{Checkpoint: 4, Revision: 9, Agreed: []uint64{1, 2}, Differed: []uint64{3}}},
	} {
		r.Deadline, r.Done = s.now.Add(time.Minute), func(Answer) {}
		o.Submit(r)
	}
	s.dial(1)
	s.carry(s.conns[0])
	for _, frame := range s.conns[0].there {
		f.Add(frame)
	}
	f.Add([]byte{framePing})
	f.Add([]byte{frameRequests, 1, 1, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, frame []byte) {
		s := newSim(1, nil)
		s.elect(0)
		in := s.nodes[0].o.newInbound(2, nil)
		if err := in.serve(frame); err != nil {
			if s.nodes[0].o.Stats().Foreign != 0 {
				t.Fatal("a part of a corrupt frame was taken")
			}
			return
		}
		s.nodes[0].o.pump()
		for _, e := range s.open {
			if err := entry.Check(e.cmd); err != nil {
				t.Fatalf("proposed a corrupt entry: %v", err)
			}
		}
		if err := s.nodes[0].o.audit(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzAnswers: whatever a primary answers, nothing panics, no request is
// answered twice, and the books are right.
func FuzzAnswers(f *testing.F) {
	committed := outcome.AppendVerdict([]byte{frameAnswers, 1, byte(statusVerdict)}, &outcome.Verdict{
		Kind: outcome.Executed, Outcome: outcome.Outcome{Committed: true, Revision: 7, Result: []byte("1")}})
	f.Add(committed)
	f.Add([]byte{frameAnswers, 1, byte(statusNotPrimary), 2, byte(statusLost), 3, byte(statusTooLarge)})
	f.Add([]byte{frameAnswers, 1, byte(statusOverloaded), 1, byte(statusOverloaded)})
	f.Add([]byte{framePong})
	f.Add([]byte{frameGoodbye, 'x'})
	f.Fuzz(func(t *testing.T, frame []byte) {
		s := newSim(2, nil)
		s.elect(0, 1)
		o := s.nodes[1].o
		answers := [3]int{}
		for i := range answers {
			o.Submit(&Request{Deadline: s.now.Add(time.Minute), Done: func(Answer) { answers[i]++ }})
		}
		s.dial(1)
		s.carry(s.conns[0])
		l := s.conns[0].l
		if err := o.receive(l, frame); err != nil {
			s.sever(s.conns[0])
		}
		if err := o.audit(); err != nil {
			t.Fatal(err)
		}
		s.pass(61 * time.Second)
		if answers != [3]int{1, 1, 1} {
			t.Fatalf("answered %v times", answers)
		}
	})
}
