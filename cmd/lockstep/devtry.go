package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lockstep/cmd/lockstep/dev"
	"lockstep/router/client"
)

// bankRequests are requests to paste, for a cluster with the bank example: spread
// over the nodes, for any node takes any request.
func bankRequests(info dev.Info) string {
	node := func(i int) string { return "http://" + info.Nodes[i%len(info.Nodes)].HTTP + "/v1/groups/" + info.Group }
	post := func(i int, doc string) string {
		return fmt.Sprintf("  curl -X POST %s/transactions -H 'Content-Type: application/json' -d '%s'\n", node(i), doc)
	}
	var b strings.Builder
	b.WriteString("\nTwo accounts, a transfer between them at any node, and what became of it at another:\n\n")
	b.WriteString(post(0, `{"procedure": "open", "params": {"id": "alice", "owner": "Alice", "balance": 100}}`))
	b.WriteString(post(1, `{"procedure": "open", "params": {"id": "bob", "owner": "Bob", "balance": 100}}`))
	b.WriteString(post(2, `{"procedure": "transfer", "params": {"from": "alice", "to": "bob", "amount": 30}}`))
	fmt.Fprintf(&b, "  curl '%s/tables/accounts/rows?key=alice'\n", node(0))
	fmt.Fprintf(&b, "  curl -X POST %s/query -H 'Content-Type: application/json' -d '%s'\n", node(1),
		`{"procedure": "balance", "params": {"id": "bob"}}`)
	b.WriteString("\nStop the primary's process, go on, start it again, and compare the copies:\n\n")
	servers := make([]string, len(info.Nodes))
	for i, n := range info.Nodes {
		servers[i] = n.HTTP
	}
	fmt.Fprintf(&b, "  export LOCKSTEP_SERVER=%s\n", strings.Join(servers, ","))
	b.WriteString("  lockstep status\n")
	victim := primaryOf(info)
	fmt.Fprintf(&b, "  kill -9 %d\n", victim.PID)
	fmt.Fprintf(&b, "  lockstep tx %s transfer from=alice to=bob amount:=1\n", info.Group)
	fmt.Fprintf(&b, "  lockstep dev restart %s --data %s\n", victim.Name, info.Data)
	fmt.Fprintf(&b, "  lockstep verify %s\n", info.Group)
	return b.String()
}

// askingPrimary bounds the question which node the primary is; without an answer
// the first node stands for it.
const askingPrimary = time.Second

func primaryOf(info dev.Info) dev.Node {
	first := info.Nodes[0]
	cl, err := client.New(client.Config{Servers: []string{first.HTTP}})
	if err != nil {
		return first
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), askingPrimary)
	defer cancel()
	s, err := cl.Status(ctx)
	if err != nil {
		return first
	}
	for _, g := range s.Groups {
		for _, n := range info.Nodes {
			if g.Name == info.Group && n.Name == g.Primary {
				return n
			}
		}
	}
	return first
}
