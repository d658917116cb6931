package router

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func bankServer(t *testing.T, change ...func(*Config)) string {
	t.Helper()
	_, addr := startLoopback(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": newBank(t)}}, change...)
	return addr
}

func connect(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

// answerOn reads one answer and its body.
func answerOn(t *testing.T, conn net.Conn) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// A body of 5 MB is refused with 413 (interface.md, Errors), and the client,
// which is still sending, sees that rather than a broken connection.
func TestLargeBodies(t *testing.T) {
	addr := bankServer(t)
	large := `{"x":"` + strings.Repeat("x", 5<<20) + `"}`
	for _, framing := range []string{"length", "chunked", "expect"} {
		for _, path := range []string{transactionsPath, "/v1/groups/bank/query"} {
			conn := connect(t, addr)
			switch framing {
			case "length":
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, len(large), large)
			case "expect":
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", path, len(large))
				head := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
				if _, err := io.ReadFull(conn, head); err != nil || !strings.Contains(string(head), "100") {
					t.Fatalf("%q %v", head, err)
				}
				_, _ = io.WriteString(conn, large)
			default:
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", path, len(large), large)
			}
			if status, body := answerOn(t, conn); status != 413 || !strings.Contains(body, `"code":"too_large"`) {
				t.Errorf("%s %s: %d %s", framing, path, status, body)
			}
		}
	}
}

// A body up to the limit is taken, however it comes.
func TestBodiesInPieces(t *testing.T) {
	addr := bankServer(t)
	body := transferOfOne + strings.Repeat(" ", 100_000)
	conn := connect(t, addr)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", transactionsPath)
	for i := 0; i < len(body); i += 1000 {
		piece := body[i:min(i+1000, len(body))]
		fmt.Fprintf(conn, "%x\r\n%s\r\n", len(piece), piece)
	}
	fmt.Fprint(conn, "0\r\n\r\n")
	if status, text := answerOn(t, conn); status != 200 {
		t.Errorf("chunked: %d %s", status, text)
	}
	// The connection goes on with the next request.
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", transactionsPath, len(body), body)
	if status, text := answerOn(t, conn); status != 200 {
		t.Errorf("with its length: %d %s", status, text)
	}
}

// Nesting that is deeper than any document's is refused, not followed.
func TestDeepNesting(t *testing.T) {
	addr := bankServer(t)
	conn := connect(t, addr)
	body := `{"procedure":"transfer","params":` + strings.Repeat(`[`, 500_000) + strings.Repeat(`]`, 500_000) + `}`
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", transactionsPath, len(body), body)
	if status, text := answerOn(t, conn); status != 400 || !strings.Contains(text, "malformed") {
		t.Errorf("%d %s", status, text)
	}
}

// A client that sends its head or its body a drop at a time is let go after
// ReadTimeout, or at its own deadline if that is sooner (traps.md, 28).
func TestSlowClients(t *testing.T) {
	addr := bankServer(t, func(c *Config) { c.ReadTimeout = 100 * time.Millisecond })
	for name, sent := range map[string]string{
		"nothing": "",
		"head":    "POST /v1/groups/bank/trans",
		"body":    "POST " + transactionsPath + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"pro\r\n",
		"large":   "POST " + transactionsPath + "?timeout=0.05 HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat(" ", 9000),
	} {
		t.Run(name, func(t *testing.T) {
			conn := connect(t, addr)
			_, _ = io.WriteString(conn, sent)
			text, err := io.ReadAll(conn)
			if err != nil {
				t.Fatalf("the server did not let go: %v", err)
			}
			if !strings.Contains(string(text), `"code":"deadline_exceeded"`) {
				t.Errorf("%s", text)
			}
		})
	}
}

// A client that vanishes in the middle of its body did not send a transaction.
func TestClientVanishesInBody(t *testing.T) {
	bank := newBank(t)
	s, addr := startLoopback(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	conn := connect(t, addr)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n%s", transactionsPath, transferOfOne)
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.ReadAll(conn)
	eventually(t, func() bool { return s.metrics.inFlight.Load() == 0 })
	if bank.submitted != 0 {
		t.Error("half a body was taken for a transaction")
	}
}

// What is no HTTP, and a head that is too large, are answered with a problem
// and the connection's end.
func TestBrokenRequests(t *testing.T) {
	addr := bankServer(t)
	for sent, want := range map[string]string{
		"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n":                                                   `"code":"malformed"`,
		"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 20_000) + "\r\n\r\n":     `"code":"header_too_large"`,
		"POST " + transactionsPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n":      `"code":"malformed"`,
		"POST " + transactionsPath + " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n": `"code":"malformed"`,
	} {
		conn := connect(t, addr)
		_, _ = io.WriteString(conn, sent)
		// What the server has not read makes it reset the connection afterwards.
		if text, _ := io.ReadAll(conn); !strings.Contains(string(text), want) {
			t.Errorf("%.60q: %s", sent, text)
		}
	}
}

// Metrics name every route, and count what was answered.
func TestMetrics(t *testing.T) {
	bank := newBank(t)
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	c := clientOf(t, ln)
	send(t, c, "POST", transactionsPath, transferOfOne)
	send(t, c, "POST", transactionsPath, "{bad")
	send(t, c, "POST", transactionsPath, transferOfOne+"\n"+transferOfOne, "Content-Type", "application/x-ndjson")
	send(t, c, "GET", "/v1/groups/bank/tables/accounts/rows?key=alice", "")
	_, h, text := send(t, c, "GET", "/metrics", "")
	if !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
		t.Errorf("content type %s", h.Get("Content-Type"))
	}
	for _, want := range []string{
		`lockstep_http_requests_total{route="transactions",status="2xx"} 2`,
		`lockstep_http_requests_total{route="transactions",status="4xx"} 1`,
		`lockstep_http_problems_total{code="malformed"} 1`,
		`lockstep_http_stream_lines_total 2`,
		`lockstep_read_index_rounds_total 1`,
		`lockstep_group_has_primary{group="bank"} 1`,
		`lockstep_group_revision{group="bank",node="n1"} 6`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}
