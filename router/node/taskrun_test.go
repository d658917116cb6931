package node_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"lockstep/engine/entry"
	"lockstep/router/node"
)

// fenced tells whether who holds a task under an epoch can write nothing more.
func (m *member) fenced(group, task string, epoch uint64) error {
	doc := fmt.Sprintf(`{"steps": [{"expect_task": {"task": %q, "epoch": %d}}]}`, task, epoch)
	status, _, text := m.ask("POST", "/v1/groups/"+group+"/transactions", "application/json", []byte(doc))
	if status != http.StatusConflict || !strings.Contains(text, `"code":"fenced"`) {
		return fmt.Errorf("%d %s", status, text)
	}
	return nil
}

// "A stale holder can write nothing": a task that was deleted and is defined again in
// another group, before it was taken back, is taken back all the same.
func TestATaskThatMovesToAnotherGroupIsTakenBack(t *testing.T) {
	nodes := three(t)
	n1, n2 := nodes[0], nodes[1]
	n1.must("POST", "/v1/groups", `{"name": "alone", "nodes": ["n1"]}`)
	n1.must("PUT", "/v1/tasks/sweep", `{"group": "bank"}`)
	n1.assign("sweep", n2, entry.ReasonNormal)
	held := n2.task("/v1/tasks/sweep")
	if held.Holder != "n2" {
		t.Fatalf("%+v", held)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// Deleted and defined in one step: nobody has seen what is between.
	row := map[string]string{"name": "sweep", "group": "alone", "definition": `{"group":"alone"}`}
	if err := node.EditCatalog(ctx, n1.Node, row, map[string]any{"update": map[string]any{"table": "tasks", "key": []string{"params.row.name"},
		"set": map[string]string{"group": "params.row.group", "definition": "params.row.definition", "version": "tx.revision"}}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return n2.fenced("bank", "sweep", held.Epoch) })
}

// "Transactions go on" where the catalog has no majority, and so do tasks: one that was
// deleted and can't be taken back until then keeps no other from being told.
func TestADeletedTaskKeepsNoOtherWaiting(t *testing.T) {
	var told atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, rq *http.Request) {
		if strings.HasSuffix(rq.Header.Get("X-Lockstep-Delivery"), "/assigned") {
			told.Add(1)
		}
	}))
	defer hook.Close()
	nodes := three(t)
	n1 := nodes[0]
	n1.stop()
	n1.cfg.WebhookHosts = []string{"127.0.0.1"}
	n1.start()
	<-n1.Ready()
	n1.must("POST", "/v1/groups", `{"name": "alone", "nodes": ["n1"]}`)
	n1.must("PUT", "/v1/tasks/sweep", `{"group": "alone", "webhook": "`+hook.URL+`"}`)
	eventually(t, func() error {
		if told.Load() == 0 {
			return fmt.Errorf("it was not told of its first assignment")
		}
		return nil
	})
	nodes[1].crash()
	nodes[2].crash()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	assign := func(task string) {
		t.Helper()
		if err := node.Assign(ctx, n1.Node, "alone", task, n1.Node, entry.ReasonNormal); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 { // were each to wait for the catalog, that would be longer than the test is patient
		assign(fmt.Sprintf("gone-%d", i))
	}
	for range 3 {
		before := told.Load()
		assign("sweep")
		eventually(t, func() error {
			if told.Load() == before {
				return fmt.Errorf("it was not told of its assignment")
			}
			return nil
		})
	}
}
