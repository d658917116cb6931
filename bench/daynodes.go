package bench

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

func nodePath(node string, action ...string) string {
	return strings.Join(append([]string{"/v1/nodes", url.PathEscape(node)}, action...), "/")
}

// drainNode has a node give up all its duties, as for maintenance, and take part again.
func drainNode(ctx context.Context, d *day) (string, error) {
	node, err := d.cluster.Primary(ctx)
	if err != nil {
		return "", err
	}
	if _, err := d.cluster.request(ctx, "POST", nodePath(node, "drain"), map[string]bool{"partitions": false}); err != nil {
		return "", err
	}
	next, err := d.cluster.Primary(ctx)
	if err != nil {
		return "", err
	}
	if next == node {
		return "", fmt.Errorf("%s is drained, and is still the primary", node)
	}
	if _, err := d.cluster.request(ctx, "POST", nodePath(node, "undrain"), map[string]any{}); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, the primary, drained: %s took over; undrained", node, next), nil
}

// replaceNode has a new node take the place of one with a copy, and the old one go.
func replaceNode(ctx context.Context, d *day) (string, error) {
	have, err := d.copies(ctx, d.cluster.Group)
	if err != nil {
		return "", err
	}
	old, err := d.cluster.Node(have[0])
	if err != nil {
		return "", err
	}
	fresh, err := d.cluster.Grow(ctx)
	if err != nil {
		return "", err
	}
	d.cluster.Withdraw(old)
	if _, err := d.cluster.request(ctx, "POST", nodePath(old.Name, "replace"), map[string]string{"with": fresh.Name}); err != nil {
		return "", err
	}
	d.cluster.Retire(old)
	now, err := d.copies(ctx, d.cluster.Group)
	if err != nil {
		return "", err
	}
	if !slices.Contains(now, fresh.Name) || slices.Contains(now, old.Name) {
		return "", fmt.Errorf("%s was replaced with %s, and copies are on %s", old.Name, fresh.Name, strings.Join(now, ", "))
	}
	return fmt.Sprintf("%s replaced with %s: copies on %s", old.Name, fresh.Name, strings.Join(now, ", ")), nil
}
