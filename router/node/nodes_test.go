package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lockstep/router"
	"lockstep/router/node"
)

func (m *member) node(name string) router.NodeDetail {
	m.t.Helper()
	var d router.NodeDetail
	status, _, text := m.ask("GET", "/v1/nodes/"+name, "application/json", nil)
	if status == 404 {
		return router.NodeDetail{Name: name, Status: "removed"}
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		m.t.Fatal(err)
	}
	return d
}

// awaits waits for a condition.
func awaits(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !is(); wait(t) {
		if time.Now().After(limit) {
			t.Fatalf("never: %s", what)
		}
	}
}

// ends waits until a node says that it can't go on, and stops it.
func (m *member) ends() error {
	m.t.Helper()
	select {
	case err := <-m.Failed():
		m.stop()
		return err
	case <-time.After(patience):
		m.t.Fatalf("%s does not end", m.cfg.Name)
		return nil
	}
}

// "a node drained (all its tasks and, on request, its partitions go elsewhere),
// undrained, removed for good, re-added under the same name with an empty disk … Every
// one of them online under load, with no acknowledged transaction lost and throughput
// shown through it."
func TestNodesLeaveUnderLoad(t *testing.T) {
	nodes := cluster(t, 4, 3)
	n1, n2 := nodes[0], nodes[1]
	l := startLoad(t, nodes[1:])
	n1.lead()
	if err := n1.LeadSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.through("drain n1", func() { n2.must("POST", "/v1/nodes/n1/drain", "") })
	if d := n2.node("n1"); d.Status != "drained" || len(d.Primaries) > 0 || d.Catalog == "leader" || !slices.Equal(d.Partitions, []string{"bank"}) {
		t.Errorf("n1 is %+v", d)
	}
	if status, _, text := n2.ask("POST", "/v1/groups", "application/json", []byte(`{"name": "other", "nodes": ["n1"]}`)); status != 409 || !strings.Contains(text, "lockstep node undrain n1") {
		t.Errorf("a group on a drained node: %d %s", status, text)
	}
	n2.must("POST", "/v1/nodes/n1/undrain", "")
	if d := n2.node("n1"); d.Status != "available" {
		t.Errorf("n1 is %+v", d)
	}
	if status, _, text := n2.ask("DELETE", "/v1/nodes/n1", "application/json", nil); status != 409 || !strings.Contains(text, "lockstep node drain n1 --partitions") {
		t.Errorf("a node in use is removed: %d %s", status, text)
	}
	n1.lead()
	l.through("drain n1 with its copies", func() { n2.must("POST", "/v1/nodes/n1/drain", `{"partitions": true}`) })
	if got := n2.copies("bank"); !slices.Equal(got, []string{"n2", "n3", "n4"}) {
		t.Errorf("the copies are on %v", got)
	}
	awaits(t, "n1 has wiped its copy", func() bool { return len(n1.onDisk()) == 0 })
	l.through("remove n1", func() { n2.must("DELETE", "/v1/nodes/n1", "") })
	if err := n1.ends(); !errors.Is(err, node.ErrRemoved) {
		t.Errorf("n1 ends with %v", err)
	}
	n1.cfg.Join, n1.cfg.Bootstrap = []string{n2.cfg.Raft}, false
	if err := n1.refused(); !errors.Is(err, node.ErrRemoved) || !strings.Contains(err.Error(), "an empty folder") {
		t.Errorf("a removed node comes back: %v", err)
	}
	n1.cfg.Data = filepath.Join(t.TempDir(), "n1")
	n1.start()
	<-n1.Ready()
	l.through("the new n1 gets a copy in place of n2's", func() {
		n1.must("POST", "/v1/groups/bank/partitions", `{"node": "n1", "replaces": "n2"}`)
	})
	l.stop(n1)
}

// "Refused … whatever would lose the quorum": of two nodes either can go for good, and
// the last one goes on alone, the catalog with it, though it is killed at once.
func TestOneOfTwoNodesIsRemoved(t *testing.T) {
	nodes := cluster(t, 2, 2)
	n1, n2 := nodes[0], nodes[1]
	n1.must("DELETE", "/v1/nodes/n2?force=true", "")
	if err := n2.ends(); !errors.Is(err, node.ErrRemoved) {
		t.Errorf("n2 ends with %v", err)
	}
	n1.crash()
	n1.start()
	<-n1.Ready()
	n1.must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "alone", "owner": "A", "balance": 1}}`)
	n1.must("POST", "/v1/groups", `{"name": "more", "nodes": ["n1"]}`)
}

// "replaced by another in one command (node replace n2 --with n6)": one that is alive,
// then one that is dead; and a node whose disk is lost has its name and its copies back.
func TestReplacedNodes(t *testing.T) {
	nodes := cluster(t, 5, 3)
	n1, n2, n3, n4, n5 := nodes[0], nodes[1], nodes[2], nodes[3], nodes[4]
	l := startLoad(t, []*member{n1, n5})
	if status, _, text := n1.ask("POST", "/v1/nodes/n2/replace", "application/json", []byte(`{"with": "n3"}`)); status != 409 || !strings.Contains(text, "node n3 has a copy of group bank itself") {
		t.Errorf("replaced with one that can't: %d %s", status, text)
	}
	l.through("n4 in n2's place", func() { n1.must("POST", "/v1/nodes/n2/replace", `{"with": "n4"}`) })
	if err := n2.ends(); !errors.Is(err, node.ErrRemoved) {
		t.Errorf("n2 ends with %v", err)
	}
	n4.crash()
	awaits(t, "n4 is away", func() bool { return n1.node("n4").Status == "unavailable" })
	l.through("n5 in the dead n4's place", func() { n1.must("POST", "/v1/nodes/n4/replace", `{"with": "n5"}`) })
	if got := n1.copies("bank"); !slices.Equal(got, []string{"n1", "n3", "n5"}) {
		t.Errorf("the copies are on %v", got)
	}
	n3.crash()
	n3.cfg.Data = filepath.Join(t.TempDir(), "n3")
	awaits(t, "n3 is away", func() bool { return n1.node("n3").Status == "unavailable" })
	if err := n3.refused(); !strings.Contains(err.Error(), "--replace") {
		t.Errorf("another n3: %v", err)
	}
	n3.cfg.Replace = true
	l.through("n3 with an empty disk", func() {
		n3.start()
		awaits(t, "n3 has its copy again", func() bool {
			g := n1.group()
			p := partitionOf(g, "n3")
			return len(g.Partitions) == 3 && p.Status == "available" && p.Role != "joining" && p.Replaces == ""
		})
	})
	awaits(t, "the lost n3 is gone", func() bool { return len(n1.nodeNames()) == 3 })
	l.stop(n1)
}

func (m *member) nodeNames() []string {
	m.t.Helper()
	var list struct{ Nodes []router.NodeDetail }
	if err := json.Unmarshal([]byte(m.must("GET", "/v1/nodes", "")), &list); err != nil {
		m.t.Fatal(err)
	}
	var names []string
	for _, d := range list.Nodes {
		names = append(names, d.Name)
	}
	return names
}

// crash ends a node without an order: nothing is handed over or flushed.
func (m *member) crash() {
	m.t.Helper()
	m.Node.Crash()
	m.Node = nil
}

// A node is kept for one group, and labelled, by an operator.
func TestDedicatedNodesAndLabels(t *testing.T) {
	nodes := cluster(t, 4, 2)
	n1 := nodes[0]
	if status, _, text := n1.ask("PATCH", "/v1/nodes/n3", "application/json", []byte(`{"dedicated": "orders"}`)); status != 404 || !strings.Contains(text, `"code":"unknown_group"`) || !strings.Contains(text, "lockstep group create orders") {
		t.Errorf("kept for a group that there is not: %d %s", status, text)
	}
	n1.must("POST", "/v1/groups", `{"name": "orders", "nodes": ["n4"]}`)
	n1.must("PATCH", "/v1/nodes/n3", `{"dedicated": "orders", "labels": {"zone": "eu-1"}}`)
	if d := n1.node("n3"); d.Dedicated != "orders" || d.Labels["zone"] != "eu-1" {
		t.Errorf("n3 is %+v", d)
	}
	if status, _, text := n1.ask("POST", "/v1/groups/bank/partitions", "application/json", []byte(`{"node": "n3"}`)); status != 409 || !strings.Contains(text, "kept for group orders") {
		t.Errorf("another group on it: %d %s", status, text)
	}
	if status, _, text := n1.ask("PATCH", "/v1/nodes/n1", "application/json", []byte(`{"dedicated": "orders"}`)); status != 409 || !strings.Contains(text, "has a copy of group bank") {
		t.Errorf("a node with another group is kept for one: %d %s", status, text)
	}
	// It stays kept for the group when that is made anew.
	n1.must("DELETE", "/v1/groups/orders", "")
	n1.must("PATCH", "/v1/nodes/n3", `{"dedicated": "orders"}`)
	n1.must("POST", "/v1/groups", `{"name": "orders", "copies": 2}`)
	if got := n1.copies("orders"); !slices.Contains(got, "n3") {
		t.Errorf("orders is on %v", got)
	}
	n1.must("POST", "/v1/groups", `{"name": "more", "copies": 3}`)
	if got := n1.copies("more"); !slices.Equal(got, []string{"n1", "n2", "n4"}) {
		t.Errorf("more is on %v", got)
	}
	nodes[2].stop()
	nodes[2].start()
	<-nodes[2].Ready()
	n1.must("PATCH", "/v1/nodes/n3", `{"dedicated": ""}`)
	if d := n1.node("n3"); d.Dedicated != "" || d.Labels["zone"] != "eu-1" {
		t.Errorf("started again, n3 is %+v", d)
	}
}

// "others join with one flag and a join token": where the cluster was begun with one,
// or one was made.
func TestJoinTokens(t *testing.T) {
	const token = "a token that nobody guesses"
	n1 := newMember(t, "n1")
	n1.cfg.JoinToken = token
	n1.start()
	<-n1.Ready()
	n2 := newMember(t, "n2", n1.cfg.Raft)
	if err := n2.refused(); !strings.Contains(err.Error(), "--join-token") {
		t.Errorf("without a token: %v", err)
	}
	n2.cfg.JoinToken = "a token that somebody guessed"
	if err := n2.refused(); !strings.Contains(err.Error(), "not one of this cluster's") {
		t.Errorf("with a wrong one: %v", err)
	}
	n2.cfg.JoinToken = token
	n2.start()
	<-n2.Ready()
	var made router.Token
	if err := json.Unmarshal([]byte(n2.must("POST", "/v1/tokens", `{"ttl": "1ms"}`)), &made); err != nil {
		t.Fatal(err)
	}
	n3 := newMember(t, "n3", n2.cfg.Raft)
	n3.cfg.JoinToken = made.Token
	if err := n3.refused(); !strings.Contains(err.Error(), "is over") {
		t.Errorf("with one that is over: %v", err)
	}
	if err := json.Unmarshal([]byte(n2.must("POST", "/v1/tokens", "")), &made); err != nil {
		t.Fatal(err)
	}
	if list := n1.must("GET", "/v1/tokens", ""); strings.Contains(list, made.Token) || !strings.Contains(list, made.ID) || !strings.Contains(list, `"required":true`) {
		t.Errorf("the list is %s", list)
	}
	n3.cfg.JoinToken = made.Token
	n3.start()
	<-n3.Ready()
	n2.must("DELETE", "/v1/tokens/"+made.ID, "")
	n4 := newMember(t, "n4", n1.cfg.Raft)
	n4.cfg.JoinToken = made.Token
	if err := n4.refused(); !strings.Contains(err.Error(), "not one of this cluster's") {
		t.Errorf("with one that was taken away: %v", err)
	}
	n3.stop() // members need none
	n3.cfg.JoinToken = ""
	n3.start()
	<-n3.Ready()
	n1.must("PUT", "/v1/tokens", `{"required": false}`)
	n4.cfg.JoinToken = ""
	n4.start()
	<-n4.Ready()
}

// "up to five voters, the rest non-voting, chosen and replaced by itself as nodes come
// and go": one that stays away is followed by another, and follows when it is back.
func TestCatalogVotersAreReplaced(t *testing.T) {
	nodes := cluster(t, 7, 1, func(cfg *node.Config) { node.VoterPatience(cfg, time.Second) })
	n1 := nodes[0]
	voters := func() (names []string) {
		for _, name := range n1.nodeNames() {
			if c := n1.node(name).Catalog; c == "voter" || c == "leader" {
				names = append(names, name)
			}
		}
		return names
	}
	awaits(t, "five vote", func() bool { return len(voters()) == 5 })
	var away *member
	for _, m := range nodes[1:] {
		if n1.node(m.cfg.Name).Catalog == "voter" {
			away = m
			break
		}
	}
	away.crash()
	awaits(t, "another votes in its place", func() bool {
		v := voters()
		return len(v) == 5 && !slices.Contains(v, away.cfg.Name)
	})
	n1.must("POST", "/v1/groups", `{"name": "meanwhile", "copies": 3}`)
	away.start()
	<-away.Ready()
	if text := away.must("GET", "/v1/groups", ""); !strings.Contains(text, `"meanwhile"`) {
		t.Errorf("it is back, and knows of %s", text)
	}
	if c := n1.node(away.cfg.Name).Catalog; c != "follower" {
		t.Errorf("it is back as %s", c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n1.LeadSystem(ctx); err != nil {
		t.Fatal(err)
	}
	n1.must("POST", "/v1/nodes/n2/drain", "") // its vote goes to one in service
	awaits(t, "another votes in the drained one's place", func() bool {
		v := voters()
		return len(v) == 5 && !slices.Contains(v, "n2")
	})
	nodes[1].must("POST", "/v1/nodes/n2/undrain", "")
}
