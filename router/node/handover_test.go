package node_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/router"
)

// tellers make transfers of 1 from a to b, each at one node, one after the other,
// until stop. Any answer but a commit is told: nothing is sent a second time.
type tellers struct {
	t       *testing.T
	done    chan struct{}
	working sync.WaitGroup
	commits atomic.Int64
}

func (s *tellers) work(at *member, client *http.Client) {
	const body = `{"procedure": "transfer", "params": {"from": "a", "to": "b", "amount": 1}}`
	s.working.Go(func() {
		for {
			select {
			case <-s.done:
				return
			default:
			}
			rs, err := client.Post("http://"+at.cfg.HTTP+"/v1/groups/bank/transactions", "application/json", strings.NewReader(body))
			if err != nil {
				s.t.Errorf("at %s: %v", at.cfg.Name, err)
				return
			}
			var doc map[string]any
			err = json.NewDecoder(rs.Body).Decode(&doc)
			rs.Body.Close()
			if err != nil || rs.StatusCode != http.StatusOK {
				s.t.Errorf("at %s: %d %v, %v", at.cfg.Name, rs.StatusCode, doc, err)
				return
			}
			s.commits.Add(1)
		}
	})
}

// more waits for further commits.
func (s *tellers) more(n int64) {
	want := s.commits.Load() + n
	for until := time.Now().Add(patience); s.commits.Load() < want; {
		if s.t.Failed() || time.Now().After(until) {
			s.t.Fatalf("%d commits, waiting for %d", s.commits.Load(), want)
		}
		wait(s.t)
	}
}

func (m *member) handOver(group, to string) (h router.Handover) {
	m.t.Helper()
	text := m.must("POST", "/v1/groups/"+group+"/primary", fmt.Sprintf(`{"node": %q}`, to))
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		m.t.Fatal(err)
	}
	return h
}

// goals.md: "planned handover … no request refused". The primary goes round all
// nodes and back under load, asked for at any of them; then the primary stops as on
// SIGTERM. Every transaction is executed exactly once.
func TestHandoverRefusesNothing(t *testing.T) {
	nodes := three(t)
	nodes[0].must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 1000000}}`)
	nodes[0].must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "b", "owner": "B", "balance": 0}}`)
	work := &tellers{t: t, done: make(chan struct{})}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	for range 3 {
		work.work(nodes[0], client)
		work.work(nodes[1], client)
	}
	for i, to := range []string{"n1", "n2", "n3", "n2", "n1", "n3"} {
		work.more(50)
		h := nodes[i%3].handOver("bank", to)
		if h.Primary != to || h.From == "" || h.Changed != (h.From != to) {
			t.Errorf("handed over to %s: %+v", to, h)
		}
		if again := nodes[(i+1)%3].handOver("bank", to); again.Changed || again.Primary != to || again.From != to {
			t.Errorf("asked again for %s: %+v", to, again)
		}
	}
	work.more(50)
	nodes[2].stop()
	work.more(50)
	close(work.done)
	work.working.Wait()
	row := nodes[0].must("GET", "/v1/groups/bank/tables/accounts/rows?key=b", "")
	if want := fmt.Sprintf(`"balance":%d,`, work.commits.Load()); !strings.Contains(row, want) {
		t.Errorf("%d transfers of 1 were acknowledged, and b is %s", work.commits.Load(), row)
	}
	nodes[2].start()
	<-nodes[2].Ready()
	if r := nodes[0].verify(); !r.Equal {
		t.Errorf("the copies differ: %+v", r)
	}
}

// A handover that can't be is refused with the reason, and changes nothing.
func TestHandoverIsRefusedWithTheReason(t *testing.T) {
	nodes := three(t)
	nodes[0].must("POST", "/v1/groups", `{"name": "pair", "nodes": ["n1", "n2"]}`)
	refused := func(group, body string, status int, code, says string) {
		t.Helper()
		is, header, text := nodes[1].ask("POST", "/v1/groups/"+group+"/primary", "application/json", []byte(body))
		if is != status || !strings.Contains(text, `"code":"`+code+`"`) || !strings.Contains(text, says) {
			t.Errorf("%s: %d %s", body, is, text)
		}
		if is == http.StatusServiceUnavailable && header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", body)
		}
	}
	refused("none", `{"node": "n1"}`, 404, "unknown_group", "none")
	refused("bank", `{"node": "n9"}`, 404, "not_found", `no node \"n9\"`)
	refused("pair", `{"node": "n3"}`, 422, "invalid", "it has no copy of the group; lockstep partition add pair n3")
	nodes[1].handOver("bank", "n1")
	nodes[1].must("POST", "/v1/nodes/n3/drain", "")
	refused("bank", `{"node": "n3"}`, 409, "node_draining", "lockstep node undrain n3")
	nodes[1].must("POST", "/v1/nodes/n3/undrain", "")
	if h := nodes[1].handOver("bank", "n3"); h.Primary != "n3" {
		t.Errorf("in service again, n3 is not made primary: %+v", h)
	}
	nodes[1].handOver("bank", "n1")
	nodes[2].stop()
	refused("bank", `{"node": "n3"}`, 503, "unavailable", "it does not answer")
	if g := nodes[1].group(); g.Primary != "n1" {
		t.Errorf("after refusals the primary is %q", g.Primary)
	}
	// The group goes on.
	nodes[1].must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 100}}`)
}
