package spread

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Copy is a copy of a group that may serve reads.
type Copy struct {
	Node uint64
	Name string // of the node
	// Suspect: the node is not heard of as it should be; others come first.
	Suspect bool
	// Load is how busy the node says it is, as a share of 1.
	Load float64
	// Revision is what the copy had when it was last heard of.
	Revision uint64
}

// Set is which copies may serve a group's reads, as a node knows them at present. It
// never changes.
type Set struct {
	// Own is this node's copy; its Node is 0 where there is none that may serve.
	Own Copy
	// Others are those of other nodes.
	Others []Copy
}

// Spread is what a router sees of the nodes that it asks. It is safe for concurrent
// use.
type Spread struct {
	nodes sync.Map // uint64 → *Node
}

// Node is a node's load as this router sees it.
type Node struct {
	open atomic.Int64
	took atomic.Int64 // ns: moving mean
	last atomic.Int64 // ns since began: when a read ended
}

const (
	// memory is the part of the moving mean by which one read moves it.
	memory = 16
	// even is what a read lasts at least, as far as it counts: below a millisecond it
	// is chance which copy is quicker.
	even = int64(time.Millisecond)
	// forget is in how long what is known of a node that is not asked counts for half:
	// one that was slow must be tried again to be found quick.
	forget = 250 * time.Millisecond
	// clearly is by how much the second of two must be better to be taken in the
	// first one's place.
	clearly = 1.5
)

// began is when this process did, about: a clock that only goes forward.
var began = time.Now()

// Node finds what is known of a node.
func (s *Spread) Node(id uint64) *Node {
	if n, ok := s.nodes.Load(id); ok {
		return n.(*Node)
	}
	n, _ := s.nodes.LoadOrStore(id, &Node{})
	return n.(*Node)
}

// Begin counts a read that is open.
func (n *Node) Begin() { n.open.Add(1) }

// End counts a read that was answered, or is waited for no more, after some time.
func (n *Node) End(took time.Duration) {
	n.open.Add(-1)
	n.last.Store(int64(time.Since(began)))
	was := max(n.took.Load(), even)
	n.took.Store(was + (int64(took)-was)/memory) // of two at once one may be lost
}

// Open is how many reads are open.
func (n *Node) Open() int64 { return n.open.Load() }

// score is how long one more read may take.
func (s *Spread) score(c *Copy) float64 {
	n := s.Node(c.Node)
	took := max(n.took.Load(), even)
	if took > even {
		idle := time.Since(began) - time.Duration(n.last.Load())
		took = max(int64(float64(took)*math.Exp2(-float64(idle)/float64(forget))), even)
	}
	return float64(n.open.Load()+1) * float64(took) * (1 + min(max(c.Load, 0), 1))
}

// Choose takes one of the copies, none of those that were tried: the session's, or,
// where session is empty, the less loaded of two. Suspects come last.
func (s *Spread) Choose(copies []Copy, session string, tried []uint64) (Copy, bool) {
	for _, suspect := range [2]bool{false, true} {
		var room [8]int
		fit := room[:0]
		for i := range copies {
			if c := &copies[i]; c.Suspect == suspect && !slices.Contains(tried, c.Node) {
				fit = append(fit, i)
			}
		}
		switch {
		case len(fit) == 0:
		case session != "":
			return copies[favourite(copies, fit, session)], true
		case len(fit) == 1:
			return copies[fit[0]], true
		default:
			a := rand.IntN(len(fit))
			b := (a + 1 + rand.IntN(len(fit)-1)) % len(fit)
			if clearly*s.score(&copies[fit[b]]) < s.score(&copies[fit[a]]) {
				a = b
			}
			return copies[fit[a]], true
		}
	}
	return Copy{}, false
}

// Nearest takes the copy whose reads take the shortest.
func (s *Spread) Nearest(copies []Copy, tried []uint64) (best Copy, ok bool) {
	var least float64
	for i := range copies {
		c := &copies[i]
		if slices.Contains(tried, c.Node) {
			continue
		}
		score := s.score(c)
		if !ok || best.Suspect && !c.Suspect || best.Suspect == c.Suspect && score < least {
			best, least, ok = *c, score, true
		}
	}
	return best, ok
}

// favourite is the copy of a session.
func favourite(copies []Copy, fit []int, session string) int {
	best, most := fit[0], uint64(0)
	for _, i := range fit {
		h := fnv.New64a()
		var id [8]byte
		for b := range id {
			id[b] = byte(copies[i].Node >> (8 * b))
		}
		_, _ = h.Write([]byte(session)) // a hash takes all
		_, _ = h.Write(id[:])
		if at := mix(h.Sum64()); at >= most {
			best, most = i, at
		}
	}
	return best
}

// mix spreads a hash's last bytes over all its bits (splitmix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
