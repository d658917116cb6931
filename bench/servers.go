package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"lockstep/router/client"
)

// servers are the nodes to which requests go.
type servers struct {
	hosts []*fasthttp.HostClient // single transactions
	lines []*fasthttp.HostClient // batches: answers are read as they come
	url   string                 // of the group's transactions
}

// newServers prepares clients for up to a number of connections to each node.
func newServers(addresses []string, group string, connections int) (*servers, error) {
	s := &servers{}
	for _, address := range addresses {
		base, err := client.BaseURL(address)
		if err != nil {
			return nil, err
		}
		u, err := url.Parse(base)
		if err != nil {
			return nil, fmt.Errorf("reading the server %q: %w", address, err)
		}
		s.url = base + "/v1/groups/" + url.PathEscape(group) + "/transactions"
		host := u.Host
		if u.Port() == "" {
			host = net.JoinHostPort(u.Hostname(), map[bool]string{true: "443", false: "80"}[u.Scheme == "https"])
		}
		s.hosts = append(s.hosts, newHost(host, u.Scheme == "https", connections, false))
		s.lines = append(s.lines, newHost(host, u.Scheme == "https", connections, true))
	}
	if len(s.hosts) == 0 {
		return nil, errors.New("no server is named")
	}
	return s, nil
}

func newHost(address string, secure bool, connections int, streamed bool) *fasthttp.HostClient {
	return &fasthttp.HostClient{
		Addr: address, IsTLS: secure, Name: "lockstep-bench",
		MaxConns: connections, MaxIdleConnDuration: time.Hour,
		MaxIdemponentCallAttempts: 1, // what is sent again is counted here
		MaxResponseBodySize:       maxAnswerBytes,
		StreamResponseBody:        streamed,
		NoDefaultUserAgentHeader:  true,
		DialTimeout: func(addr string, timeout time.Duration) (net.Conn, error) {
			return net.DialTimeout("tcp", addr, dialTime)
		},
	}
}

// close lets idle connections go.
func (s *servers) close() {
	for i := range s.hosts {
		s.hosts[i].CloseIdleConnections()
		s.lines[i].CloseIdleConnections()
	}
}

// exchange is one worker's buffers for requests and answers.
type exchange struct {
	req  fasthttp.Request
	resp fasthttp.Response
	read *bufio.Reader
	id   []byte
}

// prepare fills in the head of a request.
func (x *exchange) prepare(s *servers, contentType string) {
	x.req.Reset()
	x.resp.Reset()
	x.req.Header.SetMethod(fasthttp.MethodPost)
	x.req.SetRequestURI(s.url)
	x.req.Header.SetContentType(contentType)
	x.req.Header.Set("Request-Timeout", strconv.FormatFloat(attemptTime.Seconds(), 'f', -1, 64))
}

// one sends a transaction to a node. An error means that no verdict came: sent
// says whether the node may have got the document.
func (x *exchange) one(s *servers, node int, doc, id []byte) (r reply, sent bool, err error) {
	x.prepare(s, "application/json")
	x.req.SetBodyRaw(doc)
	if err := s.hosts[node].DoDeadline(&x.req, &x.resp, time.Now().Add(attemptTime+attemptGrace)); err != nil {
		return reply{}, !neverSent(err), fmt.Errorf("%s: %w", s.hosts[node].Addr, err)
	}
	if r, err = readReply(x.resp.Body(), id); err != nil {
		return reply{}, true, &fatalError{err.Error()}
	}
	return r, true, nil
}

// many sends transactions, a line each, to a node, and tells each answer in turn
// as it comes. An error means that the answers end early.
func (x *exchange) many(s *servers, node int, body []byte, answered func(i int, line []byte) error) (sent bool, err error) {
	x.prepare(s, "application/x-ndjson")
	x.req.SetBodyRaw(body)
	if err := s.lines[node].DoDeadline(&x.req, &x.resp, time.Now().Add(attemptTime+attemptGrace)); err != nil {
		return !neverSent(err), fmt.Errorf("%s: %w", s.lines[node].Addr, err)
	}
	err = x.lines(answered)
	if err != nil {
		x.resp.SetConnectionClose() // what is left of the answer is not wanted
	}
	if failed := x.resp.CloseBodyStream(); err == nil && failed != nil {
		err = failed
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", s.lines[node].Addr, err)
	}
	return true, err
}

// lines reads answers until they end.
func (x *exchange) lines(answered func(i int, line []byte) error) error {
	stream := x.resp.BodyStream()
	if stream == nil {
		stream = strings.NewReader(string(x.resp.Body()))
	}
	if x.read == nil {
		x.read = bufio.NewReaderSize(nil, 64<<10)
	}
	x.read.Reset(stream)
	if status := x.resp.StatusCode(); status != fasthttp.StatusOK {
		return refusedStream(status, x.read, answered)
	}
	for i := 0; ; i++ {
		line, err := x.read.ReadSlice('\n')
		if err != nil {
			return endOfLines(line, err)
		}
		if err := answered(i, line[:len(line)-1]); err != nil {
			return err
		}
	}
}

// refusedStream is the error of a request that was refused whole: nothing of it
// happened, and what the node says stands for each line.
func refusedStream(status int, body *bufio.Reader, answered func(i int, line []byte) error) error {
	doc, err := body.ReadBytes('\n')
	if len(doc) == 0 {
		return fmt.Errorf("status %d, and no document: %w", status, err)
	}
	return answered(wholeRequest, doc)
}

// wholeRequest stands for every line of a batch.
const wholeRequest = -1

// endOfLines tells an end from a break.
func endOfLines(rest []byte, err error) error {
	switch {
	case err == io.EOF && len(rest) == 0:
		return nil
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return fmt.Errorf("reading answers: %w", err)
}

// neverSent tells whether an error came before a byte of the request could leave.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" ||
		errors.Is(err, fasthttp.ErrDialTimeout) || errors.Is(err, fasthttp.ErrNoFreeConns)
}
