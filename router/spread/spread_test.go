package spread

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func three() []Copy {
	return []Copy{{Node: 1, Name: "n1"}, {Node: 2, Name: "n2"}, {Node: 3, Name: "n3"}}
}

// A copy that hangs gets few reads, though nobody says that it is away; those that
// answer share the rest.
func TestACopyThatHangsIsLeftAlone(t *testing.T) {
	var s Spread
	counts := map[uint64]int{}
	for range 3000 {
		c, ok := s.Choose(three(), "", nil)
		if !ok {
			t.Fatal("no copy is chosen")
		}
		counts[c.Node]++
		n := s.Node(c.Node)
		n.Begin()
		if c.Node != 3 {
			n.End(time.Millisecond)
		}
	}
	if counts[3] > 20 || counts[1] < 1000 || counts[2] < 1000 {
		t.Errorf("reads went to %v", counts)
	}
}

// A copy that was slow once is tried again.
func TestASlowReadIsForgotten(t *testing.T) {
	var s Spread
	n := s.Node(3)
	n.Begin()
	n.End(time.Second)
	again := false
	for until := time.Now().Add(20 * time.Second); !again && time.Now().Before(until); {
		c, _ := s.Choose(three(), "", nil)
		again = c.Node == 3
	}
	if !again {
		t.Error("a copy that was slow once is never asked again")
	}
}

// What a node says of its load counts, and suspects come last.
func TestSuspectsComeLast(t *testing.T) {
	var s Spread
	copies := three()
	copies[0].Suspect = true
	for range 100 {
		if c, _ := s.Choose(copies, "", nil); c.Node == 1 {
			t.Fatal("a suspect is chosen before others")
		}
		if c, _ := s.Choose(copies, "alice", nil); c.Node == 1 {
			t.Fatal("a suspect is chosen for a session before others")
		}
	}
	if c, ok := s.Choose(copies, "", []uint64{2, 3}); !ok || c.Node != 1 {
		t.Errorf("when the others were tried: %v", c)
	}
	if _, ok := s.Choose(copies, "", []uint64{1, 2, 3}); ok {
		t.Error("when all were tried there is one more")
	}
	copies[1].Load = 1
	busy := 0
	for range 1000 {
		if c, _ := s.Choose(copies, "", nil); c.Node == 2 {
			busy++
		}
	}
	if busy != 0 {
		t.Errorf("of two the busier one is chosen %d times", busy)
	}
}

// A session keeps to its copy as long as that is good; when a copy goes, only its own
// sessions move, and spread.
func TestSessionsAreSticky(t *testing.T) {
	var s Spread
	at, moved := map[uint64]int{}, map[uint64]int{}
	for i := range 3000 {
		session := fmt.Sprintf("session-%d", i)
		first, _ := s.Choose(three(), session, nil)
		at[first.Node]++
		s.Node(first.Node).Begin() // load does not matter
		if again, _ := s.Choose(three(), session, nil); again.Node != first.Node {
			t.Fatalf("%s moved from %d to %d", session, first.Node, again.Node)
		}
		left, _ := s.Choose(three()[1:], session, nil)
		if first.Node != 1 && left.Node != first.Node {
			t.Fatalf("%s moved though its copy is there", session)
		}
		if first.Node == 1 {
			moved[left.Node]++
		}
	}
	for id, n := range at {
		if n < 800 {
			t.Errorf("copy %d has %d of 3000 sessions", id, n)
		}
	}
	if moved[2] < 300 || moved[3] < 300 {
		t.Errorf("sessions of the copy that went moved to %v", moved)
	}
}

// The nearest is the one whose reads take the shortest.
func TestNearest(t *testing.T) {
	var s Spread
	for i, took := range []time.Duration{500, 1, 300} {
		n := s.Node(uint64(i + 1))
		n.Begin()
		n.End(took * time.Millisecond)
	}
	if c, ok := s.Nearest(three(), nil); !ok || c.Node != 2 {
		t.Errorf("the nearest is %v", c)
	}
	if c, ok := s.Nearest(three(), []uint64{2}); !ok || c.Node != 3 {
		t.Errorf("then %v", c)
	}
}

// A second copy is asked after the 95th percentile, and for one read in twenty at
// most, whatever happens.
func TestHedging(t *testing.T) {
	var h Hedge
	for range 20_000 {
		// 1 ms to 101 ms, evenly.
		h.Note(time.Millisecond + time.Duration(rand.Int64N(int64(100*time.Millisecond))))
	}
	if after := h.After(); after < 80*time.Millisecond || after > 110*time.Millisecond {
		t.Errorf("a second copy is asked after %v", after)
	}
	spent := 0
	for range 10_000 {
		h.Earn()
		for h.Spend() {
			spent++
		}
	}
	if spent != 500 {
		t.Errorf("%d of 10000 reads asked a second copy", spent)
	}
	for range 10_000 {
		h.Earn()
	}
	for spent = 0; h.Spend(); spent++ {
	}
	if spent != saved {
		t.Errorf("%d second questions were saved up", spent)
	}
	for range 100_000 {
		h.Note(time.Microsecond)
	}
	if h.After() != minAfter {
		t.Errorf("where all is quick it is %v", h.After())
	}
}
