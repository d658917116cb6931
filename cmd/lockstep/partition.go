package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

func (a *app) partitionCommand() *cobra.Command {
	return a.family("partition", "List, add, move and remove the copies of groups", a.partitionList(), a.partitionAdd(), a.partitionRemove(), a.partitionMove())
}

func (a *app) partitionList() *cobra.Command {
	return a.asks(&cobra.Command{
		Use:   "list GROUP",
		Short: "List a group's copies",
		Args:  cobra.ExactArgs(1),
	}, asking{
		what: func(args []string) string { return "asking for the copies of " + args[0] },
		do: func(ctx context.Context, cl *client.Client, args []string) (json.RawMessage, error) {
			return cl.Partitions(ctx, args[0])
		},
		table: partitionTable,
	})
}

// partitionTable shows copies, a line each.
func partitionTable(w io.Writer, doc json.RawMessage) error {
	var list struct {
		Partitions []client.PartitionStatus `json:"partitions"`
	}
	if err := json.Unmarshal(doc, &list); err != nil {
		return fmt.Errorf("the answer is no list of copies: %w", err)
	}
	t := newTable(w, "NODE", "ROLE", "STATUS", "REVISION", "LAG", "NOTE")
	for _, p := range list.Partitions {
		t.add(p.Node, p.Role, p.Status, p.Revision, p.Lag, partitionNote(&p))
	}
	return t.write(w)
}

func partitionNote(p *client.PartitionStatus) string {
	switch {
	case p.Leaving:
		return "is being removed"
	case p.Replaces != "":
		return "takes the place of the one on " + p.Replaces
	}
	return p.Reason
}

// far says how far a copy is that joins a group.
func far(ctx context.Context, cl *client.Client, group, node string) string {
	p, err := cl.Partition(ctx, group, node)
	switch {
	case err != nil:
		return ""
	case p.Progress != nil && p.Progress.Of > 0:
		return fmt.Sprintf("revision %d of %d (%d%%)", p.Progress.Revision, p.Progress.Of, 100*p.Progress.Revision/p.Progress.Of)
	case p.Leaving:
		return "it is being taken out of the group"
	}
	return p.Role
}

func (a *app) partitionAdd() *cobra.Command {
	return a.works(&cobra.Command{
		Use:   "add GROUP NODE",
		Short: "Put a copy of a group on a node",
		Long: `Put a copy of a group on a node, while the group works on. The copy follows without a
vote, gets the group's state as a stream, and votes when it has caught up.`,
		Example: "  lockstep partition add orders n4",
		Args:    cobra.ExactArgs(2),
	}, working{
		asking: asking{what: func(args []string) string { return "adding a copy of " + args[0] + " on " + args[1] }},
		work: func(ctx context.Context, cl *client.Client, args []string, wait bool) (json.RawMessage, error) {
			return cl.AddPartition(ctx, args[0], client.Partition{Node: args[1]}, wait)
		},
		far: func(ctx context.Context, cl *client.Client, args []string) string {
			return far(ctx, cl, args[0], args[1])
		},
	})
}

func (a *app) partitionRemove() *cobra.Command {
	return a.works(&cobra.Command{
		Use:   "remove GROUP NODE",
		Short: "Take a node's copy out of its group, and wipe it",
		Long: `Take a node's copy out of its group, and wipe its data from the node's disk. It is
refused where the group would be left without a majority that answers, or without a copy.`,
		Example: "  lockstep partition remove orders n2",
		Args:    cobra.ExactArgs(2),
	}, working{
		asking: asking{what: func(args []string) string { return "removing the copy of " + args[0] + " on " + args[1] }},
		work: func(ctx context.Context, cl *client.Client, args []string, wait bool) (json.RawMessage, error) {
			return cl.RemovePartition(ctx, args[0], args[1], wait)
		},
		far: func(ctx context.Context, cl *client.Client, args []string) string {
			return far(ctx, cl, args[0], args[1])
		},
		gone: []string{"not_found"},
	})
}

func (a *app) partitionMove() *cobra.Command {
	var node, from, to string
	c := a.works(&cobra.Command{
		Use:   "move GROUP (--from NODE --to NODE | TO_GROUP --node NODE)",
		Short: "Move a copy to another node, or a node from one group to another",
		Long: `Move a group's copy from one node to another: the new one is added, and when it votes
the old one leaves and is wiped. Or move a node from one group to another: it leaves the
first, where its copy is wiped, and joins the second.`,
		Example: `  lockstep partition move orders --from n1 --to n4
  lockstep partition move orders invoices --node n3`,
		Args: cobra.RangeArgs(1, 2),
	}, working{
		asking: asking{what: func(args []string) string { return "moving a copy of " + args[0] }},
		work: func(ctx context.Context, cl *client.Client, args []string, wait bool) (json.RawMessage, error) {
			switch {
			case len(args) == 1 && (from == "" || to == "" || node != ""):
				return nil, usagef("give --from and --to, or a second group and --node")
			case len(args) == 2 && (from != "" || to != "" || node == ""):
				return nil, usagef("with two groups give --node, and neither --from nor --to")
			case len(args) == 2:
				return cl.AddPartition(ctx, args[1], client.Partition{Node: node, From: args[0]}, wait)
			}
			return cl.AddPartition(ctx, args[0], client.Partition{Node: to, Replaces: from}, wait)
		},
		far: func(ctx context.Context, cl *client.Client, args []string) string {
			if len(args) == 2 {
				return far(ctx, cl, args[1], node)
			}
			return far(ctx, cl, args[0], to)
		},
	})
	c.Flags().StringVar(&from, "from", "", "the `NODE` that the copy is on")
	c.Flags().StringVar(&to, "to", "", "the `NODE` that it goes to")
	c.Flags().StringVar(&node, "node", "", "the `NODE` that leaves the first group and joins the second")
	return c
}
