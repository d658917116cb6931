package node_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// endless is a query that would run for hours.
const endless = `{"steps": [{"let": {"n": "params.n"}}], "params": {"n": [` + hundred + `]}, "types": {"n": ["int"]},
	"return": "n.all(a, n.all(b, n.all(c, n.all(d, n.all(e, n.all(f, a + b + c + d + e + f >= 0))))))"}`

const (
	ten     = "1,1,1,1,1,1,1,1,1,1"
	hundred = ten + "," + ten + "," + ten + "," + ten + "," + ten + "," + ten + "," + ten + "," + ten + "," + ten + "," + ten
)

// A query's deadline stops it promptly, however large its budget, and queries that
// go on for long don't keep the copy from applying: transactions commit meanwhile,
// and light queries see them.
func TestHeavyQueriesStopAndStarveNobody(t *testing.T) {
	n := newMember(t, "n1")
	n.cfg.QueryBudget = 1000
	n.start()
	<-n.Ready()
	n.must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n1"]}`)
	n.must("PUT", "/v1/groups/bank/schema", `
tables:
  counters:
    columns: {id: {type: string}, n: {type: int}}
    key: [id]
`)
	const deadline = 3 * time.Second
	var queries sync.WaitGroup
	for range 8 {
		queries.Go(func() {
			began := time.Now()
			rq, err := http.NewRequest("POST", "http://"+n.cfg.HTTP+"/v1/groups/bank/query?timeout=3&consistency=local", strings.NewReader(endless))
			if err != nil {
				t.Error(err)
				return
			}
			rs, err := http.DefaultClient.Do(rq)
			if err != nil {
				t.Error(err)
				return
			}
			defer rs.Body.Close()
			var p struct{ Code, Outcome string }
			if err := json.NewDecoder(rs.Body).Decode(&p); err != nil || p.Code != "deadline_exceeded" || p.Outcome != "not_applied" {
				t.Errorf("the endless query: %d %+v, %v", rs.StatusCode, p, err)
			}
			if took := time.Since(began); took < deadline || took > 10*deadline {
				t.Errorf("it ended after %v", took)
			}
		})
	}
	ended := make(chan struct{})
	go func() { queries.Wait(); close(ended) }()
	count := 0
	for running := true; running; count++ {
		n.must("POST", "/v1/groups/bank/transactions", `{"steps": [{"upsert": {"table": "counters", "key": ["'a'"], "set": {"n": "row == null ? 1 : row.n + 1"}}}]}`)
		select {
		case <-ended:
			running = false
		default:
		}
	}
	if count < 20 {
		t.Errorf("%d transactions in a row committed while queries ran for %v", count, deadline)
	}
	answer := n.must("POST", "/v1/groups/bank/query?explain=true", `{"steps": [{"get": {"table": "counters", "key": ["'a'"], "as": "c"}}], "return": "c.n"}`)
	if !strings.Contains(answer, fmt.Sprintf(`"result":%d,"explain":{"steps":[{"step":"steps[0]","kind":"get","table":"counters","access":"key"`, count)) {
		t.Errorf("after %d increments: %s", count, answer)
	}
}

// interface.md: next is for after, absent at the end. Over HTTP, through another node
// than the one that gave the token, pages add up.
func TestPagesGoOnAtAnotherNode(t *testing.T) {
	nodes := three(t)
	for i := range 7 {
		nodes[0].must("POST", "/v1/groups/bank/transactions", fmt.Sprintf(`{"procedure": "open", "params": {"id": "a%d", "owner": "o%d", "balance": 1}}`, i, i%2))
	}
	query := `{"steps": [{"scan": {"table": "accounts", "index": "by_owner", "as": "all"}}], "return": "all.map(a, a.id)"}`
	var got []string
	after := ""
	for i := 0; ; i++ {
		var page struct {
			Revision uint64
			Result   []string
			Next     string
		}
		path := "/v1/groups/bank/query?limit=2"
		if after != "" {
			path += "&after=" + after
		}
		if err := json.Unmarshal([]byte(nodes[i%3].must("POST", path, query)), &page); err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Result...)
		if after = page.Next; after == "" {
			break
		}
	}
	if fmt.Sprint(got) != "[a0 a2 a4 a6 a1 a3 a5]" {
		t.Errorf("the pages are %v", got)
	}
	if status, _, text := nodes[0].ask("POST", "/v1/groups/bank/query?limit=2&after=AQJab2UA", "application/json", []byte(query)); status != 400 || !strings.Contains(text, `"pointer":"?after"`) {
		t.Errorf("a token that is none: %d %s", status, text)
	}
	row := nodes[1].must("GET", "/v1/groups/bank/tables/accounts/rows?index=by_owner&prefix=o1&limit=1", "")
	if !strings.Contains(row, `"id":"a1"`) || !strings.Contains(row, `"next":"`) {
		t.Errorf("rows by an index: %s", row)
	}
}
