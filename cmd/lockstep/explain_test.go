package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"lockstep/router/client"
)

// interface.md: tables for people. How a query went is a line for each step, the sums
// against their limits, and what would make it read fewer rows.
func TestExplainIsATable(t *testing.T) {
	const answer = `{"revision": 9, "result": [{"id": 1}], "next": "AQ", "explain": {
		"steps": [
			{"step": "steps[0]", "kind": "get", "table": "items", "access": "key", "by": ["id"], "runs": 1, "rows_read": 1, "cost": 48},
			{"step": "steps[1]", "kind": "scan", "table": "items", "access": "index", "index": "by_price", "by": ["price"], "runs": 1, "rows_read": 3, "rows_returned": 3, "cost": 254},
			{"step": "steps[2]", "kind": "scan", "table": "notes", "access": "full", "where": "row.text == 'x'", "runs": 1, "rows_read": 120, "rows_returned": 0, "cost": 2764,
				"hint": "120 rows were read for 0; an index on text would serve this"},
			{"step": "steps[3]", "kind": "if", "runs": 1, "rows_read": 0, "cost": 8}],
		"steps_executed": 4, "rows_read": 124, "rows_limit": 200000, "cost": 3074, "cost_limit": 20000000, "time_ms": 0.25}}`
	var r client.Result
	if err := json.Unmarshal([]byte(answer), &r); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := queryTable(&out, &r); err != nil {
		t.Fatal(err)
	}
	const want = `ID
1

there is more: --after AQ

STEP      DOES        FINDS ROWS BY                    RUNS  READ  GAVE  COST
steps[0]  get items   key (id)                         1     1           48
steps[1]  scan items  index by_price (price)           1     3     3     254
steps[2]  scan notes  all rows, where row.text == 'x'  1     120   0     2764
steps[3]  if                                           1     0           8

124 of 200000 rows, cost 3074 of 20000000, 4 steps, 0.250 ms
hint  steps[2]: 120 rows were read for 0; an index on text would serve this
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
