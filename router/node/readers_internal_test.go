package node

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lockstep/engine/lang"
	"lockstep/policy/supervision"
	"lockstep/router/spread"
	"lockstep/txlog"
)

// interface.md: "reader is worked out by each router and never logged". What a policy
// requires of readers holds for this node's copy as for others; where it leaves none,
// reads go on as without it. Diverged, far behind, silent and draining copies are no
// readers under any.
func TestReadersByPolicy(t *testing.T) {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{env: env, id: 1, cfg: Config{Log: slog.New(slog.DiscardHandler)}}
	if err := n.startPolicies(); err != nil {
		t.Fatal(err)
	}
	cat := &catalog{groups: []groupRow{{name: "bank"}}}
	reports, states := map[txlog.NodeID]nodeReport{}, map[string]supervision.Status{}
	for i := 1; i <= 5; i++ {
		id, name := txlog.NodeID(i), fmt.Sprintf("n%d", i)
		cat.nodes = append(cat.nodes, nodeRow{id: id, name: name, labels: map[string]string{"zone": fmt.Sprintf("z%d", i%2)}})
		cat.partitions = append(cat.partitions, partitionRow{group: "bank", node: id, kind: kindData})
		r := nodeReport{Name: name, Status: "available", Groups: map[string]copyReport{"bank": {Revision: 100_000, Leader: txlog.NodeID(1).String(), Term: 3}}}
		reports[id], states[name] = r, supervision.Status{Node: name, State: supervision.Available}
	}
	var before chosen
	readers := func(policies ...string) string {
		t.Helper()
		next := *cat
		for i, doc := range policies {
			next.policies = append(next.policies, policyRow{fmt.Sprintf("p%d", i), 1, fmt.Sprintf(`{"policy": "p%d", "task": "reader", %s}`, i, doc)})
		}
		n.catalog.Store(&next)
		set := n.readersOf(&next, "bank", reports, states)
		before = n.keepChosen(set, n.readerInput(time.Now(), &next, next.groups[0], reports, states), before)
		return shown(set)
	}
	if got := readers(); got != "own n1, n2 n3 n4 n5" {
		t.Errorf("without a policy: %s", got)
	}
	if got := readers(`"require": ["partition.role == 'subscriber'"], "count": 9`); got != "n2 n3 n4 n5" {
		t.Errorf("subscribers: %s", got)
	}
	if got := readers(`"require": ["node.labels.zone == 'z1'"], "count": 9`); got != "own n1, n3 n5" {
		t.Errorf("a zone: %s", got)
	}
	if got := readers(`"require": ["node.labels.zone == 'moon'"]`); got != "own n1, n2 n3 n4 n5" {
		t.Errorf("a policy that leaves none: %s", got)
	}
	// "A failing require excludes the candidate, a failing prefer counts 0, and both are
	// shown in the explanation and a metric."
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(n.policies.failures)
	if got := readers(`"require": ["node.name != 'n5'"], "prefer": [{"expr": "1 / node.tasks == 1", "weight": 2}], "count": 9`); got != "own n1, n2 n3 n4" {
		t.Errorf("a prefer that fails: %s", got)
	}
	if found, err := metrics.Gather(); err != nil || len(found) != 1 || found[0].GetName() != "lockstep_policy_failures_total" || found[0].Metric[0].Counter.GetValue() != 4 {
		t.Errorf("the prefer failed for four nodes, and the metrics are %v (%v)", found, err)
	}
	// "Who may be chosen: never a non-voting copy": n1, the primary, says who votes.
	for i := range cat.partitions {
		cat.partitions[i].replica = uint64(i + 1)
	}
	bank := reports[1].Groups["bank"]
	bank.Voters = []uint64{1, 2, 4, 5}
	reports[1].Groups["bank"] = bank
	cat.partitions[4].away = true
	for _, policies := range [][]string{nil, {`"require": ["node.labels.zone != 'moon'"], "count": 9`}} {
		if got := readers(policies...); got != "own n1, n2 n4" {
			t.Errorf("n3 has no vote, and a witness has n5's place: %s", got)
		}
	}
	bank.Voters = []uint64{2, 3, 4, 5}
	reports[1].Groups["bank"] = bank
	if got := readers(); got != "n2 n3 n4" {
		t.Errorf("this node's copy has no vote: %s", got)
	}
	bank.Voters, cat.partitions[4].away = nil, false
	reports[1].Groups["bank"] = bank
	states["n2"] = supervision.Status{Node: "n2", State: supervision.Unavailable}
	states["n3"] = supervision.Status{Node: "n3", State: supervision.Suspect}
	late := reports[4]
	late.Groups = map[string]copyReport{"bank": {Revision: 1}}
	reports[4] = late
	cat.nodes[4].state = stateDraining
	if got := readers(); got != "own n1, n3?" {
		t.Errorf("one is silent, one suspect, one behind, one draining: %s", got)
	}
}

// shown is a set of readers as text; suspects with a question mark.
func shown(set *spread.Set) string {
	var names []string
	for _, c := range set.Others {
		if c.Suspect {
			c.Name += "?"
		}
		names = append(names, c.Name)
	}
	text := strings.Join(names, " ")
	if set.Own.Node != 0 {
		text = "own " + set.Own.Name + ", " + text
	}
	return text
}
