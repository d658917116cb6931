package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"lockstep/router"
	"lockstep/router/tasks"
	"lockstep/txlog"
)

// taskQuestion asks another node about tasks: one with a copy of the group (task,
// list, release), or the holder (logs, states).
type taskQuestion struct {
	Op    string  `json:"op"`
	Group string  `json:"group,omitempty"`
	Task  string  `json:"task,omitempty"`
	After *uint64 `json:"after,omitempty"` // the epoch to wait beyond, or to release
	// WaitMillis is how long the asker waits.
	WaitMillis int64 `json:"wait_ms,omitempty"`
	// Document is the question itself, of an explanation.
	Document string `json:"document,omitempty"`
}

// taskReply is an answer, or a refusal in the interface's words.
type taskReply struct {
	Answer json.RawMessage `json:"answer,omitempty"`
	Code   string          `json:"code,omitempty"`
	Detail string          `json:"detail,omitempty"`
}

// askTasks asks the nodes that have a copy of a group, one after the other.
func (n *Node) askTasks(ctx context.Context, group string, q taskQuestion, into any) error {
	last := errors.New("no node that has a copy of the group is known")
	give := time.Now().Add(forwardPatience)
	for {
		for _, id := range n.servers(n.catalog.Load(), group) {
			err := n.askTaskAt(ctx, id, q, into)
			var p *router.Problem
			if err == nil || errors.As(err, &p) && p.Code != "starting" {
				return err
			}
			last = err
		}
		pause(ctx, forwardPause)
		if ctx.Err() != nil || time.Now().After(give) {
			return &router.Problem{Code: "no_primary", Group: group, Detail: fmt.Sprintf("no node with a copy of the group answers: %v", last)}
		}
	}
}

func (n *Node) askTaskAt(ctx context.Context, at txlog.NodeID, q taskQuestion, into any) error {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		q.WaitMillis = max((left - min(left/10, taskAnswerTime)).Milliseconds(), 1)
	}
	raw, err := json.Marshal(q)
	if err != nil {
		return err
	}
	if raw, err = n.peers.Call(ctx, uint64(at), serviceTasks, raw); err != nil {
		return err
	}
	var reply taskReply
	if err := json.Unmarshal(raw, &reply); err != nil {
		return fmt.Errorf("the node's answer can't be read: %w", err)
	}
	if reply.Code != "" {
		return &router.Problem{Code: reply.Code, Detail: reply.Detail, Group: q.Group}
	}
	return json.Unmarshal(reply.Answer, into)
}

// answerTasks answers another node's question.
func (n *Node) answerTasks(ctx context.Context, _ uint64, raw []byte) ([]byte, error) {
	var q taskQuestion
	if err := json.Unmarshal(raw, &q); err != nil {
		return nil, fmt.Errorf("the question can't be read: %w", err)
	}
	wait := taskFreshWait
	if q.WaitMillis > 0 {
		wait = time.Duration(q.WaitMillis) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	answer, err := n.taskAnswer(ctx, q)
	var p *router.Problem
	if errors.As(err, &p) {
		return json.Marshal(taskReply{Code: p.Code, Detail: p.Detail})
	}
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return json.Marshal(taskReply{Answer: text})
}

func (n *Node) taskAnswer(ctx context.Context, q taskQuestion) (any, error) {
	switch q.Op {
	case "states":
		return n.runner.States(), nil
	case "logs":
		return n.runner.Output(tasks.Key{Group: q.Group, Task: q.Task}), nil
	}
	if q.Op == "history" {
		return n.historyAnswer(q)
	}
	if q.Op == "explain" {
		return n.explainHere(ctx, []byte(q.Document))
	}
	c := n.copy(q.Group)
	if c == nil {
		return nil, &router.Problem{Code: "starting", Group: q.Group, Detail: "this node has no copy of the group that is open"}
	}
	switch q.Op {
	case "task":
		return n.ownTask(ctx, c, q.Task, q.After)
	case "list":
		return n.ownTasks(ctx, c), nil
	case "run":
		return n.beginHere(ctx, q.Group, q.Task)
	case "release":
		if q.After == nil {
			return nil, errors.New("the epoch is missing")
		}
		return n.ReleaseTask(ctx, q.Group, q.Task, *q.After)
	}
	return nil, fmt.Errorf("this node does not know the question %q", q.Op)
}

// addExecutions asks the holders what they do for their tasks.
func (n *Node) addExecutions(ctx context.Context, list []router.TaskStatus) {
	ctx, cancel := context.WithTimeout(ctx, taskStateWait)
	defer cancel()
	cat := n.catalog.Load()
	asked, states := map[string]bool{}, map[string][]tasks.State{}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, holder := range holdersOf(list) {
		row, ok := cat.named(holder)
		if !ok || asked[holder] {
			continue
		}
		asked[holder] = true
		asking.Go(func() {
			var got []tasks.State
			if row.id == n.id {
				got = n.runner.States()
			} else if err := n.askTaskAt(ctx, row.id, taskQuestion{Op: "states"}, &got); err != nil {
				return // it is shown without
			}
			mu.Lock()
			defer mu.Unlock()
			states[row.name] = got
		})
	}
	asking.Wait()
	for i := range list {
		s := &list[i]
		s.Execution = executionOf(states[s.Holder], s.Group, s.Epoch)
		for j := range s.Holders {
			h := &s.Holders[j]
			h.Execution = executionOf(states[h.Holder], s.Group, h.Epoch)
		}
	}
}

// holdersOf are the nodes that hold tasks of applications.
func holdersOf(list []router.TaskStatus) (names []string) {
	for _, s := range list {
		if tasks.BuiltIn(s.Task) {
			continue
		}
		names = append(names, s.Holder)
		for _, h := range s.Holders {
			names = append(names, h.Holder)
		}
	}
	return names
}

// executionOf finds what a node said about a task that it holds under an epoch, of
// which there is one in a group.
func executionOf(states []tasks.State, group string, epoch uint64) *tasks.State {
	for _, st := range states {
		if st.Group == group && st.Epoch == epoch {
			return &st
		}
	}
	return nil
}
