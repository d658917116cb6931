package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Node is one node of a running cluster.
type Node struct {
	Name string `json:"name"`
	HTTP string `json:"http"`
	PID  int    `json:"pid"`
}

// Info is what dev tells of a cluster that is ready: the line of --json.
type Info struct {
	Group string `json:"group"`
	Data  string `json:"data"`
	Nodes []Node `json:"nodes"`
}

// member is a node of the cluster, running or not.
type member struct {
	name, http, raft string
	data, log        string
	args             []string

	turn sync.Mutex // held while the member is being started or stopped

	relaunched chan struct{} // holds one after each launch

	proc  *process      // the last run; guarded by Cluster.mu
	pause time.Duration // before it is started again by itself; of its watcher alone
}

// Cluster is a running cluster. It ends with Stop.
type Cluster struct {
	o        Options
	dir      string
	lock     *os.File
	rec      *record
	fresh    bool // the folder was new, or its cluster never got ready
	launcher *launcher
	members  []*member
	control  *control
	up       atomic.Bool // it was ready once

	mu       sync.Mutex
	stopping bool
	stopped  chan struct{} // closed when stopping begins
	watchers sync.WaitGroup
}

// Start starts a cluster, makes its group if it is new, and returns when it is
// ready. Where it fails nothing keeps running.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	c, err := open(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := c.bringUp(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// open takes the folder and looks at the ports; no child runs yet.
func open(o Options) (c *Cluster, err error) {
	if o.Data == "" {
		if o.Data, err = DataFolder(o.Port); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.Abs(o.Data)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	o.Data = dir
	lock, rec, err := takeFolder(dir)
	if err != nil {
		return nil, err
	}
	c = &Cluster{dir: dir, lock: lock, rec: rec, fresh: rec == nil || !rec.Made, stopped: make(chan struct{})}
	defer func() {
		if err != nil {
			lock.Close()
		}
	}()
	if err := o.complete(rec); err != nil {
		return nil, err
	}
	if err := o.freePorts(); err != nil {
		return nil, err
	}
	if err := keepDescriptors(); err != nil {
		return nil, err
	}
	c.o = o
	for i := range o.Nodes {
		c.members = append(c.members, o.member(i))
	}
	if c.control, err = listen(o.Port + raftOffset + o.Nodes); err != nil {
		return nil, err
	}
	c.launcher = newLauncher()
	return c, nil
}

// member describes the i-th node, from 0.
func (o *Options) member(i int) *member {
	m := &member{
		name: fmt.Sprintf("n%d", i+1),
		http: address(o.Port + i),
		raft: address(o.Port + raftOffset + i),

		relaunched: make(chan struct{}, 1),
	}
	m.data = filepath.Join(o.Data, m.name)
	m.log = filepath.Join(o.Data, m.name+".log")
	m.args = []string{"serve", "--name", m.name, "--data", m.data, "--http", m.http, "--raft", m.raft}
	if i == 0 {
		m.args = append(m.args, "--bootstrap")
	} else {
		m.args = append(m.args, "--join", address(o.Port+raftOffset))
	}
	return m
}

// bringUp starts the children and goes on until the cluster is ready.
func (c *Cluster) bringUp(ctx context.Context) error {
	if err := c.writeRecord(!c.fresh); err != nil {
		return err
	}
	first := c.members[0]
	if err := c.launch(first); err != nil {
		return err
	}
	if c.fresh {
		if err := c.waitAlive(ctx, first); err != nil {
			return err
		}
	}
	for _, m := range c.members[1:] {
		if err := c.launch(m); err != nil {
			return err
		}
	}
	if c.fresh {
		if err := c.make(ctx); err != nil {
			return err
		}
	}
	for _, m := range c.members {
		if err := c.waitReady(ctx, m); err != nil {
			return err
		}
	}
	if err := c.writeRecord(true); err != nil {
		return err
	}
	c.up.Store(true)
	c.control.serve(c)
	for _, m := range c.members {
		c.watchers.Go(func() { c.watch(m) })
	}
	return nil
}

func (c *Cluster) writeRecord(made bool) error {
	c.rec = &record{
		Version: recordVersion,
		Nodes:   c.o.Nodes, Copies: c.o.Copies, Group: c.o.Group, Port: c.o.Port, Made: made,
		PID: os.Getpid(), Control: c.control.address(), Token: c.control.token,
	}
	return c.rec.write(c.dir)
}

// launch starts a member that does not run.
func (c *Cluster) launch(m *member) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return errStopping
	}
	if err := os.MkdirAll(m.data, 0o700); err != nil {
		return fmt.Errorf("making %s's data folder: %w", m.name, err)
	}
	p, err := c.launcher.launch(c.o.Executable, m.args, m.data, m.log)
	if err != nil {
		return err
	}
	m.proc = p
	select {
	case m.relaunched <- struct{}{}:
	default:
	}
	return nil
}

var errStopping = errors.New("the cluster is being stopped")

// Fresh says whether the cluster was made by this Start.
func (c *Cluster) Fresh() bool { return c.fresh }

// Info describes the cluster as it runs now.
func (c *Cluster) Info() Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	info := Info{Group: c.o.Group, Data: c.dir}
	for _, m := range c.members {
		info.Nodes = append(info.Nodes, m.node())
	}
	return info
}

// node describes a member. The cluster's lock is held.
func (m *member) node() Node {
	n := Node{Name: m.name, HTTP: m.http}
	if m.proc != nil {
		n.PID = m.proc.pid()
	}
	return n
}

// Stop stops all nodes, each with time to hand over and drain, and lets the folder
// go.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	c.stopping = true
	close(c.stopped)
	var running []*member
	for _, m := range c.members {
		if m.proc != nil {
			running = append(running, m)
		}
	}
	c.mu.Unlock()
	c.control.close()
	var stops sync.WaitGroup
	for _, m := range running {
		stops.Go(func() {
			if m.proc.stop() {
				c.o.Notice(fmt.Sprintf("%s did not stop within %v and was killed", m.name, stopTime))
			}
		})
	}
	stops.Wait()
	c.watchers.Wait()
	c.launcher.close()
	c.rec.PID, c.rec.Control, c.rec.Token = 0, "", ""
	return errors.Join(c.rec.write(c.dir), c.lock.Close())
}
