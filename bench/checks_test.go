package bench

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"lockstep/router/client"
)

// A sound run, made up: two workers with ten transfers each, of which one was
// aborted, and the rows that they leave.
type madeUp struct {
	t        *transfers
	b        book
	rows     []entry
	balances []int64
}

func sound() *madeUp {
	m := &madeUp{t: &transfers{run: "run", seed: 7, accounts: 5}, b: book{make([]answer, 10), make([]answer, 10)}}
	m.balances = slices.Repeat([]int64{firstBalance}, m.t.accounts)
	for revision := uint64(1); revision <= 20; revision++ {
		worker, number := int(revision)%2, int(revision-1)/2
		r := reply{kind: committed, revision: revision}
		if revision == 13 {
			r.kind = aborted
		}
		m.b[worker][number] = answerOf(r)
		if r.kind == aborted {
			continue
		}
		d := m.t.draw(worker, number)
		m.balances[d.from] -= d.amount
		m.balances[d.to] += d.amount
		m.rows = append(m.rows, entry{
			id: string(m.t.appendID(nil, worker, number)), revision: revision, worker: worker, count: number,
			from: d.from, to: d.to, amount: d.amount, fromBalance: m.balances[d.from], toBalance: m.balances[d.to],
		})
	}
	return m
}

func (m *madeUp) again() book {
	again := book{}
	for _, page := range m.b {
		again = append(again, slices.Clone(page))
	}
	return again
}

func (m *madeUp) check(name string, again book) Check {
	switch name {
	case "money":
		return checkMoney(m.t, m.balances)
	case "resolved":
		return checkResolved(m.b)
	case "balances":
		return checkBalances(m.t, m.b, m.balances)
	case "revisions":
		return checkRevisions(m.b)
	case "found":
		return checkFound(m.b, again)
	case "ledger":
		return checkLedger(m.t, m.b, m.rows)
	case "replay":
		return checkReplay(m.t, m.rows, m.balances)
	}
	panic(name)
}

var everyCheck = []string{"money", "resolved", "balances", "revisions", "found", "ledger", "replay"}

// goals.md, How to measure: every history checked (money conserved, every
// acknowledged id found, digests equal). A check that can't fail checks nothing:
// each finds the anomaly that is planted for it.
func TestEachCheckFindsItsAnomaly(t *testing.T) {
	for _, name := range everyCheck {
		if c := sound().check(name, sound().again()); !c.OK {
			t.Errorf("a sound run fails the check %s: %v", name, c)
		}
	}
	anomalies := []struct {
		what  string
		plant func(m *madeUp, again book)
		found []string // by these checks and no others
		says  string
	}{
		{"money appears", func(m *madeUp, _ book) { m.balances[2]++ }, []string{"money", "balances", "replay"}, "holds"},
		{"money changes its owner", func(m *madeUp, _ book) { m.balances[2]++; m.balances[3]-- }, []string{"balances", "replay"}, "holds"},
		{"an account is overdrawn", func(m *madeUp, _ book) { m.balances[0], m.balances[1] = -1, m.balances[1]+m.balances[0]+1 }, []string{"money", "balances", "replay"}, "holds"},
		{"an account is gone", func(m *madeUp, _ book) { m.balances = m.balances[:4] }, []string{"money", "balances", "replay"}, "are there"},
		{"no outcome came", func(m *madeUp, again book) { m.b[0][3], again[0][3] = 0, 0 }, []string{"resolved", "balances", "ledger"}, "run-0-3"},
		{"a commit is lost with its outcome", func(m *madeUp, again book) { again[1][4] = answerOf(reply{kind: committed, revision: 99}) }, []string{"found"}, "now found as committed at revision 99"},
		{"a commit turns into an abort", func(m *madeUp, again book) { again[1][4] &^= 1 }, []string{"found"}, "now found as aborted"},
		{"two are acknowledged with one revision", func(m *madeUp, again book) { m.b[0][3] = m.b[0][4]; again[0][3] = again[0][4] }, []string{"revisions", "ledger"}, "twice"},
		{"a transfer is executed twice", func(m *madeUp, _ book) {
			second := m.rows[5]
			second.revision = 21
			m.rows = append(m.rows, second)
		}, []string{"ledger", "replay"}, "executed twice, at revisions 6 and 21"},
		{"an acknowledged commit leaves no row", func(m *madeUp, _ book) { m.rows = slices.Delete(m.rows, 5, 6) }, []string{"ledger", "replay"}, "is not in the ledger"},
		{"an aborted transfer leaves a row", func(m *madeUp, _ book) {
			ghost := m.rows[0]
			ghost.id, ghost.worker, ghost.count, ghost.revision = "run-1-6", 1, 6, 13
			m.rows = append(m.rows, ghost)
		}, []string{"ledger", "replay"}, "acknowledged as aborted"},
		{"a row is of nobody", func(m *madeUp, _ book) {
			ghost := m.rows[0]
			ghost.id, ghost.worker, ghost.count, ghost.revision = "run-8-6", 8, 6, 30
			m.rows = append(m.rows, ghost)
		}, []string{"ledger", "replay"}, "was never sent"},
		{"a row has another amount", func(m *madeUp, _ book) { m.rows[3].amount++ }, []string{"ledger", "replay"}, "and moved"},
		{"a transfer read dirty data", func(m *madeUp, _ book) { m.rows[3].toBalance++ }, []string{"replay"}, "and the replay"},
		{"a row has another revision", func(m *madeUp, _ book) { m.rows[18].revision = 40 }, []string{"ledger"}, "at revision 40"},
	}
	for _, a := range anomalies {
		m := sound()
		again := m.again()
		a.plant(m, again)
		var said []string
		for _, name := range everyCheck {
			c := m.check(name, again)
			said = append(said, c.Anomalies...)
			if want := slices.Contains(a.found, name); c.OK == want {
				t.Errorf("%s: the check %s says %+v", a.what, name, c)
			}
		}
		if text := strings.Join(said, "\n"); !strings.Contains(text, a.says) {
			t.Errorf("%s: nothing says %q, but\n%s", a.what, a.says, text)
		}
		if err := (Checks{m.check(a.found[0], again)}).Failure(); err == nil {
			t.Errorf("%s: no failure", a.what)
		}
	}
}

// goals.md, How to measure: digests equal. A copy that could not be looked at is
// not equal.
func TestDigestsThatDifferAreFound(t *testing.T) {
	equal := func() *client.Verification {
		return &client.Verification{Revision: 5, Equal: true, Partitions: []client.VerifiedPartition{
			{Node: "n1", Revision: 5, Digest: "aa"}, {Node: "n2", Revision: 5, Digest: "aa"}, {Node: "n3", Revision: 5, Digest: "aa"},
		}}
	}
	if c := checkDigests(equal()); !c.OK {
		t.Errorf("equal copies: %+v", c)
	}
	for what, plant := range map[string]func(*client.Verification){
		"another digest":             func(v *client.Verification) { v.Partitions[1].Digest = "bb" },
		"another revision":           func(v *client.Verification) { v.Partitions[2].Revision = 4 },
		"a copy that does not serve": func(v *client.Verification) { v.Partitions[2] = client.VerifiedPartition{Node: "n3", Error: "down"} },
		"no copy":                    func(v *client.Verification) { v.Partitions = nil },
		"the cluster's word":         func(v *client.Verification) { v.Equal = false },
	} {
		v := equal()
		plant(v)
		if c := checkDigests(v); c.OK {
			t.Errorf("%s: %+v", what, c)
		}
	}
}

func did(client int, call, back int64, in operation, out observed) porcupine.Operation {
	return porcupine.Operation{ClientId: client, Call: call, Return: back, Input: in, Output: out}
}

// interface.md, Reads: linearizable by default. A read that misses a write which
// was answered before it began, a swap that succeeds twice, and a read that goes
// back in time have no order.
func TestHistoriesWithoutAnOrderAreFound(t *testing.T) {
	write := func(v int64) operation { return operation{kind: "write", new: v} }
	swap := func(from, to int64) operation { return operation{kind: "swap", old: from, new: to} }
	read := operation{kind: "read"}
	for _, one := range []struct {
		what    string
		history []porcupine.Operation
		ok      bool
	}{
		{"one after the other", []porcupine.Operation{
			did(0, 1, 2, write(5), observed{ok: true}), did(1, 3, 4, read, observed{value: 5}),
			did(0, 5, 6, swap(5, 6), observed{ok: true}), did(1, 7, 8, swap(5, 7), observed{}), did(1, 9, 10, read, observed{value: 6}),
		}, true},
		{"a read beside a write sees either", []porcupine.Operation{
			did(0, 1, 10, write(5), observed{ok: true}), did(1, 2, 3, read, observed{value: 0}), did(1, 4, 5, read, observed{value: 5}),
		}, true},
		{"registers are apart", []porcupine.Operation{
			did(0, 1, 2, write(5), observed{ok: true}), did(1, 3, 4, operation{kind: "read", cell: 1}, observed{}),
		}, true},
		{"a stale read", []porcupine.Operation{
			did(0, 1, 2, write(5), observed{ok: true}), did(1, 3, 4, read, observed{value: 0}),
		}, false},
		{"a read that goes back", []porcupine.Operation{
			did(0, 1, 10, write(5), observed{ok: true}), did(1, 2, 3, read, observed{value: 5}), did(1, 4, 5, read, observed{value: 0}),
		}, false},
		{"a swap that succeeds twice", []porcupine.Operation{
			did(0, 1, 5, swap(0, 1), observed{ok: true}), did(1, 1, 5, swap(0, 2), observed{ok: true}),
		}, false},
		{"a swap refused although it fits", []porcupine.Operation{did(0, 1, 2, swap(0, 1), observed{})}, false},
		{"nothing", nil, false},
	} {
		if c := checkHistory(one.history); c.OK != one.ok {
			t.Errorf("%s: %+v", one.what, c)
		}
	}
}

// The longest history that chaos makes is checked well within its time, and one
// wrong read in it is found.
func TestALongHistoryIsChecked(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var cells [historyCells]int64
	var history []porcupine.Operation
	for i := range int64(historyOperations) {
		op := operation{kind: []string{"read", "write", "swap"}[random.IntN(3)], cell: random.IntN(historyCells), new: i}
		out := observed{ok: true, value: cells[op.cell]}
		switch op.kind {
		case "write":
			cells[op.cell] = op.new
		case "swap":
			if random.IntN(2) == 0 {
				op.old, cells[op.cell] = cells[op.cell], op.new
			} else {
				op.old, out.ok = -1, false
			}
		}
		// It happens at 10 i, within the time of its client's operation.
		history = append(history, did(int(i)%historyClients, 10*i-random.Int64N(19), 10*i+random.Int64N(19), op, out))
	}
	if c := checkHistory(history); !c.OK {
		t.Fatalf("%+v", c)
	}
	for i := len(history) - 1; ; i-- {
		if op := history[i].Input.(operation); op.kind == "read" {
			history[i].Output = observed{value: -5}
			break
		}
	}
	if c := checkHistory(history); c.OK {
		t.Errorf("%+v", c)
	}
}

// A run without checks has shown nothing.
func TestNoChecksAreNotOK(t *testing.T) {
	if (Checks{}).OK() || (Checks{}).Failure() == nil {
		t.Error("a run without checks passes")
	}
	doc, err := Checks{{Name: "one", OK: true, Detail: "d"}}.MarshalJSON()
	if err != nil || string(doc) != `{"ok":true,"one":{"ok":true,"detail":"d"}}` {
		t.Errorf("%s, %v", doc, err)
	}
}
