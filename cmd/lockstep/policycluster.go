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

func (a *app) policyList() *cobra.Command {
	var (
		conn connection
		form format
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List the cluster's policies in the order in which they decide",
		Args:  cobra.NoArgs,
		RunE: a.talks(&conn, "asking for the policies", func(ctx context.Context, cl *client.Client, _ []string) error {
			list, raw, err := cl.Policies(ctx)
			if err != nil {
				return err
			}
			return a.show(form, raw, func(w io.Writer) error { return policyTable(w, list) })
		}),
	}
	conn.flags(c)
	form.flag(c)
	return c
}

func policyTable(w io.Writer, list []client.Policy) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no policies: a task stays where it is until its node fails or is drained")
		return err
	}
	t := newTable(w, "POLICY", "TASK", "GROUPS", "PRIORITY", "REQUIRES", "PREFERS", "HOLD", "MARGIN", "COUNT", "VERSION", "STATE")
	for i := range list {
		p := &list[i]
		groups, state := p.Groups, "enabled"
		if groups == "" {
			groups = "all"
		}
		switch {
		case p.Problem != "":
			state = "left out: " + p.Problem
		case !p.Enabled:
			state = "disabled"
		case len(p.Warnings) > 0:
			state = "enabled, with a warning"
		}
		t.add(p.Policy, p.Task, groups, p.Priority, len(p.Require), len(p.Prefer), p.Hold, p.Margin, p.Count, p.Version, state)
	}
	return t.write(w)
}

func (a *app) policyGet() *cobra.Command {
	var (
		conn connection
		form format
	)
	c := &cobra.Command{
		Use:     "get POLICY",
		Short:   "Show a policy's document, as it can be changed and applied again",
		Example: "  lockstep policy get near-users > near-users.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: a.talks(&conn, "asking for the policy", func(ctx context.Context, cl *client.Client, args []string) error {
			p, err := cl.Policy(ctx, args[0])
			if err != nil {
				return err
			}
			return a.show(form, p.Document, func(w io.Writer) error { return writeYAML(w, p.Document) })
		}),
	}
	conn.flags(c)
	form.flag(c)
	return c
}

func (a *app) policyDelete() *cobra.Command {
	var (
		conn   connection
		option client.PolicyOptions
	)
	c := &cobra.Command{
		Use:   "delete POLICY",
		Short: "Take a policy away: what it decided is decided by those after it",
		Args:  cobra.ExactArgs(1),
		RunE: a.talks(&conn, "deleting the policy", func(ctx context.Context, cl *client.Client, args []string) error {
			if err := cl.DeletePolicy(ctx, args[0], option); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.out, "policy %s was deleted\n", plain(args[0]))
			return err
		}),
	}
	conn.flags(c)
	c.Flags().StringVar(&option.IfMatch, "if-match", "", "only if its present version has this `ETAG`")
	return c
}

const policyApplyHelp = `Store policies in the cluster, each in place of one of the same name; documents are in
YAML or JSON (- is standard input). From then on they decide with those that are there.

With --dry-run nothing is stored: the documents are checked as they would be, and for
every task that a policy would decide on it is shown whether it would move, and why.
What no node could ever satisfy is refused, with the reason.`

func (a *app) policyApply() *cobra.Command {
	var (
		conn   connection
		form   format
		files  []string
		option client.PolicyOptions
	)
	c := &cobra.Command{
		Use:   "apply (FILE | -f FILE)...",
		Short: "Store policies, or show what they would change",
		Long:  policyApplyHelp,
		Example: `  lockstep policy apply -f near-users.yaml --dry-run
  lockstep policy apply near-users.yaml nightly-backup.yaml`,
	}
	c.RunE = a.talks(&conn, "applying the policies", func(ctx context.Context, cl *client.Client, args []string) error {
		files := append(files, args...)
		if len(files) == 0 {
			return usagef("give the policy's file (- is standard input)")
		}
		list, err := a.documentsOfPolicies(files)
		if err != nil {
			return err
		}
		for i := range list {
			if err := a.applyPolicy(ctx, cl, form, &list[i], option); err != nil {
				return err
			}
		}
		return nil
	})
	conn.flags(c)
	form.flag(c)
	c.Flags().StringSliceVarP(&files, "file", "f", nil, "a policy's `FILE`; repeat for more")
	c.Flags().BoolVar(&option.DryRun, "dry-run", false, "show what would change, and change nothing")
	c.Flags().StringVar(&option.IfMatch, "if-match", "", "only if the policy's present version has this `ETAG`")
	return c
}

// policyFile is a policy's document as a file has it.
type policyFile struct {
	name string
	doc  []byte
}

// documentsOfPolicies reads all files before any of them is applied.
func (a *app) documentsOfPolicies(files []string) (list []policyFile, err error) {
	compiler, err := policy.NewCompiler()
	if err != nil {
		return nil, err
	}
	var wrong []error
	for _, file := range files {
		src, err := a.document("", file)
		if err != nil {
			return nil, err
		}
		p, problems := compiler.Read(src)
		if problems != nil {
			wrong = append(wrong, problemsOf(file, problems))
			continue
		}
		list = append(list, policyFile{p.Name, src})
	}
	if wrong != nil {
		return nil, &exitError{exitRefused, errors.Join(wrong...)}
	}
	return list, nil
}

func (a *app) applyPolicy(ctx context.Context, cl *client.Client, form format, f *policyFile, o client.PolicyOptions) error {
	done, err := cl.PutPolicy(ctx, f.name, f.doc, o)
	if err != nil {
		return err
	}
	var effects []policyEffect
	raw := done.Raw
	if o.DryRun {
		if effects, err = effectsOf(ctx, cl, f.name, done.Document); err != nil {
			return err
		}
		if raw, err = withEffects(done.Raw, effects); err != nil {
			return err
		}
	}
	return a.show(form, raw, func(w io.Writer) error {
		fmt.Fprintln(w, appliedText(done))
		for _, warning := range done.Warnings {
			fmt.Fprintln(w, "  warning:", plain(warning))
		}
		if !o.DryRun {
			return nil
		}
		return effectTable(w, effects)
	})
}

// withEffects adds to a dry run's answer what was asked beside it.
func withEffects(raw json.RawMessage, effects []policyEffect) (json.RawMessage, error) {
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	doc["tasks"] = effects
	return json.Marshal(doc)
}

func appliedText(p *client.PolicyApplied) string {
	verb := "is as it was"
	switch {
	case p.Created && p.DryRun:
		verb = "would be created"
	case p.Changed && p.DryRun:
		verb = "would be changed"
	case p.Created:
		verb = "was created"
	case p.Changed:
		verb = "was changed"
	}
	text := fmt.Sprintf("policy %s %s", plain(p.Policy), verb)
	if p.Version != 0 && !p.DryRun {
		text += fmt.Sprintf(", version %d", p.Version)
	}
	return text
}

// maxEffects is how many tasks a dry run asks about: each is two questions.
const maxEffects = 200

// policyEffect is what a policy would change for a task.
type policyEffect struct {
	Group  string `json:"group"`
	Task   string `json:"task"`
	Policy string `json:"policy"` // that would decide
	Holder string `json:"holder"`
	Now    string `json:"now"`  // whom the present policies choose
	Then   string `json:"then"` // whom the others would
	Why    string `json:"why"`
}

// effectsOf asks for every task who would hold it, without and with a policy; those
// that it has nothing to do with are left out.
func effectsOf(ctx context.Context, cl *client.Client, name string, doc json.RawMessage) ([]policyEffect, error) {
	list, _, err := cl.Tasks(ctx, "")
	if err != nil {
		return nil, err
	}
	effects := []policyEffect{}
	for i := range list {
		if i == maxEffects {
			break
		}
		then, err := explainTask(ctx, cl, list[i].Group, list[i].Task, "", doc)
		if err != nil {
			return nil, err
		}
		now, err := explainTask(ctx, cl, list[i].Group, list[i].Task, "", nil)
		if err != nil {
			return nil, err
		}
		if then.Policy != name && now.Policy != name {
			continue
		}
		effects = append(effects, policyEffect{list[i].Group, list[i].Task, then.Policy, then.Holder, chosen(now.Explanation), chosen(then.Explanation), then.Reason})
	}
	return effects, nil
}

func effectTable(w io.Writer, effects []policyEffect) error {
	if len(effects) == 0 {
		_, err := fmt.Fprintln(w, "\nit would decide on no task that there is now")
		return err
	}
	fmt.Fprintln(w)
	t := newTable(w, "TASK", "GROUP", "HOLDER", "WOULD BE", "BY", "WHY")
	for _, e := range effects {
		then := e.Then
		if e.Then == e.Now {
			then = "no change"
		}
		t.add(e.Task, e.Group, orNobody(e.Holder), then, e.Policy, e.Why)
	}
	return t.write(w)
}

// chosen are whom an explanation chooses, as text.
func chosen(e *policy.Explanation) string {
	if len(e.Choices) > 0 {
		return strings.Join(e.Choices, ", ")
	}
	return orNobody(e.Choice)
}

func orNobody(node string) string {
	if node == "" {
		return "nobody"
	}
	return node
}

// clusterExplanation is an explanation with where it comes from.
type clusterExplanation struct {
	*policy.Explanation
	Seen string `json:"seen_by"`
	Note string `json:"note"`

	raw json.RawMessage
}

// explainTask asks the cluster who would hold a task; nodes is what is to be taken
// otherwise, in YAML, and doc a policy that is not applied, in JSON.
func explainTask(ctx context.Context, cl *client.Client, group, task, nodes string, doc []byte) (*clusterExplanation, error) {
	question := fmt.Sprintf("group: %q\ntask: %q\n", group, task)
	if nodes != "" {
		question += "nodes:\n" + nodes
	}
	if doc != nil {
		question += "policy: " + strings.TrimSpace(string(doc)) + "\n"
	}
	raw, err := cl.Explain(ctx, []byte(question))
	if err != nil {
		return nil, err
	}
	e := &clusterExplanation{raw: raw}
	if err := json.Unmarshal(raw, e); err != nil {
		return nil, fmt.Errorf("the server's explanation can't be read: %w", err)
	}
	return e, nil
}
