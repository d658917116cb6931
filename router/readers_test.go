package router

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"lockstep/router/spread"
)

const alicesRow = "/v1/groups/bank/tables/accounts/rows?key=alice"

// mesh are nodes with a copy of the bank, as a router reaches them.
type mesh struct {
	mu    sync.Mutex
	nodes map[uint64]*Server
	banks map[uint64]*fakeGroup
	set   spread.Set
	hang  map[uint64]bool // it answers nothing
	gone  map[uint64]bool // nobody listens
	asked map[uint64]int
	cut   atomic.Int64 // questions that were waited for no more
}

// newMesh has nodes 1 to n, named n1 and so on.
func newMesh(t *testing.T, n uint64) *mesh {
	m := &mesh{nodes: map[uint64]*Server{}, banks: map[uint64]*fakeGroup{}, hang: map[uint64]bool{}, gone: map[uint64]bool{}, asked: map[uint64]int{}}
	for id := uint64(1); id <= n; id++ {
		m.banks[id] = newBank(t)
		m.nodes[id], _ = startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": m.banks[id]}})
		m.set.Others = append(m.set.Others, spread.Copy{Node: id, Name: fmt.Sprintf("n%d", id), Revision: 3})
	}
	return m
}

func (m *mesh) Readers(string) *spread.Set {
	m.mu.Lock()
	defer m.mu.Unlock()
	set := m.set
	return &set
}

func (m *mesh) Read(ctx context.Context, node uint64, request []byte) ([]byte, error) {
	m.mu.Lock()
	m.asked[node]++
	hang, gone := m.hang[node], m.gone[node]
	m.mu.Unlock()
	switch {
	case gone:
		return nil, errors.New("connection refused")
	case hang:
		<-ctx.Done()
		m.cut.Add(1)
		return nil, ctx.Err()
	}
	return m.nodes[node].ServeForwarded(request)
}

func (m *mesh) put(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// without starts a node that has no copy of the bank.
func (m *mesh) without(t *testing.T) (*Server, *http.Client) {
	s, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": nil}}, func(c *Config) { c.Readers, c.Forwarder = m, &wire{err: ErrNotForwarded} })
	return s, clientOf(t, ln)
}

// Patent, paragraph 41: request-level load balancing. Reads of a node that has no copy
// are spread over those that have one, each an answer of one consistent copy.
func TestReadsAreSpread(t *testing.T) {
	m := newMesh(t, 3)
	_, c := m.without(t)
	by := map[string]int{}
	for i := 0; i < 300 || i < 5000 && min(by["n1"], by["n2"], by["n3"]) < 20; i++ {
		status, h, body := send(t, c, "GET", alicesRow, "")
		if status != 200 || !strings.Contains(body, `"balance":100`) || h.Get("Lockstep-Revision") != "3" {
			t.Fatalf("%d %s", status, body)
		}
		by[h.Get("Lockstep-Served-By")]++
	}
	if len(by) != 3 || by["n1"] < 20 || by["n2"] < 20 || by["n3"] < 20 {
		t.Errorf("reads were served by %v", by)
	}
}

// A copy that hangs is hedged: another one is asked after a while, and the first
// answer wins. It is left alone soon, and few reads are asked twice.
func TestASlowCopyIsHedged(t *testing.T) {
	m := newMesh(t, 3)
	_, c := m.without(t)
	for range 200 {
		send(t, c, "GET", alicesRow, "")
	}
	m.put(func() { m.hang[2] = true; clear(m.asked) })
	for range 400 {
		began := time.Now()
		status, h, body := send(t, c, "GET", alicesRow+"&timeout=20", "")
		if status != 200 || h.Get("Lockstep-Served-By") == "n2" {
			t.Fatalf("%d by %s: %s", status, h.Get("Lockstep-Served-By"), body)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("a read took %v", took)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked[2] > 30 {
		t.Errorf("the copy that hangs was asked %d times of 400", m.asked[2])
	}
	if extra := m.asked[1] + m.asked[2] + m.asked[3] - 400; extra > 400/20+10 {
		t.Errorf("%d of 400 reads were asked twice", extra)
	}
	if m.cut.Load() == 0 {
		t.Error("nobody stopped waiting for the copy that hangs")
	}
}

// Another copy is tried where one can't serve; where none can, the read is refused and
// may be repeated.
func TestTheNextCopyIsTried(t *testing.T) {
	m := newMesh(t, 3)
	_, c := m.without(t)
	m.put(func() { m.gone[1] = true })
	m.banks[2].readIndex = func(context.Context) (uint64, error) { return 0, &Problem{Code: "no_quorum", Detail: "cut off"} }
	for range 20 {
		if status, h, body := send(t, c, "GET", alicesRow+"&timeout=3", ""); status != 200 || h.Get("Lockstep-Served-By") != "n3" {
			t.Fatalf("%d by %s: %s", status, h.Get("Lockstep-Served-By"), body)
		}
	}
	m.put(func() { m.gone[3] = true })
	status, h, body := send(t, c, "GET", alicesRow+"&timeout=0.5", "")
	if status != 503 || !strings.Contains(body, `"retryable":true`) || h.Get("Retry-After") == "" {
		t.Errorf("when no copy can serve: %d %s", status, body)
	}
	// A read that needs no majority is served by the copy that is cut off.
	if status, h, _ := send(t, c, "GET", alicesRow+"&consistency=local", ""); status != 200 || h.Get("Lockstep-Served-By") != "n2" {
		t.Errorf("a local read: %d by %s", status, h.Get("Lockstep-Served-By"))
	}
	// What is refused for what it is, is not asked of everybody.
	m.put(func() { m.gone = map[uint64]bool{}; clear(m.asked) })
	if status, _, body := send(t, c, "GET", "/v1/groups/bank/tables/accounts/rows?key=x&consistency=local", ""); status != 404 {
		t.Errorf("%d %s", status, body)
	}
	if n := m.asked[1] + m.asked[2] + m.asked[3]; n != 1 {
		t.Errorf("a row that is not there was looked for by %d copies", n)
	}
}

// A session keeps to one copy, through whichever node it comes, as long as the copy
// is good.
func TestASessionKeepsToItsCopy(t *testing.T) {
	m := newMesh(t, 4)
	_, first := m.without(t)
	_, second := m.without(t)
	// A node with a copy of its own sends the session to the same one.
	own := m.set
	own.Own, own.Others = own.Others[3], own.Others[:3]
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": m.banks[4]}}, func(c *Config) { c.Readers = withOwn{m, &own} })
	third := clientOf(t, ln)
	used := map[string]bool{}
	for i := range 20 {
		session, by := fmt.Sprintf("session-%d", i), ""
		for _, c := range []*http.Client{first, second, third} {
			for _, level := range []string{"&consistency=session&min_revision=3", "&consistency=local"} {
				status, h, body := send(t, c, "GET", alicesRow+level, "", "Lockstep-Session", session)
				if status != 200 {
					t.Fatalf("%d %s", status, body)
				}
				at := h.Get("Lockstep-Served-By")
				if at == "" {
					at = "n4" // the node's own
				}
				if by == "" {
					by = at
				}
				if at != by {
					t.Fatalf("%s was served by %s and by %s", session, by, at)
				}
			}
		}
		used[by] = true
	}
	if len(used) < 3 {
		t.Errorf("20 sessions were served by %v", used)
	}
	// Without a name it is the connection's session.
	_, h, _ := send(t, first, "GET", alicesRow+"&consistency=session&min_revision=3", "")
	by := h.Get("Lockstep-Served-By")
	for range 10 {
		if _, h, _ := send(t, first, "GET", alicesRow+"&consistency=session&min_revision=3", ""); h.Get("Lockstep-Served-By") != by {
			t.Errorf("one connection was served by %s and by %s", by, h.Get("Lockstep-Served-By"))
		}
	}
}

type withOwn struct {
	*mesh
	set *spread.Set
}

func (w withOwn) Readers(string) *spread.Set { return w.set }

// A node whose own copy is cut off has another one answer, long before it gives up;
// where the policy takes it from the readers, at once; and what it can serve, it
// serves itself.
func TestOwnCopyFirst(t *testing.T) {
	m := newMesh(t, 2)
	set := spread.Set{Own: spread.Copy{Node: 9, Name: "n9", Revision: 3}, Others: m.set.Others}
	bank := newBank(t)
	s, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}}, func(c *Config) { c.Readers = withOwn{m, &set} })
	c := clientOf(t, ln)
	for range 100 {
		if _, h, body := send(t, c, "GET", alicesRow, ""); h.Get("Lockstep-Served-By") != "" {
			t.Fatalf("a read that the own copy can serve was served by %s: %s", h.Get("Lockstep-Served-By"), body)
		}
	}
	bank.advance(func() {
		bank.readIndex = func(ctx context.Context) (uint64, error) { <-ctx.Done(); return 0, ctx.Err() }
	})
	began := time.Now()
	status, h, body := send(t, c, "GET", alicesRow+"&timeout=20", "")
	if status != 200 || h.Get("Lockstep-Served-By") == "" || time.Since(began) > localPatience {
		t.Errorf("cut off: %d by %q after %v: %s", status, h.Get("Lockstep-Served-By"), time.Since(began), body)
	}
	if _, h, _ := send(t, c, "GET", alicesRow+"&consistency=local", ""); h.Get("Lockstep-Served-By") != "" {
		t.Error("a local read needs nobody else")
	}
	set.Own = spread.Copy{}
	if status, h, _ := send(t, c, "GET", alicesRow+"&consistency=bounded&max_lag_ms=1000", ""); status != 200 || h.Get("Lockstep-Served-By") == "" {
		t.Errorf("no reader: %d by %q", status, h.Get("Lockstep-Served-By"))
	}
	if s.spread.Node(9).Open() != 0 {
		t.Error("reads are counted as open that are not")
	}
}

// BenchmarkLocalRow is a row read from this node's own copy, where there are no others
// and where there are: what other copies can do costs nothing that can be measured.
func BenchmarkLocalRow(b *testing.B) {
	for _, others := range []int{0, 2} {
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) {
			cfg := Config{Cluster: &fakeCluster{groups: map[string]*fakeGroup{"bank": newBank(b)}}}
			if others > 0 {
				set := &spread.Set{Own: spread.Copy{Node: 9}, Others: make([]spread.Copy, others)}
				cfg.Readers = withOwn{nil, set}
			}
			s, err := New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			var req fasthttp.Request
			req.SetRequestURI(alicesRow + "&consistency=local")
			b.ReportAllocs()
			for b.Loop() {
				var ctx fasthttp.RequestCtx
				ctx.Init(&req, nil, nil)
				s.handle(&ctx, false)
				if ctx.Response.StatusCode() != 200 {
					b.Fatal(string(ctx.Response.Body()))
				}
			}
		})
	}
}
