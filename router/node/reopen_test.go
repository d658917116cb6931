package node_test

import (
	"strings"
	"testing"
)

// "an id makes a second execution impossible" (package order): so no id may be given
// twice, and a copy that is opened again in the same process gives new ones. What is
// acknowledged through it is executed.
func TestACopyThatComesBackExecutesWhatItAcknowledges(t *testing.T) {
	nodes := cluster(t, 3, 3)
	n1, n2 := nodes[0], nodes[1]
	n1.must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 0}}`)
	deposit := func(times int) {
		t.Helper()
		for range times {
			n1.must("POST", "/v1/groups/bank/transactions", `{"procedure": "deposit", "params": {"id": "a", "amount": 1}}`)
		}
	}
	deposit(30)
	n2.must("DELETE", "/v1/groups/bank/partitions/n1?timeout=60", "")
	n2.must("POST", "/v1/groups/bank/partitions?timeout=60", `{"node": "n1"}`)
	deposit(20)
	if row := n2.must("GET", "/v1/groups/bank/tables/accounts/rows?key=a", ""); !strings.Contains(row, `"balance":50`) {
		t.Errorf("50 deposits of 1 were acknowledged, and the account is %s", row)
	}
}
