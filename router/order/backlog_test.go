package order

import (
	"testing"
	"testing/synctest"
	"time"
)

// What waits is divided by how fast answers come: whoever is refused can be told when
// the queue is done.
func TestBacklogIsQueueByPace(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *room) {
		o := r.nodes[1].o
		if b := o.Backlog(); b != 0 {
			t.Errorf("before anything was answered the backlog is %v", b)
		}
		r.elect(1)
		// About one answer a millisecond.
		for until := time.Now().Add(500 * time.Millisecond); time.Now().Before(until); {
			want(t, start(o, time.Second), nil, time.Second)
		}
		resume, err := o.Pause(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var waiting []chan Answer
		for range 300 {
			waiting = append(waiting, start(o, time.Minute))
		}
		if b := o.Backlog(); b < 200*time.Millisecond || b > 500*time.Millisecond {
			t.Errorf("300 requests at about one a millisecond take %v", b)
		}
		<-time.After(10 * time.Second)
		if b := o.Backlog(); b != 0 && b < time.Minute {
			t.Errorf("when nothing was answered for long they take %v", b)
		}
		resume()
		for _, done := range waiting {
			want(t, done, nil, time.Second)
		}
		synctest.Wait()
	})
}
