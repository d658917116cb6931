package bench

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// copies are the nodes with a complete copy of a group, or one that will be, in the
// order of the status.
func (d *day) copies(ctx context.Context, group string) (nodes []string, err error) {
	s, err := d.cluster.Client().Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the cluster's status: %w", err)
	}
	for _, g := range s.Groups {
		if g.Name != group {
			continue
		}
		for _, p := range g.Partitions {
			if !p.Leaving && p.Kind != "witness" {
				nodes = append(nodes, p.Node)
			}
		}
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("the status knows no copy of group %s", group)
	}
	return nodes, nil
}

// elsewhere is a node without a copy of the group.
func (d *day) elsewhere(ctx context.Context) (string, error) {
	have, err := d.copies(ctx, d.cluster.Group)
	if err != nil {
		return "", err
	}
	for _, n := range d.cluster.Nodes() {
		if !slices.Contains(have, n.Name) {
			return n.Name, nil
		}
	}
	return "", fmt.Errorf("every node has a copy of group %s", d.cluster.Group)
}

// partitionsPath is where the copies of a group are asked for, and one of them where a
// node is named.
func partitionsPath(group string, node ...string) string {
	return strings.Join(append([]string{"/v1/groups", url.PathEscape(group), "partitions"}, node...), "/")
}

// moveCopy has a copy of the client's group leave its primary's node for one that has
// none.
func moveCopy(ctx context.Context, d *day) (string, error) {
	old, err := d.cluster.Primary(ctx)
	if err != nil {
		return "", err
	}
	to, err := d.elsewhere(ctx)
	if err != nil {
		return "", err
	}
	body := map[string]string{"node": to, "replaces": old}
	if _, err := d.cluster.request(ctx, "POST", partitionsPath(d.cluster.Group), body); err != nil {
		return "", err
	}
	now, err := d.copies(ctx, d.cluster.Group)
	return fmt.Sprintf("the copy of %s, the primary, moved to %s: copies on %s", old, to, strings.Join(now, ", ")), err
}

// rededicate has a node leave the second group for the client's: "a CSP removed from a
// group and added to a second" (claims 6 and 7).
func rededicate(ctx context.Context, d *day) (string, error) {
	have, err := d.copies(ctx, d.cluster.Group)
	if err != nil {
		return "", err
	}
	second, err := d.copies(ctx, secondGroup)
	if err != nil {
		return "", err
	}
	for _, node := range second {
		if slices.Contains(have, node) {
			continue
		}
		body := map[string]string{"node": node, "from": secondGroup}
		if _, err := d.cluster.request(ctx, "POST", partitionsPath(d.cluster.Group), body); err != nil {
			return "", err
		}
		now, err := d.copies(ctx, d.cluster.Group)
		return fmt.Sprintf("%s left group %s for %s: copies on %s", node, secondGroup, d.cluster.Group, strings.Join(now, ", ")), err
	}
	return "", fmt.Errorf("each node of group %s has a copy of %s", secondGroup, d.cluster.Group)
}

// removeCopy takes one of four copies away, the primary's.
func removeCopy(ctx context.Context, d *day) (string, error) {
	node, err := d.cluster.Primary(ctx)
	if err != nil {
		return "", err
	}
	if _, err := d.cluster.request(ctx, "DELETE", partitionsPath(d.cluster.Group, node), nil); err != nil {
		return "", err
	}
	now, err := d.copies(ctx, d.cluster.Group)
	return fmt.Sprintf("the copy of %s, the primary, removed: copies on %s", node, strings.Join(now, ", ")), err
}

// deleteSecond takes the second group away.
func deleteSecond(ctx context.Context, d *day) (string, error) {
	if _, err := d.cluster.request(ctx, "DELETE", "/v1/groups/"+secondGroup, nil); err != nil {
		return "", err
	}
	return "group " + secondGroup + " deleted", nil
}
