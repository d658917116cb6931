package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"lockstep/policy"
	"lockstep/router"
)

// explained is an explanation with where it comes from.
type explained struct {
	*policy.Explanation
	// Seen is the node whose view of status it is: the group's primary, if it answers.
	Seen string `json:"seen_by"`
	Note string `json:"note,omitempty"`
}

// Explain tells who would hold a task and why, by what the group's primary knows: it
// is the one that decides. Where none answers, this node tells what it knows itself,
// for then the question matters most.
func (n *Node) Explain(ctx context.Context, question []byte) (json.RawMessage, error) {
	fresh := n.catalogIsFresh(ctx)
	q, in, err := n.question(question)
	if err != nil {
		return nil, err
	}
	if _, _, problems := q.Ask(n.policySet(), in); problems != nil {
		return nil, wrongDocument("the question", problems)
	}
	note := "no primary of the group is known"
	if leader, ok := n.leaderOf(q.Group); ok && leader == n.id {
		note = ""
	} else if ok {
		var doc json.RawMessage
		asking, cancel := context.WithTimeout(ctx, explainWait)
		err := n.askTaskAt(asking, leader, taskQuestion{Op: "explain", Group: q.Group, Document: string(question)}, &doc)
		cancel()
		var p *router.Problem
		if err == nil || errors.As(err, &p) {
			return doc, err
		}
		note = fmt.Sprintf("the group's primary, %s, does not answer", n.catalog.Load().nodeName(leader))
	}
	if note != "" {
		note += ": this is how the node " + n.cfg.Name + " sees it"
	}
	if !fresh {
		note = "no majority of the cluster's catalog answers, so that policies may have changed; " + note
	}
	return n.explain(q, in, note)
}

// explainHere answers another node's question.
func (n *Node) explainHere(ctx context.Context, question []byte) (json.RawMessage, error) {
	n.catalogIsFresh(ctx) // what the asker has written is to count
	q, in, err := n.question(question)
	if err != nil {
		return nil, err
	}
	return n.explain(q, in, "")
}

func (n *Node) explain(q *policy.Question, in *policy.Input, note string) (json.RawMessage, error) {
	_, e, problems := q.Ask(n.policySet(), in)
	if problems != nil {
		return nil, wrongDocument("the question", problems)
	}
	return json.Marshal(explained{e, n.cfg.Name, note})
}

// question reads a question, and what is known here of what it asks for.
func (n *Node) question(text []byte) (*policy.Question, *policy.Input, error) {
	q, problems := n.policies.compiler.ReadQuestion(text)
	if problems != nil {
		return nil, nil, wrongDocument("the question", problems)
	}
	cat := n.catalog.Load()
	if _, ok := cat.group(q.Group); !ok {
		return nil, nil, &router.Problem{Code: "unknown_group", Group: q.Group, Detail: fmt.Sprintf("there is no group %q", q.Group)}
	}
	if t, ok := cat.task(q.Task); policy.KindOf(q.Task) == policy.KindApplication && (!ok || t.group != q.Group) {
		return nil, nil, &router.Problem{Code: "not_found", Group: q.Group, Detail: fmt.Sprintf("the group %s has no task %q: define it first (PUT /v1/tasks/%s), or ask for primary, reader, backup, verify or copy", q.Group, q.Task, q.Task)}
	}
	in, err := n.placementInput(q.Group, q.Task)
	return q, &in, err
}
