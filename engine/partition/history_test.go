package partition

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// history makes ordered entries as a primary would: typed against the schema
// that holds, numbered with gaps as the log leaves them, some sent twice, some
// against a schema of before, some corrupt.
type history struct {
	t        testing.TB
	rng      *rand.Rand
	env      *lang.Env
	compiled *program.Compiled
	index    uint64
	sequence uint64
	counter  uint64
	now      int64
	sent     []entry.Item
	entries  []entry.Raw
}

const (
	testSession = 0x5e55
	accounts    = 40
)

const bankSchema = `
tables:
  accounts:
    columns:
      id: {type: string}
      owner: {type: string}
      balance: {type: int}
      note: {type: json, optional: true}
      seen: {type: timestamp, optional: true}
    key: [id]
    indexes:
      by_owner: {columns: [owner]}
    checks:
      - {expr: "row.balance >= 0", code: overdraft, message: "'account ' + row.id + ' would be overdrawn'"}
procedures:
  open:
    params: {id: string, owner: string, balance: int}
    steps:
      - insert: {table: accounts, row: {id: "params.id", owner: "params.owner", balance: "params.balance", seen: "tx.now"}}
    return: "tx.uuid(0)"
  transfer:
    params: {from: string, to: string, amount: int}
    steps:
      - get: {table: accounts, key: ["params.from"], as: src}
      - get: {table: accounts, key: ["params.to"], as: dst}
      - update: {table: accounts, key: ["params.from"], set: {balance: "row.balance - params.amount"}}
      - update: {table: accounts, key: ["params.to"], set: {balance: "row.balance + params.amount"}}
    return: "{'from': src.balance - params.amount, 'to': dst.balance + params.amount}"
  close:
    params: {id: string}
    steps:
      - delete: {table: accounts, key: ["params.id"], as: was}
    return: "was"
  rename:
    params: {id: string, owner: string}
    steps:
      - update: {table: accounts, key: ["params.id"], set: {owner: "params.owner", note: "{'by': tx.id, 'n': [1, 2.5, null]}"}}
`

// second adds a table, a column and two indexes, and drops an index: rows must be
// looked at.
const secondSchema = `
tables:
  accounts:
    columns:
      id: {type: string}
      owner: {type: string}
      balance: {type: int}
      note: {type: json, optional: true}
      seen: {type: timestamp, optional: true}
      limit: {type: int, default: "7"}
    key: [id]
    indexes:
      by_limit: {columns: [limit, balance]}
      by_name: {columns: [owner, id], unique: true}
    checks:
      - {expr: "row.balance >= 0", code: overdraft}
  audit:
    columns: {n: {type: int}, what: {type: string}}
    key: [n]
procedures:
  open:
    params: {id: string, owner: string, balance: int}
    steps:
      - insert: {table: accounts, row: {id: "params.id", owner: "params.owner", balance: "params.balance"}}
      - insert: {table: audit, row: {n: "tx.revision", what: "'open ' + params.id"}}
  transfer:
    params: {from: string, to: string, amount: int}
    steps:
      - update: {table: accounts, key: ["params.from"], set: {balance: "row.balance - params.amount"}}
      - update: {table: accounts, key: ["params.to"], set: {balance: "row.balance + params.amount + row.limit - 7"}}
  close:
    params: {id: string}
    steps:
      - delete: {table: accounts, key: ["params.id"], as: was}
  rename:
    params: {id: string, owner: string}
    steps:
      - upsert: {table: accounts, key: ["params.id"], set: {owner: "params.owner", balance: "row == null ? 0 : row.balance"}}
`

// refusedSchema is one that rows break sooner or later.
var refusedSchema = strings.Replace(bankSchema, "by_owner: {columns: [owner]}", "by_owner: {columns: [owner]}\n      alone: {columns: [owner], unique: true}", 1)

func newHistory(t testing.TB, seed uint64) *history {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	h := &history{t: t, rng: rand.New(rand.NewPCG(seed, 1)), env: env, now: 1_700_000_000_000}
	h.schema(bankSchema, 1)
	return h
}

func (h *history) log(cmd []byte) {
	h.index += 1 + uint64(h.rng.IntN(3))
	h.entries = append(h.entries, entry.Raw{Index: h.index, Cmd: cmd})
}

func (h *history) origin() entry.Origin {
	h.sequence++
	// Now and then a clock that jumps, forwards and back.
	h.now += int64(h.rng.IntN(40)) - 5
	if h.rng.IntN(200) == 0 {
		h.now += int64(h.rng.IntN(2*86_400_000)) - 86_400_000
	}
	return entry.Origin{Proposer: testSession, Sequence: h.sequence}
}

func (h *history) schema(text string, version uint64) {
	doc, problems := schema.Parse([]byte(text))
	if problems != nil {
		h.t.Fatal(problems)
	}
	next, _, problems := program.Build(h.compiled, doc, h.env)
	if problems != nil {
		h.t.Fatal(problems)
	}
	next.Version = version
	h.compiled = next
	h.log(entry.AppendSchema(nil, &entry.Schema{Origin: h.origin(), TimeMillis: h.now, Document: doc.Canonical()}))
}

// steps logs a change that goes in steps, with transactions in between; some steps
// come twice, as after a failover, or too late.
func (h *history) steps(text string, change uint64) {
	doc, problems := schema.Parse([]byte(text))
	if problems != nil {
		h.t.Fatal(problems)
	}
	begin := func() {
		h.log(entry.AppendSchema(nil, &entry.Schema{Origin: h.origin(), TimeMillis: h.now, IfBegun: change, Document: doc.Canonical()}))
	}
	begin()
	for step := range uint64(accounts / 4) {
		h.batch(1 + h.rng.IntN(6))
		for again := h.rng.IntN(4); again < 4; again += 2 {
			h.log(entry.AppendBackfill(nil, &entry.Backfill{Origin: h.origin(), TimeMillis: h.now, Change: change, Step: step, Rows: 4 + uint64(h.rng.IntN(6))}))
		}
		if h.rng.IntN(4) == 0 {
			begin()
		}
	}
	next, _, problems := program.Build(h.compiled, doc, h.env)
	if problems != nil {
		h.t.Fatal(problems)
	}
	h.log(entry.AppendFinish(nil, &entry.Finish{Origin: h.origin(), TimeMillis: h.now, Change: change}))
	if version := h.replayed().Schema; version != h.compiled.Version {
		next.Version = version
		h.compiled = next
	}
	begin() // one that comes late begins nothing anew
}

// batch logs one entry of n transactions.
func (h *history) batch(n int) {
	b := entry.Batch{Origin: h.origin(), TimeMillis: h.now, SchemaVersion: h.compiled.Version}
	if h.rng.IntN(30) == 0 {
		b.SchemaVersion++ // typed against a schema that is not the present one
	}
	for i := range b.Seed {
		b.Seed[i] = byte(h.rng.Uint32())
	}
	for range n {
		b.Items = append(b.Items, h.item())
	}
	cmd := entry.AppendBatch(nil, &b)
	if h.rng.IntN(100) == 0 {
		cmd = cmd[:len(cmd)-1-h.rng.IntN(len(cmd)/2)]
	}
	h.log(cmd)
}

func (h *history) item() entry.Item {
	if len(h.sent) > 0 && h.rng.IntN(12) == 0 {
		again := h.sent[h.rng.IntN(len(h.sent))]
		if h.rng.IntN(4) == 0 {
			again.Fingerprint[0]++ // the same id with another document
		}
		return again
	}
	raw := []byte(h.document())
	typed, refusal := program.ParseTransaction(raw, h.compiled)
	if refusal != nil {
		h.t.Fatalf("%s: %v", raw, refusal)
	}
	fingerprint, err := value.Fingerprint(raw)
	if err != nil {
		h.t.Fatal(err)
	}
	it := entry.Item{Fingerprint: fingerprint, Proc: int32(typed.Proc), Params: typed.Params, Source: typed.Source}
	h.counter += 1 + uint64(h.rng.IntN(2))
	it.ID = entry.ID{Session: testSession + uint64(h.rng.IntN(3)), Counter: h.counter}
	if h.rng.IntN(3) == 0 {
		it.ID = entry.ID{Key: fmt.Sprintf("key-%d", h.counter)}
	}
	h.sent = append(h.sent, it)
	return it
}

func (h *history) document() string {
	account := func() string { return fmt.Sprintf("a%d", h.rng.IntN(accounts)) }
	switch h.rng.IntN(10) {
	case 0, 1:
		return fmt.Sprintf(`{"procedure": "open", "params": {"id": %q, "owner": "o%d", "balance": %d}}`, account(), h.rng.IntN(5), h.rng.IntN(200)-10)
	case 2:
		return fmt.Sprintf(`{"procedure": "close", "params": {"id": %q}}`, account())
	case 3:
		return fmt.Sprintf(`{"procedure": "rename", "params": {"id": %q, "owner": "o%d"}}`, account(), h.rng.IntN(5))
	case 4:
		return fmt.Sprintf(`{"steps": [{"upsert": {"table": "accounts", "key": ["params.id"], "set": {"owner": "tx.uuid(1)", "balance": "row == null ? int(tx.random(0) * 50.0) : row.balance / params.by"}}}], "params": {"id": %q, "by": %d}, "return": "tx.now"}`, account(), h.rng.IntN(3))
	default:
		return fmt.Sprintf(`{"procedure": "transfer", "params": {"from": %q, "to": %q, "amount": %d}}`, account(), account(), h.rng.IntN(60))
	}
}

// generate logs a whole history with changes of schema in its middle: one that
// fails, and one that comes to hold.
func (h *history) generate(entries int) {
	for i := range entries {
		switch i {
		case entries / 3:
			h.steps(refusedSchema, 1)
		case entries / 2:
			h.steps(secondSchema, 2)
		}
		h.batch(1 + h.rng.IntN(6))
	}
}

// replayed executes what is logged so far: a schema's version is the revision at
// which it came to hold.
func (h *history) replayed() engine.Position {
	p := openTest(h.t, newDisk())
	defer p.close()
	p.apply(h.entries)
	return p.Position()
}
