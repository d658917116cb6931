package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

func (a *app) statusCommand() *cobra.Command {
	var (
		conn connection
		form format
	)
	c := &cobra.Command{
		Use:   "status",
		Short: "The whole cluster at a glance",
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
			s, err := cl.Status(ctx)
			stop()
			if err != nil {
				return err
			}
			return a.show(form, s.Raw, func(w io.Writer) error { return statusTable(w, s) })
		}),
	}
	conn.flags(c)
	form.flag(c)
	return c
}

// first names the server that is asked first, for progress.
func (c *connection) first(cl *client.Client) string { return cl.Servers()[0] }

func statusTable(w io.Writer, s *client.Status) error {
	nodes := newTable(w, "NODE", "STATUS", "CPU", "MEMORY FREE", "DISK FREE", "HTTP", "VERSION", "HOLDS")
	for _, n := range s.Nodes {
		nodes.add(n.Name, n.Status, percent(n.CPU), percent(n.MemoryFree), percent(n.DiskFree), n.HTTP, n.Version, holds(n))
	}
	if err := nodes.write(w); err != nil {
		return err
	}
	if len(s.Groups) == 0 {
		_, err := fmt.Fprintln(w, "\nNo groups yet: make one with lockstep group create.")
		return errors.Join(err, troubles(w, s))
	}
	fmt.Fprintln(w)
	groups := newTable(w, "GROUP", "IS", "REVISION", "NODE", "ROLE", "STATUS", "AT", "LAG")
	for _, g := range s.Groups {
		name, is, revision := g.Name, g.Status, fmt.Sprint(g.Revision)
		if len(g.Partitions) == 0 {
			groups.add(name, is, revision, "", "", "", "", "")
		}
		for _, p := range g.Partitions {
			groups.add(name, is, revision, p.Node, p.Role, p.Status, p.Revision, p.Lag)
			name, is, revision = "", "", ""
		}
	}
	if err := groups.write(w); err != nil {
		return err
	}
	for _, g := range s.Groups {
		if c := g.SchemaChange; c != nil {
			if _, err := fmt.Fprintf(w, "\n%s: a change of schema version %d is under way since %s: %s\n", g.Name, c.Version, c.Started, c); err != nil {
				return err
			}
		}
	}
	return errors.Join(differences(w, s), troubles(w, s))
}

// troubles tells what is wrong, what it affects and what to do.
func troubles(w io.Writer, s *client.Status) error {
	for _, t := range s.Troubles {
		if _, err := fmt.Fprintf(w, "\n%s: %s.\n", strings.ToUpper(plain(t.Severity)), plain(t.What)); err != nil {
			return err
		}
		for _, line := range [][2]string{{"Affects", t.Affects}, {"Do", t.Do}} {
			if line[1] == "" {
				continue
			}
			if _, err := fmt.Fprintf(w, "  %-8s %s.\n", line[0]+":", plain(line[1])); err != nil {
				return err
			}
		}
	}
	return nil
}

func percent(share *float64) string {
	if share == nil {
		return ""
	}
	return fmt.Sprintf("%.0f%%", *share*100)
}

// holds are a node's tasks; one that is kept for a group says so.
func holds(n client.NodeStatus) string {
	text := strings.Join(n.Holds, " ")
	if n.Dedicated != "" {
		text = strings.TrimSpace("(kept for " + n.Dedicated + ") " + text)
	}
	const most = 60
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// differences tells of copies that differ, or did, and what to do.
func differences(w io.Writer, s *client.Status) error {
	for _, g := range s.Groups {
		for _, p := range g.Partitions {
			d := p.Divergence
			if d == nil {
				continue
			}
			what := "It is not served, and is being built anew from a good copy; nothing has to be done."
			if p.Status != "diverged" {
				what = "It was built anew from a good copy; look for the cause: a failing disk or memory, changed files, another build of the program."
			}
			if _, err := fmt.Fprintf(w, "\nThe copy of %s on %s was found to differ at %s: %s. %s\nEvidence on %s: %s\n",
				g.Name, p.Node, d.Found.Format(time.RFC3339), d.Reason, what, p.Node, d.Evidence); err != nil {
				return err
			}
		}
	}
	return nil
}
