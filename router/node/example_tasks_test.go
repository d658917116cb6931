package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"lockstep/router/client"
)

// An application beside a node does its part while the node holds the task, and begins
// each transaction with the step that fences it (patent, paragraph 43; interface.md,
// expect_task).
func Example_hold() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, stop, err := serveBank(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	if _, _, err := c.PutTask(ctx, "close", []byte(`{"group": "bank", "payload": {"account": "fees"}}`), client.TaskOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	open := func(ctx context.Context, held *client.Held, account string) error {
		doc, err := json.Marshal(map[string]any{
			"steps": []any{held.Expect(), map[string]any{"insert": map[string]any{
				"table": "accounts", "row": map[string]string{"id": "params.id", "owner": "params.id", "balance": "0"}}}},
			"params": map[string]string{"id": account},
		})
		if err != nil {
			return err
		}
		_, err = c.Transact(ctx, "bank", doc, "")
		return err
	}

	var before *client.Held
	done := errors.New("the day is closed")
	err = c.Hold(ctx, client.HoldOptions{Task: "close", Node: "n1"}, func(ctx context.Context, held *client.Held) error {
		var payload struct{ Account string }
		if err := json.Unmarshal(held.Payload, &payload); err != nil {
			return err
		}
		if before = held; open(ctx, held, payload.Account) == nil {
			fmt.Println("opened", payload.Account)
		}
		return done // which gives the task back
	})
	fmt.Println(err)
	// Who held it can write nothing more.
	var p *client.Problem
	if errors.As(open(ctx, before, "late"), &p) {
		fmt.Println(p.Code)
	}
	// Output:
	// opened fees
	// the day is closed
	// fenced
}
