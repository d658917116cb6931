package node_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Patent, paragraph 59: a group may have times at which it takes no updates; others
// are not concerned, and administration goes on.
func TestAGroupHasItsOwnWindows(t *testing.T) {
	n := newMember(t, "n1")
	n.start()
	<-n.Ready()
	now := time.Now().UTC()
	window := fmt.Sprintf(`{"deny": "updates", "from": %q, "to": %q, "name": "closing"}`, now.Add(-time.Hour).Format("15:04"), now.Add(time.Hour).Format("15:04"))
	n.must("POST", "/v1/groups", `{"name": "open", "nodes": ["n1"]}`)
	n.must("POST", "/v1/groups", `{"name": "shut", "nodes": ["n1"], "settings": {"update_windows": [`+window+`]}}`)
	const insert = `{"steps": [{"insert": {"table": "notes", "row": {"id": "1"}}}]}`
	for _, group := range []string{"open", "shut"} {
		n.must("PUT", "/v1/groups/"+group+"/schema", "tables: {notes: {columns: {id: {type: int}}, key: [id]}}")
	}
	n.must("POST", "/v1/groups/open/transactions", insert)
	status, header, body := n.ask("POST", "/v1/groups/shut/transactions", "application/json", []byte(insert))
	if status != 503 || !strings.Contains(body, `"code":"held"`) || !strings.Contains(body, "closing: updates are denied daily") || header.Get("Retry-After") == "" {
		t.Errorf("%d %s", status, body)
	}
	if page := n.must("GET", "/v1/groups/shut/tables/notes/rows", ""); !strings.Contains(page, `"rows":[]`) {
		t.Errorf("it holds %s", page)
	}
}
