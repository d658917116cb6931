package replay

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// recordedBank records transfers of 1 to 20 from alice to bob.
func recordedBank(t *testing.T, snapshot bool) []byte {
	n := newNode(t)
	if !snapshot {
		n.record(false)
	}
	n.schema(bank)
	n.batch(n.open("alice", 1000), n.open("bob", 0), n.open("carol", 0))
	if snapshot {
		n.record(true)
	}
	for amount := 1; amount <= 20; amount += 2 {
		n.batch(n.transfer("alice", "bob", amount), n.transfer("alice", "bob", amount+1))
	}
	return n.done()
}

func change(t *testing.T, old, new string) []byte {
	t.Helper()
	if !strings.Contains(bank, old) {
		t.Fatalf("the bank has no %q", old)
	}
	return []byte(strings.Replace(bank, old, new, 1))
}

// Under the schema that was recorded nothing differs.
func TestTheSameSchemaMakesNoDifference(t *testing.T) {
	for _, snapshot := range []bool{false, true} {
		n := newNode(t)
		if !snapshot {
			n.record(false)
		}
		n.schema(bank)
		if snapshot {
			n.record(true)
		}
		history(n)
		raw := n.done()
		// The change in the midst of the history is passed over: rehearse what it says.
		r := replayOf(t, raw, Options{Schema: change(t, `amount - 1"`, `amount - 2"`), At: 12}).Rehearsal
		if !r.Equal || r.Transactions < 500 || len(r.Outcomes) != 0 || len(r.Tables) != 2 {
			t.Errorf("%+v", r)
		}
	}
}

// A rehearsal with a changed guard shows exactly the affected transactions, and the
// rows that would have been otherwise.
func TestAChangedGuardIsRehearsed(t *testing.T) {
	for _, snapshot := range []bool{false, true} {
		t.Run(fmt.Sprint("snapshot ", snapshot), func(t *testing.T) {
			raw := recordedBank(t, snapshot)
			guarded := change(t, `
      - update: {table: accounts, key: ["params.from"], set: {balance: "row.balance - params`, `
      - require: {expr: "params.amount <= 17", code: too_much}
      - update: {table: accounts, key: ["params.from"], set: {balance: "row.balance - params`)
			report := replayOf(t, raw, Options{Schema: guarded, Examples: 10})
			r := report.Rehearsal
			if !report.Equal || r.Equal || r.Different != 3 || r.Untyped != 0 || len(r.Outcomes) != 1 {
				t.Fatalf("%+v", r)
			}
			o := r.Outcomes[0]
			if o.Procedure != "transfer" || o.Kind != "committed → aborted: too_much" || o.Count != 3 || len(o.Examples) != 3 {
				t.Fatalf("%+v", o)
			}
			for i, e := range o.Examples {
				want := fmt.Sprintf(`{"amount":%d,"from":"alice","note":null,"to":"bob"}`, 18+i)
				if string(e.Params) != want || e.Before.Status != "committed" || string(e.Before.Result) != fmt.Sprint(18+i) || e.After.Code != "too_much" || e.After.Step != "steps[0]" || e.Revision != uint64(4+18+i) {
					t.Errorf("%+v", e)
				}
			}
			accounts, fees := r.Tables[0], r.Tables[1]
			if accounts.Table != "accounts" || accounts.Changed != 2 || accounts.OnlyBefore+accounts.OnlyAfter != 0 {
				t.Errorf("%+v", accounts)
			}
			if e := accounts.Examples[0]; string(e.Key) != `["alice"]` || string(e.Before) != `{"balance":770}` || string(e.After) != `{"balance":830}` {
				t.Errorf("%s: %s, %s", e.Key, e.Before, e.After)
			}
			if fees.OnlyBefore != 3 || fees.Changed != 0 || string(fees.Examples[0].Before) != `{"amount":1,"n":22}` {
				t.Errorf("%+v", fees)
			}
		})
	}
}

// A changed fee changes rows although every outcome is the same.
func TestAChangedFeeIsRehearsed(t *testing.T) {
	r := replayOf(t, recordedBank(t, true), Options{Schema: change(t, `amount: "1"`, `amount: "2"`)}).Rehearsal
	if r.Equal || r.Different != 0 || r.Tables[0].Changed != 0 || r.Tables[1].Changed != 20 || len(r.Tables[1].Examples) != DefaultExamples {
		t.Errorf("%+v", r)
	}
}

// What the new schema can't type is told, and has no effect; a param that it does
// not know and no call gave does not matter.
func TestWhatCantBeTypedIsTold(t *testing.T) {
	n := newNode(t)
	n.schema(bank)
	n.batch(n.open("alice", 100), n.open("bob", 100))
	n.record(true)
	n.batch(
		n.transfer("alice", "bob", 1),
		n.item(`{"procedure": "transfer", "params": {"from": "alice", "to": "bob", "amount": 2, "note": "rent"}}`),
		n.item(`{"procedure": "close", "params": {"id": "bob"}}`),
		n.item(`{"steps": [{"delete": {"table": "fees", "key": ["5"]}}]}`),
		n.item(`{"steps": [{"get": {"table": "accounts", "key": ["params.id"], "as": "a"}}], "params": {"id": "alice"}, "return": "a.balance"}`),
	)
	raw := n.done()
	next := strings.NewReplacer(
		`, "note?": string`, ``,
		"  close:\n", "  shut:\n",
		"  fees:\n    columns: {n: {type: int}, amount: {type: int}}\n    key: [n]\n", "",
		"      - insert: {table: fees, row: {n: \"tx.revision\", amount: \"1\"}}\n", "",
	).Replace(bank)
	r := replayOf(t, raw, Options{Schema: []byte(next)}).Rehearsal
	got := map[string]uint64{}
	for _, o := range r.Outcomes {
		got[o.Procedure+": "+o.Kind] = o.Count
	}
	want := map[string]uint64{
		"transfer: committed → can't be typed: invalid":        1,
		"close: committed → can't be typed: unknown_procedure": 1,
		": committed → can't be typed: unknown_table":          1,
		": another result": 1, // alice has what was not taken from her
	}
	if r.Untyped != 3 || r.Different != 1 || len(got) != len(want) {
		t.Errorf("%+v", r)
	}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%s: %d of %d; %v", k, got[k], n, got)
		}
	}
	if fees := r.Tables[1]; fees.Table != "fees" || fees.Only != "before" || fees.OnlyBefore != 1 {
		t.Errorf("%+v", r.Tables)
	}
}

// The new schema holds from the revision asked for, in the midst of an entry too.
func TestARehearsalBeginsWhereItIsAskedTo(t *testing.T) {
	raw := recordedBank(t, false)
	free := change(t, `balance - params.amount - 1"`, `balance - params.amount"`)
	// Revisions: 1 the schema, 2 to 4 opened, 5 to 24 transfers of 1 to 20.
	for at, kept := range map[uint64]int{0: 20, 4: 20, 5: 19, 14: 10, 23: 1, 24: 0} {
		r := replayOf(t, raw, Options{Schema: free, At: at}).Rehearsal
		accounts := r.Tables[0]
		if want := fmt.Sprintf(`{"balance":%d}`, 770+kept); kept > 0 && (accounts.Changed != 1 || string(accounts.Examples[0].After) != want) || kept == 0 && !r.Equal {
			t.Errorf("at %d: %+v", at, accounts)
		}
		if r.From != at {
			t.Errorf("at %d: from %d", at, r.From)
		}
	}
	if _, err := tryReplay(t, raw, Options{Schema: free, At: 25}); err == nil || !strings.Contains(err.Error(), "the recording ends at revision 24") {
		t.Errorf("after its end: %v", err)
	}
}

// A schema that is wrong, or that the state forbids, is refused with its place.
func TestASchemaThatIsRefused(t *testing.T) {
	raw := recordedBank(t, true)
	for want, doc := range map[string]string{
		"tables.accounts.key":                 strings.Replace(bank, "key: [id]", "key: [nowhere]", 1),
		"tables.accounts.checks":              strings.Replace(bank, "row.balance >= 0", "row.balance >= 10", 1),
		"tables.accounts.columns.seen":        strings.Replace(bank, "seen: {type: timestamp", "seen: {type: string", 1),
		"procedures.transfer.steps[0].update": strings.Replace(bank, "row.balance - params", "row.balanse - params", 1),
		"tables: this":                        "tables: 7",
	} {
		if _, err := tryReplay(t, raw, Options{Schema: []byte(doc)}); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", want, err)
		} else if place, _, _ := strings.Cut(want, ": "); !strings.Contains(err.Error(), place) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A new column is told, and is no difference of its own.
func TestANewColumnIsTold(t *testing.T) {
	next := change(t, "balance: {type: int}", `balance: {type: int}, limit: {type: int, default: "0"}`)
	r := replayOf(t, recordedBank(t, true), Options{Schema: next}).Rehearsal
	if !r.Equal || len(r.Tables[0].ColumnsAfter) != 1 || r.Tables[0].ColumnsAfter[0] != "limit" {
		t.Errorf("%+v", r)
	}
}
