package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"lockstep/router/client"
)

// entry is a row of the ledger: one execution of one transfer.
type entry struct {
	id            string
	revision      uint64
	from, to      int // accounts; -1: none of this run
	amount        int64
	fromBalance   int64
	toBalance     int64
	worker, count int // of the id; -1: none of this run
}

// checkLedger: every acknowledged commit left exactly one row, with the revision
// that was acknowledged and as the document wants it; nothing else left one.
func checkLedger(t *transfers, b book, rows []entry) Check {
	var f finding
	seen := make([][]uint64, len(b))
	for i, page := range b {
		seen[i] = make([]uint64, len(page))
	}
	for _, r := range rows {
		was := b.at(r.worker, r.count)
		switch d := t.draw(r.worker, r.count); {
		case r.worker < 0 || r.worker >= len(b) || r.count >= len(b[r.worker]):
			f.add("%s was never sent, and is in the ledger at revision %d", r.id, r.revision)
			continue
		case seen[r.worker][r.count] != 0:
			f.add("%s was executed twice, at revisions %d and %d", r.id, seen[r.worker][r.count], r.revision)
		case !was.committed():
			f.add("%s was acknowledged as %s, and is in the ledger at revision %d", r.id, was, r.revision)
		case was.revision() != r.revision:
			f.add("%s was acknowledged as %s, and is in the ledger at revision %d", r.id, was, r.revision)
		case d.from != r.from || d.to != r.to || d.amount != r.amount:
			f.add("%s was to move %d from %d to %d, and moved %d from %d to %d", r.id, d.amount, d.from, d.to, r.amount, r.from, r.to)
		}
		seen[r.worker][r.count] = r.revision
	}
	b.each(func(worker, number int, a answer) {
		if a.committed() && seen[worker][number] == 0 {
			f.add("%s was acknowledged as %s, and is not in the ledger", t.appendID(nil, worker, number), a)
		}
	})
	return f.check("committed_once", "%d rows in the ledger", len(rows))
}

// checkReplay: the ledger, replayed in the order of its revisions, gives the
// balances that each transfer saw, and those that there are now.
func checkReplay(t *transfers, rows []entry, balances []int64) Check {
	var f finding
	ordered := slices.Clone(rows)
	slices.SortFunc(ordered, func(a, b entry) int { return cmp.Compare(a.revision, b.revision) })
	held := make([]int64, t.accounts)
	for i := range held {
		held[i] = firstBalance
	}
	for i, r := range ordered {
		if i > 0 && ordered[i-1].revision == r.revision {
			f.add("%s and %s have both revision %d", ordered[i-1].id, r.id, r.revision)
		}
		if r.from < 0 || r.to < 0 {
			f.add("%s moved money of accounts that are not of this run", r.id)
			continue
		}
		held[r.from] -= r.amount
		held[r.to] += r.amount
		if held[r.from] != r.fromBalance || held[r.to] != r.toBalance {
			f.add("%s at revision %d left %d and %d, and the replay %d and %d", r.id, r.revision, r.fromBalance, r.toBalance, held[r.from], held[r.to])
		}
	}
	for i := range min(len(held), len(balances)) {
		if held[i] != balances[i] {
			f.add("account %d holds %d, and the replay %d", i, balances[i], held[i])
		}
	}
	if len(balances) != len(held) {
		f.add("%d accounts were opened, %d are there", len(held), len(balances))
	}
	return f.check("balances_replayed", "%d rows on %d accounts", len(rows), len(held))
}

// eachRow reads a table whole, page by page, at one revision where nobody else
// writes: the first and the last page's revisions are given.
func eachRow(ctx context.Context, c *Cluster, table string, row func(json.RawMessage) error) (first, last uint64, err error) {
	for after := ""; ; {
		page, err := c.Client().Rows(ctx, c.Group, table, client.PageOptions{Limit: pageRows, After: after})
		if err != nil {
			return 0, 0, fmt.Errorf("reading the table %s: %w", table, err)
		}
		if first == 0 {
			first = page.Revision
		}
		last = page.Revision
		for _, raw := range page.Rows {
			if err := row(raw); err != nil {
				return 0, 0, fmt.Errorf("reading the table %s: %w: %.300s", table, err, raw)
			}
		}
		if page.Next == "" {
			return first, last, nil
		}
		after = page.Next
	}
}

// readBalances reads the run's accounts. Those that are missing are left out at
// the end, so that the checks miss them.
func readBalances(ctx context.Context, c *Cluster, t *transfers) ([]int64, error) {
	balances := make([]int64, t.accounts)
	found := 0
	_, _, err := eachRow(ctx, c, "accounts", func(raw json.RawMessage) error {
		var row struct {
			ID      string      `json:"id"`
			Balance json.Number `json:"balance"`
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			return err
		}
		i, ok := t.parseAccount(row.ID)
		if !ok {
			return nil // somebody else's
		}
		found++
		var err error
		balances[i], err = row.Balance.Int64()
		return err
	})
	return balances[:min(found, len(balances))], err
}

// readLedger reads the ledger of a cluster that is bench's own. quiet tells
// whether nothing was executed meanwhile.
func readLedger(ctx context.Context, c *Cluster, t *transfers) (rows []entry, quiet bool, err error) {
	first, last, err := eachRow(ctx, c, "ledger", func(raw json.RawMessage) error {
		var row struct {
			ID            string `json:"id"`
			Revision      uint64 `json:"revision"`
			Source        string `json:"source"`
			Target        string `json:"target"`
			Amount        int64  `json:"amount"`
			SourceBalance int64  `json:"source_balance"`
			TargetBalance int64  `json:"target_balance"`
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			return err
		}
		e := entry{
			id: row.ID, revision: row.Revision, amount: row.Amount, worker: -1, count: -1, from: -1, to: -1,
			fromBalance: row.SourceBalance, toBalance: row.TargetBalance,
		}
		if worker, number, ok := t.parseID(row.ID); ok {
			e.worker, e.count = worker, number
		}
		if i, ok := t.parseAccount(row.Source); ok {
			e.from = i
		}
		if i, ok := t.parseAccount(row.Target); ok {
			e.to = i
		}
		rows = append(rows, e)
		return nil
	})
	return rows, first == last, err
}
