package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lockstep/engine/entry"
	"lockstep/engine/store"
	"lockstep/router"
	"lockstep/router/node"
	"lockstep/testdata/bank"
)

// checked is a cluster of three that compares its copies often.
func checked(t *testing.T, change ...func(name string, cfg *node.Config)) []*member {
	all := []*member{newMember(t, "n1")}
	for _, name := range []string{"n2", "n3"} {
		all = append(all, newMember(t, name, all[0].cfg.Raft))
	}
	for _, m := range all {
		m.cfg.CheckEvery, m.cfg.ScrubEvery = 200*time.Millisecond, 400*time.Millisecond
		for _, f := range change {
			f(m.cfg.Name, &m.cfg)
		}
		m.start()
	}
	for _, m := range all {
		<-m.Ready()
	}
	all[1].must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n1", "n2", "n3"]}`)
	all[2].must("PUT", "/v1/groups/bank/schema", bank.Schema)
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

func (m *member) group() router.GroupStatus {
	m.t.Helper()
	var s router.ClusterStatus
	if err := json.Unmarshal([]byte(m.must("GET", "/v1/status", "")), &s); err != nil {
		m.t.Fatal(err)
	}
	return s.Groups[0]
}

// until waits for a state of the bank as this node sees it.
func (m *member) until(what string, is func(router.GroupStatus) bool) router.GroupStatus {
	m.t.Helper()
	var last router.GroupStatus
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		if last = m.group(); is(last) {
			return last
		}
		wait(m.t)
	}
	m.t.Fatalf("never %s: %+v", what, last)
	return last
}

// wait gives others the processor between two looks at a condition.
func wait(t *testing.T) {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-t.Context().Done():
	}
}

func partitionOf(g router.GroupStatus, name string) router.PartitionStatus {
	for _, p := range g.Partitions {
		if p.Node == name {
			return p
		}
	}
	return router.PartitionStatus{}
}

// rebuilt waits until a copy that differed is a full member again, under another
// replica id, and equal.
func (m *member) rebuilt(name string) *router.Divergence {
	m.t.Helper()
	g := m.until(name+" was rebuilt", func(g router.GroupStatus) bool {
		p := partitionOf(g, name)
		return p.Divergence != nil && p.Status == "available" && p.Role != "joining" && g.Primary != "" && g.Held == ""
	})
	if r := m.verify(); !r.Equal || len(r.Partitions) != 3 {
		m.t.Errorf("after %s was rebuilt the copies are %+v", name, r)
	}
	return partitionOf(g, name).Divergence
}

// lead makes a node the bank's primary.
func (m *member) lead() {
	m.t.Helper()
	m.until(m.cfg.Name+" is primary", func(g router.GroupStatus) bool {
		if g.Primary == m.cfg.Name {
			return true
		}
		m.tryToLead()
		return false
	})
}

// tryToLead asks once for the bank's leadership: a copy that is behind, or has been
// taken from the node, does not get it.
func (m *member) tryToLead() {
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Second)
	defer cancel()
	_ = m.Lead(ctx, "bank") // asked again, until it is so
}

// alter changes rows of a copy on disk, whose node is stopped, with all checksums
// right: each value that has a text gets another one of the same length.
func alter(t *testing.T, dir, from, to string) {
	t.Helper()
	s, err := store.Open(store.Options{Dir: dir, FS: vfs.Default, MemTableBytes: store.MinMemTableBytes})
	if err != nil {
		t.Fatal(err)
	}
	const rows = 0x04
	it, b, changed := s.NewIter([]byte{rows}, []byte{rows + 1}), s.NewBatch(), 0
	for ok := it.First(); ok; ok = it.Next() {
		if value := bytes.Replace(it.Value(), []byte(from), []byte(to), 1); !bytes.Equal(value, it.Value()) {
			b.Set(it.Key(), value)
			changed++
		}
	}
	for _, err := range []error{it.Err(), it.Close(), b.Commit(), s.Flush(), s.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if changed == 0 {
		t.Fatalf("no row has %q", from)
	}
}

func (m *member) evidence(t *testing.T, d *router.Divergence) node.Evidence {
	t.Helper()
	raw, err := os.ReadFile(d.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	var e node.Evidence
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// scrubbed waits, as primary, until whole contents were agreed on at the present
// revision.
func (m *member) scrubbed() {
	m.t.Helper()
	m.lead()
	want := fmt.Sprintf("lockstep_verified_revision{digest=\"content\",group=\"bank\"} %d\n", m.group().Revision)
	for limit := time.Now().Add(patience); !strings.Contains(m.must("GET", "/metrics", ""), want); wait(m.t) {
		if m.group().Primary != m.cfg.Name {
			m.tryToLead()
		}
		if time.Now().After(limit) {
			m.t.Fatalf("metrics never have %s", want)
		}
	}
}

// "Show it with a copy whose Pebble data was altered by hand": nothing that the
// copy writes shows it, so the scrub of whole contents has to; the primary is
// found as any other.
func TestAlteredDataIsFoundAndRebuilt(t *testing.T) {
	for _, c := range []struct{ name, scrubber, bad string }{{"subscriber", "n1", "n2"}, {"primary", "n3", "n3"}} {
		t.Run(c.name, func(t *testing.T) {
			nodes := checked(t, func(name string, cfg *node.Config) {
				if name != c.scrubber {
					cfg.ScrubEvery = 0
				}
			})
			by := map[string]*member{}
			for _, n := range nodes {
				by[n.cfg.Name] = n
			}
			bad := by[c.bad]
			nodes[0].must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "Alice", "balance": 100}}`)
			by[c.scrubber].scrubbed()
			dir := bad.CopyFolder("bank")
			bad.stop()
			nodes[0].must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "b", "owner": "Bob", "balance": 1}}`)
			alter(t, dir, "Alice", "Malic")
			bad.start()
			<-bad.Ready()
			nodes[0].until(c.bad+" was found", func(g router.GroupStatus) bool {
				// Whoever leads must scrub: after the start of a node that may be another.
				if partitionOf(g, c.bad).Divergence == nil && g.Primary != c.scrubber {
					by[c.scrubber].tryToLead()
				}
				return partitionOf(g, c.bad).Divergence != nil
			})
			d := nodes[0].rebuilt(bad.cfg.Name)
			e := bad.evidence(t, d)
			if d.Kind != "content" || e.Own.Content == e.Majority.Content || e.Own.Running != e.Majority.Running || e.Own.Content == "" ||
				len(e.Agreed) != 2 || e.EqualRevision != 2 || e.Revision != 3 {
				t.Errorf("the evidence is %+v", e)
			}
			if _, err := os.Stat(e.Data); err != nil || strings.HasPrefix(e.Data, filepath.Join(bad.cfg.Data, "groups")) {
				t.Errorf("the old data is not aside: %s, %v", e.Data, err)
			}
			for _, n := range nodes {
				if row := n.must("GET", "/v1/groups/bank/tables/accounts/rows?key=a&consistency=local", ""); !strings.Contains(row, "Alice") {
					t.Errorf("at %s the row is %s", n.cfg.Name, row)
				}
			}
		})
	}
}

// divider draws other random values on one copy, from when it is told to.
type divider struct{ on atomic.Bool }

func (d *divider) change(salt byte) func([]byte) []byte {
	return func(cmd []byte) []byte {
		if entry.KindOf(cmd) != entry.KindBatch || !d.on.Load() {
			return cmd
		}
		var r entry.Reader
		if _, err := r.Reset(cmd); err != nil {
			return cmd
		}
		b, err := r.Batch()
		if err != nil {
			return cmd
		}
		var it entry.Item
		for r.Next(&it) {
			b.Items = append(b.Items, it)
		}
		b.Seed[0] ^= salt
		return entry.AppendBatch(nil, &b)
	}
}

const drawing = `{"steps": [{"insert": {"table": "accounts", "row": {"id": "tx.uuid(0)", "owner": "'R'", "balance": 1}}}]}`

// "an engine build that has a planted nondeterminism (test-only)": one copy draws
// other random values than the rest, and the running digest tells at the next
// checkpoint.
func TestNondeterminismIsFound(t *testing.T) {
	var d divider
	nodes := checked(t, func(name string, cfg *node.Config) {
		cfg.ScrubEvery = 0
		if name == "n2" {
			node.Plant(cfg, "bank", d.change(1))
		}
	})
	nodes[1].lead() // the primary itself
	nodes[0].must("POST", "/v1/groups/bank/transactions", drawing)
	d.on.Store(true)
	nodes[0].must("POST", "/v1/groups/bank/transactions", drawing)
	nodes[0].until("n2 was found", func(g router.GroupStatus) bool { return partitionOf(g, "n2").Divergence != nil })
	d.on.Store(false)
	found := nodes[0].rebuilt("n2")
	e := nodes[1].evidence(t, found)
	if found.Kind != "running" || e.Own.Running == e.Majority.Running || e.Revision <= e.EqualRevision || len(e.Agreed) != 2 {
		t.Errorf("the evidence is %+v", e)
	}
	for limit := time.Now().Add(patience); nodes[1].HasLog("bank", found.Replica); wait(t) {
		if time.Now().After(limit) {
			t.Fatal("the log of the replica that was replaced is never removed")
		}
	}
	if text := nodes[1].must("GET", "/metrics", ""); !strings.Contains(text, `lockstep_divergences_total{digest="running",group="bank"} 1`) {
		t.Error("the metrics don't tell of it")
	}
}

// "Without a majority that agrees the group refuses writes (503 diverged) and
// status asks the operator what to do", and what the operator chooses is done.
func TestNoMajorityRefusesWrites(t *testing.T) {
	var d divider
	nodes := checked(t, func(name string, cfg *node.Config) {
		cfg.ScrubEvery = 0
		if name != "n1" {
			node.Plant(cfg, "bank", d.change(name[1]))
		}
	})
	d.on.Store(true)
	nodes[0].must("POST", "/v1/groups/bank/transactions", drawing)
	for _, n := range nodes {
		g := n.until("the group is held", func(g router.GroupStatus) bool { return g.Held != "" })
		if !strings.Contains(g.Held, "n1, n2, n3 differ") || !strings.Contains(g.Held, "lockstep group trust bank NODE") {
			t.Errorf("status at %s says %q", n.cfg.Name, g.Held)
		}
		status, _, text := n.ask("POST", "/v1/groups/bank/transactions", "application/json", []byte(drawing))
		if status != 503 || !strings.Contains(text, `"code":"diverged"`) || !strings.Contains(text, `"outcome":"not_applied"`) {
			t.Errorf("a write at %s is answered %d %s", n.cfg.Name, status, text)
		}
	}
	d.on.Store(false)
	nodes[1].must("POST", "/v1/groups/bank/trust", `{"node": "n1"}`)
	both := func(g router.GroupStatus) bool {
		return partitionOf(g, "n2").Status == "available" && partitionOf(g, "n3").Divergence != nil && partitionOf(g, "n3").Status == "available"
	}
	nodes[0].until("both were found", both)
	nodes[0].until("both vote again", func(g router.GroupStatus) bool {
		return both(g) && partitionOf(g, "n2").Role != "joining" && partitionOf(g, "n3").Role != "joining"
	})
	nodes[0].rebuilt("n2")
	nodes[0].rebuilt("n3")
	nodes[2].must("POST", "/v1/groups/bank/transactions", drawing)
}

// "a node that was killed after it found itself diverged, before or after the
// removal, must not serve the bad data again."
func TestRestartAfterTheFinding(t *testing.T) {
	var d divider
	var step atomic.Pointer[string]
	halt := func(at string) { step.Store(&at) }
	halt("replace")
	nodes := checked(t, func(name string, cfg *node.Config) {
		cfg.ScrubEvery = 0
		if name == "n2" {
			node.Plant(cfg, "bank", d.change(1))
			node.Halt(cfg, func(at string) bool { return at == *step.Load() })
		}
	})
	bad, good := nodes[1], nodes[0]
	old := bad.CopyFolder("bank")
	d.on.Store(true)
	good.must("POST", "/v1/groups/bank/transactions", drawing)
	rows := good.must("GET", "/v1/groups/bank/tables/accounts/rows", "")
	is := func(status string) func(router.GroupStatus) bool {
		return func(g router.GroupStatus) bool { return partitionOf(g, "n2").Status == status }
	}
	same := func(when string) {
		t.Helper()
		if got := bad.must("GET", "/v1/groups/bank/tables/accounts/rows?consistency=local", ""); got != rows {
			t.Errorf("%s n2 answers %s, the others %s", when, got, rows)
		}
	}
	good.until("n2 was found", is("diverged"))
	d.on.Store(false)
	same("right after the finding")
	if status, _, text := bad.ask("GET", "/readyz", "", nil); status != 503 || !strings.Contains(text, "diverged") {
		t.Errorf("it is ready: %d %s", status, text)
	}
	bad.stop()
	bad.start()
	good.until("n2 was known to differ after a restart", is("diverged"))
	same("restarted before it was replaced,")
	halt("aside") // the catalog names a new replica, and the old data lies where it was
	good.until("n2 lost its membership", func(g router.GroupStatus) bool { return partitionOf(g, "n2").Role == "joining" })
	same("replaced in the catalog,")
	bad.stop()
	halt("")
	bad.start()
	found := good.rebuilt("n2")
	same("rebuilt,")
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the old data is still in its place: %v", err)
	}
	if e := bad.evidence(t, found); e.Data == "" {
		t.Errorf("the evidence does not name the old data: %+v", e)
	}
	bad.stop() // and it stays so
	bad.start()
	<-bad.Ready()
	if r := good.verify(); !r.Equal {
		t.Errorf("after another restart the copies are %+v", r)
	}
}

// A copy that was stopped finds itself in the minority as soon as it is opened, by
// a verdict that it has missed: before it has its place among the node's copies,
// and it is rebuilt like any other.
func TestFoundWhileItIsOpened(t *testing.T) {
	var d divider
	var bad *member
	nodes := checked(t, func(name string, cfg *node.Config) {
		cfg.ScrubEvery = 0
		if name == "n2" {
			node.Plant(cfg, "bank", d.change(1))
			node.Halt(cfg, func(at string) bool {
				for limit := time.Now().Add(patience); at == "opened bank" && d.on.Load() && time.Now().Before(limit); wait(t) {
					if found, _ := filepath.Glob(filepath.Join(bad.cfg.Data, "checks", "*.diverged.json")); len(found) > 0 {
						break
					}
				}
				return false
			})
		}
	})
	bad = nodes[1]
	nodes[0].lead()
	nodes[0].must("POST", "/v1/groups/bank/transactions", drawing)
	bad.stop()
	nodes[0].must("POST", "/v1/groups/bank/transactions", drawing)
	want := fmt.Sprintf("lockstep_verified_revision{digest=\"running\",group=\"bank\"} %d\n", nodes[0].group().Revision)
	for limit := time.Now().Add(patience); !strings.Contains(nodes[0].must("GET", "/metrics", ""), want); wait(t) {
		if time.Now().After(limit) {
			t.Fatalf("metrics never have %s", want)
		}
	}
	d.on.Store(true)
	bad.start()
	nodes[0].until("n2 was found", func(g router.GroupStatus) bool { return partitionOf(g, "n2").Divergence != nil })
	d.on.Store(false)
	nodes[0].rebuilt("n2")
}

// Evidence that can't be written, as on a full disk, is written later: until then
// the copy is not served, nor replaced, and its log stands still.
func TestEvidenceIsWrittenWhenTheDiskTakesIt(t *testing.T) {
	var d divider
	nodes := checked(t, func(name string, cfg *node.Config) {
		cfg.ScrubEvery = 0
		if name == "n2" {
			node.Plant(cfg, "bank", d.change(1))
		}
	})
	bad := nodes[1]
	old := bad.CopyFolder("bank")
	inTheWay := filepath.Join(bad.cfg.Data, "checks", filepath.Base(old)+".diverged.json.new")
	if err := os.MkdirAll(inTheWay, 0o750); err != nil {
		t.Fatal(err)
	}
	d.on.Store(true)
	nodes[0].must("POST", "/v1/groups/bank/transactions", drawing)
	g := nodes[0].until("n2 was found", func(g router.GroupStatus) bool { return partitionOf(g, "n2").Divergence != nil })
	d.on.Store(false)
	if _, err := os.Stat(old); err != nil || partitionOf(g, "n2").Role == "joining" {
		t.Errorf("it is replaced before its evidence is kept: %v, %+v", err, g)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	bad.evidence(t, nodes[0].rebuilt("n2"))
}

// "Running digests are compared every few seconds", also while a scrub reads, which
// may take most of a day.
func TestRunningDigestsAreComparedDuringAScrub(t *testing.T) {
	var d divider
	nodes := checked(t, func(name string, cfg *node.Config) {
		cfg.ScrubBytes = 100 << 10
		if name == "n2" {
			node.Plant(cfg, "bank", d.change(1))
		}
	})
	var lines bytes.Buffer // at that pace half a minute's work
	for i := range 500 {
		fmt.Fprintf(&lines, "{\"procedure\": \"open\", \"params\": {\"id\": \"a%d\", \"owner\": %q, \"balance\": 1}}\n", i, strings.Repeat("x", 3000))
	}
	if status, _, text := nodes[0].ask("POST", "/v1/groups/bank/transactions", "application/x-ndjson", lines.Bytes()); status != 200 || strings.Count(text, `"committed"`) != 500 {
		t.Fatalf("answered %d %.300s", status, text)
	}
	reads := func() bool {
		return strings.Contains(nodes[0].must("GET", "/metrics", ""), `lockstep_scrub_read_bytes{group="bank"}`)
	}
	for limit := time.Now().Add(patience); !reads(); wait(t) {
		if time.Now().After(limit) {
			t.Fatal("no scrub reads")
		}
	}
	d.on.Store(true)
	nodes[0].must("POST", "/v1/groups/bank/transactions", drawing)
	g := nodes[0].until("n2 was found", func(g router.GroupStatus) bool { return partitionOf(g, "n2").Divergence != nil })
	d.on.Store(false)
	if kind := partitionOf(g, "n2").Divergence.Kind; kind != "running" || !reads() {
		t.Errorf("it was found by its %s digest; the scrub reads still: %t", kind, reads())
	}
}
