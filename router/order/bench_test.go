package order

import (
	"sync"
	"testing"
	"time"

	"lockstep/engine/entry"
)

// caller is a client that submits one transaction after another.
type caller struct {
	r    Request
	done chan Answer
}

func newCaller() *caller {
	c := &caller{done: make(chan Answer, 1)}
	c.r.Done = func(a Answer) { c.done <- a }
	c.r.Item.Params = make([]byte, 40)
	return c
}

func (c *caller) call(o *Orderer) Answer {
	c.r.Item.ID, c.r.Attempted = entry.ID{}, false
	c.r.Deadline = time.Now().Add(30 * time.Second)
	o.Submit(&c.r)
	return <-c.done
}

// BenchmarkOrder is the orderer alone, at the primary and through it, each
// client with one transaction at a time: 256 clients of a log that commits at
// once, so that entries are as small as they get; and 2048 of one whose rounds
// take a millisecond, so that the cost is what entries of the usual size cost.
func BenchmarkOrder(b *testing.B) {
	for _, at := range []struct {
		name    string
		node    uint64
		clients int
		round   time.Duration
	}{
		{"primary/no-round", 1, 256, 0},
		{"primary/1ms-round", 1, 2048, time.Millisecond},
		{"forwarded/no-round", 2, 256, 0},
		{"forwarded/1ms-round", 2, 2048, time.Millisecond},
	} {
		b.Run(at.name, func(b *testing.B) {
			r := newRoom(b, 2, at.round, nil)
			r.elect(1)
			o := r.nodes[at.node].o
			clients := at.clients
			b.ReportAllocs()
			b.ResetTimer()
			var all sync.WaitGroup
			for i := range clients {
				all.Add(1)
				go func() {
					defer all.Done()
					c := newCaller()
					for n := i; n < b.N; n += clients {
						if a := c.call(o); a.Err != nil {
							b.Error(a.Err)
							return
						}
					}
				}()
			}
			all.Wait()
			b.StopTimer()
			s, p := o.Stats(), r.nodes[1].o.Stats()
			if s.Frames > 0 {
				b.ReportMetric(float64(s.Forwarded)/float64(s.Frames), "items/frame")
			}
			b.ReportMetric(float64(p.Items)/float64(p.Batches), "items/entry")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
			r.close(b)
		})
	}
}
