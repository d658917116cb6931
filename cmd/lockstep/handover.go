package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

func (a *app) groupHandover() *cobra.Command {
	var (
		conn connection
		form format
		to   string
	)
	c := &cobra.Command{
		Use:     "handover GROUP --to NODE",
		Aliases: []string{"primary", "transfer-primary"},
		Short:   "Make another copy the group's primary, by plan",
		Long: `Make the copy on NODE the group's primary and wait until it is. The present primary lets
it catch up, finishes what is under way, and has it elected; requests wait meanwhile, some
milliseconds, and none is refused. A node that can't lead is refused with the reason.
Asking for what is so already changes nothing.`,
		Example: `  lockstep group handover bank --to n2`,
		Args:    cobra.ExactArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return usagef("--to: name the node whose copy shall be primary")
			}
			cl, err := conn.client()
			if err != nil {
				return err
			}
			defer cl.Close()
			ctx, cancel := conn.context(cmd)
			defer cancel()
			stop := a.waiting("handing " + args[0] + " over to " + to)
			h, err := cl.HandOver(ctx, args[0], to)
			stop()
			if err != nil {
				return err
			}
			return a.show(form, h.Raw, func(w io.Writer) error { return handoverTable(w, h) })
		}),
	}
	conn.flags(c)
	form.flag(c)
	c.Flags().StringVar(&to, "to", "", "the `NODE` whose copy shall be primary")
	return c
}

func handoverTable(w io.Writer, h *client.Handover) error {
	t := newTable(w, "GROUP", "PRIMARY", "FROM", "REQUESTS WAITED")
	waited := "it was so already"
	if h.Changed {
		waited = fmt.Sprintf("%.1f ms", h.Pause)
	}
	t.add(h.Group, h.Primary, h.From, waited)
	return t.write(w)
}
