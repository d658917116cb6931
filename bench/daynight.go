package bench

import (
	"context"
	"fmt"
	"strings"

	"lockstep/router/client"
)

// roles counts a group's copies that answer, by what they are.
type roles struct {
	data, witnesses int
	unsettled       []string // copies that are neither, and why
}

func rolesOf(s *client.Status, group string) (r roles) {
	for _, g := range s.Groups {
		if g.Name != group {
			continue
		}
		for _, p := range g.Partitions {
			switch {
			case p.Status != "available":
				r.unsettled = append(r.unsettled, p.Node+" "+p.Role+" "+p.Status)
			case p.Role == "witness":
				r.witnesses++
			case p.Role == "joining":
				r.unsettled = append(r.unsettled, p.Node+" joining")
			default:
				r.data++
			}
		}
	}
	return r
}

// settle waits until the group has so many complete copies that answer and so many
// witnesses; whole says that there may be nothing else.
func (d *day) settle(ctx context.Context, data, witnesses int, whole bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	goal := fmt.Sprintf("%d copies and %d witnesses are there", data, witnesses)
	return poll(ctx, goal, func(ctx context.Context) error {
		s, err := d.cluster.Client().Status(ctx)
		if err != nil {
			return err
		}
		r := rolesOf(s, d.cluster.Group)
		if r.data != data || r.witnesses != witnesses || whole && len(r.unsettled) > 0 {
			return fmt.Errorf("there are %d and %d; else %s", r.data, r.witnesses, strings.Join(r.unsettled, ", "))
		}
		return nil
	})
}

// downToTheLastCopy kills one primary after the other until one copy is left, each when
// a witness has taken the place of the one before: "service as long as one CSP is
// operational" (paragraphs 35 and 36). Transactions go on.
func downToTheLastCopy(ctx context.Context, d *day) (string, error) {
	var names []string
	for killed := 1; killed < clusterNodes; killed++ {
		n, err := primaryNode(ctx, d.cluster)
		if err != nil {
			return "", err
		}
		d.Progress("night: killing " + n.Name)
		d.cluster.Kill(n)
		d.away, names = append(d.away, n), append(names, n.Name)
		if err := d.settle(ctx, clusterNodes-killed, killed, false); err != nil {
			return "", fmt.Errorf("after %s was killed: %w", n.Name, err)
		}
		if err := d.crew.commitsAfter(ctx, d.crew.gaps.now()); err != nil {
			return "", fmt.Errorf("after a witness took the place of %s: %w", n.Name, err)
		}
	}
	last, err := d.cluster.Primary(ctx)
	return fmt.Sprintf("%s killed one after the other, witnesses in their places; %s has the last copy", strings.Join(names, ", "), last), err
}

// wholeAgain has the nodes of the night return; the witnesses go.
func wholeAgain(ctx context.Context, d *day) (string, error) {
	what, err := returnFromDeath(ctx, d)
	if err != nil {
		return "", err
	}
	if err := d.settle(ctx, clusterNodes, 0, true); err != nil {
		return "", err
	}
	return what + "; the witnesses are gone", nil
}
