package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/policy"
	"lockstep/router/client"
)

const policyExplainHelp = `Tell whom the policies choose for a task, and why: each candidate, what came of every
expression, the score, and the policies that did not decide.

The cluster is asked, and its group's primary answers, for it decides. With --node
nodes are taken to be otherwise, with --policy a policy is taken to be applied: what
would happen if. With --status no cluster is asked: the status is that of a file, in
the form of tests of policies (lockstep policy test --help), and the policies are
those of files.`

func (a *app) policyExplain() *cobra.Command {
	var (
		conn                connection
		form                format
		status, group, file string
		nodes               []string
	)
	c := &cobra.Command{
		Use:   "explain (TASK --group GROUP [--policy FILE] | [FILE]... --status FILE)",
		Short: "Tell whom policies choose, and why",
		Long:  policyExplainHelp,
		Example: `  lockstep policy explain primary --group orders
  lockstep policy explain primary --group orders --node n1=unavailable --policy near-users.yaml
  lockstep policy explain near-users.yaml --status now.yaml --node 'n1={cpu: 0.9, partition: {lag: 3}}'`,
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case status != "" && (group != "" || file != ""):
			return usagef("with --status no cluster is asked: leave --group and --policy out, and give the policies' files")
		case status != "":
			return a.runs(func(*cobra.Command, []string) error { return a.explainFiles(form, args, status, nodes) })(cmd, args)
		case group == "" || len(args) != 1:
			return usagef("give the TASK and --group, to ask the cluster, or --status, a file")
		}
		return a.talks(&conn, "asking the group's primary", func(ctx context.Context, cl *client.Client, _ []string) error {
			return a.explainInCluster(ctx, cl, form, group, args[0], file, nodes)
		})(cmd, args)
	}
	conn.flags(c)
	form.flag(c)
	c.Flags().StringVar(&group, "group", "", "the `GROUP` that the task belongs to")
	c.Flags().StringVar(&file, "policy", "", "what if the policy of this `FILE` were applied")
	c.Flags().StringVar(&status, "status", "", "the status of nodes, a `FILE`; - for standard input")
	c.Flags().StringArrayVar(&nodes, "node", nil, "what if: `NODE=STATUS`, or NODE={field: value, …}; repeat for more")
	return c
}

// explainInCluster asks the cluster.
func (a *app) explainInCluster(ctx context.Context, cl *client.Client, form format, group, task, file string, nodes []string) error {
	if _, err := overrides(nodes); err != nil {
		return err
	}
	var doc []byte
	if file != "" {
		src, err := a.document("", file)
		if err != nil {
			return err
		}
		p, problems := policy.Parse(src)
		if problems != nil {
			return &exitError{exitRefused, problemsOf(file, problems)}
		}
		if doc, err = p.MarshalJSON(); err != nil {
			return err
		}
	}
	e, err := explainTask(ctx, cl, group, task, overridden(nodes), doc)
	if err != nil {
		return err
	}
	return a.show(form, e.raw, func(w io.Writer) error {
		if e.Note != "" {
			fmt.Fprintf(w, "note: %s\n", plain(e.Note))
		}
		return explanationText(w, e.Explanation)
	})
}

// explainFiles explains without a cluster.
func (a *app) explainFiles(form format, files []string, status string, nodes []string) error {
	e, err := a.explainOffline(files, status, nodes)
	if err != nil {
		return err
	}
	doc, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("writing the explanation: %w", err)
	}
	return a.show(form, doc, func(w io.Writer) error { return explanationText(w, e) })
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

// overridden is what --node says as a document in YAML, a node a line.
func overridden(nodes []string) string {
	var doc strings.Builder
	for _, text := range nodes {
		name, is, _ := strings.Cut(text, "=")
		if !strings.HasPrefix(is, "{") {
			is = "{status: " + is + "}"
		}
		fmt.Fprintf(&doc, "  %q: %s\n", name, is)
	}
	return doc.String()
}

// overrides reads what --node says.
func overrides(nodes []string) (policy.Overrides, error) {
	for _, text := range nodes {
		if name, _, ok := strings.Cut(text, "="); !ok || name == "" {
			return policy.Overrides{}, usagef("--node: NODE=STATUS or NODE={field: value} is wanted, not %q", text)
		}
	}
	if len(nodes) == 0 {
		return policy.Overrides{}, nil
	}
	o, problems := policy.ParseOverrides([]byte(overridden(nodes)))
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
