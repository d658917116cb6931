package node_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"lockstep/router"
	"lockstep/router/node"
	"lockstep/testdata/bank"
)

// A rolling upgrade: a node whose program is older than what is written may meet a row
// that it can't read. "What is wished stands in the catalog": what can't be read wishes
// nothing, least of all that a copy ends. One task is left aside by itself.
func TestACatalogThatCanNotBeReadEndsNoCopy(t *testing.T) {
	n, seen := newMember(t, "n1"), make(unreadable)
	n.cfg.Log = slog.New(slog.NewTextHandler(seen, nil))
	n.start()
	<-n.Ready()
	n.must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n1"]}`)
	n.must("PUT", "/v1/groups/bank/schema", bank.Schema)
	n.must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 100}}`)
	folder := n.CopyFolder("bank")
	edit := func(row any, step map[string]any) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
			err := node.EditCatalog(ctx, n.Node, row, step)
			if err == nil {
				return
			}
			if ctx.Err() != nil || !strings.Contains(err.Error(), "schema yet") && !strings.Contains(err.Error(), "primary") {
				t.Fatal(err)
			}
		}
	}
	served := func() {
		t.Helper()
		n.until("it serves", func(g router.GroupStatus) bool { return g.Primary == "n1" })
		if text := n.must("GET", "/v1/groups/bank/tables/accounts/rows?key=a", ""); !strings.Contains(text, `"balance":100`) {
			t.Fatalf("the account is %s", text)
		}
	}

	edit(map[string]any{"name": "later", "group": "bank", "definition": `{"run": 7}`}, map[string]any{
		"insert": map[string]any{"table": "tasks", "row": map[string]any{"name": "params.row.name", "group": "params.row.group", "definition": "params.row.definition", "version": "tx.revision"}}})
	n.stop()
	n.start()
	served()

	edit(map[string]any{"node": "none that this program knows"}, map[string]any{
		"update": map[string]any{"table": "groups", "key": []string{"'bank'"}, "set": map[string]any{"origin": "params.row"}}})
	if status, _, text := n.ask("GET", "/v1/groups/other", "", nil); status != 503 || !strings.Contains(text, "group bank") {
		t.Errorf("a group that may be there is answered with %d %s", status, text)
	}
	served() // it goes on as it was
	n.stop()
	n.start()
	for range 3 { // it has looked, and looked again when all was done that it would do
		select {
		case <-seen:
		case <-time.After(patience):
			t.Fatal("the node does not say that it can't read the catalog")
		}
	}
	if _, err := os.Stat(folder); err != nil {
		t.Fatalf("what is left of the copy: %v", err)
	}
	edit(nil, map[string]any{
		"update": map[string]any{"table": "groups", "key": []string{"'bank'"}, "set": map[string]any{"origin": "null"}}})
	served()
}

// unreadable has one for each line that says so, if somebody waits.
type unreadable chan struct{}

func (u unreadable) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("read the catalog")) {
		select {
		case u <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}
