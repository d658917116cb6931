package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/bench"
)

// Usage errors are told apart from runs that fail, and nothing starts.
func TestUsage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, one := range []struct {
		args string
		code int
		says string
	}{
		{"--help", exitDone, ""},
		{"chaos --help", exitDone, ""},
		{"flood", exitUsage, "unknown command"},
		{"throughput --speed 9", exitUsage, "unknown flag"},
		{"throughput --workload mine", exitUsage, "there are transfer and certify"},
		{"throughput -o yaml", exitUsage, "there are json and table"},
		{"failover --fault partition --server 127.0.0.1:1", exitUsage, "fault partition"},
		{"failover --fault kill --server 127.0.0.1:1", exitUsage, "leave the servers out"},
		{"chaos --batch 1", exitUsage, "batch 1"},
		{"network --fault flood", exitUsage, "fault \"flood\": there are partition,"},
		{"network --loss 5", exitUsage, "loss 5"},
		{"throughput", exitFailed, "no lockstep program, neither " + string(filepath.Separator)},
	} {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(one.args), &out, &errs); code != one.code || !strings.Contains(errs.String(), one.says) {
			t.Errorf("bench %s: exit code %d\n%s", one.args, code, errs.String())
		}
		if one.code != exitDone && out.Len() > 0 {
			t.Errorf("bench %s writes to standard output: %s", one.args, out.String())
		}
	}
}

// interface.md: bench throughput -o json has these fields; with a check that fails
// the run fails and there is no throughput.
func TestResults(t *testing.T) {
	rate, ms := 12345.678, 1.25
	good := &bench.Throughput{
		Workload: "transfer", Connections: 4, Batch: 1, PerSecond: &rate, P50: &ms, P99: &ms, Yardstick: &rate,
		Checks: bench.Checks{{Name: "money_conserved", OK: true, Detail: "5 accounts hold 50"}},
	}
	var out, errs bytes.Buffer
	a := &app{out: &out, err: &errs}
	if err := a.show("json", good, nil); err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"workload", "connections", "batch", "tx_per_second", "p50_ms", "p99_ms", "errors", "checks", "yardstick_per_second"} {
		if _, ok := doc[name]; !ok {
			t.Errorf("no %s in %s", name, out.String())
		}
	}
	out.Reset()
	if err := a.show("table", good, nil); err != nil {
		t.Fatal(err)
	}
	const table = `workload              transfer
connections           4
batch                 1
tx per second         12345.68
p50 ms                1.25
p99 ms                1.25
errors                0
yardstick per second  12345.68
money conserved       ok: 5 accounts hold 50
`
	if out.String() != table {
		t.Errorf("the table is\n%s", out.String())
	}

	out.Reset()
	network := &bench.Network{
		Profile: "lan", Nodes: 3,
		Faults: []bench.NetworkEffect{
			{Fault: "partition", Primary: "n1", Next: "n2", Before: 1234.56, Span: bench.Span{Seconds: 8, PerSecond: 640.2, Gap: 82.5, Errors: map[string]int64{"outcome_unknown": 2}}},
			{Fault: "delay", Primary: "n2", Next: "n2", Before: 1300, Span: bench.Span{Seconds: 8}},
		},
		Checks: good.Checks,
	}
	if err := a.show("table", network, nil); err != nil {
		t.Fatal(err)
	}
	const lists = `profile                    lan
nodes                      3
connections                0
transfers                  0
unknown outcomes           0
unknown outcomes resolved  0
history operations         0

fault      primary  next  before per second  seconds  tx per second  gap ms  slowest ms  errors             packets missing  heal gap ms  ready ms  after per second
partition  n1       n2    1234               8        640            82.50   0           outcome_unknown 2  0                0            0         0
delay      n2       n2    1300               8        0              0       0           -                  0                0            0         0

money conserved  ok: 5 accounts hold 50
`
	if out.String() != lists {
		t.Errorf("the tables are\n%s", out.String())
	}

	out.Reset()
	bad := &bench.Throughput{Checks: bench.Checks{{Name: "money_conserved", Detail: "5 accounts hold 49"}}}
	failure := bad.Checks.Failure()
	var checks *bench.ChecksError
	if err := a.show("table", bad, failure); !errors.As(err, &checks) || !strings.Contains(err.Error(), "5 accounts hold 49") {
		t.Errorf("failed with %v", err)
	}
	if strings.Contains(out.String(), "second") || !strings.Contains(out.String(), "FAILED") {
		t.Errorf("the table is\n%s", out.String())
	}
}
