package bench

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"
)

// yardstick is how many requests a second an empty handler answers to the same
// number of connections on this machine at this hour: what HTTP alone costs. The
// handler runs in this process.
func yardstick(ctx context.Context, t *transfers, connections int, d time.Duration) (float64, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("the yardstick's listener: %w", err)
	}
	server := &fasthttp.Server{Handler: func(*fasthttp.RequestCtx) {}, NoDefaultServerHeader: true}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	s, err := newServers([]string{l.Addr().String()}, "none", connections)
	if err != nil {
		return 0, err
	}
	defer s.close()
	total, took, err := hammer(ctx, t, s, connections, d)
	s.close()
	if failed := l.Close(); err == nil && failed != nil {
		err = failed
	}
	if failed := <-served; err == nil && failed != nil {
		err = failed
	}
	if err != nil {
		return 0, fmt.Errorf("measuring the empty handler: %w", err)
	}
	return float64(total) / took.Seconds(), nil
}

// hammer sends the workload's documents, one a request, for a time.
func hammer(ctx context.Context, t *transfers, s *servers, connections int, d time.Duration) (int64, time.Duration, error) {
	began := time.Now()
	counts := make([]int64, connections)
	g, ctx := errgroup.WithContext(ctx)
	for i := range connections {
		g.Go(func() error {
			var x exchange
			var body []byte
			for n := 0; time.Since(began) < d; n++ {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				body = t.appendDocument(body[:0], i, n)
				x.prepare(s, "application/json")
				x.req.SetBodyRaw(body)
				if err := s.hosts[0].DoDeadline(&x.req, &x.resp, time.Now().Add(attemptTime)); err != nil {
					return err
				}
				counts[i]++
			}
			return nil
		})
	}
	err := g.Wait()
	var total int64
	for _, n := range counts {
		total += n
	}
	return total, time.Since(began), err
}
