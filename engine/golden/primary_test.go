package golden

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// beginMillis is the time of the first entry.
const beginMillis = 1_790_000_000_000

// primary orders transactions as a group's primary does, and executes them to know
// what comes next: with gaps in the log, clocks that jump, transactions sent twice,
// ids used again for something else, transactions typed against another schema, and
// entries that are damaged.
type primary struct {
	*replica
	rng      *rand.Rand
	report   *report
	log      []logged
	index    uint64
	sequence uint64
	counter  uint64
	points   uint64
	epoch    uint64
	now      int64
	pace     int // milliseconds between two entries, at most
	sent     []entry.Item
	deferred []entry.Item
}

func newPrimary(t testing.TB, seed uint64, pace int) *primary {
	return &primary{
		replica: newReplica(t), rng: rand.New(rand.NewPCG(seed, 7)), report: newReport(), now: beginMillis, pace: pace,
	}
}

// order logs a command and gives what became of it.
func (p *primary) order(cmd []byte) []outcome.Verdict {
	p.index += 1 + uint64(p.rng.IntN(3))
	e := logged{Raw: entry.Raw{Index: p.index, Cmd: cmd}}
	done := p.applied(e.Raw)
	p.log = append(p.log, e)
	if len(done) == 0 {
		return nil
	}
	p.report.add(done[0])
	return done[0].Verdicts
}

func (p *primary) origin() entry.Origin {
	p.sequence++
	p.now += int64(p.rng.IntN(p.pace + 1))
	if p.rng.IntN(100) == 0 {
		p.now -= int64(p.rng.IntN(50)) // a clock that was set back, or another primary's
	}
	return entry.Origin{Proposer: session, Sequence: p.sequence}
}

// schema applies a document, in steps where it looks at rows that are there, with
// other work between the steps. It tells whether the document is the schema now.
func (p *primary) schema(text string, meanwhile func()) bool {
	doc, problems := schema.Parse([]byte(text))
	if problems != nil {
		p.t.Fatal(problems)
	}
	for _, v := range p.order(entry.AppendSchema(nil, &entry.Schema{Origin: p.origin(), TimeMillis: p.now, Document: doc.Canonical()})) {
		if !v.Outcome.Committed {
			p.t.Fatal(v.Outcome.Message)
		}
	}
	for {
		now, _ := p.Change()
		if now == nil {
			return string(p.Compiled().Doc.Canonical()) == string(doc.Canonical())
		}
		if now.Phase != engine.PhaseBuilding {
			p.order(entry.AppendFinish(nil, &entry.Finish{Origin: p.origin(), TimeMillis: p.now, Change: now.ID}))
			continue
		}
		p.order(entry.AppendBackfill(nil, &entry.Backfill{Origin: p.origin(), TimeMillis: p.now, Change: now.ID, Step: now.Step, Rows: 5}))
		meanwhile()
	}
}

// checkpoint has every copy compute its digests here.
func (p *primary) checkpoint() {
	p.points++
	c := entry.Checkpoint{Origin: p.origin(), TimeMillis: p.now, ID: p.points, Contents: entry.ContentsAsked}
	p.order(entry.AppendCheckpoint(nil, &c))
	e := &p.log[len(p.log)-1]
	e.checkpoint, e.millis = c.ID, p.Position().NowMillis
	e.digests, p.report.checkpoints[c.ID] = p.digestLine(c.ID)
}

// assign gives a task to a node, under the next epoch or a wrong one.
func (p *primary) assign(task string, holder uint64) {
	epoch := p.epoch + 1
	if p.rng.IntN(4) == 0 {
		epoch += uint64(p.rng.IntN(3))
	}
	for _, v := range p.order(entry.AppendAssign(nil, &entry.Assign{Origin: p.origin(), TimeMillis: p.now, Task: task, Holder: holder, Epoch: epoch, Reason: entry.Reason(1 + epoch%4), Text: "as the kitchen wants it"})) {
		if v.Outcome.Committed {
			p.epoch = epoch
		}
	}
}

// item types a document.
func (p *primary) item(doc string) entry.Item {
	typed, refusal := program.ParseTransaction([]byte(doc), p.Compiled())
	if refusal != nil {
		p.t.Fatalf("%.600s\n%v", doc, refusal)
	}
	fingerprint, err := value.Fingerprint([]byte(doc))
	p.must(err)
	it := entry.Item{Fingerprint: fingerprint, Proc: int32(typed.Proc), Params: typed.Params, Source: typed.Source}
	// Parsers keep their buffers.
	it.Params, it.Source = bytes.Clone(it.Params), bytes.Clone(it.Source)
	p.counter += 1 + uint64(p.rng.IntN(2))
	if p.rng.IntN(2000) == 0 {
		p.counter += 2 * outcome.WindowSize // what was sent before is too old to tell from here on
	}
	it.ID = entry.ID{Session: session + uint64(p.rng.IntN(3)), Counter: p.counter}
	if p.rng.IntN(4) == 0 {
		it.ID = entry.ID{Key: fmt.Sprintf("key-%d", p.counter)}
	}
	return it
}

// send orders documents in one entry, and gives the outcome of the first.
func (p *primary) send(docs ...string) outcome.Outcome {
	b := entry.Batch{Origin: p.origin(), TimeMillis: p.now, SchemaVersion: p.Compiled().Version}
	for i := range b.Seed {
		b.Seed[i] = byte(p.rng.Uint32())
	}
	fresh := len(p.deferred)
	b.Items, p.deferred = append(b.Items, p.deferred...), nil
	for _, doc := range docs {
		b.Items = append(b.Items, p.item(doc))
	}
	if p.rng.IntN(8) == 0 && len(p.sent) > 0 {
		b.Items = append(b.Items, p.again())
	}
	p.sent = append(p.sent, b.Items...)
	verdicts := p.order(entry.AppendBatch(nil, &b))
	if len(verdicts) != len(b.Items) {
		p.t.Fatalf("%d verdicts of %d items", len(verdicts), len(b.Items))
	}
	for i, v := range verdicts {
		if v.Kind == outcome.Deferred {
			p.deferred = append(p.deferred, b.Items[i])
		}
	}
	p.disturb(b)
	if len(docs) == 0 {
		return outcome.Outcome{}
	}
	return verdicts[fresh].Outcome
}

// again is something that was sent before, now and then with another document.
func (p *primary) again() entry.Item {
	it := p.sent[p.rng.IntN(len(p.sent))]
	if p.rng.IntN(4) == 0 {
		it.Fingerprint[0]++
	}
	return it
}

// disturb logs, rarely, an entry that comes to nothing: typed against a schema that
// is not the present one, damaged, or empty.
func (p *primary) disturb(b entry.Batch) {
	switch p.rng.IntN(400) {
	case 0:
		b.Origin = p.origin()
		b.SchemaVersion++
		b.Items = []entry.Item{p.item(`{"steps": [], "return": "1"}`)}
		p.order(entry.AppendBatch(nil, &b))
	case 1:
		cmd := entry.AppendBatch(nil, &b)
		p.order(cmd[:len(cmd)-1-p.rng.IntN(len(cmd)/2)])
	case 2:
		p.order(nil)
	}
}
