package node_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"lockstep/router"
)

func (m *member) status() (s router.ClusterStatus) {
	m.t.Helper()
	if err := json.Unmarshal([]byte(m.must("GET", "/v1/status", "")), &s); err != nil {
		m.t.Fatal(err)
	}
	return s
}

// untilStatus waits for what a node says of the cluster.
func (m *member) untilStatus(what string, is func(s *router.ClusterStatus) bool) router.ClusterStatus {
	m.t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); ; <-look.C {
		s := m.status()
		if is(&s) {
			return s
		}
		if time.Now().After(end) {
			text, _ := json.MarshalIndent(s, "", " ")
			m.t.Fatalf("%s does not find that %s: %s", m.cfg.Name, what, text)
		}
	}
}

func nodeIs(name, status, reason string) func(s *router.ClusterStatus) bool {
	return func(s *router.ClusterStatus) bool {
		for _, n := range s.Nodes {
			if n.Name == name {
				return n.Status == status && strings.Contains(n.Reason, reason)
			}
		}
		return false
	}
}

// primaryOf is the group's primary as its log has it.
func primaryOf(g *router.GroupStatus) router.TaskBrief {
	for _, t := range g.Tasks {
		if t.Task == "primary" {
			return t
		}
	}
	return router.TaskBrief{}
}

// "One status view over all groups from any node" (patent, paragraph 39): what is
// wrong, what it affects, and what to do; and each group's primary as its log has it.
func TestStatusTellsWhatIsWrong(t *testing.T) {
	nodes := three(t)
	for _, n := range nodes {
		s := n.untilStatus("all is well", func(s *router.ClusterStatus) bool {
			for _, n := range s.Nodes {
				if n.Status != "available" || n.CPU == nil {
					return false
				}
			}
			g := s.Groups[0]
			return len(s.Nodes) == 3 && g.GroupHealth.Status == router.HealthAvailable && len(s.Troubles) == 0 &&
				primaryOf(&g).Holder == g.Primary
		})
		if f := s.Nodes[0]; *f.DiskFree <= 0 || *f.MemoryFree <= 0 || f.OS == "" || f.Arch == "" {
			t.Errorf("%s says of n1: %+v", n.cfg.Name, f)
		}
		if p := primaryOf(&s.Groups[0]); p.Epoch == 0 || p.Reason != "normal" || p.Since.IsZero() {
			t.Errorf("the first primary is recorded as %+v", p)
		}
	}
	first := nodes[0].status().Groups[0].Primary
	var left []*member
	for _, n := range nodes {
		if n.cfg.Name == first {
			n.stop()
		} else {
			left = append(left, n)
		}
	}
	s := left[0].untilStatus("the primary's node is away", nodeIs(first, "unavailable", "nobody listens at its address"))
	s = left[1].untilStatus("another leads, with the reason", func(s *router.ClusterStatus) bool {
		g := s.Groups[0]
		return g.GroupHealth.Status == router.HealthDegraded && g.Primary != "" && g.Primary != first &&
			primaryOf(&g).Holder == g.Primary
	})
	if p := primaryOf(&s.Groups[0]); p.Reason != "shutdown" || p.Epoch < 2 {
		t.Errorf("the node was stopped in order, and the next primary is recorded as %+v", p)
	}
	left[1].stop()
	s = left[0].untilStatus("the group has no majority", func(s *router.ClusterStatus) bool {
		return s.Groups[0].GroupHealth.Status == router.HealthNoQuorum
	})
	if x := s.Troubles[0]; x.Severity != router.Critical || !strings.Contains(x.Do, first) || !strings.Contains(x.Do, "lockstep group recover bank") {
		t.Errorf("the first trouble is %+v", x)
	}
	if status, _, text := left[0].ask("GET", "/v1/groups/bank/tables/accounts/rows?consistency=local", "", nil); status != 200 {
		t.Errorf("a local read without a majority: %d %s", status, text)
	}
}
