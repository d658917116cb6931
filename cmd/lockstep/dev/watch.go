package dev

import (
	"context"
	"fmt"
	"time"
)

// watch looks after one member until the cluster stops: a child that ends by
// itself is reported, and started again where that was asked for.
func (c *Cluster) watch(m *member) {
	var reported *process
	for {
		p := c.current(m)
		select {
		case <-p.done:
		case <-c.stopped:
			return
		}
		if !c.lost(m, p) {
			continue // stopping, or already started again: look anew
		}
		if p != reported {
			reported = p
			c.report(m, p)
		}
		if !c.next(m, p) {
			return
		}
	}
}

func (c *Cluster) current(m *member) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return m.proc
}

// lost says whether p ended by itself. A member that is being restarted just now
// is waited for.
func (c *Cluster) lost(m *member, p *process) bool {
	m.turn.Lock()
	defer m.turn.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.stopping && m.proc == p
}

func (c *Cluster) report(m *member, p *process) {
	text := fmt.Sprintf("%s (process %d) ended: %s", m.name, p.pid(), p.state)
	if !c.o.Restart {
		text += fmt.Sprintf("; start it again with: lockstep dev restart %s --data %s", m.name, c.dir)
	}
	c.o.Notice(text)
}

// next waits for a lost member to be started again, or does it; false: the
// cluster stops.
func (c *Cluster) next(m *member, p *process) bool {
	var due <-chan time.Time // never, unless children are to be started again
	if c.o.Restart {
		timer := time.NewTimer(m.nextPause(p))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-c.stopped:
		return false
	case <-m.relaunched:
	case <-due:
		c.respawn(m, p)
	}
	return true
}

// nextPause is how long to wait before the member is started again: longer each
// time that it does not stay.
func (m *member) nextPause(p *process) time.Duration {
	if time.Since(p.began) > steadyAfter {
		m.pause = 0
	}
	m.pause = min(max(firstRespawn, 2*m.pause), longestRespawn)
	return m.pause
}

// respawn starts a lost member again, unless somebody was quicker.
func (c *Cluster) respawn(m *member, p *process) {
	m.turn.Lock()
	defer m.turn.Unlock()
	if c.current(m) != p {
		return
	}
	if err := c.launch(m); err != nil {
		c.o.Notice(fmt.Sprintf("%s could not be started again: %v", m.name, err))
		return
	}
	c.o.Notice(fmt.Sprintf("%s was started again (process %d)", m.name, c.current(m).pid()))
}

// restart stops a member if it runs, starts it, and waits until it is ready.
func (c *Cluster) restart(ctx context.Context, name string) (Node, error) {
	m := c.find(name)
	if m == nil {
		return Node{}, fmt.Errorf("there is no node %q: the nodes are n1 to n%d", name, len(c.members))
	}
	m.turn.Lock()
	defer m.turn.Unlock()
	if c.current(m).stop() {
		c.o.Notice(fmt.Sprintf("%s did not stop within %v and was killed", m.name, stopTime))
	}
	if err := c.launch(m); err != nil {
		return Node{}, err
	}
	if err := c.waitReady(ctx, m); err != nil {
		return Node{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return m.node(), nil
}

func (c *Cluster) find(name string) *member {
	for _, m := range c.members {
		if m.name == name {
			return m
		}
	}
	return nil
}
