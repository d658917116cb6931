package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lockstep/router/client"
	"lockstep/testdata/chaos"
)

// FIG. 7 of the patent (paragraphs 64 to 67) on four real processes under load: the
// primary fails; a computing system that the policy names takes its duty over, and the
// rest follow it;
// the system that failed is repaired and rejoins, is brought up to date by the new
// primary, and does not take the duty back. A fourth system joins meanwhile. The wan
// profile keeps elections apart from what a busy machine does to short time-outs.
func TestFIG7(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	c, err := Open(ctx, ClusterConfig{
		Binary: build(t), Dir: t.TempDir(), Group: "fig7", Schema: chaos.Schema, Nodes: 4, Copies: 3, Profile: "wan",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(false); err != nil {
			t.Error(err)
		}
	}()
	trial, err := newTrial(ctx, c, 6, 100, 1, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer trial.close()
	if err := trial.during(ctx, func(ctx context.Context) error { return fig7(ctx, t, trial) }); err != nil {
		t.Fatal(err)
	}
	checks, err := trial.check(ctx, maxResend)
	if err == nil {
		err = checks.Failure()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func fig7(ctx context.Context, t *testing.T, trial *trial) error {
	c := trial.cluster
	group := &day{DayConfig: &DayConfig{}, trial: trial}
	failed, err := primaryNode(ctx, c)
	if err != nil {
		return err
	}
	if err := trial.crew.commitsAfter(ctx, trial.crew.gaps.now()); err != nil {
		return err
	}

	// The policy holds the primary and one other for equally good, and the third for
	// worse: whoever of the two has the duty keeps it.
	have, err := group.copies(ctx, c.Group)
	if err != nil {
		return err
	}
	next := have[0]
	if next == failed.Name {
		next = have[1]
	}
	if err := group.prefer(ctx, "fig7", "primary", failed.Name, next); err != nil {
		return err
	}

	// The primary fails, and the other one takes over: transactions commit.
	c.Kill(failed)
	group.away = []*Node{failed}
	if err := follow(ctx, c, next, failed.Name); err != nil {
		return err
	}
	if err := trial.crew.commitsAfter(ctx, trial.crew.gaps.now()); err != nil {
		return fmt.Errorf("after %s failed and %s took over: %w", failed.Name, next, err)
	}

	// A fourth system joins, and follows too.
	fourth, err := group.elsewhere(ctx)
	if err != nil {
		return err
	}
	if _, err := c.request(ctx, "POST", partitionsPath(c.Group), map[string]string{"node": fourth}); err != nil {
		return fmt.Errorf("%s joins: %w", fourth, err)
	}
	if err := follow(ctx, c, next, failed.Name); err != nil {
		return err
	}

	// The one that failed returns, is brought up to date, and follows like the others.
	what, err := returnFromDeath(ctx, group)
	if err != nil {
		return err
	}
	if err := follow(ctx, c, next, ""); err != nil {
		return err
	}
	v, err := c.Client().Verify(ctx, c.Group, startTime)
	if err != nil {
		return err
	}
	if check := checkDigests(v); !check.OK || len(v.Partitions) != 4 {
		t.Errorf("the copies are not brought up to date: %+v", check)
	}
	now, err := c.Primary(ctx)
	if err != nil {
		return err
	}
	if now != next {
		t.Errorf("%s took over from %s, which returned, and now the primary is %s", next, failed.Name, now)
	}
	t.Logf("%s failed, %s took over, %s joined; %s", failed.Name, next, fourth, what)
	return nil
}

// follow waits until a node is the primary and every other copy, but for one that is
// away, is an available subscriber that keeps up.
func follow(ctx context.Context, c *Cluster, primary, away string) error {
	ctx, cancel := context.WithTimeout(ctx, recoveryTime)
	defer cancel()
	return poll(ctx, "the others follow "+primary, func(ctx context.Context) error {
		s, err := c.Client().Status(ctx)
		if err != nil {
			return err
		}
		var amiss []string
		for _, g := range s.Groups {
			for _, p := range g.Partitions {
				role := "subscriber"
				if p.Node == primary {
					role = "primary"
				}
				if g.Name == c.Group && p.Node != away && (p.Role != role || p.Status != "available") {
					amiss = append(amiss, fmt.Sprintf("%s is %s, %s", p.Node, p.Role, p.Status))
				}
			}
			if away != "" && g.Name == c.Group && !slices.ContainsFunc(g.Partitions, func(p client.PartitionStatus) bool {
				return p.Node == away && p.Status == "unavailable"
			}) {
				amiss = append(amiss, away+" is not told to be away")
			}
		}
		if len(amiss) > 0 {
			return fmt.Errorf("the status says that %s", strings.Join(amiss, "; "))
		}
		return nil
	})
}
