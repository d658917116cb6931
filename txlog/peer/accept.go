package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"
)

// accept takes connections until the listener is closed. Whatever else goes wrong passes: it waits and goes on.
func (n *Network) accept() {
	wait := acceptBackoffMin
	for {
		raw, err := n.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			n.cfg.Log.Warn("accepting a peer's connection failed", "error", err, "wait", wait)
			select {
			case <-n.ctx.Done():
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, acceptBackoffMax)
			continue
		}
		wait = acceptBackoffMin
		if !n.admit(raw) {
			_ = raw.Close()
			continue
		}
		n.workers.Go(func() { n.serve(raw) })
	}
}

// admit counts an accepted connection in, unless there are too many.
func (n *Network) admit(raw net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || n.acceptedBy >= MaxConnections || len(n.pending) >= MaxHandshakes {
		return false
	}
	n.acceptedBy++
	n.pending[raw] = struct{}{}
	return true
}

// serve is the life of an accepted connection.
func (n *Network) serve(raw net.Conn) {
	defer func() {
		n.mu.Lock()
		n.acceptedBy--
		delete(n.pending, raw)
		n.mu.Unlock()
		_ = raw.Close()
	}()
	tune(raw)
	_ = raw.SetDeadline(time.Now().Add(n.cfg.HandshakeTimeout))
	h, err := readHello(raw)
	if err != nil {
		if errors.Is(err, ErrIncompatible) && !errors.Is(err, io.EOF) {
			n.answer(raw, refusedVersion, err.Error())
		}
		n.cfg.Log.Debug("handshake failed", "remote", raw.RemoteAddr().String(), "error", err)
		return
	}
	handler, status, reason := n.judge(&h)
	if err := n.answer(raw, status, reason); err != nil || status != accepted {
		n.cfg.Log.Log(n.ctx, refusalLevel(status), "connection refused", "node", nodeText(h.From),
			"remote", raw.RemoteAddr().String(), "service", string(rune(h.Service)), "reason", reason)
		return
	}
	_ = raw.SetDeadline(time.Time{})
	c := newConn(n, raw, h.Service)
	c.node, c.cluster = h.From, h.Cluster
	n.mu.Lock()
	delete(n.pending, raw)
	n.mu.Unlock()
	if !n.keep(c) {
		return
	}
	defer c.Close()
	if !h.Cluster.IsZero() {
		n.Learn(h.From, h.Address)
	}
	handler(h.From, c)
}

// judge decides on a Hello: whom it is served by, or why not.
func (n *Network) judge(h *hello) (Handler, refusal, string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.services[h.Service]
	open := s != nil && s.open
	switch {
	case h.To != 0 && h.To != n.cfg.Self:
		return nil, refusedNode, fmt.Sprintf("this is node %s, not %s", nodeText(n.cfg.Self), nodeText(h.To))
	case h.From == n.cfg.Self && h.Instance != n.instance:
		return nil, refusedDuplicate, fmt.Sprintf("node %s is this one: was its data folder copied?", nodeText(h.From))
	case !n.cluster.IsZero() && !h.Cluster.IsZero() && n.cluster != h.Cluster:
		return nil, refusedCluster, fmt.Sprintf("this node belongs to cluster %s, not to %s", n.cluster, h.Cluster)
	case s == nil:
		return nil, refusedService, fmt.Sprintf("service %d is not offered here", h.Service)
	case !open && n.cluster.IsZero():
		return nil, refusedCluster, "this node belongs to no cluster yet"
	case !open && h.Cluster.IsZero():
		return nil, refusedCluster, fmt.Sprintf("this node belongs to cluster %s: join it first", n.cluster)
	}
	return s.handle, accepted, ""
}

func (n *Network) answer(raw net.Conn, status refusal, reason string) error {
	w := welcome{Status: status, Cluster: n.Cluster(), Node: n.cfg.Self, Reason: reason}
	_, err := raw.Write(w.append(nil))
	return err
}

// Dial makes a connection of a service to a node.
func (n *Network) Dial(ctx context.Context, node uint64, service byte) (*Conn, error) {
	addr, ok := n.Address(node)
	if !ok {
		return nil, fmt.Errorf("dialling node %s: %w", nodeText(node), ErrUnknownNode)
	}
	return n.dial(ctx, node, addr, service)
}

// DialAddr makes a connection of a service to whichever node listens at an address; Conn.Node and
// Conn.Cluster tell which it was. The node's address is not learned.
func (n *Network) DialAddr(ctx context.Context, addr string, service byte) (*Conn, error) {
	return n.dial(ctx, 0, addr, service)
}

func (n *Network) dial(ctx context.Context, node uint64, addr string, service byte) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.HandshakeTimeout)
	defer cancel()
	stop := context.AfterFunc(n.ctx, cancel)
	defer stop()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, n.dialError(node, addr, err)
	}
	// A context that ends during the handshake closes the connection under it.
	unwatch := context.AfterFunc(ctx, func() { _ = raw.Close() })
	c, err := n.introduce(raw, node, service)
	if !unwatch() && err == nil {
		err = ctx.Err()
	}
	if err == nil && !n.keep(c) {
		err = ErrClosed
	}
	if err != nil {
		_ = raw.Close()
		if ctx.Err() != nil && !errors.Is(err, ErrClosed) {
			err = context.Cause(ctx)
		}
		return nil, n.dialError(node, addr, err)
	}
	return c, nil
}

func (n *Network) dialError(node uint64, addr string, err error) error {
	if n.ctx.Err() != nil {
		err = ErrClosed
	}
	if node == 0 { // whoever it is
		return fmt.Errorf("dialling %s (is this the raft address of a running node?): %w", addr, err)
	}
	return fmt.Errorf("dialling node %s at %s: %w", nodeText(node), addr, err)
}

// introduce says Hello and judges the answer.
func (n *Network) introduce(raw net.Conn, node uint64, service byte) (*Conn, error) {
	tune(raw)
	h := hello{
		Service: service, Cluster: n.Cluster(), From: n.cfg.Self, To: node,
		Instance: n.instance, Address: n.advertise,
	}
	if _, err := raw.Write(h.append(nil)); err != nil {
		return nil, err
	}
	w, err := readWelcome(raw)
	if err != nil {
		return nil, fmt.Errorf("reading the answer to the handshake: %w", err)
	}
	if err := w.Status.err(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, w.Reason)
	}
	if node != 0 && w.Node != node {
		return nil, fmt.Errorf("%w: it is %s", ErrWrongNode, nodeText(w.Node))
	}
	c := newConn(n, raw, service)
	c.node, c.cluster, c.dialled = w.Node, w.Cluster, true
	return c, nil
}

func nodeText(node uint64) string { return fmt.Sprintf("%016x", node) }

// refusalLevel is how much a refusal matters: a node that is starting refuses its peers for a moment.
func refusalLevel(status refusal) slog.Level {
	switch status {
	case accepted, refusedService, refusedCluster:
		return slog.LevelDebug
	}
	return slog.LevelWarn
}
