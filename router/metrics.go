package router

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// metrics are what the front counts. Children are looked up once: counting on
// the path of a transaction is an addition.
type metrics struct {
	registry  *prometheus.Registry
	answers   [routeCount][6]prometheus.Counter // by the first digit of the status
	refusals  *prometheus.CounterVec
	seconds   [routeCount]prometheus.Observer
	inFlight  atomic.Int64
	lines     prometheus.Counter
	rounds    prometheus.Counter
	forwarded prometheus.Counter
	hedged    prometheus.Counter
}

// latencyBuckets go from a local read to a deadline, in seconds.
func latencyBuckets() []float64 {
	return []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30}
}

func newMetrics(registry *prometheus.Registry, cluster Cluster) (*metrics, error) {
	m := &metrics{registry: registry}
	answers := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lockstep_http_requests_total", Help: "Requests answered, by route and class of status.",
	}, []string{"route", "status"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "lockstep_http_request_seconds", Help: "Time from a request's head to its answer.", Buckets: latencyBuckets(),
	}, []string{"route"})
	for r := range routeCount {
		name := routeTable[r].name
		m.seconds[r] = seconds.WithLabelValues(name)
		for class := 1; class < len(m.answers[r]); class++ {
			m.answers[r][class] = answers.WithLabelValues(name, fmt.Sprintf("%dxx", class))
		}
	}
	m.refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lockstep_http_problems_total", Help: "Refusals, by code; aborts of users' codes count as aborted.",
	}, []string{"code"})
	inFlight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lockstep_http_in_flight", Help: "Requests being served.",
	}, func() float64 { return float64(m.inFlight.Load()) })
	m.lines = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "lockstep_http_stream_lines_total", Help: "Lines of streams that were answered.",
	})
	m.rounds = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "lockstep_read_index_rounds_total", Help: "Read-index rounds begun; many reads share one.",
	})
	m.forwarded = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "lockstep_http_forwarded_total", Help: "Requests sent on to a node with a copy.",
	})
	m.hedged = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "lockstep_reads_hedged_total", Help: "Reads for which a second copy was asked, for the first was late.",
	})
	for _, c := range []prometheus.Collector{answers, seconds, m.refusals, inFlight, m.lines, m.rounds, m.forwarded, m.hedged, newGroupMetrics(cluster)} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// observe counts an answer.
func (m *metrics) observe(r route, status int, took time.Duration) {
	m.answers[r][min(max(status/100, 1), 5)].Inc()
	m.seconds[r].Observe(took.Seconds())
}

// exposeMetrics answers in the text format of Prometheus.
func (s *Server) exposeMetrics(rq *request) *Problem {
	families, err := s.metrics.registry.Gather()
	if err != nil {
		return &Problem{Code: "internal", Detail: err.Error()}
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	var out bytes.Buffer
	e := expfmt.NewEncoder(&out, format)
	for _, family := range families {
		if err := e.Encode(family); err != nil {
			return &Problem{Code: "internal", Detail: err.Error()}
		}
	}
	rq.ctx.SetContentType(string(format))
	rq.ctx.SetBody(out.Bytes())
	return nil
}

// groupMetrics shows the groups' status when it is asked for.
type groupMetrics struct {
	cluster                         Cluster
	revision, lag, primary, keeping *prometheus.Desc
	diverged, held                  *prometheus.Desc
}

func newGroupMetrics(cluster Cluster) *groupMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("lockstep_group_"+name, help, labels, nil)
	}
	return &groupMetrics{
		cluster:  cluster,
		revision: desc("revision", "Revision of each copy as last heard.", "group", "node"),
		lag:      desc("lag_revisions", "Revisions that each copy is behind the primary as last heard.", "group", "node"),
		primary:  desc("has_primary", "1 where the group has a primary.", "group"),
		keeping:  desc("key_window_seconds", "For how long clients' keys are really kept.", "group"),
		diverged: desc("copy_diverged", "1 where a copy differs from the majority and is built anew.", "group", "node"),
		held:     desc("held", "1 where copies differ and no majority agrees: the group takes no changes.", "group"),
	}
}

// Describe is for the registry.
func (g *groupMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.revision, g.lag, g.primary, g.keeping, g.diverged, g.held} {
		ch <- d
	}
}

// Collect is for the registry.
func (g *groupMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, group := range g.cluster.Groups() {
		gauge(g.primary, one(group.Primary != ""), group.Name)
		gauge(g.held, one(group.Held != ""), group.Name)
		gauge(g.keeping, float64(group.KeyWindowSeconds), group.Name)
		for _, p := range group.Partitions {
			gauge(g.revision, float64(p.Revision), group.Name, p.Node)
			gauge(g.lag, float64(p.Lag), group.Name, p.Node)
			gauge(g.diverged, one(p.Status == "diverged"), group.Name, p.Node)
		}
	}
}

// one is a condition as a metric has it.
func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
