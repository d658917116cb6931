package dev

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"lockstep/router/client"
)

// make makes the group on the first nodes and applies its schema. Each step can
// be repeated: a dev that was interrupted before the end does all of it again.
func (c *Cluster) make(ctx context.Context) error {
	for _, m := range c.members {
		if err := c.waitAlive(ctx, m); err != nil {
			return err
		}
	}
	if err := c.waitListed(ctx); err != nil {
		return err
	}
	cl, err := client.New(client.Config{Servers: []string{c.members[0].http}, DialPatience: -1, UserAgent: "lockstep-dev"})
	if err != nil {
		return err
	}
	defer cl.Close()
	group := client.Group{Name: c.o.Group}
	for _, m := range c.members[:c.o.Copies] {
		group.Nodes = append(group.Nodes, m.name)
	}
	if _, err := cl.CreateGroup(ctx, group); err != nil {
		return c.notInTime(ctx, fmt.Errorf("making the group %s: %w", c.o.Group, err))
	}
	if _, err := cl.PutSchema(ctx, c.o.Group, c.o.Schema, client.SchemaOptions{}); err != nil {
		return c.notInTime(ctx, fmt.Errorf("applying the schema: %w", err))
	}
	return nil
}

// waitAlive waits until a node answers at all.
func (c *Cluster) waitAlive(ctx context.Context, m *member) error {
	return c.poll(ctx, m, "does not answer", func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.http+"/healthz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("/healthz answers %s", resp.Status)
		}
		return nil
	})
}

// waitListed waits until the first node knows all others: a group is made of
// nodes that the cluster knows.
func (c *Cluster) waitListed(ctx context.Context) error {
	first := c.members[0]
	cl, err := client.New(client.Config{Servers: []string{first.http}})
	if err != nil {
		return err
	}
	defer cl.Close()
	return c.poll(ctx, first, "does not know all nodes", func(ctx context.Context) error {
		s, err := cl.Status(ctx)
		if err != nil {
			return err
		}
		known := map[string]bool{}
		for _, n := range s.Nodes {
			known[n.Name] = true
		}
		for _, m := range c.members {
			if !known[m.name] {
				return fmt.Errorf("%s has not joined yet", m.name)
			}
		}
		return nil
	})
}

// probe is a query that needs the group's primary and nothing of its schema.
const probe = `{"steps": [{"let": {"x": "1"}}], "return": "x"}`

// waitReady waits until a node says that it is ready, and until a linearizable
// query through it succeeds: then a write through it commits.
func (c *Cluster) waitReady(ctx context.Context, m *member) error {
	cl, err := client.New(client.Config{Servers: []string{m.http}})
	if err != nil {
		return err
	}
	defer cl.Close()
	return c.poll(ctx, m, "is not ready", func(ctx context.Context) error {
		if err := cl.Ready(ctx, m.http); err != nil {
			return err
		}
		_, err := cl.Query(ctx, c.o.Group, []byte(probe), client.ReadOptions{})
		return err
	})
}

// poll looks again and again until look finds no fault, the node ends, or there is
// no more time. failing says what is the matter until then.
func (c *Cluster) poll(ctx context.Context, m *member, failing string, look func(context.Context) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := errors.New("there was no time")
	for {
		one, cancel := context.WithTimeout(ctx, requestTime)
		err := look(one)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		if err := c.casualty(m); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return c.notInTime(ctx, fmt.Errorf("%s %s: %w; its log is %s", m.name, failing, last, m.log))
		case <-tick.C:
		}
	}
}

// casualty finds a node that has ended although the one waited for may need it:
// while the cluster is starting any node, afterwards that one alone.
func (c *Cluster) casualty(waited *member) error {
	for _, m := range c.members {
		p := c.current(m)
		if p == nil || !p.ended() || c.up.Load() && m != waited {
			continue
		}
		return fmt.Errorf("%s ended before the cluster was ready: %s; its log, %s, ends with\n%s", m.name, p.state, m.log, p.lastWords())
	}
	return nil
}

// notInTime keeps an interruption apart from what it interrupted.
func (c *Cluster) notInTime(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return context.Canceled
	}
	return err
}
