package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/router"
	"lockstep/router/client"
	"lockstep/router/node"
	"lockstep/testdata/bank"
)

// cluster starts nodes n1, n2, … with the bank on the first of them.
func cluster(t *testing.T, nodes, copies int, change ...func(cfg *node.Config)) []*member {
	all := make([]*member, nodes)
	for i := range all {
		name := fmt.Sprintf("n%d", i+1)
		if all[i] = newMember(t, name); i > 0 {
			all[i] = newMember(t, name, all[0].cfg.Raft)
		}
		for _, f := range change {
			f(&all[i].cfg)
		}
		all[i].start()
	}
	for _, m := range all {
		<-m.Ready()
	}
	var names []string
	for _, m := range all[:copies] {
		names = append(names, fmt.Sprintf("%q", m.cfg.Name))
	}
	if copies > 0 {
		all[0].must("POST", "/v1/groups", fmt.Sprintf(`{"name": "bank", "nodes": [%s]}`, strings.Join(names, ",")))
		all[0].must("PUT", "/v1/groups/bank/schema", bank.Schema)
	}
	// All at once: the last ones would wait for somebody to hand their groups to.
	t.Cleanup(func() {
		var stopping sync.WaitGroup
		for _, m := range all {
			stopping.Go(m.stop)
		}
		stopping.Wait()
	})
	return all
}

// load opens accounts at all nodes until it is ended, each under an id of its own.
type load struct {
	t      *testing.T
	end    context.CancelFunc
	work   sync.WaitGroup
	mu     sync.Mutex
	opened []string
	done   atomic.Int64
	gap    atomic.Int64 // longest time between two commits, since it was last asked
}

func startLoad(t *testing.T, nodes []*member) *load {
	ctx, end := context.WithCancel(context.Background())
	l := &load{t: t, end: end}
	t.Cleanup(func() {
		end()
		l.work.Wait()
	})
	var last atomic.Int64
	last.Store(time.Now().UnixNano())
	for w := range 4 {
		var servers []string
		for i := range nodes {
			servers = append(servers, nodes[(i+w)%len(nodes)].cfg.HTTP)
		}
		c, err := client.New(client.Config{Servers: servers})
		if err != nil {
			t.Fatal(err)
		}
		l.work.Go(func() {
			defer c.Close()
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("w%d-%d", w, i)
				doc := fmt.Sprintf(`{"procedure": "open", "params": {"id": %q, "owner": "O", "balance": 1}}`, id)
				within, cancel := context.WithTimeout(context.Background(), patience)
				o, err := c.Transact(within, "bank", []byte(doc), "")
				cancel()
				if err != nil || !o.Committed() {
					t.Errorf("a transaction was lost or done twice: %v %+v", err, o)
					return
				}
				now := time.Now().UnixNano()
				if pause := now - last.Swap(now); pause > l.gap.Load() {
					l.gap.Store(pause)
				}
				l.mu.Lock()
				l.opened = append(l.opened, id)
				l.mu.Unlock()
				l.done.Add(1)
			}
		})
	}
	return l
}

// through tells how many transactions were committed during f, which none would be a
// failure of, and the longest time between two.
func (l *load) through(what string, f func()) {
	l.t.Helper()
	before, began := l.done.Load(), time.Now()
	l.gap.Store(0)
	f()
	n, took := l.done.Load()-before, time.Since(began)
	l.t.Logf("%s: %d transactions in %v, the longest pause %v", what, n, took.Round(time.Millisecond), time.Duration(l.gap.Load()).Round(time.Millisecond))
	if n == 0 {
		l.t.Errorf("nothing was committed during: %s", what)
	}
}

// stop ends the load and checks that whatever was acknowledged is there, once.
func (l *load) stop(at *member) {
	l.t.Helper()
	l.end()
	l.work.Wait()
	found := map[string]bool{}
	for next := ""; ; {
		var page struct {
			Rows []struct{ ID string }
			Next string
		}
		text := at.must("GET", "/v1/groups/bank/tables/accounts/rows?limit=1000&after="+next, "")
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			l.t.Fatal(err)
		}
		for _, r := range page.Rows {
			found[r.ID] = true
		}
		if next = page.Next; next == "" {
			break
		}
	}
	for _, id := range l.opened {
		if !found[id] {
			l.t.Errorf("account %s was acknowledged and is gone", id)
		}
	}
	if r := at.verify(); !r.Equal {
		l.t.Errorf("the copies differ: %+v", r)
	}
}

func (m *member) copies(group string) []string {
	m.t.Helper()
	var list struct{ Partitions []router.PartitionStatus }
	if err := json.Unmarshal([]byte(m.must("GET", "/v1/groups/"+group+"/partitions", "")), &list); err != nil {
		m.t.Fatal(err)
	}
	var names []string
	for _, p := range list.Partitions {
		names = append(names, p.Node)
	}
	return names
}

// onDisk are the replicas, by folder, that a node has anything of, the catalog's left out.
func (m *member) onDisk() []string {
	m.t.Helper()
	var found []string
	for _, dir := range []string{"groups", "checks"} {
		list, err := filepath.Glob(filepath.Join(m.cfg.Data, dir, "*"))
		if err != nil {
			m.t.Fatal(err)
		}
		for _, path := range list {
			if name := filepath.Base(path); !strings.HasPrefix(name, "1-") {
				found = append(found, filepath.Join(dir, name))
			}
		}
	}
	return found
}

// "partitions added (non-voting, streamed snapshot, promoted when caught up), removed
// (data wiped), moved from one group to a second (claims 6 and 7: node leaves group A,
// joins group B); a group deleted … Every one of them online under load, with no
// acknowledged transaction lost and throughput shown through it."
func TestCopiesComeAndGoUnderLoad(t *testing.T) {
	nodes := cluster(t, 4, 3)
	n1, n4 := nodes[0], nodes[3]
	l := startLoad(t, nodes)
	l.through("add n4", func() {
		text := n4.must("POST", "/v1/groups/bank/partitions", `{"node": "n4"}`)
		if !strings.Contains(text, `"role":"subscriber"`) {
			t.Errorf("the copy that was added is %s", text)
		}
	})
	if status, _, text := n1.ask("POST", "/v1/groups/bank/partitions", "application/json", []byte(`{"node": "n4"}`)); status != 200 {
		t.Errorf("asked for again: %d %s", status, text)
	}
	l.through("remove n2", func() { n1.must("DELETE", "/v1/groups/bank/partitions/n2", "") })
	if left := nodes[1].onDisk(); len(left) > 0 {
		t.Errorf("n2 still has %v", left)
	}
	if status, _, text := n1.ask("DELETE", "/v1/groups/bank/partitions/n2", "application/json", nil); status != 404 {
		t.Errorf("removed again: %d %s", status, text)
	}
	l.through("move from n1 to n2", func() {
		n1.must("POST", "/v1/groups/bank/partitions", `{"node": "n2", "replaces": "n1"}`)
	})
	if got := n1.copies("bank"); !slices.Equal(got, []string{"n2", "n3", "n4"}) {
		t.Errorf("the copies are on %v", got)
	}
	n1.must("POST", "/v1/groups", `{"name": "second", "nodes": ["n1"]}`)
	n1.must("PUT", "/v1/groups/second/schema", bank.Schema)
	l.through("n4 leaves bank and joins second", func() {
		n1.must("POST", "/v1/groups/second/partitions", `{"node": "n4", "from": "bank"}`)
	})
	if got := n1.copies("second"); !slices.Equal(got, []string{"n1", "n4"}) {
		t.Errorf("the copies are on %v", got)
	}
	l.through("delete second", func() { n1.must("DELETE", "/v1/groups/second", "") })
	for _, m := range []*member{n1, n4} {
		if left := m.onDisk(); len(left) > 0 {
			t.Errorf("%s still has %v", m.cfg.Name, left)
		}
	}
	n4.must("POST", "/v1/groups", `{"name": "second", "nodes": ["n1"]}`) // the name is free
	n4.must("PUT", "/v1/groups/second/schema", bank.Schema)
	if text := n4.must("GET", "/v1/groups/second/tables/accounts/rows", ""); !strings.Contains(text, `"rows":[]`) {
		t.Errorf("the new group has %s", text)
	}
	l.stop(n1)
}

// "Refused, with the reason: whatever would lose the quorum or the last copy."
func TestRefusedChangesOfCopies(t *testing.T) {
	nodes := cluster(t, 4, 2)
	n1 := nodes[0]
	refused := func(method, path, body string, status int, code, text string) {
		t.Helper()
		got, _, answer := n1.ask(method, path, "application/json", []byte(body))
		if got != status || !strings.Contains(answer, `"code":"`+code+`"`) || !strings.Contains(answer, text) {
			t.Errorf("%s %s %s: %d %s", method, path, body, got, answer)
		}
	}
	const partitions = "/v1/groups/bank/partitions"
	refused("POST", partitions, `{"node": "n9"}`, 404, "not_found", "no node")
	refused("POST", partitions, `{"node": "n2", "replaces": "n1"}`, 409, "already_exists", "has a copy")
	refused("POST", partitions, `{"node": "n3", "from": "bank"}`, 409, "already_exists", "two groups")
	refused("POST", partitions, `{"node": "n3", "replaces": "n4"}`, 404, "not_found", "no copy on node n4")
	refused("POST", "/v1/groups", `{"name": "many", "copies": 5}`, 422, "invalid", "5 copies need as many nodes")
	nodes[3].stop()
	for limit := time.Now().Add(patience); ; wait(t) {
		if text := n1.must("GET", "/v1/status", ""); strings.Contains(text, `"name":"n4","status":"unavailable"`) {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("n4 is never seen to be away")
		}
	}
	refused("POST", partitions, `{"node": "n4"}`, 409, "node_unavailable", "does not answer")
	refused("POST", "/v1/groups", `{"name": "many", "copies": 4}`, 409, "too_few_nodes", "4 copies")
	nodes[3].start()
	n1.must("DELETE", partitions+"/n2", "")
	refused("DELETE", partitions+"/n1", "", 409, "last_copy", "lockstep group delete bank")
	n1.must("POST", partitions, `{"node": "n3"}`)
	nodes[2].stop()
	n1.until("n3 is away", func(g router.GroupStatus) bool { return partitionOf(g, "n3").Status == "unavailable" })
	refused("DELETE", partitions+"/n1", "", 409, "last_copy", "bring back n3")
	refused("DELETE", partitions+"/n3", "", 409, "quorum_at_risk", "1 of the 2")
	nodes[2].start()
	<-nodes[2].Ready()
	n1.until("n3 is back", func(g router.GroupStatus) bool { return partitionOf(g, "n3").Status == "available" })
	n1.must("DELETE", partitions+"/n1?timeout=30", "")
	if _, err := os.Stat(filepath.Join(n1.cfg.Data, "groups")); err != nil {
		t.Error(err) // the catalog's copy is still there
	}
}
