// Package bank is the example that everything begins with: accounts and transfers
// between them, and beside them SmallBank, a benchmark of a bank whose customers
// have savings and a checking account (Alomari, Cahill, Fekete, Röhm: The Cost of
// Serializability on Platforms That Use Snapshot Isolation, ICDE 2008). Its schema
// is what lockstep dev applies and what tests run on.
package bank

import (
	_ "embed" // for Schema
	"fmt"
	"math/rand/v2"

	"lockstep/testdata/call"
)

// Schema is the example's schema document, YAML.
//
//go:embed schema.yaml
var Schema string

// What SmallBank has each customer begin with, and how much of its work falls on
// how few customers. Money is in cents.
const (
	minBalance = 10_000_00
	maxBalance = 50_000_00
	hotShare   = 0.9 // of all picks of a customer
	hotSpot    = 100 // customers that these fall on
	perLoad    = 100 // customers that one transaction of Load opens
)

// Name is the name of the customer with a number, from 1.
func Name(number int) string { return fmt.Sprintf("customer-%06d", number) }

// Load gives the transactions that open a number of SmallBank's customers, with
// balances that follow from the seed.
func Load(seed uint64, customers int) []string {
	rng := call.Rand(seed)
	var documents []string
	for first := 1; first <= customers; first += perLoad {
		var batch []call.Params
		for n := first; n < min(first+perLoad, customers+1); n++ {
			batch = append(batch, call.Params{
				"id": n, "name": Name(n),
				"savings":  minBalance + rng.IntN(maxBalance-minBalance+1),
				"checking": minBalance + rng.IntN(maxBalance-minBalance+1),
			})
		}
		documents = append(documents, call.Procedure("open_customers", call.Params{"customers": batch}))
	}
	return documents
}

// Traffic makes SmallBank's transactions.
type Traffic struct {
	rng       *rand.Rand
	customers int
}

// NewTraffic makes the traffic of a number of customers that follows from a seed.
// There must be two at least.
func NewTraffic(seed uint64, customers int) *Traffic {
	return &Traffic{rng: call.Rand(seed), customers: customers}
}

// Next is the next transaction: a call of one of the six procedures, a quarter of
// them send_payment, the others alike.
func (t *Traffic) Next() string {
	one, other := t.pair()
	switch n := t.rng.IntN(100); {
	case n < 15:
		return call.Procedure("customer_balance", call.Params{"name": one})
	case n < 30:
		return call.Procedure("deposit_checking", call.Params{"name": one, "amount": 1_30})
	case n < 45:
		return call.Procedure("transact_savings", call.Params{"name": one, "amount": t.sign() * 20_20})
	case n < 60:
		return call.Procedure("amalgamate", call.Params{"from": one, "to": other})
	case n < 75:
		return call.Procedure("write_check", call.Params{"name": one, "amount": 5_00})
	}
	return call.Procedure("send_payment", call.Params{"from": one, "to": other, "amount": 5_00})
}

// pair is two different customers.
func (t *Traffic) pair() (one, other string) {
	a, b := t.customer(), t.customer()
	for a == b {
		b = t.customer()
	}
	return Name(a), Name(b)
}

func (t *Traffic) customer() int {
	if t.rng.Float64() < hotShare {
		return 1 + t.rng.IntN(min(hotSpot, t.customers))
	}
	return 1 + t.rng.IntN(t.customers)
}

func (t *Traffic) sign() int { return 1 - 2*t.rng.IntN(2) }
