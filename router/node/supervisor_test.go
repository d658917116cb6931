package node_test

import (
	"fmt"
	"strings"
	"testing"

	"lockstep/router"
)

// untilTask waits for what a task has become.
func (m *member) untilTask(name, what string, is func(s *router.TaskStatus) bool) (s router.TaskStatus) {
	m.t.Helper()
	eventually(m.t, func() error {
		if s = m.task("/v1/tasks/" + name + "?group=bank"); !is(&s) {
			return fmt.Errorf("%s finds the task %s not %s: %+v", m.cfg.Name, name, what, s)
		}
		return nil
	})
	return s
}

// "the new leader … runs the policies over the status, and proposes what has to change
// into the group's own log" (architecture.md, The way of a failure): tasks have holders
// without anybody's doing; when one stops they go to others, with the reason; and it
// does not take them back. Transactions go on throughout.
func TestTheSupervisorAssignsTasks(t *testing.T) {
	nodes := three(t)
	nodes[0].must("PUT", "/v1/tasks/sweep", `{"group": "bank"}`)
	for _, name := range []string{"sweep", "verify", "backup"} {
		s := nodes[1].untilTask(name, "assigned", func(s *router.TaskStatus) bool { return s.Holder != "" })
		if s.Reason != "normal" || s.Epoch == 0 || s.Why == "" {
			t.Errorf("%s: %+v", name, s)
		}
	}
	primary := nodes[1].status().Groups[0].Primary
	if s := nodes[1].task("/v1/tasks/backup?group=bank"); s.Holder == primary {
		t.Errorf("backup is held by the primary: %+v", s)
	}
	first := nodes[1].task("/v1/tasks/sweep?group=bank")
	var gone *member
	var left []*member
	for _, n := range nodes {
		if n.cfg.Name == first.Holder {
			gone = n
		} else {
			left = append(left, n)
		}
	}
	gone.stop()
	s := left[0].untilTask("sweep", "held by another", func(s *router.TaskStatus) bool { return s.Holder != "" && s.Holder != first.Holder })
	reasons := ""
	for _, a := range s.History {
		reasons += a.Reason + ":" + a.Holder + " "
	}
	if !strings.Contains(reasons, "shutdown: ") || s.Epoch <= first.Epoch {
		t.Errorf("the node that stopped gave it back, and the history is %s; the task %+v", reasons, s)
	}
	left[0].must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 100}}`)
	gone.start()
	<-gone.Ready()
	gone.untilStatus("all are there", func(s *router.ClusterStatus) bool { return s.Groups[0].GroupHealth.Status == router.HealthAvailable })
	if now := gone.task("/v1/tasks/sweep?group=bank"); now.Epoch != s.Epoch || now.Holder != s.Holder {
		t.Errorf("the first holder is back, and the task went from %+v to %+v", s, now)
	}
}

// "GET, PUT /v1/groups/{group}/settings (given keys change, the rest stay)"
// (interface.md), at any node; the new heartbeat holds at once.
func TestGroupSettings(t *testing.T) {
	nodes := three(t)
	if text := nodes[0].must("GET", "/v1/groups/bank/settings", ""); !strings.Contains(text, `"heartbeat":"100ms"`) || !strings.Contains(text, `"key_retention":"24h"`) {
		t.Errorf("the defaults are %s", text)
	}
	nodes[1].must("PUT", "/v1/groups/bank/settings", `{"heartbeat": "50ms"}`)
	nodes[2].must("PUT", "/v1/groups/bank/settings", `{"last_copy": "serve"}`)
	want := `"heartbeat":"50ms","heartbeat_retries":3,"heartbeat_timeout":"300ms","key_retention":"24h","last_copy":"serve"`
	for _, n := range nodes {
		if text := n.must("GET", "/v1/groups/bank/settings", ""); !strings.Contains(text, want) {
			t.Errorf("%s has %s", n.cfg.Name, text)
		}
	}
	for body, pointer := range map[string]string{
		`{"heartbeats": "1s"}`:   `"pointer":"/heartbeats"`,
		`{"heartbeat": "1h"}`:    `"pointer":"/heartbeat"`,
		`{"heartbeat": "250ms"}`: `"pointer":"/heartbeat_timeout"`,
	} {
		status, _, text := nodes[0].ask("PUT", "/v1/groups/bank/settings", "application/json", []byte(body))
		if status != 422 || !strings.Contains(text, pointer) {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	// "Asking for what already is answers 200 with it; another definition under the same
	// name is 409 already_exists."
	for rest, want := range map[string]string{
		``: "",
		`, "settings": {"last_copy": "serve", "heartbeat": "50ms"}`:                       "",
		`, "settings": {"replace_after": "1m"}`:                                           "", // the default
		`, "settings": {"last_copy": "stop", "heartbeat": "50ms", "replace_after": "2m"}`: "last_copy, replace_after",
		`, "settings": {"heartbeat": null}`:                                               "heartbeat",
		`, "labels": {"app": "bank"}`:                                                     "labels",
	} {
		status, _, text := nodes[0].ask("POST", "/v1/groups", "application/json", []byte(`{"name": "bank", "nodes": ["n1", "n2", "n3"]`+rest+`}`))
		if want == "" && status != 200 || want != "" && (status != 409 || !strings.Contains(text, `"code":"already_exists"`) || !strings.Contains(text, want)) {
			t.Errorf("made again with %s: %d %s", rest, status, text)
		}
	}
	if status, _, text := nodes[0].ask("PUT", "/v1/groups/none/settings", "application/json", []byte(`{}`)); status != 404 {
		t.Errorf("a group that is not there: %d %s", status, text)
	}
	// What execution needs is copied into the group's log (architecture.md, The
	// catalog): every copy keeps keys for as long from there on.
	nodes[0].must("PUT", "/v1/groups/bank/settings", `{"key_retention": "1h"}`)
	for _, n := range nodes {
		n.until("keys are kept for an hour", func(g router.GroupStatus) bool { return g.KeyWindowSeconds == 3600 })
	}
}
