package node_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"lockstep/engine/recording"
	"lockstep/router"
)

func (m *member) run(path string, status int) (r router.TaskRun) {
	m.t.Helper()
	got, _, text := m.ask("POST", path, "application/json", nil)
	if got != status {
		m.t.Fatalf("POST %s at %s: %d %s", path, m.cfg.Name, got, text)
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		m.t.Fatal(err)
	}
	return r
}

// "verify and backup (run on a subscriber, on schedule, progress, result, history)":
// asked for at any node they run at the holder, and every node tells what came of it.
func TestVerifyAndBackupRunOnRequest(t *testing.T) {
	nodes := three(t)
	n1, n2, n3 := nodes[0], nodes[1], nodes[2]
	n1.must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 100}}`)
	// The holder is not the primary, which has enough to do.
	var s router.TaskStatus
	eventually(t, func() error {
		if s = n2.task("/v1/tasks/verify?group=bank"); s.Holder == "" || s.Holder == n2.task("/v1/tasks/primary?group=bank").Holder {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	run := n3.run("/v1/tasks/verify/run?group=bank", http.StatusOK)
	var report router.VerifyReport
	if err := json.Unmarshal(run.Result, &report); err != nil || !report.Equal || len(report.Partitions) != 3 || run.Status != "done" || run.Node != s.Holder || run.Epoch != s.Epoch {
		t.Errorf("%+v %v", run, err)
	}
	for _, m := range nodes {
		eventually(t, func() error {
			if s := m.task("/v1/tasks/verify?group=bank"); len(s.Runs) != 1 || s.Runs[0].ID != run.ID || s.Runs[0].By != "request" || s.Runs[0].Status != "done" {
				return fmt.Errorf("%s: %+v", m.cfg.Name, s.Runs)
			}
			return nil
		})
	}
	// No node has a folder for backups: the refusal says what to do.
	n1.refuses("POST", "/v1/tasks/backup/run?group=bank", "", 422, "invalid", "backup.dir")
	n1.refuses("POST", "/v1/tasks/primary/run?group=bank", "", 422, "invalid", "only verify and backup")
	n1.refuses("POST", "/v1/tasks/verify/run", "", 400, "ambiguous", "?group=")

	// One has: it makes the backup, whoever holds the task.
	n1.stop()
	n1.cfg.BackupDir = filepath.Join(t.TempDir(), "backups")
	n1.start()
	<-n1.Ready()
	run = n2.run("/v1/tasks/backup/run?group=bank", http.StatusOK)
	var made struct{ File, Digest string }
	if err := json.Unmarshal(run.Result, &made); err != nil || run.Status != "done" || run.Node != "n1" {
		t.Fatalf("%+v %v", run, err)
	}
	file, err := os.Open(filepath.Join(n1.cfg.BackupDir, made.File))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sum, err := recording.Summarize(file)
	if err != nil || sum.Begin.Group != "bank" || !sum.Begin.Snapshot || fmt.Sprintf("%x", sum.To.Running) != made.Digest {
		t.Errorf("the backup is %+v: %v", sum, err)
	}
}
