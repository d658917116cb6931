package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sync/errgroup"

	"lockstep/router/client"
	"lockstep/testdata/bank"
)

// CertifyConfig of clients that all change the same few rows by what they hold:
// each reads a row, adds to it, and writes with an expectation, in a closed loop.
type CertifyConfig struct {
	Cluster     ClusterConfig
	Connections int           // clients, spread over the nodes
	Rows        int           // that they contend for
	Backoff     string        // one of Backoffs
	Consistency string        // of the reads: linearizable, session, bounded (by 100 ms), local
	Warmup      time.Duration // before the measured time
	Duration    time.Duration // measured
	Each        int           // increments that each client makes; above 0 the time ends nothing
	Seed        uint64        // of which rows are taken

	// Progress is told what goes on; nil: nobody wants to know. It must be quick.
	Progress func(string)
}

// Backoffs are the ways of waiting after a conflict: as the server advises, twice
// as long each time, not at all.
func Backoffs() []string { return []string{"advised", "exponential", "none"} }

func (c *CertifyConfig) backoff() func(int, *client.Problem) time.Duration {
	switch c.Backoff {
	case "exponential":
		return client.Exponential
	case "none":
		return func(int, *client.Problem) time.Duration { return 0 }
	}
	return client.Advised
}

// Validate names the field that can't be, and what can.
func (c *CertifyConfig) Validate() error {
	switch {
	case !slices.Contains(Backoffs(), c.Backoff):
		return fmt.Errorf("backoff %q: there are %v", c.Backoff, Backoffs())
	case !slices.Contains([]string{"linearizable", "session", "bounded", "local"}, c.Consistency):
		return fmt.Errorf("consistency %q: there are linearizable, session, bounded and local", c.Consistency)
	case c.Duration <= 0 || c.Warmup < 0:
		return fmt.Errorf("duration %v, warmup %v: the duration must be above 0, the warmup not below", c.Duration, c.Warmup)
	}
	return validWork(c.Connections, c.Rows)
}

// Certify is the result. Figures are absent where a check failed.
type Certify struct {
	Workload    string   `json:"workload"`
	Connections int      `json:"connections"`
	Rows        int      `json:"rows"`
	Backoff     string   `json:"backoff"`
	Consistency string   `json:"consistency"`
	PerSecond   *float64 `json:"tx_per_second,omitempty"` // committed
	P50         *float64 `json:"p50_ms,omitempty"`        // from the first read to the commit
	P99         *float64 `json:"p99_ms,omitempty"`
	Errors      int64    `json:"errors"` // that were no conflict

	Conflicts          int64    `json:"conflicts"`
	AttemptsPerSuccess *float64 `json:"attempts_per_success,omitempty"`
	P99Attempts        int64    `json:"p99_attempts"`
	MaxAttempts        int64    `json:"max_attempts"`
	GaveUp             int64    `json:"gave_up"` // after all attempts that a client makes
	Fewest             int64    `json:"fewest_successes"`
	Median             int64    `json:"median_successes"` // of a client
	Most               int64    `json:"most_successes"`

	Checks    Checks   `json:"checks"`
	Yardstick *float64 `json:"yardstick_per_second,omitempty"`
}

// RunCertify opens the cluster, measures and checks. An error of type *ChecksError
// comes with the result; the folder of an own cluster is then kept.
func RunCertify(ctx context.Context, cfg CertifyConfig) (*Certify, error) {
	cfg.Cluster.Schema = bank.Schema
	cfg.Progress = orNobody(cfg.Progress)
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Progress("starting the cluster")
	c, err := Open(ctx, cfg.Cluster)
	if err != nil {
		return nil, err
	}
	result, err := cfg.measure(ctx, c)
	return result, c.finish(err)
}

func (cfg *CertifyConfig) measure(ctx context.Context, c *Cluster) (*Certify, error) {
	t := newTransfers(cfg.Seed, cfg.Rows)
	s, err := newServers(c.Servers(), c.Group, cfg.Connections+loadConnections)
	if err != nil {
		return nil, err
	}
	defer s.close()
	cfg.Progress("measuring the empty handler")
	empty, err := yardstick(ctx, t, cfg.Connections, min(cfg.Duration, yardstickTime))
	if err != nil {
		return nil, err
	}
	if err := openAccounts(ctx, t, s, cfg.Progress); err != nil {
		return nil, err
	}
	run := &contest{cfg: cfg, cluster: c, t: t, added: make([]atomic.Int64, cfg.Rows)}
	if err := run.all(ctx); err != nil {
		return nil, err
	}
	result := run.result()
	if result.Checks, err = run.audit(ctx); err != nil {
		return nil, err
	}
	if err := result.Checks.Failure(); err != nil {
		result.PerSecond, result.P50, result.P99, result.AttemptsPerSuccess = nil, nil, nil, nil
		return result, err
	}
	result.Yardstick = &empty
	return result, nil
}

// contest is one run.
type contest struct {
	cfg      *CertifyConfig
	cluster  *Cluster
	t        *transfers
	from, to time.Time
	added    []atomic.Int64 // by row: what was acknowledged
	commits  atomic.Int64   // for progress
	clients  []*contestant
}

// contestant is one client. Its figures are of loops that end in the measured time.
type contestant struct {
	*contest
	number    int
	client    *client.Client
	latency   *hdrhistogram.Histogram // microseconds of a whole loop
	attempts  *hdrhistogram.Histogram // of a loop that committed
	conflicts int64
	gaveUp    int64
	errors    int64
}

func newContestant(r *contest, number int) *contestant {
	return &contestant{contest: r, number: number,
		latency: hdrhistogram.New(1, time.Hour.Microseconds(), 3), attempts: hdrhistogram.New(1, 1_000_000, 3)}
}

// all has every client work until the time is up.
func (r *contest) all(ctx context.Context) error {
	r.from = time.Now().Add(r.cfg.Warmup)
	r.to = r.from.Add(r.cfg.Duration)
	servers := r.cluster.Servers()
	g, ctx := errgroup.WithContext(ctx)
	for i := range r.cfg.Connections {
		first := i % len(servers)
		one := newContestant(r, i)
		c, err := client.New(client.Config{
			Servers: slices.Concat(servers[first:], servers[:first]), UserAgent: "lockstep-bench",
			DialPatience: -1, Timeout: patience,
			OnRetry: func(string, error) { one.errors++ },
		})
		if err != nil {
			return fmt.Errorf("making client %d: %w", i, err)
		}
		one.client = c
		r.clients = append(r.clients, one)
		g.Go(func() error {
			defer c.Close()
			if err := one.work(ctx); err != nil {
				return fmt.Errorf("client %d: %w", i, err)
			}
			return nil
		})
	}
	told, end := context.WithCancel(ctx)
	defer end()
	go r.tell(told)
	return g.Wait()
}

// tell tells how it goes, once a second.
func (r *contest) tell(ctx context.Context) {
	var before int64
	for rest(ctx, time.Second) {
		count := r.commits.Load()
		r.cfg.Progress(fmt.Sprintf("contending: %d commits in the last second, %d s to go", count-before, int(time.Until(r.to).Seconds())))
		before = count
	}
}

// work increments rows drawn at random, one after the other.
func (c *contestant) work(ctx context.Context) error {
	draw := rand.New(rand.NewPCG(c.cfg.Seed, uint64(c.number)))
	var seen uint64
	for made := 0; c.goesOn(made); made++ {
		row, amount := draw.IntN(c.cfg.Rows), 1+draw.Int64N(maxAmount)
		began := time.Now()
		done, err := c.increment(ctx, row, amount, seen)
		var lost *client.Contended
		switch {
		case errors.As(err, &lost):
			c.count(began, lost.Attempts, lost.Attempts, false)
			continue
		case err != nil:
			return err
		}
		seen = done.Revision
		c.added[row].Add(amount)
		c.commits.Add(1)
		c.count(began, done.Attempts, done.Attempts-1, true)
	}
	return nil
}

// goesOn tells whether there is more to do, after so many loops.
func (c *contestant) goesOn(made int) bool {
	if c.cfg.Each > 0 {
		return made < c.cfg.Each
	}
	return time.Now().Before(c.to)
}

// increment adds to a row what it computes here from the row as it was read.
func (c *contestant) increment(ctx context.Context, row int, amount int64, seen uint64) (*client.Certified, error) {
	id := string(c.t.appendAccount(nil, row))
	read := client.ReadOptions{Consistency: c.cfg.Consistency}
	switch c.cfg.Consistency {
	case "session":
		read.MinRevision = seen
	case "bounded":
		read.MaxLag = 100 * time.Millisecond
	}
	return c.client.Certify(ctx, c.cluster.Group, client.CertifyOptions{Read: read, Backoff: c.cfg.backoff()}, func(a *client.Attempt) error {
		var account struct{ Balance int64 }
		if _, err := a.Row("accounts", &account, id); err != nil {
			return err
		}
		a.Update("accounts", map[string]any{"balance": account.Balance + amount}, id)
		return nil
	})
}

func (c *contestant) count(began time.Time, attempts, conflicts int, committed bool) {
	ended := time.Now()
	if c.cfg.Each == 0 && (ended.Before(c.from) || ended.After(c.to)) {
		return
	}
	c.conflicts += int64(conflicts)
	if !committed {
		c.gaveUp++
		return
	}
	// Neither takes as much as the histograms hold.
	_ = c.attempts.RecordValue(int64(attempts))
	_ = c.latency.RecordValue(max(1, ended.Sub(began).Microseconds()))
}

// result adds up what the clients counted.
func (r *contest) result() *Certify {
	result := &Certify{
		Workload: "certify", Connections: r.cfg.Connections, Rows: r.cfg.Rows,
		Backoff: r.cfg.Backoff, Consistency: r.cfg.Consistency,
	}
	latency, attempts := newContestant(r, -1).latency, newContestant(r, -1).attempts
	var successes []int64
	for _, c := range r.clients {
		result.Conflicts += c.conflicts
		result.GaveUp += c.gaveUp
		result.Errors += c.errors
		successes = append(successes, c.attempts.TotalCount())
		latency.Merge(c.latency)
		attempts.Merge(c.attempts)
	}
	slices.Sort(successes)
	result.Fewest, result.Median, result.Most = successes[0], successes[len(successes)/2], successes[len(successes)-1]
	total := float64(attempts.TotalCount())
	took := r.cfg.Duration
	if r.cfg.Each > 0 {
		took = time.Since(r.from)
	}
	rate := total / took.Seconds()
	p50, p99 := millis(latency.ValueAtPercentile(50)), millis(latency.ValueAtPercentile(99))
	each := (total + float64(result.Conflicts)) / max(total, 1)
	result.PerSecond, result.P50, result.P99, result.AttemptsPerSuccess = &rate, &p50, &p99, &each
	result.P99Attempts, result.MaxAttempts = attempts.ValueAtPercentile(99), attempts.Max()
	return result
}

// audit checks that no update was lost and the copies are equal.
func (r *contest) audit(ctx context.Context) (Checks, error) {
	r.cfg.Progress("checking that no update was lost")
	balances, err := readBalances(ctx, r.cluster, r.t)
	if err != nil {
		return nil, err
	}
	r.cfg.Progress("comparing the copies")
	v, err := r.cluster.Client().Verify(ctx, r.cluster.Group, startTime)
	if err != nil {
		return nil, fmt.Errorf("comparing the copies: %w", err)
	}
	added := make([]int64, len(r.added))
	for i := range r.added {
		added[i] = r.added[i].Load()
	}
	checks := Checks{checkAdded(balances, added), checkDigests(v), checkNodes(r.cluster)}
	if r.cfg.Backoff == "advised" {
		checks = append(checks, r.checkProgress())
	}
	return checks, nil
}

// checkAdded: each row holds what it began with and every acknowledged increment,
// no more and no less.
func checkAdded(balances, added []int64) Check {
	var f finding
	var sum int64
	for i, b := range balances {
		sum += b
		if i < len(added) && b != firstBalance+added[i] {
			f.add("row %d holds %d, and the acknowledged increments make it %d", i, b, firstBalance+added[i])
		}
	}
	if len(balances) != len(added) {
		f.add("%d rows were made, %d are there", len(added), len(balances))
	}
	return f.check("no_update_lost", "%d rows hold %d", len(balances), sum)
}

// checkProgress: every client got through. It is what the advice is for; without
// it some may not, and the figures say so.
func (r *contest) checkProgress() Check {
	var f finding
	for _, c := range r.clients {
		if c.attempts.TotalCount() == 0 {
			f.add("client %d had no success", c.number)
		}
	}
	return f.check("everyone_progressed", "%d clients", len(r.clients))
}
