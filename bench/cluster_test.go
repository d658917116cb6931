package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/router/client"
)

// testTime bounds a run on real processes: far above what it takes.
const testTime = 3 * time.Minute

// program is what is tested, built once for all tests; TestMain takes it away.
var program struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := os.RemoveAll(program.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// build gives the program that is tested.
func build(t *testing.T) string {
	t.Helper()
	p := &program
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "lockstep-bench-test-"); p.err != nil {
			return
		}
		if out, err := exec.Command("go", "build", "-o", p.dir, "lockstep/cmd/lockstep").CombinedOutput(); err != nil {
			p.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if p.err != nil {
		t.Fatalf("building the program: %v", p.err)
	}
	return filepath.Join(p.dir, "lockstep")
}

// transactions.md, Exactly once: the outcome is part of the group's replicated
// state, and the same id again returns it, after any failover. The primary is
// killed, then all three processes at once; whatever was acknowledged is there
// afterwards, once.
func TestChaosLosesNothingAndDoesNothingTwice(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	dir := t.TempDir()
	result, err := RunChaos(ctx, ChaosConfig{
		Cluster:   ClusterConfig{Binary: build(t), Dir: dir, Group: "chaos"},
		Transfers: 5000, Connections: 6, Batch: 50, Accounts: 100,
		KillEvery: time.Hour, Seed: 1, Script: []Strike{StrikePrimary, StrikeAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", doc)
	if result.Transfers < 5000 || result.Transfers != result.Committed+result.Aborted {
		t.Errorf("transfers: %d committed, %d aborted of %d", result.Committed, result.Aborted, result.Transfers)
	}
	if result.Kills != 4 || result.Restarts != 4 || result.Strikes[StrikePrimary] != 1 || result.Strikes[StrikeAll] != 1 {
		t.Errorf("%d kills, %d restarts, strikes %v", result.Kills, result.Restarts, result.Strikes)
	}
	if result.Unknown == 0 || result.Resolved != result.Unknown {
		t.Errorf("of %d outcomes in doubt %d were resolved: four kills leave some in doubt", result.Unknown, result.Resolved)
	}
	if result.Operations == 0 || result.Gaps.Count == 0 || result.Gaps.Max <= 0 {
		t.Errorf("%d operations of the history, gaps %+v", result.Operations, result.Gaps)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("the run left %v, %v", left, err)
	}
}

// "backfill entries of a bounded number of rows each, proposed by the primary and
// continued by the next one after a failover" (transactions.md, Schema). The primary
// is killed when some of the rows were looked at and some were not; the change comes
// to hold all the same, its index finds the rows, and copies are equal.
func TestAChangeOutlivesItsPrimary(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	// A check that takes its time, so that few rows are looked at in a step.
	const all = "[1, 2, 3, 4, 5, 6, 7, 8].all("
	result, err := RunSchemaChange(ctx, SchemaChangeConfig{
		Cluster: ClusterConfig{Binary: build(t), Dir: t.TempDir(), Group: "bench"},
		Check:   all + "a, " + all + "b, " + all + "c, a + b + c > 0))) && row.balance >= 0",
		Rows:    6000, Connections: 8, Kill: true, Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", doc)
	if result.Killed != 1 {
		t.Errorf("the change was over before the primary could be killed")
	}
	// A stall would be far longer than a failover on a busy machine.
	if *result.Gap > 5000 {
		t.Errorf("no transaction committed for %.0f ms", *result.Gap)
	}
}

// A node that ends by itself is told with the end of its log; the rest of the
// cluster is stopped, and nothing is left.
func TestANodeThatCannotRunIsTold(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "broken")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\necho this node is broken\nexit 7\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Open(context.Background(), ClusterConfig{Binary: binary, Dir: dir, Group: "g"})
	var ended *endedError
	if !errors.As(err, &ended) || !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(err.Error(), "this node is broken") {
		t.Errorf("ended with %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "lockstep-bench-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// interface.md: bench starts nodes from the lockstep binary beside its own
// executable, else from PATH, else refuses, naming both.
func TestTheProgramIsLookedFor(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	_, err := FindBinary()
	own, failed := os.Executable()
	if failed != nil {
		t.Fatal(failed)
	}
	if err == nil || !strings.Contains(err.Error(), filepath.Join(filepath.Dir(own), "lockstep")) || !strings.Contains(err.Error(), "PATH") {
		t.Errorf("without a program: %v", err)
	}
	onPath := filepath.Join(dir, "lockstep")
	if err := os.WriteFile(onPath, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if found, err := FindBinary(); err != nil || found != onPath {
		t.Errorf("found %s, %v", found, err)
	}
}

// A planned handover is asked for where the cluster knows it, and refused by name
// where it does not.
func TestHandoverIsRefusedWhereItIsUnknown(t *testing.T) {
	known := true
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !known {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"code":"not_found","outcome":"not_applied"}`)) // the client tells if it fails
			return
		}
		var body struct {
			Node string `json:"node"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		asked = append(asked, r.Method+" "+r.URL.Path+" "+body.Node)
		_, _ = w.Write([]byte(`{"name":"g","primary":"n2"}`))
	}))
	defer server.Close()
	cl, err := client.New(client.Config{Servers: []string{server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	c := &Cluster{Group: "g", client: cl}
	if err := c.makePrimary(context.Background(), "n2"); err != nil || len(asked) != 1 || asked[0] != "POST /v1/groups/g/primary n2" {
		t.Errorf("asked %v, %v", asked, err)
	}
	known = false
	if err := c.makePrimary(context.Background(), "n2"); !errors.Is(err, ErrFault) || !strings.Contains(err.Error(), "fault handover") {
		t.Errorf("refused with %v", err)
	}
	status := &client.Status{Groups: []client.GroupStatus{{Name: "g", Primary: "n3", Partitions: []client.PartitionStatus{{Node: "n1"}, {Node: "n3"}}}}}
	if next, err := successor(status, "g"); err != nil || next != "n1" {
		t.Errorf("the successor is %s, %v", next, err)
	}
}

// What can't be is refused before anything starts, by name.
func TestRefusals(t *testing.T) {
	somebodys := ClusterConfig{Servers: []string{"127.0.0.1:1"}}
	failover := func(fault string, c ClusterConfig) error {
		return (&FailoverConfig{Cluster: c, Fault: fault, Repeat: 1, Connections: 1, Accounts: 2}).Validate()
	}
	throughput := ThroughputConfig{Workload: "transfer", Connections: 1, Batch: 1, Accounts: 2, Duration: time.Second}
	with := func(change func(*ThroughputConfig)) error {
		c := throughput
		change(&c)
		return c.Validate()
	}
	chaotic := ChaosConfig{Transfers: 1, Connections: 1, Batch: 2, Accounts: 2, KillEvery: time.Second}
	onSomebodys := chaotic
	onSomebodys.Cluster = somebodys
	for want, err := range map[string]error{
		"fault partition: ":           failover("partition", somebodys),
		`fault "flood": there are`:    failover("flood", ClusterConfig{}),
		"fault kill: ":                failover("kill", somebodys),
		"fault pause: ":               failover("pause", somebodys),
		"fault restart-all: ":         failover("restart-all", somebodys),
		"workload \"mine\"":           with(func(c *ThroughputConfig) { c.Workload = "mine" }),
		"batch 0":                     with(func(c *ThroughputConfig) { c.Batch = 0 }),
		"batch 5001":                  with(func(c *ThroughputConfig) { c.Batch = MaxBatch + 1 }),
		"duration 0s":                 with(func(c *ThroughputConfig) { c.Duration = 0 }),
		"connections 0":               with(func(c *ThroughputConfig) { c.Connections = 0 }),
		"accounts 1":                  with(func(c *ThroughputConfig) { c.Accounts = 1 }),
		"chaos kills processes, and ": onSomebodys.Validate(),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, and not: %s", err, want)
		}
	}
	for _, err := range []error{throughput.Validate(), chaotic.Validate(), failover("kill", ClusterConfig{}), failover("handover", somebodys)} {
		if err != nil {
			t.Error(err)
		}
	}
}

// The same seed makes the same plan.
func TestStrikesFollowTheSeed(t *testing.T) {
	plan := func(seed uint64) (drawn []Strike) {
		s := newStriker(nil, newGapMeter(), time.Second, seed, nil)
		for range 200 {
			if p := s.pause(); p < time.Second/4 || p > 2*time.Second {
				t.Fatalf("a pause of %v", p)
			}
			drawn = append(drawn, s.draw())
		}
		return drawn
	}
	seen := map[Strike]bool{}
	first, second := plan(4), plan(4)
	for i := range first {
		seen[first[i]] = true
		if first[i] != second[i] {
			t.Fatal("one seed, two plans")
		}
	}
	if len(seen) != 4 {
		t.Errorf("drew %v", seen)
	}
}

// Where a check fails no figure is given.
func TestNoFiguresWithoutChecks(t *testing.T) {
	failed := Checks{{Name: "money_conserved", Detail: "gone"}}
	for _, result := range []any{&Throughput{Checks: failed}, &Failover{Checks: failed}} {
		doc, err := json.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		for _, figure := range []string{"per_second", "_ms"} {
			if strings.Contains(string(doc), figure) {
				t.Errorf("%s has %s", doc, figure)
			}
		}
	}
}
