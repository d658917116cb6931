package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

func (a *app) nodeCommand() *cobra.Command {
	return a.family("node", "List, drain, remove and replace nodes; join tokens",
		a.nodeList(), a.nodeGet(), a.nodeDrain(), a.nodeUndrain(), a.nodeRemove(), a.nodeReplace(), a.nodeSet(), a.nodeToken())
}

func (a *app) nodeList() *cobra.Command {
	return a.asks(&cobra.Command{
		Use:   "list",
		Short: "List the nodes of the cluster",
		Args:  cobra.NoArgs,
	}, asking{
		what: func([]string) string { return "asking for the nodes" },
		do: func(ctx context.Context, cl *client.Client, _ []string) (json.RawMessage, error) {
			return cl.Nodes(ctx)
		},
		table: nodeTable,
	})
}

func (a *app) nodeGet() *cobra.Command {
	return a.asks(&cobra.Command{
		Use:   "get NODE",
		Short: "Show one node",
		Args:  cobra.ExactArgs(1),
	}, asking{
		what: func(args []string) string { return "asking for node " + args[0] },
		do: func(ctx context.Context, cl *client.Client, args []string) (json.RawMessage, error) {
			return cl.Node(ctx, args[0])
		},
	})
}

// nodeTable shows nodes, a line each.
func nodeTable(w io.Writer, doc json.RawMessage) error {
	var list struct {
		Nodes []client.NodeDetail `json:"nodes"`
	}
	if err := json.Unmarshal(doc, &list); err != nil {
		return fmt.Errorf("the answer is no list of nodes: %w", err)
	}
	t := newTable(w, "NODE", "STATUS", "HTTP", "VERSION", "CATALOG", "PRIMARY OF", "COPIES OF", "LABELS", "NOTE")
	for _, n := range list.Nodes {
		t.add(n.Name, n.Status, n.HTTP, n.Version, n.Catalog, strings.Join(n.Primaries, " "), strings.Join(n.Partitions, " "), joinPairs(n.Labels), nodeNote(&n))
	}
	return t.write(w)
}

func nodeNote(n *client.NodeDetail) string {
	var notes []string
	switch {
	case n.Removing && n.Successor != "":
		notes = append(notes, "is being replaced by "+n.Successor)
	case n.Removing:
		notes = append(notes, "is being removed")
	case n.Evacuating:
		notes = append(notes, "its copies go to other nodes")
	}
	if n.Dedicated != "" {
		notes = append(notes, "kept for "+n.Dedicated)
	}
	return strings.Join(append(notes, n.Blocked...), "; ")
}

// oneNode shows what has become of a node.
func oneNode(w io.Writer, doc json.RawMessage) error {
	return nodeTable(w, json.RawMessage(`{"nodes": [`+string(doc)+`]}`))
}

// left says what a node still has that drains.
func left(ctx context.Context, cl *client.Client, name string) string {
	doc, err := cl.Node(ctx, name)
	if err != nil {
		return ""
	}
	var n client.NodeDetail
	if err := json.Unmarshal(doc, &n); err != nil {
		return ""
	}
	text := fmt.Sprintf("primary of %d groups, copies of %d", len(n.Primaries), len(n.Partitions))
	for _, group := range n.Partitions {
		if on := joiner(ctx, cl, group, name); on != "" {
			text += "; " + group + " to " + on
		}
	}
	if len(n.Blocked) > 0 {
		text += "; " + strings.Join(n.Blocked, "; ")
	}
	return text
}

// joiner says how far the copy is that takes the place of a node's.
func joiner(ctx context.Context, cl *client.Client, group, name string) string {
	doc, err := cl.Partitions(ctx, group)
	if err != nil {
		return ""
	}
	var list struct {
		Partitions []client.PartitionStatus `json:"partitions"`
	}
	if err := json.Unmarshal(doc, &list); err != nil {
		return ""
	}
	for _, p := range list.Partitions {
		if p.Replaces == name && p.Progress != nil {
			return fmt.Sprintf("%s: revision %d of %d", p.Node, p.Progress.Revision, p.Progress.Of)
		}
	}
	return ""
}

func farNode(ctx context.Context, cl *client.Client, args []string) string {
	return left(ctx, cl, args[0])
}

func (a *app) nodeDrain() *cobra.Command {
	var partitions bool
	c := a.works(&cobra.Command{
		Use:   "drain NODE",
		Short: "Take a node out of service, for maintenance",
		Long: `Take a node out of service: what it is primary of and the tasks it has go to other
nodes, and it is given no more until lockstep node undrain. Its copies stay, and follow;
with --partitions they move to other nodes as well.`,
		Args: cobra.ExactArgs(1),
	}, working{
		asking: asking{what: func(args []string) string { return "draining node " + args[0] }, table: oneNode},
		work: func(ctx context.Context, cl *client.Client, args []string, wait bool) (json.RawMessage, error) {
			return cl.DrainNode(ctx, args[0], partitions, wait)
		},
		far: farNode,
	})
	c.Flags().BoolVar(&partitions, "partitions", false, "move its copies to other nodes as well")
	return c
}

func (a *app) nodeUndrain() *cobra.Command {
	return a.asks(&cobra.Command{
		Use:   "undrain NODE",
		Short: "Put a node in service again",
		Long:  "Put a node in service again; a drain, removal or replacement that is under way ends\nwhere it is.",
		Args:  cobra.ExactArgs(1),
	}, asking{
		what: func(args []string) string { return "undraining node " + args[0] },
		do: func(ctx context.Context, cl *client.Client, args []string) (json.RawMessage, error) {
			return cl.UndrainNode(ctx, args[0])
		},
		table: oneNode,
	})
}

func (a *app) nodeRemove() *cobra.Command {
	var force bool
	c := a.works(&cobra.Command{
		Use:   "remove NODE",
		Short: "Take a node out of the cluster for good",
		Long: `Take a node out of the cluster for good: one that is drained, or is dead. It is refused
for a node in use, unless --force is given, and always where a group or the catalog would
lose its majority or its last copy. The node's data folder can't be used again.`,
		Args: cobra.ExactArgs(1),
	}, working{
		asking: asking{what: func(args []string) string { return "removing node " + args[0] }, table: oneNode},
		work: func(ctx context.Context, cl *client.Client, args []string, wait bool) (json.RawMessage, error) {
			return cl.RemoveNode(ctx, args[0], force, wait)
		},
		far:  farNode,
		gone: []string{"not_found"},
	})
	c.Flags().BoolVar(&force, "force", false, "also if it answers and has copies, which its groups then lack")
	return c
}

func (a *app) nodeReplace() *cobra.Command {
	var with string
	c := a.works(&cobra.Command{
		Use:     "replace NODE --with NODE",
		Short:   "Have another node take all copies of one, which then goes for good",
		Example: "  lockstep node replace n2 --with n6",
		Args:    cobra.ExactArgs(1),
	}, working{
		asking: asking{what: func(args []string) string { return "replacing node " + args[0] }, table: oneNode},
		before: func([]string) error {
			if with == "" {
				return usagef("--with: name the node that takes its place")
			}
			return nil
		},
		work: func(ctx context.Context, cl *client.Client, args []string, wait bool) (json.RawMessage, error) {
			return cl.ReplaceNode(ctx, args[0], with, wait)
		},
		far: farNode,
	})
	c.Flags().StringVar(&with, "with", "", "the `NODE` that takes its place; it must have joined the cluster")
	return c
}

func (a *app) nodeSet() *cobra.Command {
	var (
		dedicated string
		labels    []string
		c         *cobra.Command
	)
	c = a.asks(&cobra.Command{
		Use:   "set NODE [--dedicated GROUP] [--label NAME=VALUE]",
		Short: "Keep a node for one group, or label it",
		Long: `Keep a node for one group, so that no other group has a copy on it ('' ends that), or
set labels over those of its configuration (NAME= sets an empty one, NAME- takes one away
again).`,
		Example: `  lockstep node set n5 --dedicated orders
  lockstep node set n5 --label zone=eu-1`,
		Args: cobra.ExactArgs(1),
	}, asking{
		what: func(args []string) string { return "setting node " + args[0] },
		do: func(ctx context.Context, cl *client.Client, args []string) (json.RawMessage, error) {
			change := client.NodeChange{}
			if c.Flags().Changed("dedicated") {
				change.Dedicated = &dedicated
			}
			var err error
			if change.Labels, err = labelChanges(labels); err != nil {
				return nil, usagef("--label: %w", err)
			}
			if change.Dedicated == nil && len(change.Labels) == 0 {
				return nil, usagef("give --dedicated or --label")
			}
			return cl.SetNode(ctx, args[0], change)
		},
		table: oneNode,
	})
	c.Flags().StringVar(&dedicated, "dedicated", "", "the only `GROUP` that may have a copy on it")
	c.Flags().StringSliceVar(&labels, "label", nil, "a label, `NAME=VALUE`, or NAME-; repeat for more")
	return c
}

// labelChanges reads NAME=VALUE and NAME-.
func labelChanges(list []string) (map[string]*string, error) {
	changes := map[string]*string{}
	for _, text := range list {
		if name, away := strings.CutSuffix(text, "-"); away && name != "" && !strings.Contains(text, "=") {
			changes[name] = nil
			continue
		}
		pairs, err := parsePairs([]string{text})
		if err != nil {
			return nil, err
		}
		for name, value := range pairs {
			changes[name] = &value
		}
	}
	return changes, nil
}
