package router

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// "find a failure's scope and the recovery procedure" (patent, paragraph 39): a
// reader checks by eye that each trouble says what is wrong, what it affects and
// what to do.
//
//	nodes: NAME STATUS [REASON]   a line each; then an empty line
//	groups: NAME STATUS NODE=STATUS[+LAG]… witness=NODE made=COPIES durability=COPIES
func TestTroubles(t *testing.T) {
	datadriven.RunTest(t, "testdata/troubles", func(t *testing.T, d *datadriven.TestData) string {
		var s ClusterStatus
		for _, line := range strings.Split(d.Input, "\n") {
			f := strings.Fields(line)
			switch {
			case len(f) >= 3 && f[0] == "node":
				n := NodeStatus{Name: f[1], Status: f[2]}
				n.Reason = strings.Join(f[3:], " ")
				if free, ok := strings.CutPrefix(n.Reason, "disk_free="); ok {
					share := 0.0
					if _, err := fmt.Sscan(free, &share); err != nil {
						t.Fatal(err)
					}
					n.Reason, n.DiskFree = "", &share
				}
				s.Nodes = append(s.Nodes, n)
			case len(f) >= 3 && f[0] == "group":
				g := GroupStatus{Name: f[1], GroupHealth: GroupHealth{Status: f[2]}}
				for _, p := range f[3:] {
					name, value, _ := strings.Cut(p, "=")
					status, lag, _ := strings.Cut(value, "+")
					switch name {
					case "wanted":
						g.Wanted, g.WantedWhy = value, "its copy lags"
						continue
					case "witness":
						g.Partitions = append(g.Partitions, PartitionStatus{Node: value, Status: "available", Kind: "witness"})
						continue
					case "made":
						g.Made = int(value[0] - '0')
						continue
					case "durability":
						g.Durability = strings.ReplaceAll(value, "_", " ")
						continue
					case "unassigned":
						g.Tasks = append(g.Tasks, TaskBrief{Task: value, Reason: "recovery", Why: "no node may hold it"})
						continue
					}
					part := PartitionStatus{Node: name, Status: status}
					if lag != "" {
						if _, err := fmt.Sscan(lag, &part.Lag); err != nil {
							t.Fatal(err)
						}
					}
					g.Partitions = append(g.Partitions, part)
				}
				g.Reason = "as its copies are"
				s.Groups = append(s.Groups, g)
			}
		}
		var out strings.Builder
		for _, x := range Diagnose(&s) {
			fmt.Fprintf(&out, "%s: %s\n  affects: %s\n  do: %s\n", x.Severity, x.What, x.Affects, x.Do)
		}
		if out.Len() == 0 {
			return "nothing is wrong"
		}
		return out.String()
	})
}
