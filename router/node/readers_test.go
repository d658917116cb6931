package node_test

import (
	"net/http"
	"testing"
)

// Patent, paragraph 35: queries go to any copy. A node without a copy spreads reads
// over those that have one; when one of them stops, none is refused.
func TestReadsOutliveACopy(t *testing.T) {
	nodes := three(t)
	nodes[0].must("POST", "/v1/groups", `{"name": "pair", "nodes": ["n2", "n3"]}`)
	nodes[0].must("PUT", "/v1/groups/pair/schema", "tables: {notes: {columns: {id: {type: int}}, key: [id]}}")
	nodes[0].must("POST", "/v1/groups/pair/transactions", `{"steps": [{"insert": {"table": "notes", "row": {"id": "1"}}}]}`)
	by := map[string]int{}
	read := func(level string) {
		t.Helper()
		status, header, body := nodes[0].ask("GET", "/v1/groups/pair/tables/notes/rows?key=1&"+level, "", nil)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", level, status, body)
		}
		by[header.Get("Lockstep-Served-By")]++
	}
	for i := 0; i < 200 || (by["n2"] == 0 || by["n3"] == 0) && i < 5000; i++ {
		read("consistency=linearizable")
	}
	if by["n2"] == 0 || by["n3"] == 0 {
		t.Errorf("reads were served by %v", by)
	}
	// The primary stops: a group of two has no majority then, and reads that need none
	// go on.
	over := make(chan struct{})
	go func() {
		defer close(over)
		nodes[2].stop()
	}()
	for going := true; going; {
		select {
		case <-over:
			going = false
		default:
		}
		read("consistency=local")
	}
	for range 50 {
		read("consistency=local")
	}
}
