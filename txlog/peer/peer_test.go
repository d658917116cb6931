package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const echo byte = 'e'

// patience bounds every wait of these tests.
const patience = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func cluster(b byte) ClusterID { return ClusterID{b} }

// open opens a network that ends with the test.
func open(t testing.TB, self uint64, change func(*Config)) *Network {
	t.Helper()
	cfg := Config{Listen: "127.0.0.1:0", Self: self, Cluster: cluster(1)}
	if change != nil {
		change(&cfg)
	}
	n, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// serveEcho sends every frame back.
func serveEcho(n *Network) {
	n.Handle(echo, func(_ uint64, c *Conn) {
		for {
			b, err := c.ReadFrame()
			if err != nil || c.Send(b) != nil {
				return
			}
		}
	})
}

func pair(t testing.TB) (a, b *Network) {
	a, b = open(t, 0xa, nil), open(t, 0xb, nil)
	a.Learn(0xb, b.Addr())
	serveEcho(b)
	return a, b
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func dial(t testing.TB, n *Network, node uint64, service byte) *Conn {
	t.Helper()
	c, err := n.Dial(within(t), node, service)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(patience))
	return c
}

// Frames of all sizes come back as they were sent, in order, whether one was flushed at a time or many.
func TestFramesComeBackAsTheyWereSent(t *testing.T) {
	a, _ := pair(t)
	c := dial(t, a, 0xb, echo)
	var sent [][]byte
	for _, size := range []int{0, 1, 7, 4096, bufferBytes - 8, bufferBytes, bufferBytes + 1, 3 << 20} {
		sent = append(sent, bytes.Repeat([]byte{byte(size)}, size))
	}
	go func() {
		for _, b := range sent {
			_ = c.WriteFrame(b)
		}
		_ = c.Flush()
	}()
	for i, want := range sent {
		got, err := c.ReadFrame()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("frame %d of %d bytes: %d bytes, %v", i, len(want), len(got), err)
		}
	}
}

// Several goroutines may write at once: no frame is torn by another.
func TestWritersDontTearEachOthersFrames(t *testing.T) {
	a, _ := pair(t)
	c := dial(t, a, 0xb, echo)
	const writers, frames = 4, 50
	for w := range writers {
		go func() {
			for i := range frames {
				_ = c.Send(bytes.Repeat([]byte{byte(w)}, 1+i*97))
			}
		}()
	}
	for range writers * frames {
		b, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimLeft(b, string(b[:1]))) != 0 {
			t.Fatalf("a frame mixes writers: % x", b)
		}
	}
}

// doc.go: a Hello that names another cluster or another node than the one that answers is refused, and the
// dialler learns why.
func TestWhoIsRefusedAndWhatTheDiallerLearns(t *testing.T) {
	b := open(t, 0xb, nil)
	serveEcho(b)
	newcomer := open(t, 0xb0b, func(c *Config) { c.Cluster = ClusterID{} }) // listens, but has no cluster
	serveEcho(newcomer)
	cases := []struct {
		name    string
		from    func(*Config)
		to      uint64
		at      string
		service byte
		want    error
	}{
		{"another cluster", func(c *Config) { c.Cluster = cluster(2) }, 0xb, b.Addr(), echo, ErrWrongCluster},
		{"no cluster yet", func(c *Config) { c.Cluster = ClusterID{} }, 0xb, b.Addr(), echo, ErrWrongCluster},
		{"the other has no cluster yet", nil, 0xb0b, newcomer.Addr(), echo, ErrWrongCluster},
		{"another node", nil, 0xc, b.Addr(), echo, ErrWrongNode},
		{"a copied data folder", func(c *Config) { c.Self = 0xb }, 0, b.Addr(), echo, ErrDuplicateNode},
		{"a service that nobody offers", nil, 0xb, b.Addr(), 'x', ErrUnknownService},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			a := open(t, 0xa, tc.from)
			var err error
			if tc.to == 0 {
				_, err = a.DialAddr(within(t), tc.at, tc.service)
			} else {
				a.Learn(tc.to, tc.at)
				_, err = a.Dial(within(t), tc.to, tc.service)
			}
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			t.Log(err)
		})
	}
}

// doc.go: a node that has no cluster yet reaches only services that are registered with AllowUnknownCluster.
func TestJoiningFindsOutNodeAndCluster(t *testing.T) {
	b := open(t, 0xb, nil)
	b.HandleCall('j', func(_ context.Context, from uint64, request []byte) ([]byte, error) {
		return fmt.Appendf(nil, "welcome %x, you said %s", from, request), nil
	}, AllowUnknownCluster)
	a := open(t, 0xa, func(c *Config) { c.Cluster = ClusterID{} })
	answer, node, err := a.CallAddr(within(t), b.Addr(), 'j', []byte("hello"))
	if err != nil || node != 0xb || string(answer) != "welcome a, you said hello" {
		t.Fatalf("%q from %x: %v", answer, node, err)
	}
	c, err := a.DialAddr(within(t), b.Addr(), 'j')
	if err != nil || c.Node() != 0xb || c.Cluster() != cluster(1) {
		t.Fatalf("%v", err)
	}
	if err := a.SetCluster(c.Cluster()); err != nil {
		t.Fatal(err)
	}
	if err := a.SetCluster(cluster(9)); err == nil {
		t.Fatal("a node changed its cluster")
	}
	_ = c.Close()
}

// doc.go, What it withstands: no byte from the network panics, and whoever sends garbage harms only itself.
func TestGarbageToThePort(t *testing.T) {
	a, b := pair(t)
	good := (&hello{Service: echo, Cluster: cluster(1), From: 7, To: 0xb, Instance: 1, Address: "127.0.0.1:9"}).append(nil)
	garbage := [][]byte{
		nil, []byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte{0xff}, 1000), []byte(magic), good[:len(good)-1],
		append(bytes.Clone(good), bytes.Repeat([]byte{0xff}, 100)...),       // then a frame of 4 GiB
		append(bytes.Clone(good), 0, 0, 0, 4, 0, 0, 0, 0, 'a', 'b', 'c', 1), // then a frame with a wrong checksum
	}
	for i := range good {
		flipped := bytes.Clone(good)
		flipped[i] ^= 0x55
		garbage = append(garbage, flipped)
	}
	for _, g := range garbage {
		raw, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = raw.Write(g)
		_ = raw.(*net.TCPConn).CloseWrite()
		_ = raw.SetReadDeadline(time.Now().Add(patience))
		_, _ = io.Copy(io.Discard, raw) // until the other side gives up too
		_ = raw.Close()
	}
	c := dial(t, a, 0xb, echo)
	if err := c.Send([]byte("still there?")); err != nil {
		t.Fatal(err)
	}
	if got, err := c.ReadFrame(); err != nil || string(got) != "still there?" {
		t.Fatalf("%q, %v", got, err)
	}
}

// traps.md, 10: two silent TCP clients delayed a peer by 6 s elsewhere. Here handshakes run side by side.
func TestSilentConnectionsDelayNobody(t *testing.T) {
	a, b := pair(t)
	for range 100 {
		raw, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = raw.Close() })
	}
	start := time.Now()
	c := dial(t, a, 0xb, echo)
	_ = c.Send([]byte("x"))
	if _, err := c.ReadFrame(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > HandshakeTimeout/2 {
		t.Fatalf("a hundred silent connections delayed a peer by %s", took)
	}
}

// A silent connection is shed when its time is over.
func TestHandshakeHasATimeLimit(t *testing.T) {
	b := open(t, 0xb, func(c *Config) { c.HandshakeTimeout = 20 * time.Millisecond })
	raw, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_ = raw.SetReadDeadline(time.Now().Add(patience))
	if _, err := raw.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("got %v, want the end of the connection", err)
	}
}

// A frame above the limit is refused where it is made, and a header that announces one ends the connection.
func TestFramesAreBounded(t *testing.T) {
	small := func(c *Config) { c.MaxFrameBytes = 1000 }
	a, b := open(t, 0xa, nil), open(t, 0xb, small)
	serveEcho(b)
	a.Learn(0xb, b.Addr())
	c := dial(t, a, 0xb, echo)
	if err := c.Send(make([]byte, 1001)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadFrame(); err == nil {
		t.Fatal("a frame above the receiver's limit came back")
	}
	back := open(t, 0xc, small)
	back.Learn(0xb, b.Addr())
	if err := dial(t, back, 0xb, echo).Send(make([]byte, 1001)); !errors.Is(err, ErrFrameTooLarge) {
		t.Fatalf("got %v", err)
	}
}

// doc.go, Who is who: when a node's address changes, the connections to its old one are closed.
func TestAMovedNodeIsDialledAtItsNewAddress(t *testing.T) {
	a, b := pair(t)
	c := dial(t, a, 0xb, echo)
	b.Close()
	moved := open(t, 0xb, nil)
	serveEcho(moved)
	a.Learn(0xb, moved.Addr())
	if _, err := c.ReadFrame(); err == nil {
		t.Fatal("the connection to the old address is open")
	}
	if got := dial(t, a, 0xb, echo); got.RemoteAddr() != moved.Addr() {
		t.Fatalf("dialled %s, it is at %s", got.RemoteAddr(), moved.Addr())
	}
}

// doc.go, Who is who: the address book holds what peers say of themselves in their Hello.
func TestAPeerIsLearnedFromItsHello(t *testing.T) {
	a, b := pair(t)
	c := dial(t, a, 0xb, echo)
	_ = c.Send(nil)
	if _, err := c.ReadFrame(); err != nil {
		t.Fatal(err)
	}
	if addr, ok := b.Address(0xa); !ok || addr != a.Addr() {
		t.Fatalf("b knows a at %q", addr)
	}
	if got := fmt.Sprint(b.Nodes()); got != "[10 11]" {
		t.Fatalf("b knows %s", got)
	}
	unknown := open(t, 0xc, func(c *Config) {
		c.Resolve = func(node uint64) (string, bool) { return b.Addr(), node == 0xb }
	})
	dial(t, unknown, 0xb, echo)
	if _, err := unknown.Dial(within(t), 0xd, echo); !errors.Is(err, ErrUnknownNode) {
		t.Fatalf("got %v", err)
	}
}

// doc.go: many questions share one cached connection a peer and service; answers come in any order.
func TestCallsShareAConnectionAndDontWaitForEachOther(t *testing.T) {
	a, b := open(t, 0xa, nil), open(t, 0xb, nil)
	a.Learn(0xb, b.Addr())
	release := make(chan struct{})
	b.HandleCall('q', func(ctx context.Context, _ uint64, request []byte) ([]byte, error) {
		switch string(request) {
		case "slow":
			select {
			case <-release:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		case "bad":
			return nil, errors.New("no such thing")
		}
		return append([]byte("re: "), request...), nil
	})
	slow := make(chan error, 1)
	go func() {
		_, err := a.Call(within(t), 0xb, 'q', []byte("slow"))
		slow <- err
	}()
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			want := fmt.Sprintf("re: %d", i)
			if got, err := a.Call(within(t), 0xb, 'q', fmt.Append(nil, i)); err != nil || string(got) != want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	group.Wait()
	var remote *RemoteError
	if _, err := a.Call(within(t), 0xb, 'q', []byte("bad")); !errors.As(err, &remote) || remote.Message != "no such thing" || remote.Node != 0xb {
		t.Fatalf("got %v", err)
	}
	close(release)
	if err := <-slow; err != nil {
		t.Fatal(err)
	}
	if got := connections(a); got != 1 {
		t.Fatalf("%d connections for one peer and service", got)
	}
}

func connections(n *Network) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

// A question ends with its context, and the handler's context ends with it.
func TestACallEndsWithItsContext(t *testing.T) {
	a, b := open(t, 0xa, nil), open(t, 0xb, nil)
	a.Learn(0xb, b.Addr())
	ended := make(chan struct{})
	b.HandleCall('q', func(ctx context.Context, _ uint64, _ []byte) ([]byte, error) {
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := a.Call(ctx, 0xb, 'q', nil)
	if var1 := (*RemoteError)(nil); !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &var1) {
		t.Fatalf("got %v", err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the handler was left waiting")
	}
}

// A caller whose peer dies gets an error at once, and the next call dials again.
func TestACallSurvivesItsPeersRestart(t *testing.T) {
	a, b := open(t, 0xa, nil), open(t, 0xb, nil)
	answer := func(_ context.Context, _ uint64, request []byte) ([]byte, error) {
		if string(request) == "never" {
			<-b.ctx.Done()
			return nil, b.ctx.Err()
		}
		return request, nil
	}
	b.HandleCall('q', answer)
	a.Learn(0xb, b.Addr())
	if _, err := a.Call(within(t), 0xb, 'q', []byte("1")); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := a.Call(within(t), 0xb, 'q', []byte("never"))
		failed <- err
	}()
	addr := b.Addr()
	b.Close()
	if err := <-failed; err == nil {
		t.Fatal("a call to a dead peer succeeded")
	}
	again := open(t, 0xb, func(c *Config) { c.Listen = addr })
	again.HandleCall('q', answer)
	ctx := within(t)
	for {
		got, err := a.Call(ctx, 0xb, 'q', []byte("2"))
		if err == nil && string(got) == "2" {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// A node can ask itself like any other.
func TestANodeReachesItself(t *testing.T) {
	a := open(t, 0xa, nil)
	a.HandleCall('q', func(_ context.Context, from uint64, request []byte) ([]byte, error) {
		return fmt.Appendf(request, " from %x", from), nil
	})
	got, err := a.Call(within(t), 0xa, 'q', []byte("hello"))
	if err != nil || string(got) != "hello from a" {
		t.Fatalf("%q, %v", got, err)
	}
}

// Close ends everything that is going on, and afterwards nothing begins.
func TestCloseEndsEverything(t *testing.T) {
	a, b := pair(t)
	c := dial(t, a, 0xb, echo)
	read := make(chan error, 1)
	go func() {
		_, err := c.ReadFrame()
		read <- err
	}()
	a.Close()
	if err := <-read; !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
	if _, err := a.Dial(within(t), 0xb, echo); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
	if _, err := a.Call(within(t), 0xb, echo, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
	b.Close()
	b.Close()
}

// Every field's problem is named with its remedy.
func TestConfigSaysWhatIsWrong(t *testing.T) {
	for _, cfg := range []Config{
		{Listen: "127.0.0.1:0"}, {Self: 1, Listen: "nonsense"}, {Self: 1, Listen: "0.0.0.0:0"},
		{Self: 1, Listen: "127.0.0.1:0", Advertise: ":7001"}, {Self: 1, Listen: "127.0.0.1:0", Advertise: "host:0"},
	} {
		n, err := Open(cfg)
		if err == nil {
			n.Close()
			t.Errorf("%+v was accepted", cfg)
			continue
		}
		t.Log(err)
	}
}
