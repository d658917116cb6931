package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lockstep/router/client"
)

// writesSchema has a row for each write of a task's holder.
const writesSchema = `
tables:
  writes:
    columns:
      id:     {type: int}
      epoch:  {type: int}
      reason: {type: string}
    key: [id]
`

// worker writes a row after the other for as long as it is not fenced.
const worker = `#!/bin/sh
while lockstep tx "$LOCKSTEP_GROUP" --server "$LOCKSTEP_SERVER" --timeout 5s '{
  "steps": [
    {"expect_task": {"task": "write", "epoch": "params.epoch"}},
    {"insert": {"table": "writes", "row": {"id": "tx.revision", "epoch": "params.epoch", "reason": "params.reason"}}}],
  "params": {"epoch": '$LOCKSTEP_EPOCH', "reason": "'$LOCKSTEP_REASON'"}}' > /dev/null
do :; done
exit 1
`

// write is a row of the table.
type write struct {
	ID, Epoch int64
	Reason    string
}

// writes are all rows, in the order of the log.
func writes(t *testing.T, cl *client.Client) (out []write) {
	t.Helper()
	for after := ""; ; {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		page, err := cl.Rows(ctx, "bank", "writes", client.PageOptions{Limit: 1000, After: after})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range page.Rows {
			var w write
			if err := json.Unmarshal(raw, &w); err != nil {
				t.Fatal(err)
			}
			out = append(out, w)
		}
		if after = page.Next; after == "" {
			return out
		}
	}
}

// awaitWrite waits for a write under an epoch above one, and gives it.
func awaitWrite(t *testing.T, cl *client.Client, above int64) write {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(patience); ; {
		if all := writes(t, cl); len(all) > 0 && all[len(all)-1].Epoch > above {
			return all[len(all)-1]
		}
		select {
		case <-tick.C:
		case <-limit:
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			task, err := cl.Task(ctx, "", "write")
			t.Fatalf("nobody writes under an epoch above %d: %+v %v", above, task, err)
		}
	}
}

// A task is held by one node at a time, as far as its writes can tell: whoever is
// killed, stopped, stands still or gives the task back, no write of an old epoch comes
// after one of a newer; and each holder is told why it has the task.
func TestATaskMovesAndItsWritesAreInOrder(t *testing.T) {
	dir := t.TempDir()
	script, schema := filepath.Join(dir, "worker"), filepath.Join(dir, "schema.yaml")
	if err := os.WriteFile(script, []byte(worker), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(schema, []byte(writesSchema), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LOCKSTEP_TASKS_COMMANDS", script)
	data := filepath.Join(dir, "data")
	_, info := startDev(t, "--port", fmt.Sprint(freePort(t, 3)), "--data", data, "--schema", schema)
	t.Setenv("LOCKSTEP_TASKS_COMMANDS", "")
	t.Setenv("LOCKSTEP_SERVER", addresses(info))
	cl, err := client.New(client.Config{Servers: strings.Split(addresses(info), ",")})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	pids := map[string]int{}
	for _, n := range info.Nodes {
		pids[n.Name] = n.PID
	}
	holder := func() string {
		task, err := cl.Task(t.Context(), "", "write")
		if err != nil {
			t.Fatal(err)
		}
		return task.Holder
	}
	restart := func(name string) {
		var again struct{ PID int }
		if err := json.Unmarshal([]byte(must(t, "dev", "restart", name, "--data", data, "--json")), &again); err != nil {
			t.Fatal(err)
		}
		pids[name] = again.PID
	}
	moved := func(above int64, reason string) write {
		t.Helper()
		w := awaitWrite(t, cl, above)
		if w.Reason != reason {
			t.Errorf("the holder of epoch %d was told %s, not %s\n%s", w.Epoch, w.Reason, reason, must(t, "task", "get", "write"))
		}
		return w
	}
	must(t, "task", "apply", "write", "--group", "bank", "--wait", "--", "worker")
	w := moved(0, "normal")

	killed := holder()
	_ = syscall.Kill(pids[killed], syscall.SIGKILL)
	w = moved(w.Epoch, "recovery")
	restart(killed)

	must(t, "task", "release", "write", "--wait")
	w = moved(w.Epoch, "normal")

	stopped := holder()
	_ = syscall.Kill(pids[stopped], syscall.SIGTERM)
	w = moved(w.Epoch, "shutdown")
	gone(t, pids[stopped])
	restart(stopped)

	// A node that stands still has lost the task when it goes on.
	still := holder()
	_ = syscall.Kill(pids[still], syscall.SIGSTOP)
	w = moved(w.Epoch, "recovery")
	_ = syscall.Kill(pids[still], syscall.SIGCONT)

	last := int64(0)
	for _, w := range writes(t, cl) {
		if w.Epoch < last {
			t.Errorf("revision %d is of epoch %d, after one of epoch %d", w.ID, w.Epoch, last)
		}
		last = w.Epoch
	}
	if code, _, errs := outcome(t, "tx", "bank", fmt.Sprintf(`{"steps": [{"expect_task": {"task": "write", "epoch": %d}}]}`, w.Epoch-1)); code != exitRefused || !strings.Contains(errs, "fenced") {
		t.Errorf("an old epoch: %d %s", code, errs)
	}
	must(t, "task", "delete", "write")
}
