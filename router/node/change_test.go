package node_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// slowCheck costs some 20,000 units a row, so that a backfill gets through a few
// rows only, and a change takes its time.
var slowCheck = `{expr: "` + strings.Repeat("[1, 2, 3, 4, 5, 6, 7, 8].all(a, [1, 2, 3, 4, 5, 6, 7, 8].all(b, [1, 2, 3, 4, 5, 6, 7, 8].all(c, a + b + c > 0))) && ", 3) + `row.id >= 0", code: negative}`

func notes(checks, indexes string) string {
	return "tables: {notes: {columns: {id: {type: int}, text: {type: string}}, key: [id], checks: [" + checks + "], indexes: {" + indexes + "}}}"
}

type changeAnswer struct {
	Code    string `json:"code"`
	Detail  string `json:"detail"`
	Version uint64 `json:"version"`
	Broken  uint64 `json:"rows_broken"`
	Change  *struct {
		Version  uint64 `json:"version"`
		State    string `json:"state"`
		RowsDone uint64 `json:"rows_done"`
	} `json:"schema_change"`
	Errors []struct{ Pointer, Detail string } `json:"errors"`
}

func (m *member) putSchema(t *testing.T, query, doc string) (int, changeAnswer) {
	status, _, text := m.ask("PUT", "/v1/groups/notes/schema"+query, "application/yaml", []byte(doc))
	var a changeAnswer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	return status, a
}

// "One change at a time (409 change_in_progress)." "504 outcome_unknown: it was
// proposed and the deadline came, whatever the cause: send the same document again."
// (transactions.md, Schema; interface.md, Errors) Meanwhile transactions go on by the
// schema that holds, and status says how far the change is.
func TestChangeInSteps(t *testing.T) {
	m := newMember(t, "n1")
	m.start()
	<-m.Ready()
	m.must("POST", "/v1/groups", `{"name": "notes", "nodes": ["n1"]}`)
	m.must("PUT", "/v1/groups/notes/schema", notes("", ""))
	const rows, inserts = 1500, 250
	for first := 0; first < rows; first += inserts {
		var steps []string
		for id := first; id < first+inserts; id++ {
			steps = append(steps, fmt.Sprintf(`{"insert": {"table": "notes", "row": {"id": %d, "text": "'t'"}}}`, id))
		}
		m.must("POST", "/v1/groups/notes/transactions", `{"steps": [`+strings.Join(steps, ",")+`]}`)
	}

	// The deadline comes first; the change goes on.
	slow := notes(slowCheck, "by_text: {columns: [text]}")
	var a changeAnswer
	status := 504
	for tenths := 1; status == 504 && a.Change == nil; tenths++ {
		status, a = m.putSchema(t, fmt.Sprintf("?timeout=%d.%d", tenths/10, tenths%10), slow)
	}
	if status != 504 || a.Code != "outcome_unknown" || a.Change.Version != 1 || a.Change.State != "building" {
		t.Fatalf("a change that takes long: %d %+v", status, a)
	}
	if status, a = m.putSchema(t, "", notes("", "by_id: {columns: [text, id]}")); status != 409 || a.Code != "change_in_progress" || a.Change == nil {
		t.Errorf("another change meanwhile: %d %+v", status, a)
	}
	m.must("POST", "/v1/groups/notes/transactions", `{"steps": [{"update": {"table": "notes", "key": ["3"], "set": {"text": "'u'"}}}]}`)
	if text := m.must("GET", "/v1/status", ""); !strings.Contains(text, `"schema_change":{"change":1,"version":1,"state":"building","started":"20`) {
		t.Errorf("status says nothing of the change: %s", text)
	}
	// The same document again waits for the same change.
	if status, a = m.putSchema(t, "?timeout=50", slow); status != 200 || a.Version < 9 {
		t.Fatalf("asked for again: %d %+v", status, a)
	}
	version := a.Version
	if text := m.must("GET", "/v1/status", ""); strings.Contains(text, "schema_change") {
		t.Errorf("status still tells of the change: %s", text)
	}
	if status, a = m.putSchema(t, "", slow); status != 200 || a.Version != version {
		t.Errorf("what already is: %d %+v", status, a)
	}

	// Rows that break a change are named; nothing has changed.
	status, a = m.putSchema(t, "", notes("", "alone: {columns: [text], unique: true}"))
	if status != 422 || a.Code != "invalid" || a.Broken != rows-2 || len(a.Errors) != 20 || a.Errors[0].Pointer != "tables.notes.indexes.alone" {
		t.Errorf("a change that rows break: %d %+v", status, a)
	}
	if text := m.must("GET", "/v1/groups/notes/schema", ""); strings.Contains(text, "alone") {
		t.Errorf("a refused change holds: %s", text)
	}
	// A write that breaks the change while it is under way is not aborted: the
	// change is given up.
	answer := make(chan changeAnswer, 1)
	go func() {
		_, a := m.putSchema(t, "?timeout=50", notes(strings.Replace(slowCheck, "negative", "below_zero", 1)+", {expr: \"row.text != 'bad'\", code: bad_text}", ""))
		answer <- a
	}()
	for end := time.Now().Add(patience); !strings.Contains(m.must("GET", "/v1/status", ""), `"state":"building"`); {
		if time.Now().After(end) {
			t.Fatal("the change does not begin")
		}
	}
	m.must("POST", "/v1/groups/notes/transactions", `{"steps": [{"update": {"table": "notes", "key": ["4"], "set": {"text": "'bad'"}}}]}`)
	if a := <-answer; a.Code != "invalid" || a.Broken != 1 || len(a.Errors) != 1 || !strings.Contains(a.Errors[0].Detail, "the row with key [4] does not pass the check bad_text; revision ") {
		t.Errorf("a change that a write breaks: %+v", a)
	}
}
