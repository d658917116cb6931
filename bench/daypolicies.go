package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// dayTask is a task of an application: one node of the group holds it at a time.
const dayTask = "mailer"

// prefer writes a policy that wants a task of the client's group on one of some nodes.
func (d *day) prefer(ctx context.Context, policy, task string, nodes ...string) error {
	doc := map[string]any{
		"policy": policy, "task": task, "groups": fmt.Sprintf("group.name == '%s'", d.cluster.Group),
		"prefer": []map[string]any{{"expr": fmt.Sprintf("node.name in ['%s']", strings.Join(nodes, "', '")), "weight": 10}},
		"hold":   "0s", "margin": 1, "priority": 10,
	}
	_, err := d.cluster.request(ctx, "PUT", "/v1/policies/"+policy, doc)
	return err
}

func (d *day) unprefer(ctx context.Context, policy string) error {
	_, err := d.cluster.request(ctx, "DELETE", "/v1/policies/"+policy, nil)
	return err
}

// changePolicy writes a policy that wants the primary elsewhere, and takes it away
// when it is there.
func changePolicy(ctx context.Context, d *day) (string, error) {
	s, err := d.cluster.Client().Status(ctx)
	if err != nil {
		return "", fmt.Errorf("asking for the cluster's status: %w", err)
	}
	before := primaryOf(s, d.cluster.Group)
	wanted, err := successor(s, d.cluster.Group)
	if err != nil {
		return "", err
	}
	const policy = "evening-shift"
	if err := d.prefer(ctx, policy, "primary", wanted); err != nil {
		return "", err
	}
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, recoveryTime)
	defer cancel()
	err = poll(within, "the policy has moved the primary", func(ctx context.Context) error {
		s, err := d.cluster.Client().Status(ctx)
		if err != nil {
			return err
		}
		if now := primaryOf(s, d.cluster.Group); now != wanted {
			return fmt.Errorf("the primary is %q, not %s", now, wanted)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	took := time.Since(began)
	return fmt.Sprintf("a policy wants the primary on %s: moved from %s after %.1f s", wanted, before, took.Seconds()), d.unprefer(ctx, policy)
}

// heldTask is who holds a task.
type heldTask struct {
	Holder string `json:"holder"`
	Epoch  uint64 `json:"epoch"`
	Reason string `json:"reason"`
}

// taskAt waits until a task has a holder, a given one unless that is empty.
func (d *day) taskAt(ctx context.Context, task, holder string) (h heldTask, err error) {
	ctx, cancel := context.WithTimeout(ctx, recoveryTime)
	defer cancel()
	err = poll(ctx, "task "+task+" has its holder", func(ctx context.Context) error {
		answer, err := d.cluster.request(ctx, "GET", "/v1/tasks/"+url.PathEscape(task), nil)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(answer, &h); err != nil {
			return fmt.Errorf("reading the task %s: %w: %.300s", task, err, answer)
		}
		if h.Holder == "" || holder != "" && h.Holder != holder {
			return fmt.Errorf("its holder is %q", h.Holder)
		}
		return nil
	})
	return h, err
}

// moveTask defines a task of an application, and has a policy move it.
func moveTask(ctx context.Context, d *day) (string, error) {
	if _, err := d.cluster.request(ctx, "PUT", "/v1/tasks/"+dayTask, map[string]string{"group": d.cluster.Group}); err != nil {
		return "", err
	}
	first, err := d.taskAt(ctx, dayTask, "")
	if err != nil {
		return "", err
	}
	have, err := d.copies(ctx, d.cluster.Group)
	if err != nil {
		return "", err
	}
	wanted := have[0]
	if wanted == first.Holder {
		wanted = have[1]
	}
	const policy = "mail-elsewhere"
	if err := d.prefer(ctx, policy, dayTask, wanted); err != nil {
		return "", err
	}
	next, err := d.taskAt(ctx, dayTask, wanted)
	if err != nil {
		return "", err
	}
	if next.Epoch <= first.Epoch {
		return "", fmt.Errorf("task %s moved from %s to %s, and its epoch went from %d to %d", dayTask, first.Holder, wanted, first.Epoch, next.Epoch)
	}
	what := fmt.Sprintf("task %s moved from %s (epoch %d) to %s (epoch %d), reason %s", dayTask, first.Holder, first.Epoch, next.Holder, next.Epoch, next.Reason)
	if err := d.unprefer(ctx, policy); err != nil {
		return "", err
	}
	_, err = d.cluster.request(ctx, "DELETE", "/v1/tasks/"+dayTask, nil)
	return what, err
}
