package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Strike says which processes are killed at once.
type Strike string

// The strikes there are.
const (
	StrikePrimary Strike = "primary"
	StrikeOne     Strike = "one" // any
	StrikeTwo     Strike = "two"
	StrikeAll     Strike = "all"
)

// Downtime of what was killed, drawn anew for each process.
const (
	shortestDowntime = 50 * time.Millisecond
	longestDowntime  = time.Second
)

// striker kills processes and starts them again, by a plan that its seed makes.
type striker struct {
	cluster *Cluster
	gaps    *gapMeter
	every   time.Duration // between a strike's end and the next, on average
	random  *rand.Rand
	script  []Strike // made first, each when the one before is overcome

	kills, restarts int // processes
	strikes         map[Strike]int
	longest         []float64 // gap of each strike in milliseconds
}

func newStriker(c *Cluster, gaps *gapMeter, every time.Duration, seed uint64, script []Strike) *striker {
	return &striker{
		cluster: c, gaps: gaps, every: every, random: rand.New(rand.NewPCG(seed, seed)), script: script,
		strikes: map[Strike]int{},
	}
}

// run strikes until the context ends; then all processes run. scripted is called
// when the script is done, at once where there is none.
func (s *striker) run(ctx context.Context, scripted func()) error {
	for _, kind := range s.script {
		if err := s.strike(ctx, kind); err != nil {
			return err
		}
		if err := s.overcome(ctx); err != nil {
			return err
		}
	}
	scripted()
	for rest(ctx, s.pause()) {
		if err := s.strike(ctx, s.draw()); err != nil {
			return err
		}
	}
	return nil
}

// pause between two strikes: a quarter to seven quarters of what is wished, so
// that some meet a cluster that still recovers.
func (s *striker) pause() time.Duration {
	return s.every/4 + time.Duration(s.random.Int64N(int64(s.every)*3/2))
}

// draw chooses a strike.
func (s *striker) draw() Strike {
	switch n := s.random.IntN(10); {
	case n < 3:
		return StrikePrimary
	case n < 6:
		return StrikeOne
	case n < 8:
		return StrikeTwo
	}
	return StrikeAll
}

// strike kills, and starts what it killed after a while.
func (s *striker) strike(ctx context.Context, kind Strike) error {
	victims, err := s.victims(ctx, kind)
	if err != nil {
		return err
	}
	if len(victims) == 0 {
		return nil
	}
	s.note()
	s.strikes[kind]++
	s.kills += s.cluster.Kill(victims...)
	began := time.Now()
	downtime := make([]time.Duration, len(victims))
	for i := range downtime {
		downtime[i] = shortestDowntime + time.Duration(s.random.Int64N(int64(longestDowntime-shortestDowntime)))
	}
	slices.Sort(downtime)
	for i, n := range victims {
		rest(ctx, time.Until(began.Add(downtime[i]))) // at the end they start at once
		if err := s.cluster.Start(n); err != nil {
			return err
		}
		s.restarts++
	}
	return nil
}

// note takes down the longest gap since the strike before. Where nothing has
// committed since then, the two strikes have one gap, which is still open.
func (s *striker) note() {
	if gap := s.gaps.gap(); len(s.strikes) > 0 && gap > 0 {
		s.longest = append(s.longest, inMillis(gap))
	}
	s.gaps.reset()
}

// victims chooses processes, in random order.
func (s *striker) victims(ctx context.Context, kind Strike) ([]*Node, error) {
	nodes := slices.Clone(s.cluster.Nodes())
	s.random.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	switch kind {
	case StrikePrimary:
		name, err := s.cluster.Primary(ctx)
		if ctx.Err() != nil {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("looking for the primary to kill: %w", err)
		}
		n, err := s.cluster.Node(name)
		return []*Node{n}, err
	case StrikeOne:
		return nodes[:1], nil
	case StrikeTwo:
		return nodes[:2], nil
	case StrikeAll:
		return nodes, nil
	}
	return nil, fmt.Errorf("strike %q: there are %s, %s, %s and %s", kind, StrikePrimary, StrikeOne, StrikeTwo, StrikeAll)
}

// overcome waits until every node is ready again and transactions commit.
func (s *striker) overcome(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := s.cluster.WaitReady(ctx); err != nil {
		return err
	}
	at := s.gaps.now()
	return poll(ctx, "transactions commit", func(context.Context) error {
		if s.gaps.lastCommit() <= at {
			return fmt.Errorf("none has committed since all nodes are ready")
		}
		return s.cluster.Fault()
	})
}
