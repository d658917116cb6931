package wire

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// ErrUnavailable is wrapped by the refusal of a network that can't be made here.
var ErrUnavailable = errors.New("this system gives no network namespaces")

// Outside is the number of the namespace that this process is in; hosts count from 1.
const Outside = 0

// Condition is what happens to packets of one link, that is, from one host to another.
// The zero value passes all at once.
type Condition struct {
	Cut   bool          // none arrives
	Loss  float64       // share that does not arrive, 0 to 1
	Delay time.Duration // until one arrives
}

// Counts are packets of one link since it was made.
type Counts struct {
	Passed  int64
	Cut     int64
	Lost    int64 // by chance
	Dropped int64 // for which there was no room, or whose device was gone
}

// Net is a network of hosts. Its methods may be called from any goroutine.
type Net struct {
	base   [3]byte // of all addresses
	hosts  []*host // the first is Outside
	links  [][]*link
	work   sync.WaitGroup
	closed chan struct{}
	once   sync.Once
}

// host is one end: a device and the namespace that it is in.
type host struct {
	device io.ReadWriteCloser
	space  namespace
}

// newNet joins hosts; their devices are read until Close.
func newNet(base [3]byte, hosts []*host, seed uint64) *Net {
	n := &Net{base: base, hosts: hosts, closed: make(chan struct{})}
	for from := range hosts {
		row := make([]*link, len(hosts))
		for to := range hosts {
			if to != from {
				row[to] = newLink(hosts[to].device, rand.New(rand.NewPCG(seed, uint64(from)<<8|uint64(to))))
				n.work.Go(func() { row[to].carry(n.closed) })
			}
		}
		n.links = append(n.links, row)
	}
	for from := range hosts {
		n.work.Go(func() { n.read(from) })
	}
	return n
}

// Hosts is how many there are, without the outside.
func (n *Net) Hosts() int { return len(n.hosts) - 1 }

// Address is where a host is found by all others.
func (n *Net) Address(host int) string {
	last := host
	if host == Outside {
		last = outsideOctet
	}
	return fmt.Sprintf("%d.%d.%d.%d", n.base[0], n.base[1], n.base[2], last)
}

// Set has a link behave so from now on. Packets that are under way arrive. It panics
// where there is no such link.
func (n *Net) Set(from, to int, c Condition) {
	c.Delay = min(c.Delay, MaxDelay)
	n.links[from][to].condition.Store(&c)
}

// Between sets both directions.
func (n *Net) Between(a, b int, c Condition) {
	n.Set(a, b, c)
	n.Set(b, a, c)
}

// Heal has all links pass everything at once.
func (n *Net) Heal() {
	for from, row := range n.links {
		for to := range row {
			if from != to {
				n.Set(from, to, Condition{})
			}
		}
	}
}

// Counts are of one link.
func (n *Net) Counts(from, to int) Counts {
	l := n.links[from][to]
	return Counts{Passed: l.passed.Load(), Cut: l.cut.Load(), Lost: l.lost.Load(), Dropped: l.dropped.Load()}
}

// Close takes the network away: its devices are gone, and so are namespaces in which
// no process is left.
func (n *Net) Close() (err error) {
	n.once.Do(func() {
		close(n.closed)
		for _, h := range n.hosts {
			err = errors.Join(err, h.close())
		}
		n.work.Wait()
	})
	return err
}

func (h *host) close() error {
	if err := errors.Join(h.device.Close(), h.space.close()); err != nil {
		return fmt.Errorf("taking a network device away: %w", err)
	}
	return nil
}

// read takes packets from a host's device until that is closed.
func (n *Net) read(from int) {
	packet := make([]byte, packetBytes)
	for {
		size, err := n.hosts[from].device.Read(packet)
		if err != nil {
			return // closed, or as good as that: its packets are no more
		}
		if to, ok := n.destination(packet[:size]); ok && to != from {
			n.links[from][to].send(packet[:size])
		}
	}
}

// destination finds the host that a packet is for; not ok where it is for none, as
// what systems send on new devices by themselves.
func (n *Net) destination(packet []byte) (int, bool) {
	if len(packet) < 20 || packet[0]>>4 != 4 || [3]byte(packet[16:19]) != n.base {
		return 0, false
	}
	last := int(packet[19])
	if last == outsideOctet {
		return Outside, true
	}
	return last, last > Outside && last < len(n.hosts)
}

// link carries packets one way between two hosts.
type link struct {
	condition atomic.Pointer[Condition]
	to        io.Writer
	random    *rand.Rand // the reader's alone
	queue     chan delayed
	waiting   atomic.Int64 // in the queue or being carried

	passed, cut, lost, dropped atomic.Int64
}

// delayed is a packet on its way.
type delayed struct {
	due    time.Time
	packet []byte
}

func newLink(to io.Writer, random *rand.Rand) *link {
	l := &link{to: to, random: random, queue: make(chan delayed, queuePackets)}
	l.condition.Store(&Condition{})
	return l
}

// send takes a packet; only one goroutine calls it.
func (l *link) send(packet []byte) {
	c := l.condition.Load()
	switch {
	case c.Cut:
		l.cut.Add(1)
		return
	case c.Loss > 0 && l.random.Float64() < c.Loss:
		l.lost.Add(1)
		return
	case c.Delay == 0 && l.waiting.Load() == 0:
		l.deliver(packet)
		return
	}
	l.waiting.Add(1)
	select {
	case l.queue <- delayed{time.Now().Add(c.Delay), append([]byte(nil), packet...)}:
	default:
		l.waiting.Add(-1)
		l.dropped.Add(1)
	}
}

// carry delivers what waits, each at its time.
func (l *link) carry(closed <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-closed:
			return
		case d := <-l.queue:
			timer.Reset(time.Until(d.due))
			select {
			case <-closed:
				return
			case <-timer.C:
			}
			l.deliver(d.packet)
			l.waiting.Add(-1)
		}
	}
}

func (l *link) deliver(packet []byte) {
	if _, err := l.to.Write(packet); err != nil {
		l.dropped.Add(1)
		return
	}
	l.passed.Add(1)
}
