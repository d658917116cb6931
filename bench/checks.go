package bench

import (
	"encoding/json"
	"fmt"
	"slices"

	"lockstep/router/client"
)

// Check is one thing that must hold at the end of a run.
type Check struct {
	Name      string   `json:"-"`
	OK        bool     `json:"ok"`
	Detail    string   `json:"detail"`              // what was looked at
	Anomalies []string `json:"anomalies,omitempty"` // the first of what is wrong
}

// Checks are all checks of a run.
type Checks []Check

// OK tells whether all hold. A run without checks has shown nothing.
func (c Checks) OK() bool {
	for _, one := range c {
		if !one.OK {
			return false
		}
	}
	return len(c) > 0
}

// MarshalJSON writes {"ok": …, "NAME": {"ok": …, "detail": …}, …}.
func (c Checks) MarshalJSON() ([]byte, error) {
	doc := map[string]any{"ok": c.OK()}
	for _, one := range c {
		doc[one.Name] = one
	}
	return json.Marshal(doc)
}

// Failure tells the checks that failed; nil where none did.
func (c Checks) Failure() error {
	if c.OK() {
		return nil
	}
	text := ""
	for _, one := range c {
		if !one.OK {
			text += fmt.Sprintf("\n  %s: %s", one.Name, one.Detail)
			for _, a := range one.Anomalies {
				text += "\n    " + a
			}
		}
	}
	return &ChecksError{text}
}

// ChecksError says which checks failed: the cluster, or bench, is wrong.
type ChecksError struct{ text string }

func (e *ChecksError) Error() string { return "checks failed:" + e.text }

// finding collects what is wrong.
type finding struct {
	count int
	first []string
}

func (f *finding) add(format string, args ...any) {
	if f.count++; f.count <= maxReported {
		f.first = append(f.first, fmt.Sprintf(format, args...))
	}
}

// check closes a finding.
func (f *finding) check(name, format string, args ...any) Check {
	detail := fmt.Sprintf(format, args...)
	if f.count > 0 {
		detail += fmt.Sprintf("; anomalies: %d", f.count)
	}
	return Check{Name: name, OK: f.count == 0, Detail: detail, Anomalies: f.first}
}

// checkMoney: the accounts hold together what was paid in, and none is overdrawn.
func checkMoney(t *transfers, balances []int64) Check {
	var f finding
	var sum int64
	for i, b := range balances {
		if b < 0 {
			f.add("account %d holds %d", i, b)
		}
		sum += b
	}
	if len(balances) != t.accounts {
		f.add("%d accounts were opened, %d are there", t.accounts, len(balances))
	}
	if sum != t.total() {
		f.add("the accounts hold %d, and %d was paid in", sum, t.total())
	}
	return f.check("money_conserved", "%d accounts hold %d", len(balances), sum)
}

// checkResolved: every transaction that was sent has its outcome.
func checkResolved(b book) Check {
	var f finding
	b.each(func(worker, number int, a answer) {
		if !a.definite() {
			f.add("transaction %d of connection %d has no outcome", number, worker)
		}
	})
	return f.check("outcomes_known", "%d transactions", b.size())
}

// checkBalances: the balances are what the acknowledged transfers make of them,
// no more and no less.
func checkBalances(t *transfers, b book, balances []int64) Check {
	want := make([]int64, t.accounts)
	for i := range want {
		want[i] = firstBalance
	}
	var replayed int
	b.each(func(worker, number int, a answer) {
		if a.committed() {
			d := t.draw(worker, number)
			want[d.from] -= d.amount
			want[d.to] += d.amount
			replayed++
		}
	})
	var f finding
	for i := range min(len(want), len(balances)) {
		if want[i] != balances[i] {
			f.add("account %d holds %d, and the acknowledged transfers make it %d", i, balances[i], want[i])
		}
	}
	if len(balances) != len(want) {
		f.add("%d accounts were opened, %d are there", len(want), len(balances))
	}
	return f.check("balances_as_acknowledged", "%d committed transfers on %d accounts", replayed, len(want))
}

// checkRevisions: no two transactions were acknowledged with one revision.
func checkRevisions(b book) Check {
	revisions := make([]uint64, 0, b.size())
	b.each(func(_, _ int, a answer) {
		if a.definite() {
			revisions = append(revisions, a.revision())
		}
	})
	slices.Sort(revisions)
	var f finding
	for i := 1; i < len(revisions); i++ {
		if revisions[i] == revisions[i-1] {
			f.add("revision %d was acknowledged twice", revisions[i])
		}
	}
	return f.check("revisions_unique", "%d revisions", len(revisions))
}

// checkFound: every acknowledged id that was sent again got the outcome that was
// acknowledged. Again holds 0 for what was not sent again.
func checkFound(first, again book) Check {
	var f finding
	var looked int
	again.each(func(worker, number int, a answer) {
		was := first.at(worker, number)
		if !a.definite() {
			return
		}
		looked++
		if was != a {
			f.add("transaction %d of connection %d was acknowledged as %s, and is now found as %s", number, worker, was, a)
		}
	})
	if looked == 0 && first.size() > 0 {
		f.add("none was looked at")
	}
	return f.check("acknowledged_found", "%d of %d ids sent again", looked, first.size())
}

func (a answer) String() string {
	switch {
	case !a.definite():
		return "nothing"
	case a.committed():
		return fmt.Sprintf("committed at revision %d", a.revision())
	}
	return fmt.Sprintf("aborted at revision %d", a.revision())
}

// checkDigests: all copies could be looked at and are equal.
func checkDigests(v *client.Verification) Check {
	var f finding
	for _, p := range v.Partitions {
		switch {
		case p.Error != "":
			f.add("the copy on %s could not be looked at: %s", p.Node, p.Error)
		case p.Digest != v.Partitions[0].Digest || p.Revision != v.Partitions[0].Revision:
			f.add("the copy on %s has digest %s at revision %d, the one on %s %s at %d",
				p.Node, p.Digest, p.Revision, v.Partitions[0].Node, v.Partitions[0].Digest, v.Partitions[0].Revision)
		}
	}
	if len(v.Partitions) == 0 {
		f.add("no copy was looked at")
	}
	if !v.Equal && f.count == 0 {
		f.add("the cluster says that its copies are not equal")
	}
	return f.check("digests_equal", "%d copies at revision %d", len(v.Partitions), v.Revision)
}

// checkNodes: no node ended by itself.
func checkNodes(c *Cluster) Check {
	var f finding
	for _, n := range c.Nodes() {
		if err := n.fault(); err != nil {
			f.add("%v", err)
		}
	}
	return f.check("nodes_kept_running", "%d processes", len(c.Nodes()))
}
