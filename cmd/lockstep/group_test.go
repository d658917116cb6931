package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// A witness votes and has no data: nobody may take it for a copy.
func TestWitnessesAreMarked(t *testing.T) {
	const group = `{"name": "orders", "primary": "n1", "revision": 7, "durability": "1 copy", "partitions": [
		{"node": "n1", "kind": "data", "status": "available"}, {"node": "n4", "kind": "witness", "status": "available"}]}`
	var list, one bytes.Buffer
	if err := groupTable(&list, json.RawMessage(`{"groups": [`+group+`]}`)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(list.String(), "n1, n4 (witness)") {
		t.Errorf("the list of groups:\n%s", &list)
	}
	if err := oneGroup(&one, json.RawMessage(group)); err != nil {
		t.Fatal(err)
	}
	if row := strings.Fields(strings.Split(one.String(), "\n")[1]); strings.Join(row, " ") != "orders n1 7 1 1 copy" {
		t.Errorf("the group:\n%s", &one)
	}
}
