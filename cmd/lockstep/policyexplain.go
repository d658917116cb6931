package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/policy"
)

const policyExplainHelp = `Tell whom policies choose for a task, and why: each candidate, what came of every
expression, the score, and the policies that did not decide.

The status is that of a file, in the form of tests of policies (lockstep policy test
--help); no cluster is asked. With --node nodes are taken to be otherwise.`

func (a *app) policyExplain() *cobra.Command {
	var (
		form   format
		status string
		nodes  []string
	)
	c := &cobra.Command{
		Use:   "explain [FILE]... --status FILE",
		Short: "Tell whom policies choose, and why",
		Long:  policyExplainHelp,
		Example: `  lockstep policy explain near-users.yaml --status now.yaml
  lockstep policy explain near-users.yaml --status now.yaml --node n1=unavailable
  lockstep policy explain near-users.yaml --status now.yaml --node 'n1={cpu: 0.9, partition: {lag: 3}}'`,
		RunE: a.runs(func(_ *cobra.Command, args []string) error {
			e, err := a.explainOffline(args, status, nodes)
			if err != nil {
				return err
			}
			doc, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("writing the explanation: %w", err)
			}
			return a.show(form, doc, func(w io.Writer) error { return explanationText(w, e) })
		}),
	}
	form.flag(c)
	c.Flags().StringVar(&status, "status", "", "the status of nodes, a `FILE`; - for standard input")
	c.Flags().StringArrayVar(&nodes, "node", nil, "what if: `NODE=STATUS`, or NODE={field: value, …}; repeat for more")
	if err := c.MarkFlagRequired("status"); err != nil {
		panic(err) // the flag stands three lines above
	}
	return c
}

func (a *app) explainOffline(files []string, status string, nodes []string) (*policy.Explanation, error) {
	set, _, err := readPolicies(files)
	if err != nil {
		return nil, err
	}
	src, err := a.document("", status)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	in, problems := policy.ParseInput(src)
	if problems != nil {
		return nil, &exitError{exitUsage, problemsOf(status, problems)}
	}
	if len(nodes) > 0 {
		o, err := overrides(nodes)
		if err != nil {
			return nil, err
		}
		if in, problems = o.Apply(in); problems != nil {
			return nil, usagef("--node: %s", problems[0].Detail)
		}
	}
	_, e := set.Explain(in)
	return e, nil
}

// overrides reads what --node says.
func overrides(nodes []string) (policy.Overrides, error) {
	var doc strings.Builder
	for _, text := range nodes {
		name, is, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return policy.Overrides{}, usagef("--node: NODE=STATUS or NODE={field: value} is wanted, not %q", text)
		}
		if !strings.HasPrefix(is, "{") {
			is = "{status: " + is + "}"
		}
		fmt.Fprintf(&doc, "%q: %s\n", name, is)
	}
	o, problems := policy.ParseOverrides([]byte(doc.String()))
	var list []error
	for _, p := range problems {
		list = append(list, errors.New(strings.TrimPrefix(p.Pointer+": "+p.Detail, ": ")))
	}
	if list != nil {
		return o, usagef("--node: %w", errors.Join(list...))
	}
	return o, nil
}

// explanationText shows an explanation for people: the choice, a line for each
// candidate, a line for each of their expressions, and what was not used.
func explanationText(w io.Writer, e *policy.Explanation) error {
	choice := strings.Join(e.Choices, ", ")
	if choice == "" {
		choice = e.Choice
	}
	if choice == "" {
		choice = "nobody"
	}
	fmt.Fprintf(w, "%s of %s: %s, by the policy %s\n  %s\n", plain(e.Task), plain(e.Group), plain(choice), plain(e.Policy), plain(e.Reason))
	if len(e.Candidates) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := newTable(w, "NODE", "MAY HOLD IT", "SCORE", "WHY NOT")
	x := newTable(w, "NODE", "EXPRESSION", "WEIGHT", "VALUE", "POINTS")
	expressions := false
	for _, c := range e.Candidates {
		t.add(c.Node, map[bool]string{true: "yes", false: "no"}[c.Eligible], c.Score, c.Reason)
		for _, r := range c.Require {
			x.add(c.Node, r.Expr, "required", valueOr(r.Value, r.Error), "")
			expressions = true
		}
		for _, p := range c.Prefer {
			x.add(c.Node, p.Expr, p.Weight, valueOr(p.Value, p.Error), p.Points)
			expressions = true
		}
	}
	if err := t.write(w); err != nil {
		return err
	}
	if expressions {
		fmt.Fprintln(w)
		if err := x.write(w); err != nil {
			return err
		}
	}
	for i, n := range e.NotUsed {
		if i == 0 {
			fmt.Fprintln(w)
		}
		if _, err := fmt.Fprintf(w, "not used  %s: %s\n", plain(n.Policy), plain(n.Reason)); err != nil {
			return err
		}
	}
	return nil
}

func valueOr(v json.RawMessage, problem string) string {
	if problem != "" {
		return "fails: " + problem
	}
	return cell(v)
}
