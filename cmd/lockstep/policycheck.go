package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/policy"
)

func (a *app) policyCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Check policies, without a cluster",
		Long: `Check policy documents: everything is read and type-checked as it would be when
applied. Whether the nodes there are can fulfil a policy is told when it is applied.

Exit codes: 0 all are correct, 1 one is not.`,
		Example: `  lockstep policy check near-users.yaml`,
		Args:    cobra.MinimumNArgs(1),
		RunE: a.runs(func(_ *cobra.Command, args []string) error {
			compiler, err := policy.NewCompiler()
			if err != nil {
				return err
			}
			var wrong []error
			for _, file := range args {
				src, err := a.document("", file)
				if err != nil {
					return err
				}
				p, problems := compiler.Read(src)
				if problems != nil {
					wrong = append(wrong, problemsOf(file, problems))
					continue
				}
				fmt.Fprintf(a.out, "%s: correct\n", file)
				for _, w := range p.Warnings {
					fmt.Fprintf(a.out, "  warning: %s\n", w)
				}
			}
			if wrong != nil {
				return &exitError{exitRefused, errors.Join(wrong...)}
			}
			return nil
		}),
	}
}

// problemsOf tells what is wrong with a file, a line each.
func problemsOf(file string, problems []policy.Problem) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %d problems", file, len(problems))
	if len(problems) == 1 {
		b.Reset()
		fmt.Fprintf(&b, "%s has a problem", file)
	}
	for _, p := range problems {
		fmt.Fprintf(&b, "\n  %s:%d:%d: %s: %s", file, p.Line, p.Column, p.Pointer, strings.ReplaceAll(p.Detail, "\n", "\n    "))
	}
	return errors.New(b.String())
}
