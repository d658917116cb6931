package router

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"lockstep/router/spread"
)

// Names of headers, in the form in which they are sent.
var (
	headerRevision  = []byte("Lockstep-Revision")
	headerLag       = []byte("Lockstep-Lag")
	headerMajority  = []byte("Lockstep-Majority")
	headerKeyWindow = []byte("Lockstep-Key-Window")

	typeJSON    = []byte("application/json")
	typeProblem = []byte("application/problem+json")
	typeLines   = []byte("application/x-ndjson")
	typeYAML    = []byte("application/yaml")

	typeRecording = []byte("application/vnd.lockstep.recording")
)

// Server is the HTTP front of a node.
type Server struct {
	cfg     Config
	log     *slog.Logger
	http    *fasthttp.Server
	metrics *metrics

	ctx    context.Context // ends when the front closes
	cancel context.CancelFunc
	fronts sync.Map // group's name → *front

	opening sync.Mutex // held while a front is added to fronts

	idPrefix string
	requests atomic.Uint64

	calls   sync.Pool // *call
	buffers sync.Pool // *buffer
	readers sync.Pool // *reader

	heavy  *heavyGate
	spread spread.Spread // what is seen of other nodes as readers
	hedge  spread.Hedge

	lineBuffers sync.Pool // *bufio.Reader

	streams  sync.Map      // *stream being served
	stopping chan struct{} // closed when the front takes no more
	once     sync.Once
}

// front is a group with what the router keeps for it.
type front struct {
	Group
	name       string
	rounds     *rounds
	contention *contention
}

// New makes a front; Serve starts it.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Log, idPrefix: randomHex(6), stopping: make(chan struct{})}
	s.heavy = newHeavyGate(cfg.HeavyQueries)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.calls.New = func() any { return newCall(s) }
	s.buffers.New = func() any { return &buffer{b: make([]byte, 0, 1024)} }
	s.readers.New = func() any { return newReader() }
	s.lineBuffers.New = func() any { return bufio.NewReaderSize(nil, streamReadBytes) }
	m, err := newMetrics(cfg.Registry, cfg.Cluster)
	if err != nil {
		return nil, fmt.Errorf("router: registering metrics: %w", err)
	}
	s.metrics = m
	s.http = &fasthttp.Server{
		Handler:                      func(ctx *fasthttp.RequestCtx) { s.handle(ctx, false) },
		ErrorHandler:                 s.brokenRequest,
		Name:                         "lockstep",
		Logger:                       quiet{s.log},
		ReadTimeout:                  cfg.ReadTimeout,
		WriteTimeout:                 cfg.WriteTimeout,
		IdleTimeout:                  cfg.IdleTimeout,
		Concurrency:                  cfg.Concurrency,
		MaxConnsPerIP:                cfg.MaxConnsPerIP,
		ReadBufferSize:               cfg.HeaderBytes,
		WriteBufferSize:              cfg.HeaderBytes,
		MaxRequestBodySize:           maxDocumentBytes,
		StreamRequestBody:            true,
		CloseOnShutdown:              true,
		DisablePreParseMultipartForm: true,
		NoDefaultContentType:         true,
		TCPKeepalive:                 true,
	}
	return s, nil
}

// Serve takes connections until the listener closes or Shutdown.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.http.Serve(ln); err != nil {
		return fmt.Errorf("serve HTTP on %s: %w", ln.Addr(), err)
	}
	return nil
}

// Shutdown takes no more connections and no more lines of streams, and waits for
// requests under way until the context ends; then those that still wait are let
// go.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(func() { close(s.stopping) })
	s.streams.Range(func(st, _ any) bool {
		st.(*stream).cut()
		return true
	})
	err := s.http.ShutdownWithContext(ctx)
	s.cancel()
	if err != nil {
		return fmt.Errorf("wait for HTTP requests under way: %w", err)
	}
	return nil
}

// handle serves one request, whatever happens.
func (s *Server) handle(ctx *fasthttp.RequestCtx, forwarded bool) {
	rq := &request{ctx: ctx, start: ctx.Time(), forwarded: forwarded}
	s.metrics.inFlight.Add(1)
	defer s.finish(rq)
	if p := s.serve(rq); p != nil {
		s.refuse(rq, p)
	}
}

// finish ends a request: a panic becomes a problem, for it would end the
// process (traps.md, 27).
func (s *Server) finish(rq *request) {
	if fault := recover(); fault != nil {
		s.log.Error("panic while serving a request", "path", string(rq.ctx.Path()), "request", string(rq.ctx.Response.Header.Peek(headerRequestID)), "fault", fault, "stack", string(debug.Stack()))
		rq.ctx.Response.Reset()
		rq.ctx.SetConnectionClose()
		rq.stream, rq.body = false, nil
		s.refuse(rq, &Problem{Code: "internal", Detail: "a fault was met and logged"})
	}
	if rq.body != nil {
		s.giveBuffer(rq.body)
	}
	s.metrics.inFlight.Add(-1)
	if !rq.stream {
		s.metrics.observe(rq.route, rq.ctx.Response.StatusCode(), time.Since(rq.start))
	}
}

// guard keeps a panic on a goroutine of ours from ending the process.
func (s *Server) guard(doing string) {
	if fault := recover(); fault != nil {
		s.log.Error("panic", "doing", doing, "fault", fault, "stack", string(debug.Stack()))
	}
}

// serve finds what a request is for and does it.
func (s *Server) serve(rq *request) *Problem {
	rq.target = locate(rq.ctx.URI().PathOriginal())
	if p := s.prepare(rq); p != nil {
		return p
	}
	spec := routeTable[rq.route]
	if rq.route == routeUnknown {
		return &Problem{Code: "not_found", Detail: "there is nothing at this path"}
	}
	if methodOf(&rq.ctx.Request.Header)&spec.takes == 0 {
		rq.ctx.Response.Header.Set(fasthttp.HeaderAllow, spec.takes.allow())
		return &Problem{Code: "method_not_allowed", Detail: "this path takes " + spec.takes.allow()}
	}
	switch rq.route {
	case routeHealth:
		return s.health(rq)
	case routeReady:
		return s.ready(rq)
	case routeMetrics:
		return s.exposeMetrics(rq)
	case routeStatus:
		return s.answerDocument(rq, fasthttp.StatusOK, s.cfg.Cluster.Status())
	case routeGroups:
		return s.groups(rq)
	case routeTasks, routeTask, routeTaskRelease, routeTaskLogs, routeTaskRun:
		return s.serveTasks(rq)
	case routePolicies, routePolicy, routeExplain:
		return s.servePolicies(rq)
	case routeNodes:
		return s.nodes(rq)
	case routeNode:
		return s.node(rq)
	case routeNodeDrain, routeNodeUndrain, routeNodeReplace:
		return s.nodeAction(rq)
	case routeTokens:
		return s.tokens(rq)
	case routeToken:
		return s.token(rq)
	}
	return s.serveGroup(rq)
}

// serveGroup does what is for one group, here or where a copy is.
func (s *Server) serveGroup(rq *request) *Problem {
	if p := s.exists(rq); p != nil {
		return p
	}
	switch rq.route {
	case routeSettings:
		return s.groupSettings(rq)
	case routeGroup:
		if methodOf(&rq.ctx.Request.Header) == del {
			return s.deleteGroup(rq)
		}
		return s.group(rq)
	case routeRecover:
		return s.recover(rq)
	case routePartitions:
		return s.partitions(rq)
	case routePartition:
		return s.partition(rq)
	case routeExport:
		return s.export(rq)
	case routeHistory:
		return s.history(rq)
	case routePrimary:
		return s.primary(rq)
	}
	f, p := s.find(rq.group)
	if p != nil {
		return p
	}
	lines := rq.route == routeTransactions && isLines(&rq.ctx.Request.Header)
	if lines {
		return s.transactions(rq, f)
	}
	limit := maxDocumentBytes
	if rq.route == routeSchema {
		limit = maxSchemaBytes
	}
	if p := s.readBody(rq, limit); p != nil {
		return p
	}
	if f == nil {
		unreachable := &Problem{Code: "no_primary", Detail: "no node with a copy of the group could be reached", Group: rq.group}
		if rq.route == routeQuery || rq.route == routeRows {
			return s.readWithoutCopy(rq, unreachable)
		}
		return s.forward(rq, unreachable)
	}
	s.stampLag(rq, f)
	switch rq.route {
	case routeTransactions:
		return s.transact(rq, f)
	case routeSchema:
		if methodOf(&rq.ctx.Request.Header) == put {
			return s.putSchema(rq, f)
		}
		return s.read(rq, f, s.getSchema)
	case routeTransaction:
		return s.getOutcome(rq, f)
	case routeTrust:
		return s.trust(rq)
	case routeVerify:
		return s.verify(rq)
	case routeQuery:
		return s.read(rq, f, s.query)
	default:
		return s.read(rq, f, s.rows)
	}
}

// exists refuses a group that there is none of. A node that has just started,
// or has not heard yet of a group made through another, asks before it says so.
func (s *Server) exists(rq *request) *Problem {
	if _, known := s.cfg.Cluster.Lookup(rq.group); known {
		return nil
	}
	until := time.Now().Add(s.cfg.ReadPatience)
	if rq.deadline.Before(until) {
		until = rq.deadline
	}
	ctx, cancel := context.WithDeadline(s.ctx, until)
	defer cancel()
	if err := s.cfg.Cluster.CatchUp(ctx); err != nil {
		return problemOf(err)
	}
	if _, known := s.cfg.Cluster.Lookup(rq.group); !known {
		return unknownGroup(rq.group)
	}
	return nil
}

// find is the group's front; nil where this node has no copy of it.
func (s *Server) find(name string) (*front, *Problem) {
	g, known := s.cfg.Cluster.Lookup(name)
	if !known {
		return nil, unknownGroup(name)
	}
	if g == nil {
		return nil, nil
	}
	if f := s.heldFront(name, g); f != nil {
		return f, nil
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if f := s.heldFront(name, g); f != nil {
		return f, nil
	}
	f := &front{Group: g, name: name, contention: newContention()}
	f.rounds = newRounds(s.ctx, g.ReadIndex, s.cfg.Tick, s.metrics.rounds.Inc)
	g.Watch(f.rounds.overdue)
	s.fronts.Store(name, f)
	return f, nil
}

// heldFront is the front of a group, unless its copy was opened anew since.
func (s *Server) heldFront(name string, g Group) *front {
	if held, ok := s.fronts.Load(name); ok && held.(*front).Group == g {
		return held.(*front)
	}
	return nil
}

// stamp says which revision an answer reflects.
func (s *Server) stamp(rq *request, revision uint64) {
	var b [20]byte
	rq.ctx.Response.Header.SetCanonical(headerRevision, strconv.AppendUint(b[:0], revision, 10))
}

// stampLag gives every answer of a group what this copy knows; stamp replaces
// the revision by the answer's own.
func (s *Server) stampLag(rq *request, f *front) {
	var b [20]byte
	h := &rq.ctx.Response.Header
	_, revision := f.Applied()
	h.SetCanonical(headerRevision, strconv.AppendUint(b[:0], revision, 10))
	h.SetCanonical(headerLag, strconv.AppendUint(b[:0], f.Lag(), 10))
	if c, ok := f.Group.(elected); ok && !c.HasPrimary() {
		h.SetCanonical(headerMajority, noMajority)
	}
}

// elected is a copy that knows whether its group has a primary. A primary that can't
// reach a majority gives up within an election's time, so that a group without one has
// lost it, or is about to elect another. What is read there is marked.
type elected interface{ HasPrimary() bool }

var noMajority = []byte("none")

// refuse answers with a problem document.
func (s *Server) refuse(rq *request, p *Problem) {
	r := p.rule()
	h := &rq.ctx.Response.Header
	if p.Group == "" {
		p.Group = rq.group
	}
	if r.later && p.retryAfter == 0 {
		var f *front
		if held, ok := s.fronts.Load(rq.group); ok {
			f = held.(*front)
		}
		s.advise(p, f)
	}
	if p.retryAfter > 0 {
		h.Set(fasthttp.HeaderRetryAfter, strconv.FormatInt(ceil(p.retryAfter, time.Second), 10))
	}
	if p.Revision != 0 {
		s.stamp(rq, p.Revision)
	}
	s.metrics.refusals.WithLabelValues(p.label()).Inc()
	out := s.takeBuffer()
	out.b = p.appendJSON(out.b)
	rq.ctx.SetStatusCode(r.status)
	rq.ctx.SetContentTypeBytes(typeProblem)
	rq.ctx.SetBody(out.b)
	s.giveBuffer(out)
}

// brokenRequest answers what is no request at all.
func (s *Server) brokenRequest(ctx *fasthttp.RequestCtx, err error) {
	p := &Problem{Code: "malformed", Detail: "this is no HTTP request that the server understands"}
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &small):
		p = &Problem{Code: "header_too_large", Detail: "the head of the request is over " + strconv.Itoa(s.cfg.HeaderBytes) + " bytes"}
	case isTimeout(err):
		p = &Problem{Code: "deadline_exceeded", Detail: "the request did not come in time"}
	}
	rq := &request{ctx: ctx, start: ctx.Time()}
	s.refuse(rq, p)
	s.metrics.observe(routeUnknown, ctx.Response.StatusCode(), 0)
}

// quiet passes what fasthttp logs on: it is about single connections.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(format string, args ...any) {
	q.log.Debug("http", "detail", fmt.Sprintf(format, args...))
}
