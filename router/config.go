package router

import (
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a front is made of. Zero fields take the value of Defaults.
type Config struct {
	// Cluster is the node that this front stands before.
	Cluster Cluster
	// Forwarder reaches nodes that have a copy of a group that this node lacks;
	// nil: such groups are refused with 503.
	Forwarder Forwarder
	// Tasks keeps the tasks of applications and tells who holds which; nil: this
	// front serves none.
	Tasks Tasks
	// Readers knows which copies may serve reads; nil: a read is served here, or where
	// Forwarder takes it.
	Readers Readers
	// Settings keeps the groups' settings; nil: this front serves none.
	Settings Settings
	// Log takes panics and broken streams; nil: the process's default.
	Log *slog.Logger
	// Policies keeps the placement policies; nil: this front serves none.
	Policies Policies
	// Registry is where metrics are registered and what /metrics shows, so that
	// the node's other parts can show theirs there; nil: one of its own.
	Registry *prometheus.Registry

	// ReadTimeout bounds the reading of a request; a stream's each wait for more.
	ReadTimeout time.Duration
	// WriteTimeout bounds each write of an answer: a client that does not read
	// is let go.
	WriteTimeout time.Duration
	// IdleTimeout bounds how long a connection is kept for the next request.
	IdleTimeout time.Duration
	// StreamIdle bounds how long a stream of transactions may pause.
	StreamIdle time.Duration
	// Timeout is the deadline of a request that names none.
	Timeout time.Duration
	// ReadPatience bounds how long a read waits for a read-index round before it
	// says no_quorum, whatever its deadline: many elections fit in.
	ReadPatience time.Duration
	// Tick is Raft's tick (5 ms in the lan profile); ten of them without an
	// answer start another read-index round.
	Tick time.Duration
	// Election is how long the election of a primary takes at most, if nobody else
	// stands; who finds none is told to come again after that.
	Election time.Duration
	// Concurrency is the most connections served at once.
	Concurrency int
	// MaxConnsPerIP is the most connections of one address.
	MaxConnsPerIP int
	// HeaderBytes is the largest head of a request.
	HeaderBytes int
	// HeavyQueries is how many queries that use more than a transaction may run at
	// once; others wait.
	HeavyQueries int
}

// Defaults are the figures of a server in production.
func Defaults() Config {
	return Config{
		ReadTimeout:   30 * time.Second,
		WriteTimeout:  30 * time.Second,
		IdleTimeout:   2 * time.Minute,
		StreamIdle:    time.Minute,
		Timeout:       30 * time.Second, // interface.md: 30 s by default
		ReadPatience:  5 * time.Second,
		Tick:          5 * time.Millisecond,
		Election:      100 * time.Millisecond,
		Concurrency:   16384,
		MaxConnsPerIP: 8192,
		HeaderBytes:   16 << 10,
		// Half of the processors are left to the log.
		HeavyQueries: max(1, runtime.GOMAXPROCS(0)/2),
	}
}

// Validate names the field that is wrong and what to do about it.
func (c *Config) Validate() error {
	if c.Cluster == nil {
		return fmt.Errorf("router: Cluster is missing: give the node that the front stands before")
	}
	durations := []struct {
		name string
		is   time.Duration
	}{
		{"ReadTimeout", c.ReadTimeout}, {"WriteTimeout", c.WriteTimeout}, {"IdleTimeout", c.IdleTimeout},
		{"StreamIdle", c.StreamIdle}, {"Timeout", c.Timeout}, {"ReadPatience", c.ReadPatience}, {"Tick", c.Tick}, {"Election", c.Election},
	}
	for _, d := range durations {
		if d.is <= 0 {
			return fmt.Errorf("router: %s is %v: give a positive duration, or leave it out for the default", d.name, d.is)
		}
	}
	if c.Timeout > maxTimeout {
		return fmt.Errorf("router: Timeout is %v: give at most %v", c.Timeout, maxTimeout)
	}
	if c.Concurrency <= 0 || c.MaxConnsPerIP <= 0 {
		return fmt.Errorf("router: Concurrency is %d and MaxConnsPerIP %d: give positive numbers", c.Concurrency, c.MaxConnsPerIP)
	}
	if c.HeavyQueries <= 0 {
		return fmt.Errorf("router: HeavyQueries is %d: give a positive number", c.HeavyQueries)
	}
	if c.HeaderBytes < 4<<10 {
		return fmt.Errorf("router: HeaderBytes is %d: give at least 4096, for ids and trace headers must fit", c.HeaderBytes)
	}
	return nil
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	d := Defaults()
	fill(&c.ReadTimeout, d.ReadTimeout)
	fill(&c.WriteTimeout, d.WriteTimeout)
	fill(&c.IdleTimeout, d.IdleTimeout)
	fill(&c.StreamIdle, d.StreamIdle)
	fill(&c.Timeout, d.Timeout)
	fill(&c.ReadPatience, d.ReadPatience)
	fill(&c.Tick, d.Tick)
	fill(&c.Election, d.Election)
	fill(&c.Concurrency, d.Concurrency)
	fill(&c.MaxConnsPerIP, d.MaxConnsPerIP)
	fill(&c.HeaderBytes, d.HeaderBytes)
	fill(&c.HeavyQueries, d.HeavyQueries)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	return c
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
