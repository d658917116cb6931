package router

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"lockstep/engine/entry"
	"lockstep/router/order"

	"github.com/cockroachdb/datadriven"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The server's clock of dates runs as long as the process, and what
		// clears idle workers notices the end of a server seconds later.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// startServer serves in memory until the test ends.
func startServer(t testing.TB, cluster *fakeCluster, change ...func(*Config)) (*Server, *fasthttputil.InmemoryListener) {
	t.Helper()
	ln := fasthttputil.NewInmemoryListener()
	return serveOn(t, ln, cluster, change...), ln
}

// startLoopback serves on a real socket.
func startLoopback(t testing.TB, cluster *fakeCluster, change ...func(*Config)) (*Server, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, ln, cluster, change...), ln.Addr().String()
}

func serveOn(t testing.TB, ln net.Listener, cluster *fakeCluster, change ...func(*Config)) *Server {
	t.Helper()
	cfg := Config{Cluster: cluster, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// dial opens a connection that the test closes before the server stops.
func dial(t testing.TB, ln *fasthttputil.InmemoryListener) net.Conn {
	t.Helper()
	c, err := ln.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// clientOf is an HTTP client of a server in memory.
func clientOf(t testing.TB, ln *fasthttputil.InmemoryListener) *http.Client {
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return ln.Dial() }}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// send sends a request and gives status and body.
func send(t testing.TB, c *http.Client, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://lockstep"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// TestTranscripts shows requests as they are sent and answers as they come
// (interface.md). In the transcripts a line "order ERROR" makes the orderer
// answer the next transactions so.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/http", func(t *testing.T, path string) {
		bank := newBank(t)
		bank.putSchema = scriptedPut(bank)
		cluster := &fakeCluster{groups: map[string]*fakeGroup{"bank": bank, "elsewhere": nil}}
		cluster.create = scriptedCreate()
		_, ln := startServer(t, cluster)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "http":
				return exchange(t, ln, d.Input)
			case "order":
				bank.mu.Lock()
				bank.submit = scriptedOrder(d.CmdArgs[0].Key)
				bank.mu.Unlock()
				return "ok"
			case "pending":
				bank.mu.Lock()
				bank.pending[entry.ParseID(d.CmdArgs[0].Key)] = true
				bank.mu.Unlock()
				return "ok"
			case "no-schema":
				bank.mu.Lock()
				bank.schema = nil
				bank.mu.Unlock()
				return "ok"
			case "unready":
				cluster.unready = nil
				for _, a := range d.CmdArgs {
					cluster.unready = append(cluster.unready, Unready{Code: a.Key, Group: a.Vals[0], Detail: "not yet"})
				}
				return "ok"
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

// scriptedOrder answers transactions with one of the orderer's errors.
func scriptedOrder(name string) func(*order.Request) bool {
	answers := map[string]error{
		"overloaded": order.ErrOverloaded, "no-primary": order.ErrNoPrimary, "unknown": order.ErrOutcomeUnknown,
		"deadline": order.ErrDeadline, "draining": order.ErrDraining, "too-large": order.ErrTooLarge,
		"disk-full": &Problem{Code: "disk_full", Detail: "the disk has 1 % left"}, "other": errors.New("something else"),
	}
	err, ok := answers[name]
	if !ok {
		return nil
	}
	return func(r *order.Request) bool {
		r.Done(order.Answer{Err: err})
		return true
	}
}

func scriptedPut(bank *fakeGroup) func(SchemaPut) (SchemaResult, error) {
	return func(put SchemaPut) (SchemaResult, error) {
		switch {
		case strings.Contains(string(put.Document), "wrong"):
			return SchemaResult{}, &Problem{Code: "invalid", Detail: "tables.wrong: no", Errors: pointerDetail("tables.wrong", "no")}
		case put.IfMatch != 0 && put.IfMatch != 1:
			return SchemaResult{}, &Problem{Code: "changed", Detail: "the schema is at version 1"}
		}
		return SchemaResult{Version: 1, Created: false, Changed: !put.DryRun}, nil
	}
}

func scriptedCreate() func(GroupSpec) (bool, error) {
	made := map[string]int{}
	return func(spec GroupSpec) (bool, error) {
		copies, there := made[spec.Name]
		if there && copies != spec.Copies {
			return false, &Problem{Code: "already_exists", Detail: "the group has another number of copies"}
		}
		made[spec.Name] = spec.Copies
		return !there, nil
	}
}

// exchange sends a request as it is written (without the lengths, which are
// added) and shows the answer.
func exchange(t *testing.T, ln *fasthttputil.InmemoryListener, input string) string {
	head, body, _ := strings.Cut(input, "\n\n")
	lines := strings.Split(head, "\n")
	if !strings.Contains(lines[0], "HTTP/") {
		lines[0] += " HTTP/1.1"
	}
	lines = append(lines, "Host: x", "X-Request-Id: r1", fmt.Sprintf("Content-Length: %d", len(body)))
	conn := dial(t, ln)
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(lines[0], " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	fmt.Fprintln(&out, resp.StatusCode)
	var names []string
	for name := range resp.Header {
		if name != "Date" && name != "Server" && name != "Content-Length" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&out, "%s: %s\n", name, strings.Join(resp.Header[name], ", "))
	}
	if shown := strings.TrimRight(string(text), "\n"); shown != "" {
		fmt.Fprintf(&out, "\n%s\n", shown)
	}
	return out.String()
}

// postOf is a request as the server hands it to the handler.
func postOf(path, body string) *fasthttp.RequestCtx {
	var req fasthttp.Request
	req.Header.SetMethod("POST")
	req.SetRequestURI(path)
	req.SetBodyString(body)
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, nil, nil)
	return ctx
}
