package node

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// checkMetrics count checkpoints and what came of them at this node.
type checkMetrics struct {
	checkpoints *prometheus.CounterVec
	verdicts    *prometheus.CounterVec
	divergences *prometheus.CounterVec
}

func newCheckMetrics() checkMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lockstep_" + name, Help: help}, labels)
	}
	return checkMetrics{
		checkpoints: counter("checkpoints_total", "Checkpoints that this node ordered as primary, by what was digested: running, or scrub for whole contents.", "group", "digest"),
		verdicts:    counter("verdicts_total", "Verdicts that this node ordered as primary: agreed, or none where no majority agreed.", "group", "result"),
		divergences: counter("divergences_total", "Copies of this node that were found to differ from the majority, by the digest that showed it: running or content.", "group", "digest"),
	}
}

// registry is where the node's metrics are, its front's included.
func (n *Node) registry() (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{n.checks.checkpoints, n.checks.verdicts, n.checks.divergences, n.policies.failures, newScrubMetrics(n)} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return r, nil
}

// scrubMetrics show how far this node's copies are checked, when it is asked for.
type scrubMetrics struct {
	node                    *Node
	verified, read, scrubAt *prometheus.Desc
}

func newScrubMetrics(n *Node) *scrubMetrics {
	return &scrubMetrics{
		node:     n,
		verified: prometheus.NewDesc("lockstep_verified_revision", "Revision of the last verdict that a majority agreed on, by digest: running or content.", []string{"group", "digest"}, nil),
		read:     prometheus.NewDesc("lockstep_scrub_read_bytes", "Bytes that the scrub under way at this node has read; absent where none is.", []string{"group"}, nil),
		scrubAt:  prometheus.NewDesc("lockstep_scrub_verdict_time_seconds", "When the last verdict on whole contents was ordered, Unix time.", []string{"group"}, nil),
	}
}

// Describe is for the registry.
func (s *scrubMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.verified, s.read, s.scrubAt} {
		ch <- d
	}
}

// Collect is for the registry.
func (s *scrubMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, c := range s.node.allCopies() {
		if c.name == systemGroup {
			continue
		}
		j := c.part.Judged()
		if j.Last != nil && !j.Last.Held() {
			gauge(s.verified, float64(j.Last.Revision), c.name, "running")
		}
		if j.Content != nil {
			gauge(s.verified, float64(j.Content.Revision), c.name, "content")
			gauge(s.scrubAt, float64(j.Content.TimeMillis)/1000, c.name)
		}
		if read, ok := c.part.Scrubbing(); ok {
			gauge(s.read, float64(read), c.name)
		}
	}
}
