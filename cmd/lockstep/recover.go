package main

import (
	"fmt"
	"io"
	"os"
	"os/user"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

func (a *app) groupRecover() *cobra.Command {
	var (
		conn connection
		form format
		yes  bool
		plan bool
	)
	c := &cobra.Command{
		Use:   "recover GROUP",
		Short: "Rebuild a group that lost its majority from the best copy that is left",
		Long: `Rebuild a group of which more than half of the voting copies are lost for good. It shows
what is left, which copy is the best, and what may be lost; then it asks.

The group goes on under a new incarnation: its revisions skip a million, its tasks are
assigned anew, and copies that come back join as new ones, with their old data kept
aside on their nodes. What only the lost copies had is gone. Where one of them can be
brought back, do that instead.

On a terminal it asks for the group's name; in a script give --yes.`,
		Args: cobra.ExactArgs(1),
	}
	c.RunE = a.runs(func(cmd *cobra.Command, args []string) error {
		cl, err := conn.client()
		if err != nil {
			return err
		}
		defer cl.Close()
		ctx, cancel := conn.context(cmd)
		defer cancel()
		stop := a.waiting("looking for what is left of " + args[0])
		p, err := cl.RecoveryPlan(ctx, args[0])
		stop()
		if err != nil {
			return err
		}
		if plan {
			return a.show(form, p.Raw, func(w io.Writer) error { return recoveryTable(w, p) })
		}
		if err := recoveryTable(a.err, p); err != nil {
			return err
		}
		if !yes {
			if err := a.confirmRecovery(args[0]); err != nil {
				return err
			}
		}
		stop = a.waiting("rebuilding " + args[0])
		doc, err := cl.Recover(ctx, args[0], p.Token, whoami())
		stop()
		if err != nil {
			return err
		}
		return a.show(form, doc, func(w io.Writer) error { return jsonTable(w, doc) })
	})
	conn.flags(c)
	form.flag(c)
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&plan, "plan", false, "show what would be done, and do nothing")
	return c
}

func (a *app) confirmRecovery(group string) error {
	if !isTerminal(a.in) {
		return usagef("what only the lost copies of %s had is given up for good: give --yes if that is meant", group)
	}
	fmt.Fprintf(a.err, "This gives up what only the lost copies of %s had. Type its name to go on: ", group)
	var typed string
	if _, err := fmt.Fscanln(a.in, &typed); err != nil || typed != group {
		return usagef("nothing was done: the name was not typed")
	}
	return nil
}

// recoveryTable shows a plan.
func recoveryTable(w io.Writer, p *client.RecoveryPlan) error {
	t := newTable(w, "NODE", "STATUS", "REVISION", "LAST ENTRY", "LAST HEARD", "NOTE")
	for _, c := range p.Copies {
		last, heard, note := "", "", ""
		if c.LastIndex > 0 {
			last = fmt.Sprintf("term %d, index %d", c.LastTerm, c.LastIndex)
		}
		if c.LastHeard != nil {
			heard = c.LastHeard.Format("2006-01-02 15:04:05Z")
		}
		switch {
		case c.Node == p.Node:
			note = "the group is rebuilt from this one"
		case c.Kind == "witness":
			note = "a witness, without data"
		}
		t.add(c.Node, c.Status, c.Revision, last, heard, note)
	}
	if err := t.write(w); err != nil {
		return err
	}
	for _, l := range p.MayBeLost {
		fmt.Fprintf(w, "lost: revisions %d to %d, which the copy on %s had\n", l.From, l.To, l.Node)
	}
	if p.Unapplied > 0 {
		fmt.Fprintf(w, "the log of the copy on %s has %d entries more, which are applied first\n", p.Node, p.Unapplied)
	}
	for _, s := range p.Warnings {
		fmt.Fprintf(w, "warning: %s\n", s)
	}
	return nil
}

// whoami is who decides, for the record: the user of this machine.
func whoami() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}
