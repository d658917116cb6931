package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"lockstep/router/client"
	"lockstep/testdata/bank"
)

// The issue: "lockstep group recover rebuilds it from the best surviving copy, after
// showing what may be lost and asking"; and "kill -9 in the middle of every step leads
// on": the node with the copy is killed somewhere in the middle, again and again.
func TestAGroupIsRecoveredWhileItsLastCopyIsKilled(t *testing.T) {
	seed := *lastCopySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-lastcopy.seed %d", seed)
	k := newKilled(t, seed)
	c, err := client.New(client.Config{Servers: strings.Split(k.all, ",")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	if _, err := c.CreateGroup(ctx, client.Group{Name: "orders", Nodes: []string{"n1", "n2", "n3"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutSchema(ctx, "orders", []byte(bank.Schema), client.SchemaOptions{}); err != nil {
		t.Fatal(err)
	}
	open := func(id string) {
		t.Helper()
		doc := fmt.Sprintf(`{"procedure": "open", "params": {"id": %q, "owner": "O", "balance": 1}}`, id)
		if o, err := c.Transact(ctx, "orders", []byte(doc), ""); err != nil || !o.Committed() {
			t.Fatalf("%v %+v", err, o)
		}
		k.ids = append(k.ids, id)
	}
	for i := range 50 {
		open(fmt.Sprintf("before-%d", i))
	}
	k.untilGroup("n1", "n1 has all", func(g client.GroupStatus) bool {
		return g.Partitions[0].Node == "n1" && g.Partitions[0].Revision >= 51
	})
	k.kill("n2")
	k.kill("n3")
	if code, _, errs := outcome(t, "group", "recover", "orders", "--server", k.all); code != exitUsage || !strings.Contains(errs, "warning: be sure that n2, n3 are down") {
		t.Errorf("without --yes it ends with %d and shows\n%s", code, errs)
	}
	for i := 0; ; i++ {
		decided := begin(t, "group", "recover", "orders", "--yes", "--server", k.all, "--timeout", "20s")
		if i < 3 { // somewhere in the middle
			<-time.After(time.Duration(k.rng.IntN(6000)) * time.Millisecond)
			k.kill("n1")
			k.start("n1")
		}
		_ = decided.cmd.Wait()
		code, errs := decided.cmd.ProcessState.ExitCode(), decided.errs.String()
		if code == 0 || strings.Contains(errs, "quorum_present") || strings.Contains(errs, "there is nothing to recover") {
			break
		}
		t.Logf("attempt %d ended with %d: %s", i, code, errs[strings.LastIndex(strings.TrimSpace(errs), "\n")+1:])
		if i == 10 {
			t.Fatal("it is never recovered")
		}
	}
	open("after")
	k.start("n2")
	k.start("n3")
	k.untilGroup("n1", "all copies", func(g client.GroupStatus) bool {
		for _, p := range g.Partitions {
			if p.Role == "joining" || p.Status != "available" {
				return false
			}
		}
		return g.Durability == "" && g.Primary == "n1" && g.Revision > 1_000_000
	})
	open("at the end")
	k.check()
	for _, node := range []string{"n1", "n2", "n3"} {
		if code := k.nodes[node].end(syscall.SIGTERM); code != 0 {
			t.Errorf("%s ends with %d", node, code)
		}
	}
}
