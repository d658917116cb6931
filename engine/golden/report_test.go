package golden

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/outcome"
)

// perHash is how many verdicts one hash of a report covers.
const perHash = 50

// report is what a log comes to, by the sequence of its entries, so that an entry
// executed again after a crash must come to the same.
type report struct {
	verdicts    map[uint64][]outcome.Verdict
	raw         map[uint64][]byte
	checkpoints map[uint64]string
}

func newReport() *report {
	return &report{verdicts: map[uint64][]outcome.Verdict{}, raw: map[uint64][]byte{}, checkpoints: map[uint64]string{}}
}

// add takes what became of an entry; it tells whether that is what it was before.
func (r *report) add(a engine.Applied) bool {
	var raw []byte
	for i := range a.Verdicts {
		raw = append(raw, byte(a.Verdicts[i].Kind))
		raw = a.Verdicts[i].Outcome.ID.Append(raw)
		raw = a.Verdicts[i].Outcome.Append(raw)
	}
	before, again := r.raw[a.Sequence]
	r.verdicts[a.Sequence], r.raw[a.Sequence] = a.Verdicts, raw
	return !again || bytes.Equal(before, raw)
}

// text is the report as it is kept.
func (r *report) text(name string, log []logged) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# What %s.recording comes to; package engine/golden tells more. Written by make golden.\n", name)
	hash, n := sha256.New(), 0
	first, codes := "", map[string]bool{}
	for _, e := range log {
		if e.checkpoint != 0 {
			out.WriteString(r.checkpoints[e.checkpoint])
			continue
		}
		sequence, items := originOf(e.Cmd)
		for i, v := range r.verdicts[sequence] {
			line := verdictLine(&v, itemID(items, i))
			if n%perHash == 0 {
				hash.Reset()
				first = line
			}
			hash.Write([]byte(line))
			hash.Write(v.Outcome.Append(nil))
			n++
			if v.Outcome.Code != "" && !codes[v.Outcome.Code] {
				codes[v.Outcome.Code] = true
				fmt.Fprintf(&out, "       first %s: %s\n", v.Outcome.Code, clip(line))
			}
			if n%perHash == 0 {
				fmt.Fprintf(&out, "%6d %.16x %s\n", n, hash.Sum(nil), clip(first))
			}
		}
	}
	if n%perHash != 0 && *until == 0 {
		fmt.Fprintf(&out, "%6d %.16x %s\n", n, hash.Sum(nil), clip(first))
	}
	return out.String()
}

// clip keeps a line readable; what is cut is in the hash.
func clip(line string) string {
	const most = 240
	if len(line) > most {
		return line[:most] + "..."
	}
	return line
}

// originOf reads the sequence of an entry and the items of a batch.
func originOf(cmd []byte) (uint64, []entry.Item) {
	var r entry.Reader
	kind, err := r.Reset(cmd)
	if err != nil {
		return 0, nil
	}
	switch kind {
	case entry.KindSchema:
		e, _ := r.Schema()
		return e.Sequence, nil
	case entry.KindBackfill:
		e, _ := r.Backfill()
		return e.Sequence, nil
	case entry.KindFinish:
		e, _ := r.Finish()
		return e.Sequence, nil
	case entry.KindSettings:
		e, _ := r.Settings()
		return e.Sequence, nil
	case entry.KindAssign:
		e, _ := r.Assign()
		return e.Sequence, nil
	case entry.KindBatch:
		b, err := r.Batch()
		if err != nil {
			return 0, nil
		}
		var items []entry.Item
		var it entry.Item
		for r.Next(&it) {
			items = append(items, it)
		}
		return b.Sequence, items
	}
	return 0, nil
}

func itemID(items []entry.Item, i int) string {
	if i < len(items) {
		return items[i].ID.String()
	}
	return ""
}

// verdictLine is a verdict for people to read.
func verdictLine(v *outcome.Verdict, id string) string {
	if v.Kind == outcome.Executed && v.Outcome.ID.IsZero() {
		return fmt.Sprintf("schema, step of its change or assignment: %t, %d %s %s", v.Outcome.Committed, v.Outcome.Revision, v.Outcome.Code, v.Outcome.Message)
	}
	switch v.Kind {
	case outcome.Executed:
		return string(v.Outcome.AppendJSON(nil, "golden"))
	case outcome.Duplicate:
		return "recorded before: " + string(v.Outcome.AppendJSON(nil, "golden"))
	case outcome.KeyReused:
		return id + " was used with another document"
	case outcome.StaleSchema:
		return id + " was typed against another schema"
	case outcome.Expired:
		return id + " is too old to tell"
	case outcome.Deferred:
		return id + " is deferred"
	}
	return fmt.Sprintf("verdict %d", v.Kind)
}
