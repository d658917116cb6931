package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

func (a *app) verifyCommand() *cobra.Command {
	var (
		conn connection
		form format
	)
	c := &cobra.Command{
		Use:   "verify GROUP",
		Short: "Compare a group's copies, whole contents at one revision",
		Long: `Take the primary's revision, wait up to --timeout for every data copy to reach it,
and compare whole contents and running digests at that one revision.

Exit codes: 0 all equal, 1 digests differ, 3 a copy could not be looked at.`,
		Args: cobra.ExactArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			cl, err := conn.client()
			if err != nil {
				return err
			}
			defer cl.Close()
			stop := a.waiting("comparing the copies of " + args[0])
			v, err := cl.Verify(cmd.Context(), args[0], conn.timeout)
			stop()
			if err != nil {
				return err
			}
			if err := a.show(form, v.Raw, func(w io.Writer) error { return verifyTable(w, v) }); err != nil {
				return err
			}
			return verdict(v)
		}),
	}
	conn.flags(c)
	form.flag(c)
	return c
}

// verdict turns a comparison into an exit code. Digests that differ outweigh a
// copy that could not be looked at.
func verdict(v *client.Verification) error {
	if differ(v.Partitions) {
		return &exitError{exitRefused, fmt.Errorf("the copies of %s differ at revision %d", v.Group, v.Revision)}
	}
	if !v.Complete() {
		return &exitError{exitUnavailable, fmt.Errorf("not every copy of %s could be looked at", v.Group)}
	}
	if !v.Equal {
		return &exitError{exitRefused, fmt.Errorf("the copies of %s are not equal", v.Group)}
	}
	return nil
}

func differ(partitions []client.VerifiedPartition) bool {
	first := ""
	for _, p := range partitions {
		if p.Digest == "" {
			continue
		}
		if first == "" {
			first = p.Digest
		}
		if p.Digest != first {
			return true
		}
	}
	return false
}

func verifyTable(w io.Writer, v *client.Verification) error {
	equal := "no"
	switch {
	case v.Equal:
		equal = "yes"
	case !differ(v.Partitions):
		equal = "as far as could be looked at"
	}
	head := newTable(w)
	head.rows = nil
	head.add("group", v.Group)
	head.add("revision", v.Revision)
	head.add("equal", equal)
	if err := head.write(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t := newTable(w, "NODE", "REVISION", "DIGEST")
	for _, p := range v.Partitions {
		digest := p.Digest
		if p.Error != "" {
			digest = "error: " + p.Error
		}
		t.add(p.Node, p.Revision, digest)
	}
	return t.write(w)
}
