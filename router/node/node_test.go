package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lockstep/router"
	"lockstep/router/node"
	"lockstep/testdata/bank"
	"lockstep/testdata/ports"
)

// patience bounds what should come within a second or two.
const patience = 60 * time.Second

// member is a node of a test's cluster, in this process.
type member struct {
	t   *testing.T
	cfg node.Config
	*node.Node
}

func freeAddress(t *testing.T) string {
	address, err := ports.TakeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func newMember(t *testing.T, name string, join ...string) *member {
	cfg := node.Defaults()
	cfg.Name, cfg.Data = name, filepath.Join(t.TempDir(), name)
	cfg.HTTP, cfg.Raft = freeAddress(t), freeAddress(t)
	cfg.Bootstrap, cfg.Join = len(join) == 0, join
	return &member{t: t, cfg: cfg}
}

func (m *member) start() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n, err := node.Start(ctx, m.cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.Node = n
	m.t.Cleanup(m.stop)
}

func (m *member) stop() {
	if m.Node == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := m.Node.Stop(ctx); err != nil {
		m.t.Errorf("%s does not stop in order: %v", m.cfg.Name, err)
	}
	m.Node = nil
}

// refused starts a node that must not start, and returns why.
func (m *member) refused() error {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n, err := node.Start(ctx, m.cfg)
	if err == nil {
		m.Node = n
		m.stop()
		m.t.Fatalf("%s starts", m.cfg.Name)
	}
	return err
}

func (m *member) ask(method, path, kind string, body []byte) (int, http.Header, string) {
	m.t.Helper()
	rq, err := http.NewRequest(method, "http://"+m.cfg.HTTP+path, bytes.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	rq.Header.Set("Content-Type", kind)
	rs, err := http.DefaultClient.Do(rq)
	if err != nil {
		m.t.Fatal(err)
	}
	defer rs.Body.Close()
	text, err := io.ReadAll(rs.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return rs.StatusCode, rs.Header, string(text)
}

func (m *member) must(method, path, body string) string {
	m.t.Helper()
	kind := "application/json"
	if strings.Contains(path, "schema") {
		kind = "application/yaml"
	}
	status, _, text := m.ask(method, path, kind, []byte(body))
	if status/100 != 2 {
		m.t.Fatalf("%s %s at %s: %d %s", method, path, m.cfg.Name, status, text)
	}
	return text
}

// three starts a cluster of three with the bank.
func three(t *testing.T) []*member {
	n1 := newMember(t, "n1")
	n1.start()
	n2, n3 := newMember(t, "n2", n1.cfg.Raft), newMember(t, "n3", n1.cfg.Raft)
	n2.start()
	n3.start()
	for _, n := range []*member{n1, n2, n3} {
		<-n.Ready()
	}
	n2.must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n1", "n2", "n3"]}`)
	n3.must("PUT", "/v1/groups/bank/schema", bank.Schema)
	return []*member{n1, n2, n3}
}

func (m *member) verify() router.VerifyReport {
	m.t.Helper()
	var r router.VerifyReport
	if err := json.Unmarshal([]byte(m.must("POST", "/v1/groups/bank/verify?timeout=30", "")), &r); err != nil {
		m.t.Fatal(err)
	}
	return r
}

// A cluster grows from its first node by join alone, takes transactions at any
// node, and is what it was after each of its nodes was stopped and started: a
// node that joined without a vote and was given one among them.
func TestClusterGrowsAndRestarts(t *testing.T) {
	nodes := three(t)
	nodes[0].must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 100}}`)
	nodes[1].must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "b", "owner": "B", "balance": 0}}`)
	for i, n := range nodes {
		n.stop()
		other := nodes[(i+1)%3]
		other.must("POST", "/v1/groups/bank/transactions", `{"procedure": "transfer", "params": {"from": "a", "to": "b", "amount": 1}}`)
		n.start()
		<-n.Ready()
	}
	row := nodes[0].must("GET", "/v1/groups/bank/tables/accounts/rows?key=b", "")
	if !strings.Contains(row, `"balance":3`) {
		t.Errorf("three transfers of 1 left %s", row)
	}
	if r := nodes[2].verify(); !r.Equal || len(r.Partitions) != 3 {
		t.Errorf("the copies differ: %+v", r)
	}
}

// Cheap transactions with large results, many at once: an entry takes no more
// than a copy can hold, the rest is ordered again, and every line is answered.
func TestManyLargeResults(t *testing.T) {
	nodes := three(t)
	const lines = 150
	doubling := `{"let": {"s0": "params.p + params.p"}}`
	for i := 1; i <= 9; i++ {
		doubling += fmt.Sprintf(`,{"let": {"s%d": "s%d + s%d"}}`, i, i-1, i-1)
	}
	line := fmt.Sprintf(`{"steps": [%s], "params": {"p": %q}, "return": "s9"}`, doubling, strings.Repeat("x", 1000))
	status, _, text := nodes[1].ask("POST", "/v1/groups/bank/transactions", "application/x-ndjson", []byte(strings.Repeat(line+"\n", lines)))
	if status != 200 || strings.Count(text, `"status":"committed"`) != lines {
		t.Fatalf("%d: %d of %d lines are committed", status, strings.Count(text, `"status":"committed"`), lines)
	}
	if r := nodes[0].verify(); !r.Equal {
		t.Errorf("the copies differ: %+v", r)
	}
}

// "ids are what keeps transactions apart": nobody can use up another router's.
func TestRouterIDsCannotBeMadeUp(t *testing.T) {
	nodes := three(t)
	var o struct{ ID string }
	text := nodes[0].must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 100}}`)
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	forged := o.ID[:strings.LastIndex(o.ID, "-")] + "-9000000000000000000"
	for _, n := range nodes {
		status, _, text := n.ask("POST", "/v1/groups/bank/transactions", "application/json", []byte(`{"id": "`+forged+`", "procedure": "balance", "params": {"id": "a"}}`))
		if status != 422 {
			t.Errorf("%s takes a made-up id: %d %s", n.cfg.Name, status, text)
		}
	}
	// The same document under the id that its outcome named is that outcome, anywhere.
	again := nodes[1].must("POST", "/v1/groups/bank/transactions", `{"id": "`+o.ID+`", "procedure": "open", "params": {"id": "a", "owner": "A", "balance": 100}}`)
	if again != text {
		t.Errorf("sent again, it is %s and was %s", again, text)
	}
	nodes[0].must("POST", "/v1/groups/bank/transactions", `{"procedure": "balance", "params": {"id": "a"}}`)
}

// A folder is one node's, of one cluster, whole, and used once at a time.
func TestFoldersThatAreNotUsed(t *testing.T) {
	n1 := newMember(t, "n1")
	n1.start()
	<-n1.Ready()
	inUse := &member{t: t, cfg: n1.cfg}
	inUse.cfg.HTTP, inUse.cfg.Raft = freeAddress(t), freeAddress(t)
	if err := inUse.refused(); !errors.Is(err, node.ErrInUse) {
		t.Errorf("a folder in use: %v", err)
	}
	port := newMember(t, "n4", n1.cfg.Raft)
	port.cfg.HTTP = n1.cfg.HTTP
	if err := port.refused(); !strings.Contains(err.Error(), "--http") {
		t.Errorf("a port in use: %v", err)
	}
	twin := newMember(t, "n1", n1.cfg.Raft)
	if err := twin.refused(); !strings.Contains(err.Error(), "named n1 already") {
		t.Errorf("a second n1: %v", err)
	}
	n2 := newMember(t, "n2", n1.cfg.Raft)
	n2.start()
	<-n2.Ready()
	n2.stop()
	other := newMember(t, "n1")
	other.start()
	foreign := &member{t: t, cfg: n2.cfg}
	foreign.cfg.Join = []string{other.cfg.Raft}
	if err := foreign.refused(); !strings.Contains(err.Error(), "another") {
		t.Errorf("another cluster's folder: %v", err)
	}
	renamed := &member{t: t, cfg: n2.cfg}
	renamed.cfg.Name = "n3"
	if err := renamed.refused(); !strings.Contains(err.Error(), "belongs to node n2, not n3") {
		t.Errorf("another node's folder: %v", err)
	}
	for _, part := range []string{"raft", "groups"} {
		gone := filepath.Join(n2.cfg.Data, part)
		if err := os.Rename(gone, gone+".away"); err != nil {
			t.Fatal(err)
		}
		if err := n2.refused(); !errors.Is(err, node.ErrLost) {
			t.Errorf("a folder without %s: %v", part, err)
		}
		if err := os.RemoveAll(gone); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(gone+".away", gone); err != nil {
			t.Fatal(err)
		}
	}
	n2.start()
	<-n2.Ready()
}

// A stop right after the start comes to an end.
func TestStopRightAfterStart(t *testing.T) {
	n := newMember(t, "n1")
	n.start()
	n.stop()
}
