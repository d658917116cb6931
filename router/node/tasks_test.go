package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"lockstep/engine/entry"
	"lockstep/router"
	"lockstep/router/node"
	"lockstep/router/tasks"
)

func (m *member) task(path string) (s router.TaskStatus) {
	m.t.Helper()
	if err := json.Unmarshal([]byte(m.must("GET", path, "")), &s); err != nil {
		m.t.Fatal(err)
	}
	return s
}

// assign has a task of the bank assigned, as a supervisor would.
func (m *member) assign(task string, holder *member, reason entry.Reason) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var to *node.Node
	if holder != nil {
		to = holder.Node
	}
	if err := node.Assign(ctx, m.Node, "bank", task, to, reason); err != nil {
		m.t.Fatal(err)
	}
}

// refuses asks for what is refused, and checks the code and what the detail tells.
func (m *member) refuses(method, path, body string, status int, code, detail string) {
	m.t.Helper()
	got, _, text := m.ask(method, path, "application/json", []byte(body))
	if got != status || !strings.Contains(text, `"code":"`+code+`"`) || !strings.Contains(text, detail) {
		m.t.Errorf("%s %s %s: %d %s", method, path, body, got, text)
	}
}

// "Administrative requests are idempotent … another definition under the same name";
// "Task names of applications are unique in the cluster; built-in tasks exist in every
// group and take ?group=" (interface.md).
func TestTasksAreDefinedAtAnyNode(t *testing.T) {
	nodes := three(t)
	n1, n2, n3 := nodes[0], nodes[1], nodes[2]
	n1.must("POST", "/v1/groups", `{"name": "alone", "nodes": ["n1"]}`)
	doc := `{"group": "bank", "labels": {"team": "ops"}, "payload": {"every": 3}}`
	status, head, text := n2.ask("PUT", "/v1/tasks/sweep", "application/json", []byte(doc))
	version := head.Get("ETag")
	if status != 201 || version == "" || !strings.Contains(text, `"payload":{"every":3}`) {
		t.Fatalf("%d %v %s", status, head, text)
	}
	if status, head, text := n3.ask("PUT", "/v1/tasks/sweep", "application/json", []byte(`{"payload": {"every": 3.0}, "labels": {"team": "ops"}, "group": "bank"}`)); status != 200 || head.Get("ETag") != version {
		t.Errorf("the same again: %d %v %s", status, head, text)
	}
	rq, _ := http.NewRequest("PUT", "http://"+n3.cfg.HTTP+"/v1/tasks/sweep", strings.NewReader("group: bank\nlabels: {team: night}\n"))
	rq.Header.Set("If-Match", `"1"`)
	rs, err := http.DefaultClient.Do(rq)
	if err != nil || rs.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("a version that is not the present one: %v %v", rs, err)
	}
	_ = rs.Body.Close()
	rq, _ = http.NewRequest("PUT", "http://"+n3.cfg.HTTP+"/v1/tasks/sweep", strings.NewReader("group: bank\nlabels: {team: night}\n"))
	rq.Header.Set("If-Match", version)
	if rs, err = http.DefaultClient.Do(rq); err != nil || rs.StatusCode != http.StatusOK || rs.Header.Get("ETag") == version {
		t.Errorf("with the present version: %v %v", rs, err)
	}
	_ = rs.Body.Close()
	n1.refuses("PUT", "/v1/tasks/sweep", `{"group": "alone"}`, 409, "already_exists", "task of the group bank")
	n1.refuses("PUT", "/v1/tasks/other", `{"group": "nowhere"}`, 404, "unknown_group", "nowhere")
	n1.refuses("PUT", "/v1/tasks/primary", `{"group": "bank"}`, 422, "invalid", "choose another name")
	n1.refuses("PUT", "/v1/tasks/other", `{"group": "bank", "webhook": "mailto:me"}`, 422, "invalid", "/webhook")
	n1.refuses("PUT", "/v1/tasks/other", `{"group": "bank", "cmd": ["x"]}`, 400, "malformed", "/cmd")
	n1.refuses("GET", "/v1/tasks/primary", "", 400, "ambiguous", "?group=")
	n1.refuses("GET", "/v1/tasks/other", "", 404, "not_found", "other")
	n1.refuses("GET", "/v1/tasks/sweep?group=alone", "", 404, "not_found", "alone")
	n1.refuses("DELETE", "/v1/tasks/primary", "", 422, "invalid", "every group has")
	n1.refuses("POST", "/v1/tasks/sweep/release", `{"epoch": 9999}`, 409, "fenced", "not held under epoch 9999")
	n1.refuses("POST", "/v1/tasks/sweep/release", `{}`, 422, "invalid", "/epoch")

	// A node without a copy of the group tells of its tasks as well.
	for _, m := range nodes {
		if s := m.task("/v1/tasks/primary?group=alone"); s.Holder != "n1" || s.Kind != "primary" || s.Epoch == 0 || len(s.History) == 0 {
			t.Errorf("%s: %+v", m.cfg.Name, s)
		}
		var list struct{ Tasks []router.TaskStatus }
		if err := json.Unmarshal([]byte(m.must("GET", "/v1/tasks", "")), &list); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range list.Tasks {
			names = append(names, s.Group+"/"+s.Task)
		}
		if got := strings.Join(names, " "); !strings.Contains(got, "alone/primary") || !strings.Contains(got, "bank/primary") || !strings.Contains(got, "bank/sweep") {
			t.Errorf("%s lists %s", m.cfg.Name, got)
		}
	}
	// A group takes its tasks along.
	n3.must("PUT", "/v1/tasks/solo", `{"group": "alone"}`)
	n2.must("DELETE", "/v1/groups/alone", "")
	n1.refuses("GET", "/v1/tasks/solo", "", 404, "not_found", "solo")
	n1.must("PUT", "/v1/tasks/solo", `{"group": "bank"}`)
	n2.must("DELETE", "/v1/tasks/sweep", "")
	n3.refuses("GET", "/v1/tasks/sweep", "", 404, "not_found", "sweep")
	n3.refuses("DELETE", "/v1/tasks/sweep", "", 404, "not_found", "sweep")
}

// "A fencing epoch that a transaction can require, so that a stale holder can write
// nothing": who held a task before aborts with fenced, who holds it now commits, at
// whatever node either writes.
func TestAStaleHolderIsFenced(t *testing.T) {
	nodes := three(t)
	n1, n2, n3 := nodes[0], nodes[1], nodes[2]
	n1.must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 100}}`)
	n1.must("PUT", "/v1/tasks/sweep", `{"group": "bank"}`)
	write := func(m *member, epoch uint64) string {
		doc := fmt.Sprintf(`{"steps": [{"expect_task": {"task": "sweep", "epoch": %d}}, {"update": {"table": "accounts", "key": ["'a'"], "set": {"balance": "row.balance - 1"}}}]}`, epoch)
		_, _, text := m.ask("POST", "/v1/groups/bank/transactions", "application/json", []byte(doc))
		return text
	}
	n1.assign("sweep", n2, entry.ReasonNormal)
	first := n2.task("/v1/tasks/sweep")
	if first.Holder != "n2" || first.Reason != "normal" {
		t.Fatalf("%+v", first)
	}
	if text := write(n2, first.Epoch); !strings.Contains(text, `"status":"committed"`) {
		t.Errorf("the holder's transaction: %s", text)
	}
	// Who waits learns of the next assignment, and its reason.
	told := make(chan router.TaskStatus)
	go func() { told <- n3.task(fmt.Sprintf("/v1/tasks/sweep?after_epoch=%d", first.Epoch)) }()
	n1.assign("sweep", n3, entry.ReasonRecovery)
	second := <-told
	if second.Holder != "n3" || second.Reason != "recovery" || second.Epoch <= first.Epoch || len(second.History) < 2 {
		t.Errorf("%+v", second)
	}
	for _, m := range nodes {
		if text := write(m, first.Epoch); !strings.Contains(text, `"code":"fenced"`) || !strings.Contains(text, `"status":409`) {
			t.Errorf("the stale holder's transaction at %s: %s", m.cfg.Name, text)
		}
		if text := write(m, second.Epoch); !strings.Contains(text, `"status":"committed"`) {
			t.Errorf("the new holder's transaction at %s: %s", m.cfg.Name, text)
		}
	}
	// Given back, it is nobody's, and giving it back again is no mistake.
	release := fmt.Sprintf(`{"epoch": %d}`, second.Epoch)
	n1.must("POST", "/v1/tasks/sweep/release", release)
	n2.must("POST", "/v1/tasks/sweep/release", release)
	n1.refuses("POST", "/v1/tasks/sweep/release", fmt.Sprintf(`{"epoch": %d}`, first.Epoch), 409, "fenced", "not held under epoch")
	if text := write(n3, second.Epoch); !strings.Contains(text, `"code":"fenced"`) {
		t.Errorf("after it was given back: %s", text)
	}
}

// A wait is bounded by the request's deadline, and then answered with what is.
func TestAWaitForATaskEndsInTime(t *testing.T) {
	n := newMember(t, "n1")
	n.start()
	<-n.Ready()
	n.must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n1"]}`)
	n.must("PUT", "/v1/tasks/sweep", `{"group": "bank"}`)
	if s := n.task("/v1/tasks/sweep?after_epoch=1000&timeout=300ms"); s.Epoch >= 1000 {
		t.Errorf("%+v", s)
	}
	// "Other tasks without a candidate are unassigned, with the reason for each node"
	// (interface.md).
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := node.PutPolicy(ctx, n.Node, "far", `{"policy":"far","require":["node.labels.zone == 'far'"],"task":"lonely"}`); err != nil {
		t.Fatal(err)
	}
	n.must("PUT", "/v1/tasks/lonely", `{"group": "bank"}`)
	if s := n.task("/v1/tasks/lonely"); s.Status != "unassigned" || !strings.Contains(s.Why, "n1") || !strings.Contains(s.Why, "zone") {
		t.Errorf("%+v", s)
	}
}

// A task's holder is told by HTTP, and told when it holds it no longer; what it may
// not do is shown with the remedy, wherever one asks; and a task that is deleted is
// taken from its holder.
func TestTheHolderDoesWhatATaskSays(t *testing.T) {
	var last atomic.Pointer[string]
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, rq *http.Request) {
		text := rq.Header.Get("X-Lockstep-Delivery")
		last.Store(&text)
	}))
	defer hook.Close()
	nodes := three(t)
	n1, n2, n3 := nodes[0], nodes[1], nodes[2]
	n1.stop()
	n1.cfg.WebhookHosts = []string{"127.0.0.1"}
	n1.start()
	<-n1.Ready()
	n1.must("PUT", "/v1/tasks/sweep", `{"group": "bank", "webhook": "`+hook.URL+`/told"}`)
	n2.assign("sweep", n1, entry.ReasonMaintenance)
	told := func(event string) func() error {
		return func() error {
			if text := last.Load(); text == nil || !strings.HasSuffix(*text, event) {
				return fmt.Errorf("the webhook was told %v", text)
			}
			return nil
		}
	}
	eventually(t, told("/assigned"))
	eventually(t, func() error {
		if s := n3.task("/v1/tasks/sweep"); s.Execution == nil || s.Execution.Phase != tasks.PhaseTold {
			return fmt.Errorf("%+v", s.Execution)
		}
		return nil
	})
	n2.assign("sweep", n2, entry.ReasonNormal)
	eventually(t, told("/released"))
	eventually(t, func() error {
		if s := n3.task("/v1/tasks/sweep"); s.Execution == nil || s.Execution.Phase != tasks.PhaseRefused || !strings.Contains(s.Execution.Detail, "tasks.webhook_hosts") {
			return fmt.Errorf("%+v", s.Execution)
		}
		return nil
	})
	held := n3.task("/v1/tasks/sweep").Epoch
	n3.must("DELETE", "/v1/tasks/sweep", "")
	eventually(t, func() error {
		status, _, text := n3.ask("POST", "/v1/groups/bank/transactions", "application/json",
			[]byte(fmt.Sprintf(`{"steps": [{"expect_task": {"task": "sweep", "epoch": %d}}]}`, held)))
		if status != http.StatusConflict {
			return fmt.Errorf("%d %s", status, text)
		}
		return nil
	})
	n3.must("PUT", "/v1/tasks/sweep", `{"group": "bank"}`)
	eventually(t, func() error {
		s := n3.task("/v1/tasks/sweep")
		for _, h := range s.History {
			if h.Epoch > held && h.Holder == "" && h.Reason == "shutdown" {
				return nil
			}
		}
		return fmt.Errorf("%+v", s)
	})
}

// "Several may have several holders, an epoch each": each place of a task is told of
// with its own name, which is what its holder writes under.
func TestATaskMayHaveSeveralHolders(t *testing.T) {
	nodes := three(t)
	n1, n2, n3 := nodes[0], nodes[1], nodes[2]
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := node.PutPolicy(ctx, n2.Node, "two", `{"count":2,"policy":"two","task":"work"}`); err != nil {
		t.Fatal(err)
	}
	n1.must("PUT", "/v1/tasks/work", `{"group": "bank"}`)
	var s router.TaskStatus
	eventually(t, func() error {
		if s = n3.task("/v1/tasks/work"); len(s.Holders) != 2 || s.Holders[0].Holder == "" || s.Holders[1].Holder == "" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	first, second := s.Holders[0], s.Holders[1]
	if first.Slot != "work" || second.Slot != "work#2" || first.Holder == second.Holder || first.Epoch == second.Epoch {
		t.Errorf("the holders are %+v", s.Holders)
	}
	for _, c := range []struct {
		slot  string
		epoch uint64
		want  int
	}{{"work", first.Epoch, 200}, {"work#2", second.Epoch, 200}, {"work", second.Epoch, 409}, {"work#2", first.Epoch, 409}} {
		doc := fmt.Sprintf(`{"steps": [{"expect_task": {"task": %q, "epoch": %d}}]}`, c.slot, c.epoch)
		if got, _, text := n2.ask("POST", "/v1/groups/bank/transactions", "application/json", []byte(doc)); got != c.want {
			t.Errorf("%s: %d %s", doc, got, text)
		}
	}
	// Given back under its epoch, it is that place which is free.
	n1.must("POST", "/v1/tasks/work/release", fmt.Sprintf(`{"epoch": %d}`, second.Epoch))
	eventually(t, func() error {
		if s = n3.task("/v1/tasks/work"); s.Holders[1].Epoch <= second.Epoch+1 || s.Holders[1].Holder == "" || s.Holders[0].Epoch != first.Epoch {
			return fmt.Errorf("%+v", s.Holders)
		}
		return nil
	})
}
