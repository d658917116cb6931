package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"lockstep/bench/wire"
	"lockstep/router/client"
)

// ErrFault is wrapped by the refusal of a fault that can't be made.
var ErrFault = errors.New("this fault can't be made")

// fault is a way to hurt a cluster. inject does it and gives what heals it; heal
// may be nil.
type fault struct {
	name   string
	own    bool // it needs processes that bench started itself
	apart  bool // each in a network namespace of its own
	probe  func(context.Context, *Cluster) error
	inject func(context.Context, *Cluster) (heal func(context.Context) error, err error)
}

// Faults are the names of the faults that RunFailover knows.
func Faults() []string {
	return []string{"kill", "pause", "handover", "drain", "partition", "restart-all", "none"}
}

// findFault gives a fault by its name, or says why there is none.
func findFault(name string) (fault, error) {
	switch name {
	case "kill":
		return fault{name: name, own: true, inject: killPrimary}, nil
	case "pause":
		return fault{name: name, own: true, inject: pausePrimary}, nil
	case "restart-all":
		return fault{name: name, own: true, inject: restartAll}, nil
	case "handover":
		return fault{name: name, probe: probeHandover, inject: handOver}, nil
	case "drain":
		return fault{name: name, inject: drainPrimary}, nil
	case "partition":
		return fault{name: name, own: true, apart: true, inject: cutOffPrimary}, nil
	case "none":
		return fault{name: name, inject: nothing}, nil
	}
	return fault{}, fmt.Errorf("fault %q: there are %s", name, strings.Join(Faults(), ", "))
}

// primaryNode is the process of the group's primary.
func primaryNode(ctx context.Context, c *Cluster) (*Node, error) {
	name, err := c.Primary(ctx)
	if err != nil {
		return nil, err
	}
	return c.Node(name)
}

// nothing happens: that is the longest gap without a fault, on this machine at this
// hour, to compare the others with.
func nothing(context.Context, *Cluster) (func(context.Context) error, error) { return nil, nil }

// drainPrimary has the primary's node drained, as before it is worked on; healed, it
// may lead again.
func drainPrimary(ctx context.Context, c *Cluster) (func(context.Context) error, error) {
	name, err := c.Primary(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.drain(ctx, name, "drain"); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return c.drain(ctx, name, "undrain") }, nil
}

// cutOffPrimary cuts the primary's node off from the others, and not from clients.
func cutOffPrimary(ctx context.Context, c *Cluster) (func(context.Context) error, error) {
	name, err := c.Primary(ctx)
	if err != nil {
		return nil, err
	}
	node, err := c.host(name)
	if err != nil {
		return nil, err
	}
	apart(c.Wire(), node, wire.Condition{Cut: true}, true, true)
	return func(context.Context) error {
		apart(c.Wire(), node, wire.Condition{}, true, true)
		return nil
	}, nil
}

func killPrimary(ctx context.Context, c *Cluster) (func(context.Context) error, error) {
	n, err := primaryNode(ctx, c)
	if err != nil {
		return nil, err
	}
	c.Kill(n)
	return func(context.Context) error { return c.Start(n) }, nil
}

func pausePrimary(ctx context.Context, c *Cluster) (func(context.Context) error, error) {
	n, err := primaryNode(ctx, c)
	if err != nil {
		return nil, err
	}
	if _, sent := n.signal(syscall.SIGSTOP, false); !sent {
		return nil, fmt.Errorf("pausing %s: it does not run", n.Name)
	}
	return func(ctx context.Context) error {
		rest(ctx, pauseTime-gapTime)
		if _, sent := n.signal(syscall.SIGCONT, false); !sent {
			return fmt.Errorf("waking %s: it does not run", n.Name)
		}
		return nil
	}, nil
}

func restartAll(_ context.Context, c *Cluster) (func(context.Context) error, error) {
	c.Kill(c.Nodes()...)
	for _, n := range c.Nodes() {
		if err := c.Start(n); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// probeHandover asks the present primary to be the primary: nothing changes where
// the cluster knows planned handovers.
func probeHandover(ctx context.Context, c *Cluster) error {
	name, err := c.Primary(ctx)
	if err != nil {
		return err
	}
	return c.makePrimary(ctx, name)
}

func handOver(ctx context.Context, c *Cluster) (func(context.Context) error, error) {
	s, err := c.client.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the cluster's status: %w", err)
	}
	next, err := successor(s, c.Group)
	if err != nil {
		return nil, err
	}
	return nil, c.makePrimary(ctx, next)
}

// successor is the copy after the primary, in the order of the status.
func successor(s *client.Status, group string) (string, error) {
	for _, g := range s.Groups {
		if g.Name != group {
			continue
		}
		for i, p := range g.Partitions {
			if p.Node == g.Primary && len(g.Partitions) > 1 {
				return g.Partitions[(i+1)%len(g.Partitions)].Node, nil
			}
		}
	}
	return "", fmt.Errorf("the group %s has no copy to hand over to", group)
}

// makePrimary asks for a planned handover.
func (c *Cluster) makePrimary(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeout(ctx, handoverTime)
	defer cancel()
	_, err := c.client.HandOver(ctx, c.Group, node)
	var p *client.Problem
	if errors.As(err, &p) && (p.Code == "not_found" || p.Code == "method_not_allowed" || p.Code == "not_implemented") {
		return fmt.Errorf("fault handover: %w: the cluster does not take it: %w", ErrFault, err)
	}
	if err != nil {
		return fmt.Errorf("asking for a handover to %s: %w", node, err)
	}
	return nil
}

// drain has a node drained, or undrained, and waits until it is.
func (c *Cluster) drain(ctx context.Context, node, verb string) error {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	base, err := client.BaseURL(c.servers[0])
	if err != nil {
		return err
	}
	path := "/v1/nodes/" + url.PathEscape(node) + "/" + verb
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, nil)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking for %s to be %sed: %w", node, verb, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	switch {
	case err != nil:
		return fmt.Errorf("asking for %s to be %sed: %w", node, verb, err)
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed:
		return fmt.Errorf("fault drain: %w: the cluster does not take POST %s: %s", ErrFault, path, bytes.TrimSpace(text))
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("asking for %s to be %sed: %s: %s", node, verb, resp.Status, bytes.TrimSpace(text))
	}
	return nil
}
