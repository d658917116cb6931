package node_test

import (
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"lockstep/router/node"
)

// halting stops whichever node first comes to a step there, and names it.
type halting struct {
	step  atomic.Pointer[string]
	first atomic.Pointer[string]
}

func (h *halting) at(step string) {
	h.first.Store(nil)
	h.step.Store(&step)
}

// of is a node's hook: once one has come to the step none takes it.
func (h *halting) of(name string) func(step string) bool {
	return func(step string) bool {
		at := h.step.Load()
		if at == nil || *at == "" || !strings.HasPrefix(step, *at) {
			return false
		}
		h.first.CompareAndSwap(nil, &name)
		return true
	}
}

// "a crash in the middle of any step leads on": the node that is about to take a step of
// a move is killed, and starts again; a copy that moves to and fro is in its place in the
// end, once, and no transaction is lost.
func TestKilledInTheMiddleOfAMove(t *testing.T) {
	var h halting
	nodes := cluster(t, 4, 3, func(cfg *node.Config) { node.Halt(cfg, h.of(cfg.Name)) })
	by := map[string]*member{}
	for _, m := range nodes {
		by[m.cfg.Name] = m
	}
	from, to := "n3", "n4"
	l := startLoad(t, nodes)
	for _, step := range []string{"let in to bank", "promote in bank", "end_move bank", "take out of bank", "end_partition bank", "stop bank", "wipe "} {
		l.through("killed before: "+step, func() {
			asked := by["n1"]
			h.at(step)
			asked.must("POST", "/v1/groups/bank/partitions?wait=false", `{"node": "`+to+`", "replaces": "`+from+`"}`)
			awaits(t, "a node comes to: "+step, func() bool { return h.first.Load() != nil })
			victim := by[*h.first.Load()]
			victim.crash()
			h.at("")
			victim.start()
			<-victim.Ready()
			asked.must("POST", "/v1/groups/bank/partitions", `{"node": "`+to+`", "replaces": "`+from+`"}`)
			awaits(t, from+" has nothing left", func() bool { return len(by[from].onDisk()) == 0 })
		})
		from, to = to, from
	}
	want := []string{"n1", "n2", to}
	if from != "n3" {
		want = []string{"n1", "n2", from}
	}
	if got := by["n1"].copies("bank"); !slices.Contains(got, from) || len(got) != 3 {
		t.Errorf("the copies are on %v, want %v", got, want)
	}
	l.stop(by["n1"])
}

// The same of a node that is replaced: drained of its copies, which go to another, then
// dropped, and taken out of the catalog's group.
func TestKilledInTheMiddleOfAReplacement(t *testing.T) {
	var h halting
	nodes := cluster(t, 6, 3, func(cfg *node.Config) { node.Halt(cfg, h.of(cfg.Name)) })
	by := map[string]*member{}
	for _, m := range nodes {
		by[m.cfg.Name] = m
	}
	n1 := by["n1"]
	l := startLoad(t, nodes)
	old, next := "n2", "n5"
	for _, step := range []string{"evacuate bank", "drop n", "catalog "} {
		l.through("killed before: "+step, func() {
			h.at(step)
			n1.must("POST", "/v1/nodes/"+old+"/replace?wait=false", `{"with": "`+next+`"}`)
			awaits(t, "a node comes to: "+step, func() bool { return h.first.Load() != nil })
			victim := by[*h.first.Load()]
			if victim.Node != nil && victim.cfg.Name != old {
				victim.crash()
			}
			h.at("")
			if victim.Node == nil {
				victim.start()
				<-victim.Ready()
			}
			awaits(t, old+" is gone", func() bool { return !slices.Contains(n1.nodeNames(), old) })
			_ = by[old].ends()
		})
		if got := n1.copies("bank"); slices.Contains(got, old) || !slices.Contains(got, next) || len(got) != 3 {
			t.Fatalf("%s was replaced by %s, and the copies are on %v", old, next, got)
		}
		old, next = next, map[string]string{"n5": "n6", "n6": "n4"}[next]
	}
	l.stop(n1)
}

// "A change of a node's address": one under load, then two of three at once.
func TestAddressesChange(t *testing.T) {
	nodes := three(t)
	l := startLoad(t, nodes[:1])
	other := func(m *member) {
		m.cfg.HTTP, m.cfg.Raft = freeAddress(t), freeAddress(t)
	}
	l.through("n3 goes elsewhere", func() {
		nodes[2].stop()
		other(nodes[2])
		nodes[2].start()
		<-nodes[2].Ready()
		awaits(t, "the others know", func() bool {
			return nodes[0].node("n3").HTTP == nodes[2].cfg.HTTP && nodes[0].node("n3").Status == "available"
		})
	})
	l.through("n2 and n3 go elsewhere at once", func() {
		nodes[1].crash()
		nodes[2].crash()
		for _, m := range nodes[1:] {
			other(m)
		}
		nodes[1].cfg.Join = []string{nodes[0].cfg.Raft}
		nodes[2].cfg.Join = nodes[1].cfg.Join
		nodes[1].start()
		nodes[2].start()
		<-nodes[1].Ready()
		<-nodes[2].Ready()
		awaits(t, "all know", func() bool {
			return nodes[0].node("n3").Raft == nodes[2].cfg.Raft && nodes[0].node("n2").Raft == nodes[1].cfg.Raft && nodes[0].node("n2").Status == "available"
		})
	})
	l.stop(nodes[0])
	// All at once: each is told one of the new addresses.
	for _, m := range nodes {
		m.crash()
		other(m)
	}
	nodes[0].cfg.Join, nodes[0].cfg.Bootstrap = []string{nodes[1].cfg.Raft}, false
	nodes[1].cfg.Join, nodes[2].cfg.Join = []string{nodes[2].cfg.Raft}, []string{nodes[0].cfg.Raft}
	for _, m := range nodes {
		m.start()
	}
	for _, m := range nodes {
		<-m.Ready()
	}
	if _, _, err := net.SplitHostPort(nodes[1].node("n3").HTTP); err != nil || !nodes[1].verify().Equal {
		t.Errorf("at their new addresses: %v", err)
	}
}
