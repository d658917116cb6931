package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

func (a *app) groupCommand() *cobra.Command {
	return a.family("group", "Make, list, mend and delete redundancy groups", a.groupCreate(), a.groupList(), a.groupGet(), a.groupDelete(), a.groupTrust(), a.groupRecover(), a.groupHandover(), a.groupSettings())
}

func (a *app) groupCreate() *cobra.Command {
	var (
		conn   connection
		form   format
		group  client.Group
		labels []string
	)
	c := &cobra.Command{
		Use:   "create NAME (--nodes NODE,… | --copies N)",
		Short: "Make a group and wait until its copies are in place",
		Example: `  lockstep group create orders --nodes n1,n2,n3
  lockstep group create orders --copies 3`,
		Args: cobra.ExactArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			group.Name = args[0]
			if (len(group.Nodes) == 0) == (group.Copies == 0) {
				return usagef("give either --nodes or --copies")
			}
			if group.Copies < 0 {
				return usagef("--copies: must be at least 1")
			}
			var err error
			if group.Labels, err = parsePairs(labels); err != nil {
				return usagef("--label: %w", err)
			}
			return a.createGroup(cmd, &conn, form, group)
		}),
	}
	conn.flags(c)
	form.flag(c)
	c.Flags().StringSliceVar(&group.Nodes, "nodes", nil, "the `NODES` that hold its copies")
	c.Flags().IntVar(&group.Copies, "copies", 0, "how many copies, on nodes that Lockstep chooses")
	c.Flags().StringSliceVar(&labels, "label", nil, "a label, `NAME=VALUE`; repeat for more")
	return c
}

func (a *app) createGroup(cmd *cobra.Command, conn *connection, form format, g client.Group) error {
	cl, err := conn.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := conn.context(cmd)
	defer cancel()
	stop := a.waiting("making the group " + g.Name)
	doc, err := cl.CreateGroup(ctx, g)
	stop()
	if err != nil {
		return err
	}
	return a.show(form, doc, func(w io.Writer) error { return oneGroup(w, doc) })
}

func (a *app) groupTrust() *cobra.Command {
	return a.asks(&cobra.Command{
		Use:   "trust GROUP NODE",
		Short: "Say which copy is right, where copies differ and no majority agrees",
		Long: `Copies of a group that differ are settled by the majority. Where there is none the
group takes no changes, and somebody who knows the data has to say which copy is right:
the others are then built anew from the one on NODE. Their old data is kept aside, in
the folder "checks" of each node's data.`,
		Args: cobra.ExactArgs(2),
	}, asking{
		what: func(args []string) string { return "comparing the copies of " + args[0] },
		do: func(ctx context.Context, cl *client.Client, args []string) (json.RawMessage, error) {
			return cl.Trust(ctx, args[0], args[1])
		},
	})
}

func (a *app) groupList() *cobra.Command {
	return a.asks(&cobra.Command{
		Use:   "list",
		Short: "List the groups",
		Args:  cobra.NoArgs,
	}, asking{
		what: func([]string) string { return "asking for the groups" },
		do: func(ctx context.Context, cl *client.Client, _ []string) (json.RawMessage, error) {
			return cl.Groups(ctx)
		},
		table: groupTable,
	})
}

func (a *app) groupGet() *cobra.Command {
	return a.asks(&cobra.Command{
		Use:   "get GROUP",
		Short: "Show one group and its copies",
		Args:  cobra.ExactArgs(1),
	}, asking{
		what: func(args []string) string { return "asking for the group " + args[0] },
		do: func(ctx context.Context, cl *client.Client, args []string) (json.RawMessage, error) {
			return cl.Group(ctx, args[0])
		},
		table: oneGroup,
	})
}

func (a *app) groupDelete() *cobra.Command {
	var yes bool
	c := a.works(&cobra.Command{
		Use:   "delete GROUP --yes",
		Short: "Delete a group with all its data",
		Long: `Delete a group: all its copies are wiped from the disks of their nodes, for good. Nodes
that are away wipe theirs when they are back. The name can be used again.

On a terminal it asks for the group's name; in a script give --yes.`,
		Args: cobra.ExactArgs(1),
	}, working{
		asking: asking{what: func(args []string) string { return "deleting the group " + args[0] }},
		work: func(ctx context.Context, cl *client.Client, args []string, wait bool) (json.RawMessage, error) {
			return cl.DeleteGroup(ctx, args[0], wait)
		},
		before: func(args []string) error {
			if yes {
				return nil
			}
			return a.confirm(args[0])
		},
		gone: []string{"unknown_group"},
	})
	c.Flags().BoolVar(&yes, "yes", false, "delete it without asking")
	return c
}

// confirm has a person type the name of what is about to be destroyed.
func (a *app) confirm(name string) error {
	if !isTerminal(a.in) {
		return usagef("this deletes all data of %s for good: give --yes if that is meant", name)
	}
	fmt.Fprintf(a.err, "This deletes all data of %s for good. Type its name to go on: ", name)
	var typed string
	if _, err := fmt.Fscanln(a.in, &typed); err != nil || typed != name {
		return usagef("nothing was deleted: the name was not typed")
	}
	return nil
}

// oneGroup shows a group and its copies.
func oneGroup(w io.Writer, doc json.RawMessage) error {
	var g struct {
		client.GroupStatus
		Durability string            `json:"durability"`
		Labels     map[string]string `json:"labels"`
	}
	if err := json.Unmarshal(doc, &g); err != nil {
		return fmt.Errorf("the answer is no group: %w", err)
	}
	t := newTable(w, "GROUP", "PRIMARY", "REVISION", "COPIES", "DURABILITY", "LABELS")
	t.add(g.Name, g.Primary, g.Revision, dataCopies(g.Partitions), g.Durability, joinPairs(g.Labels))
	if err := t.write(w); err != nil || len(g.Partitions) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return partitionTable(w, doc)
}

// dataCopies counts the copies: a witness has no data and is none.
func dataCopies(list []client.PartitionStatus) (copies int) {
	for _, p := range list {
		if p.Kind != "witness" {
			copies++
		}
	}
	return copies
}

// joinPairs writes what parsePairs reads.
func joinPairs(pairs map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		list = append(list, name+"="+pairs[name])
	}
	return strings.Join(list, ",")
}

// groupTable shows the list, a line a group.
func groupTable(w io.Writer, doc json.RawMessage) error {
	var list struct {
		Groups []client.GroupStatus `json:"groups"`
	}
	if err := json.Unmarshal(doc, &list); err != nil {
		return fmt.Errorf("the answer is no list of groups: %w", err)
	}
	t := newTable(w, "GROUP", "PRIMARY", "REVISION", "COPIES")
	for _, g := range list.Groups {
		var copies []string
		for _, p := range g.Partitions {
			name := p.Node
			if p.Kind == "witness" {
				name += " (witness)"
			}
			copies = append(copies, name)
		}
		t.add(g.Name, g.Primary, g.Revision, strings.Join(copies, ", "))
	}
	return t.write(w)
}

// parsePairs reads NAME=VALUE.
func parsePairs(list []string) (map[string]string, error) {
	pairs := map[string]string{}
	for _, text := range list {
		name, value, ok := strings.Cut(text, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fmt.Errorf("%q: write NAME=VALUE", text)
		}
		if _, twice := pairs[name]; twice {
			return nil, fmt.Errorf("%q stands twice", name)
		}
		pairs[name] = strings.TrimSpace(value)
	}
	return pairs, nil
}
