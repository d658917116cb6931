package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"lockstep/engine/program"
	"lockstep/engine/schema/tree"
	"lockstep/policy"
	"lockstep/router"
)

// A node tells of policies, and keeps them.
var _ router.Policies = (*Node)(nil)

// AllPolicies lists the policies of users, as they decide.
func (n *Node) AllPolicies(ctx context.Context) ([]router.PolicyStatus, error) {
	stale := !n.catalogIsFresh(ctx)
	set, rows, list := n.compiledPolicies()
	place := map[string]int{}
	for i, p := range set.Policies() {
		place[p.Name] = i + 1
	}
	out := make([]router.PolicyStatus, len(rows))
	for i := range rows {
		out[i] = policyStatus(rows[i], list[i], stale)
	}
	slices.SortStableFunc(out, func(a, b router.PolicyStatus) int {
		x, y := place[a.Name], place[b.Name]
		if x == 0 || y == 0 {
			x, y = -x, -y // what is left out comes last
		}
		return x - y
	})
	return out, nil
}

// Policy finds a policy.
func (n *Node) Policy(ctx context.Context, name string) (router.PolicyStatus, error) {
	stale := !n.catalogIsFresh(ctx)
	_, rows, list := n.compiledPolicies()
	for i := range rows {
		if rows[i].name == name {
			return policyStatus(rows[i], list[i], stale), nil
		}
	}
	if stale {
		return router.PolicyStatus{}, &router.Problem{Code: "starting", Detail: fmt.Sprintf("this node knows no policy %q, and no majority of the cluster's catalog answers", name)}
	}
	return router.PolicyStatus{}, noPolicy(name)
}

func noPolicy(name string) *router.Problem {
	return &router.Problem{Code: "not_found", Detail: fmt.Sprintf("there is no policy %q", name)}
}

func policyStatus(row policyRow, c *compiled, stale bool) router.PolicyStatus {
	s := router.PolicyStatus{Name: row.name, Version: row.version, Document: []byte(row.document), Problem: c.problem, Stale: stale}
	if c.Policy != nil {
		s.Warnings = c.Warnings
	}
	return s
}

// catalogIsFresh brings the catalog read here to what was acknowledged before the
// call, false where that takes too long.
func (n *Node) catalogIsFresh(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, taskFreshWait)
	defer cancel()
	return n.CatchUp(ctx) == nil
}

// PutPolicy stores a policy in the catalog, unless something is wrong with it.
func (n *Node) PutPolicy(ctx context.Context, put router.PolicyPut) (router.PolicyResult, error) {
	result := router.PolicyResult{Policy: put.Name, DryRun: put.DryRun}
	p, problems := n.policies.compiler.Read(put.Document)
	if problems != nil {
		return result, wrongDocument("the policy", problems)
	}
	if p.Name != put.Name {
		return result, &router.Problem{Code: "invalid", Detail: fmt.Sprintf("the path names the policy %s and the document %s: make them the same", put.Name, p.Name),
			Errors: []program.PointerDetail{{Pointer: "/policy", Detail: "it must be " + put.Name + ", as in the path"}}}
	}
	doc, err := p.MarshalJSON()
	if err != nil {
		return result, err
	}
	result.Warnings, result.Document = p.Warnings, doc
	if err := n.CatchUp(ctx); err != nil {
		return result, err
	}
	cat := n.catalog.Load()
	if cat.version < policyCatalog {
		return result, &router.Problem{Code: "unavailable", Detail: "the cluster's catalog is still that of an earlier program, which has no policies: it takes them when all nodes run this one"}
	}
	row, there := cat.policy(put.Name)
	same := there && row.document == string(doc)
	if !same {
		if err := n.satisfiable(cat, p); err != nil {
			return result, err
		}
	}
	if put.DryRun || same {
		if !put.Match.Any && put.Match.Version != 0 && put.Match.Version != row.version || put.Match.Any && !there {
			return result, otherPolicy(put.Name)
		}
		result.Version, result.Created, result.Changed = row.version, !there, !same
		return result, nil
	}
	tx, err := putPolicy(put.Name, string(doc), put.Match)
	if err != nil {
		return result, err
	}
	o, err := n.systemCopy().execute(ctx, tx)
	if err != nil {
		return result, policyRefusal(err, put.Name)
	}
	var done struct{ Created, Changed bool }
	if err := json.Unmarshal(o.Result, &done); err != nil {
		return result, err
	}
	n.refresh()
	result.Created, result.Changed, result.Version = done.Created, done.Changed, o.Revision
	if row, there := n.catalog.Load().policy(put.Name); there && !done.Changed {
		result.Version = row.version
	}
	return result, nil
}

// DeletePolicy takes a policy from the catalog.
func (n *Node) DeletePolicy(ctx context.Context, name string, match router.TaskMatch) error {
	if n.catalog.Load().version < policyCatalog {
		return noPolicy(name)
	}
	tx, err := deletePolicy(name, match)
	if err != nil {
		return err
	}
	if _, err := n.systemCopy().execute(ctx, tx); err != nil {
		return policyRefusal(err, name)
	}
	n.refresh()
	return nil
}

func otherPolicy(name string) *router.Problem {
	return &router.Problem{Code: "changed", Detail: fmt.Sprintf("the policy %s has another version than If-Match wants: read it again", name)}
}

// policyRefusal says in the interface's words why a transaction on policies was
// aborted.
func policyRefusal(err error, name string) error {
	var p *router.Problem
	if !errors.As(err, &p) {
		return err
	}
	switch p.Code {
	case abortNoPolicy:
		return noPolicy(name)
	case abortOtherVersion:
		return otherPolicy(name)
	case abortManyPolicies:
		return &router.Problem{Code: "invalid", Detail: fmt.Sprintf("there are %d policies already, and there can be no more: delete one that decides nothing", policy.MaxPolicies)}
	}
	return err
}

// wrongDocument is the refusal of a document, with every problem's place.
func wrongDocument(what string, problems []policy.Problem) *router.Problem {
	p := &router.Problem{Code: "invalid"}
	if tree.Worst(problems) == tree.Malformed {
		p.Code = "malformed"
	}
	for i := range problems {
		x := &problems[i]
		detail := x.Detail
		if x.Line > 0 {
			detail = fmt.Sprintf("line %d: %s", x.Line, detail)
		}
		p.Errors = append(p.Errors, program.PointerDetail{Pointer: x.JSONPointer, Detail: detail})
	}
	p.Detail = fmt.Sprintf("%s has a problem: %s", what, problems[0])
	if len(problems) > 1 {
		p.Detail = fmt.Sprintf("%s has %d problems, of which the first is: %s", what, len(problems), problems[0])
	}
	return p
}

// satisfiable refuses a policy that would leave a task without any candidate even if
// every node were available (interface.md: what can't be satisfied is refused when it
// is written).
func (n *Node) satisfiable(cat *catalog, p *policy.Policy) error {
	list := n.policySet().With(p).Unsatisfied(p.Name, n.everyTask(cat))
	if len(list) == 0 {
		return nil
	}
	refusal := &router.Problem{Code: "invalid"}
	for _, u := range list {
		refusal.Errors = append(refusal.Errors, program.PointerDetail{Pointer: "/require", Detail: u.String()})
	}
	refusal.Detail = "the policy can't be satisfied: " + list[0].String()
	if len(list) > 1 {
		refusal.Detail += fmt.Sprintf(", and %d more", len(list)-1)
	}
	refusal.Detail += "; ask for less, or leave the group out (groups), or give a node what is asked for first"
	return refusal
}

// everyTask is what there is to be placed, group by group, as the catalog has it: what
// a node measures is taken at its best anyway.
func (n *Node) everyTask(cat *catalog) (list []*policy.Input) {
	now := time.Now().UTC()
	for _, g := range cat.groups {
		there, free := n.places(cat, g.name)
		names := []string{policy.TaskPrimary, policy.TaskReader, policy.TaskBackup, policy.TaskVerify}
		for _, t := range cat.tasks {
			if t.group == g.name {
				names = append(names, t.name)
			}
		}
		for _, name := range names {
			in := &policy.Input{Now: now, Group: policy.Group{Name: g.name, Labels: g.labels}, Task: policy.Task{Name: name}, Candidates: there}
			if t, ok := cat.task(name); ok && t.group == g.name {
				in.Task.Labels = t.definition.Labels
			}
			in.Recount()
			list = append(list, in)
		}
		copies := &policy.Input{Now: now, Group: policy.Group{Name: g.name, Labels: g.labels}, Task: policy.Task{Name: policy.TaskCopy}, Candidates: free}
		list = append(list, copies)
	}
	return list
}

// places are the nodes with a copy of a group, and those without.
func (n *Node) places(cat *catalog, group string) (there, free []policy.Candidate) {
	for _, row := range cat.nodes {
		c := policy.Candidate{Node: policy.Node{Name: row.name, Status: policy.Available, Labels: row.labels, Version: row.version,
			OS: row.os, Arch: row.arch, MemoryFree: 1, DiskFree: 1, Dedicated: row.dedicated}}
		p, has := cat.partition(group, row.id)
		if !has {
			free = append(free, c)
			continue
		}
		c.Partition = &policy.Partition{Role: policy.RoleSubscriber, Status: policy.Available}
		if p.kind == kindWitness {
			c.Partition.Role = policy.RoleWitness
		}
		if r, ok := n.reportOf(row.id); ok {
			c.Partition.Revision = int64(r.Groups[group].Revision)
			c.Partition.SizeBytes, c.Partition.ApplyRate = r.Groups[group].SizeBytes, r.Groups[group].ApplyRate
		}
		there = append(there, c)
	}
	return there, free
}
