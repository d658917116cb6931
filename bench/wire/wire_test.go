package wire

import (
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// fakeDevice is a device without a system: what its host sends is put into out, what
// arrives is kept.
type fakeDevice struct {
	out     chan []byte
	closed  chan struct{}
	arrived chan byte // last octet of what arrives: its number
}

func newFakeDevice() *fakeDevice {
	return &fakeDevice{out: make(chan []byte), closed: make(chan struct{}), arrived: make(chan byte, 100_000)}
}

func (d *fakeDevice) Read(p []byte) (int, error) {
	select {
	case packet := <-d.out:
		return copy(p, packet), nil
	case <-d.closed:
		return 0, io.EOF
	}
}

func (d *fakeDevice) Write(p []byte) (int, error) {
	d.arrived <- p[len(p)-1]
	return len(p), nil
}

func (d *fakeDevice) Close() error { close(d.closed); return nil }

// packet is one for a host of testNet, with a number at its end.
func packet(to, number byte) []byte {
	p := make([]byte, 21)
	p[0], p[16], p[17], p[18], p[19], p[20] = 0x45, 198, 18, 7, to, number
	return p
}

func testNet(seed uint64) (*Net, []*fakeDevice) {
	var devices []*fakeDevice
	var hosts []*host
	for range 3 {
		d := newFakeDevice()
		devices, hosts = append(devices, d), append(hosts, &host{device: d})
	}
	return newNet([3]byte{198, 18, 7}, hosts, seed), devices
}

// stop closes a net of fakes, whose namespaces are none.
func stop(n *Net, devices []*fakeDevice) {
	close(n.closed)
	for _, d := range devices {
		d.Close()
	}
	n.work.Wait()
}

func (d *fakeDevice) got() (numbers []byte) {
	for {
		select {
		case n := <-d.arrived:
			numbers = append(numbers, n)
		default:
			return numbers
		}
	}
}

// A link that is cut one way passes the other way, and nothing else is touched.
func TestALinkIsCutOneWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, d := testNet(1)
		defer stop(n, d)
		n.Set(1, 2, Condition{Cut: true})
		d[1].out <- packet(2, 1)
		d[2].out <- packet(1, 2)
		d[1].out <- packet(outsideOctet, 3)
		synctest.Wait()
		if a, b, c := d[2].got(), d[1].got(), d[0].got(); len(a) > 0 || !slices.Equal(b, []byte{2}) || !slices.Equal(c, []byte{3}) {
			t.Errorf("host 2 got %v, host 1 %v, the outside %v", a, b, c)
		}
		if c := n.Counts(1, 2); c != (Counts{Cut: 1}) {
			t.Errorf("counted %+v", c)
		}
		n.Heal()
		d[1].out <- packet(2, 4)
		synctest.Wait()
		if got := d[2].got(); !slices.Equal(got, []byte{4}) {
			t.Errorf("after healing host 2 got %v", got)
		}
	})
}

// What is delayed arrives at its time, and in order also where the delay goes away.
func TestPacketsStayInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, d := testNet(1)
		defer stop(n, d)
		n.Between(1, 2, Condition{Delay: 200 * time.Millisecond})
		d[1].out <- packet(2, 1)
		d[1].out <- packet(2, 2)
		synctest.Wait()
		rest(199 * time.Millisecond)
		synctest.Wait()
		if got := d[2].got(); len(got) > 0 {
			t.Errorf("after 199 ms host 2 got %v", got)
		}
		n.Heal()
		d[1].out <- packet(2, 3)
		synctest.Wait()
		if got := d[2].got(); len(got) > 0 {
			t.Errorf("a packet overtook: host 2 got %v", got)
		}
		rest(time.Millisecond)
		synctest.Wait()
		if got := d[2].got(); !slices.Equal(got, []byte{1, 2, 3}) {
			t.Errorf("after 200 ms host 2 got %v", got)
		}
	})
}

// The share that is lost is about what was asked for, and the same for one seed.
func TestLossFollowsTheSeed(t *testing.T) {
	const packets = 10_000
	lost := func(seed uint64) (numbers []byte) {
		synctest.Test(t, func(t *testing.T) {
			n, d := testNet(seed)
			defer stop(n, d)
			n.Set(1, 2, Condition{Loss: 0.05})
			for i := range packets {
				d[1].out <- packet(2, byte(i))
			}
			synctest.Wait()
			numbers = d[2].got()
		})
		return numbers
	}
	first := lost(1)
	if share := 1 - float64(len(first))/packets; share < 0.04 || share > 0.06 {
		t.Errorf("%.3f of the packets were lost", share)
	}
	if !slices.Equal(first, lost(1)) || slices.Equal(first, lost(2)) {
		t.Error("what is lost does not follow the seed")
	}
}

// Whatever a system sends is passed on to the right host or nowhere.
func TestAnyBytesAreNoPacketOrOne(t *testing.T) {
	n := &Net{base: [3]byte{198, 18, 7}, hosts: make([]*host, 4)}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOf(rapid.Byte()).Draw(t, "packet")
		if rapid.Bool().Draw(t, "of ours") && len(p) >= 20 {
			copy(p, packet(p[19], 0)[:20])
		}
		if to, ok := n.destination(p); ok && (to < 0 || to >= len(n.hosts) || len(p) < 20) {
			t.Fatalf("destination %d of % x", to, p)
		}
	})
}

func TestTooManyHostsAreRefused(t *testing.T) {
	for _, hosts := range []int{0, MaxHosts + 1} {
		if n, err := Open(hosts, 1); err == nil {
			t.Errorf("%d hosts: %v", hosts, n.Close())
		} else if errors.Is(err, ErrUnavailable) {
			t.Logf("refused everywhere here: %v", err)
		}
	}
}

// rest waits, in a test's own time.
func rest(d time.Duration) { <-time.After(d) }
