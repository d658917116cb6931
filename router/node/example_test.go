package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"lockstep/router/client"
	"lockstep/router/node"
	"lockstep/testdata/bank"
	"lockstep/testdata/ports"
)

// serveBank starts a cluster of one node with the bank, for an example.
func serveBank(ctx context.Context) (*client.Client, func(), error) {
	dir, err := os.MkdirTemp("", "lockstep-example-")
	if err != nil {
		return nil, nil, err
	}
	cfg := node.Defaults()
	cfg.Name, cfg.Data, cfg.Bootstrap = "n1", filepath.Join(dir, "n1"), true
	if cfg.HTTP, err = ports.TakeAddress(); err != nil {
		return nil, nil, err
	}
	if cfg.Raft, err = ports.TakeAddress(); err != nil {
		return nil, nil, err
	}
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	<-n.Ready()
	c, err := client.New(client.Config{Servers: []string{cfg.HTTP}})
	stop := func() {
		c.Close()
		err := errors.Join(n.Stop(ctx), os.RemoveAll(dir))
		if err != nil {
			fmt.Println(err)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if _, err := c.CreateGroup(ctx, client.Group{Name: "bank", Nodes: []string{"n1"}}); err != nil {
		return nil, stop, err
	}
	_, err = c.PutSchema(ctx, "bank", []byte(bank.Schema), client.SchemaOptions{})
	return c, stop, err
}

// The peer/peer model (transactions.md, Two replication models): each client reads
// accounts at any copy, computes what it likes, and writes; a write that relied on
// what has changed meanwhile is refused, and the client computes anew.
func Example_certify() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, stop, err := serveBank(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	for _, id := range []string{"alice", "bob"} {
		open := fmt.Sprintf(`{"procedure": "open", "params": {"id": %q, "owner": %q, "balance": 100}}`, id, id)
		if _, err := c.Transact(ctx, "bank", []byte(open), ""); err != nil {
			fmt.Println(err)
			return
		}
	}

	type account struct{ Balance int64 }
	// half moves half of what alice has to bob, whatever that is.
	half := func(a *client.Attempt) error {
		var from, to account
		if _, err := a.Row("accounts", &from, "alice"); err != nil {
			return err
		}
		if _, err := a.Row("accounts", &to, "bob"); err != nil {
			return err
		}
		move := from.Balance / 2
		a.Update("accounts", map[string]any{"balance": from.Balance - move}, "alice")
		a.Update("accounts", map[string]any{"balance": to.Balance + move}, "bob")
		return nil
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			_, err := c.Certify(ctx, "bank", client.CertifyOptions{Read: client.ReadOptions{Consistency: "local"}}, half)
			if err != nil {
				fmt.Println(err)
			}
		})
	}
	both.Wait()

	result, err := c.Query(ctx, "bank", []byte(`{"steps": [
		{"get": {"table": "accounts", "key": ["'alice'"], "as": "a"}},
		{"get": {"table": "accounts", "key": ["'bob'"], "as": "b"}}], "return": "[a.balance, b.balance]"}`), client.ReadOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(result.Result))
	// Output: [25,175]
}
