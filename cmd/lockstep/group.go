package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

func (a *app) groupCommand() *cobra.Command {
	return a.family("group", "Make, list and mend redundancy groups", a.groupCreate(), a.groupList(), a.groupTrust(), a.groupHandover())
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
	return a.show(form, doc, func(w io.Writer) error { return jsonTable(w, doc) })
}

func (a *app) groupTrust() *cobra.Command {
	var (
		conn connection
		form format
	)
	c := &cobra.Command{
		Use:   "trust GROUP NODE",
		Short: "Say which copy is right, where copies differ and no majority agrees",
		Long: `Copies of a group that differ are settled by the majority. Where there is none the
group takes no changes, and somebody who knows the data has to say which copy is right:
the others are then built anew from the one on NODE. Their old data is kept aside, in
the folder "checks" of each node's data.`,
		Args: cobra.ExactArgs(2),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			cl, err := conn.client()
			if err != nil {
				return err
			}
			defer cl.Close()
			ctx, cancel := conn.context(cmd)
			defer cancel()
			stop := a.waiting("comparing the copies of " + args[0])
			doc, err := cl.Trust(ctx, args[0], args[1])
			stop()
			if err != nil {
				return err
			}
			return a.show(form, doc, func(w io.Writer) error { return jsonTable(w, doc) })
		}),
	}
	conn.flags(c)
	form.flag(c)
	return c
}

func (a *app) groupList() *cobra.Command {
	var (
		conn connection
		form format
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List the groups",
		Args:  cobra.NoArgs,
		RunE: a.runs(func(cmd *cobra.Command, _ []string) error {
			cl, err := conn.client()
			if err != nil {
				return err
			}
			defer cl.Close()
			ctx, cancel := conn.context(cmd)
			defer cancel()
			stop := a.waiting("asking " + conn.first(cl))
			doc, err := cl.Groups(ctx)
			stop()
			if err != nil {
				return err
			}
			return a.show(form, doc, func(w io.Writer) error { return groupTable(w, doc) })
		}),
	}
	conn.flags(c)
	form.flag(c)
	return c
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
			copies = append(copies, p.Node)
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
