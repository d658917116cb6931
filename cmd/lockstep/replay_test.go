package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lockstep/cmd/lockstep/dev"
	"lockstep/engine/recording"
)

const ledgerSchema = `
tables:
  accounts:
    columns: {id: {type: string}, balance: {type: int}}
    key: [id]
procedures:
  open:
    params: {id: string, balance: int}
    steps:
      - insert: {table: accounts, row: {id: "params.id", balance: "params.balance"}}
  transfer:
    params: {from: string, to: string, amount: int}
    steps:
      - update: {table: accounts, key: ["params.from"], set: {balance: "row.balance - params.amount"}}
      - update: {table: accounts, key: ["params.to"], set: {balance: "row.balance + params.amount"}}
    return: "params.amount"
`

// guarded is the ledger with a guard before each transfer.
var guarded = strings.Replace(ledgerSchema, `      - update: {table: accounts, key: ["params.from"]`,
	`      - require: {expr: "params.amount <= 8", code: over_limit}
      - update: {table: accounts, key: ["params.from"]`, 1)

type replayOutcome struct {
	Equal        bool
	Digest       string
	Transactions uint64
	Compared     struct {
		Equal, Different uint64
		First            *struct {
			After uint64 `json:"after_revision"`
			By    uint64 `json:"by_revision"`
		} `json:"first_difference"`
	}
	Rehearsal *struct {
		Equal              bool
		Different, Untyped uint64
		Outcomes           []struct {
			Procedure, Kind string
			Count           uint64
			Examples        []struct{ Params struct{ Amount int } }
		}
		Tables []struct {
			Table   string
			Changed uint64
		}
	}
}

// replayed runs lockstep replay and reads its report.
func replayedJSON(t *testing.T, wantCode int, args ...string) (r replayOutcome) {
	t.Helper()
	code, out, errs := outcome(t, append([]string{"replay", "-o", "json"}, args...)...)
	if code != wantCode {
		t.Fatalf("replay %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, wantCode, out, errs)
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r
}

// A log is recorded at any node, executed again and found equal; a tampered file is
// found different; a rehearsal with another guard shows exactly the transactions that
// it would have refused.
func TestALogIsRecordedReplayedAndRehearsed(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"ledger.yaml": ledgerSchema, "guarded.yaml": guarded} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t, 3)
	_, info := startDev(t, "--data", path("cluster"), "--port", fmt.Sprint(port), "--copies", "2", "--group", "ledger", "--schema", path("ledger.yaml"))
	all := addresses(info)
	for _, who := range []string{"alice", "bob", "carol"} {
		must(t, "tx", "ledger", "open", "id="+who, "balance:=100", "--server", all)
	}
	for amount := 1; amount <= 10; amount++ {
		must(t, "tx", "ledger", "transfer", "from=alice", "to=bob", fmt.Sprintf("amount:=%d", amount), "--server", all)
	}

	// Every node takes the request, also the third, which has no copy.
	var digests []string
	for i, n := range info.Nodes {
		file := path(n.Name + ".lockstep")
		must(t, "replay", "export", "ledger", "--from-start", "--out", file, "--server", n.HTTP)
		r := replayedJSON(t, exitDone, file)
		if !r.Equal || r.Transactions != 13 || r.Compared.Equal == 0 {
			t.Errorf("node %d: %+v", i, r)
		}
		digests = append(digests, r.Digest)
	}
	if digests[0] != digests[1] || digests[0] != digests[2] {
		t.Errorf("the digests are %q", digests)
	}
	recorded := path("n1.lockstep")
	if out := must(t, "replay", recorded); !strings.Contains(out, "the group's beginning") {
		t.Errorf("for people:\n%s", out)
	}

	tamper(t, recorded, path("tampered.lockstep"), "carol", "carla")
	if r := replayedJSON(t, exitRefused, path("tampered.lockstep")); r.Equal || r.Compared.First == nil {
		t.Errorf("a tampered file: %+v", r)
	}
	whole, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("cut.lockstep"), whole[:len(whole)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := outcome(t, "replay", path("cut.lockstep")); code != exitRefused || out != "" || !strings.Contains(errs, "it was cut: it ends after") {
		t.Errorf("a cut file: exit code %d\n%s%s", code, out, errs)
	}

	if r := replayedJSON(t, exitDone, recorded, "--schema", path("ledger.yaml")); !r.Rehearsal.Equal {
		t.Errorf("the same schema: %+v", r.Rehearsal)
	}
	r := replayedJSON(t, exitRefused, recorded, "--schema", path("guarded.yaml")).Rehearsal
	if r.Equal || r.Different != 2 || r.Untyped != 0 || len(r.Outcomes) != 1 || r.Tables[0].Changed != 2 {
		t.Fatalf("another guard: %+v", r)
	}
	if o := r.Outcomes[0]; o.Procedure != "transfer" || o.Kind != "committed → aborted: over_limit" || o.Examples[0].Params.Amount != 9 || o.Examples[1].Params.Amount != 10 {
		t.Errorf("another guard: %+v", o)
	}
	if code, out, _ := outcome(t, "replay", recorded, "--schema", path("guarded.yaml"), "--examples", "1"); code != exitRefused || !strings.Contains(out, "  and 1 more\n") || !strings.Contains(out, `~ accounts ["alice"] balance 45 → 64`) {
		t.Errorf("for people, with exit code %d:\n%s", code, out)
	}
	followed(t, info, path("followed.lockstep"))
	brokenOff(t, info.Nodes[0], path("broken.lockstep"))
}

// brokenOff records from a node that is killed meanwhile: the file is not there, and
// the exit code says that trying again may help.
func brokenOff(t *testing.T, n dev.Node, file string) {
	p := begin(t, "replay", "export", "ledger", "--follow", "1h", "--out", file, "--server", n.HTTP)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(patience); written(t, file) == 0; {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("nothing was recorded")
		}
	}
	if err := syscall.Kill(n.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(p.out); err != nil {
		t.Fatal(err)
	}
	if code := p.end(syscall.SIGCONT); code != exitUnavailable || !strings.Contains(p.errs.String(), "the recording broke off, nothing was written") {
		t.Errorf("exit code %d: %s", code, p.errs.String())
	}
	if left, err := filepath.Glob(file + "*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// written is how much there is of a file that is not whole yet.
func written(t *testing.T, file string) int64 {
	t.Helper()
	names, err := filepath.Glob(file + ".partial-*")
	if err != nil || len(names) != 1 {
		return 0
	}
	info, err := os.Stat(names[0])
	if err != nil {
		return 0
	}
	return info.Size()
}

// followed records from the present state what happens next.
func followed(t *testing.T, info dev.Info, file string) {
	p := begin(t, "replay", "export", "ledger", "--from-now", "--follow", "2s", "--out", file, "--server", info.Nodes[2].HTTP, "-o", "json")
	for range 3 {
		must(t, "tx", "ledger", "transfer", "from=bob", "to=carol", "amount:=1", "--server", addresses(info))
	}
	out, err := io.ReadAll(p.out)
	if err != nil {
		t.Fatal(err)
	}
	var e exported
	if err := json.Unmarshal(out, &e); err != nil || !e.Snapshot {
		t.Fatalf("%v: %s%s", err, out, p.errs.String())
	}
	r := replayedJSON(t, exitDone, file)
	if !r.Equal || r.Transactions != e.To.Revision-e.From.Revision || e.To.Revision != 17 {
		t.Errorf("recorded %+v, replayed %+v", e, r)
	}
}

// tamper copies a recording with a text replaced by one as long in its entries; all
// checksums are right.
func tamper(t *testing.T, from, to, old, text string) {
	t.Helper()
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(from)
	fail(err)
	rd, err := recording.NewReader(bytes.NewReader(raw))
	fail(err)
	var out bytes.Buffer
	w, err := recording.NewWriter(&out, rd.Begin())
	fail(err)
	for {
		rec, err := rd.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		fail(err)
		switch rec.Kind {
		case recording.KindEntry:
			fail(w.Entry(rec.Index, bytes.ReplaceAll(rec.Cmd, []byte(old), []byte(text))))
		case recording.KindDigest:
			fail(w.Digest(rec.Digest))
		case recording.KindEnd:
			fail(w.Close(rec.TakenMillis))
		}
	}
	fail(os.WriteFile(to, out.Bytes(), 0o600))
}
