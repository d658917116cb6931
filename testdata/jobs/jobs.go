// Package jobs is an example application: a queue of jobs that workers lease, with
// priorities, leases that run out, pauses that grow, and dead letters.
package jobs

import (
	_ "embed" // for Schema
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"lockstep/testdata/call"
)

// Schema is the example's schema document, YAML.
//
//go:embed schema.yaml
var Schema string

const workers = 8

func queue(n int) string { return fmt.Sprintf("queue-%d", n) }

// Load gives the transactions that make queues and fill them with jobs.
func Load(seed uint64, queues, jobs int) []string {
	rng := call.Rand(seed)
	var documents []string
	for q := range queues {
		documents = append(documents, call.Procedure("create_queue", call.Params{
			"name": queue(q), "lease_for": "2s", "max_attempts": 3, "back_off_ms": 100,
		}), enqueue(rng, q, jobs))
	}
	return documents
}

func enqueue(rng *rand.Rand, q, jobs int) string {
	batch := []call.Params{}
	for range jobs {
		job := call.Params{"payload": call.Params{"to": fmt.Sprintf("user-%d@example.com", rng.IntN(1000)), "template": "welcome"}}
		if rng.IntN(2) == 0 {
			job["priority"] = rng.IntN(3)
		}
		if rng.IntN(4) == 0 {
			job["delay"] = fmt.Sprintf("0.%03ds", rng.IntN(1000))
		}
		batch = append(batch, job)
	}
	return call.Procedure("enqueue", call.Params{"queue": queue(q), "jobs": batch})
}

// lease is what a worker holds.
type lease struct {
	queue  string
	Number int64 `json:"number"`
	Token  int64 `json:"token"`
}

// Traffic makes what clients and workers do. It has to be told what became of the
// leases, by Answer.
type Traffic struct {
	rng    *rand.Rand
	queues int
	held   []lease
	dead   []lease
	asked  string // the queue of the lease that Next has just asked for
	failed lease  // what Next has just said of; its queue is empty otherwise
}

// NewTraffic makes the traffic that follows from a seed, for the queues of Load.
func NewTraffic(seed uint64, queues int) *Traffic {
	return &Traffic{rng: call.Rand(seed), queues: queues}
}

// Next is the next transaction.
func (t *Traffic) Next() string {
	t.asked, t.failed = "", lease{}
	q := t.rng.IntN(t.queues)
	switch n := t.rng.IntN(100); {
	case n < 20:
		return enqueue(t.rng, q, 1+t.rng.IntN(4))
	case n < 55 || len(t.held) == 0:
		t.asked = queue(q)
		return call.Procedure("lease", call.Params{"queue": t.asked, "worker": fmt.Sprintf("worker-%d", t.rng.IntN(workers))})
	case n < 62:
		return call.Procedure("heartbeat", t.params(t.held[t.rng.IntN(len(t.held))]))
	case n < 80:
		p := t.params(t.drop())
		p["result"] = call.Params{"sent": true}
		return call.Procedure("complete", p)
	case n < 92:
		t.failed = t.drop()
		p := t.params(t.failed)
		p["error"] = "the mail server said no"
		return call.Procedure("fail", p)
	case n < 95 && len(t.dead) > 0:
		l := t.dead[t.rng.IntN(len(t.dead))]
		return call.Procedure("revive", call.Params{"queue": l.queue, "number": l.Number})
	case n < 97:
		t.drop() // its worker died
	}
	return call.Procedure("depth", call.Params{"queue": queue(q)})
}

// Answer takes the result of what Next gave last, nil if that was aborted: a lease
// is worked on by what comes later, and a job that failed for good may be revived.
func (t *Traffic) Answer(result []byte) {
	if t.failed.queue != "" && string(result) == "null" {
		t.dead = append(t.dead, t.failed)
	}
	if t.asked == "" {
		return
	}
	got := lease{queue: t.asked}
	if json.Unmarshal(result, &got) == nil && got.Number > 0 {
		t.held = append(t.held, got)
	}
}

// drop takes one of the leases away.
func (t *Traffic) drop() lease {
	i := t.rng.IntN(len(t.held))
	l := t.held[i]
	t.held[i] = t.held[len(t.held)-1]
	t.held = t.held[:len(t.held)-1]
	return l
}

func (t *Traffic) params(l lease) call.Params {
	return call.Params{"queue": l.queue, "number": l.Number, "token": l.Token}
}
