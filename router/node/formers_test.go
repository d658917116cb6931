package node_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lockstep/router"
	"lockstep/router/node"
)

// doc.go: a node that has heard of a recovery never opens the old shard again, also
// where the catalog as it knows it is of before.
func TestWhatWasBeforeARecoveryIsNotOpenedAgain(t *testing.T) {
	nodes := cluster(t, 3, 0)
	n1, n2, n3 := nodes[0], nodes[1], nodes[2]
	n1.must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n2", "n3"]}`)
	name, _, _ := strings.Cut(filepath.Base(n2.CopyFolder("bank")), "-")
	old, err := strconv.Atoi(name)
	if err != nil {
		t.Fatal(err)
	}
	n3.stop()
	n1.until("no majority", func(g router.GroupStatus) bool { return g.Primary == "" })
	n1.must("POST", "/v1/groups/bank/recover", fmt.Sprintf(`{"token": %q}`, n1.plan("bank").Token))
	n2.stop()
	n2.start()
	<-n2.Ready() // it is asked by what it has on disk
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := node.EditCatalog(ctx, n1.Node, old, map[string]any{
		"update": map[string]any{"table": "groups", "key": []string{"'bank'"}, "set": map[string]any{"shard": "params.row", "origin": "null"}}}); err != nil {
		t.Fatal(err)
	}
	n1.until("n2 does not open it", func(router.GroupStatus) bool {
		return slices.ContainsFunc(n2.Unready(), func(u router.Unready) bool { return strings.Contains(u.Detail, "was rebuilt") })
	})
}
