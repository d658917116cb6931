package partition

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/schema"
)

// BenchmarkBackfill is what one step of a schema change takes (engine, limits.go: a
// few milliseconds, for other transactions wait meanwhile), for three changes.
func BenchmarkBackfill(b *testing.B) {
	const rows = 200_000
	for _, c := range []struct{ name, from, to string }{
		{"check", "    checks:\n", "    checks:\n      - {expr: \"row.balance < 1000000000\", code: too_rich}\n"},
		{"index", "indexes:\n", "indexes:\n      by_balance: {columns: [balance]}\n"},
		{"unique", "indexes:\n", "indexes:\n      by_balance: {columns: [balance, id], unique: true}\n"},
	} {
		b.Run(fmt.Sprintf("%s/rows=%d", c.name, rows), func(b *testing.B) {
			p := newBench(b, rows)
			var took []time.Duration
			b.ResetTimer()
			for range b.N {
				p.apply(entry.AppendSchema(nil, &entry.Schema{Document: bankWith(b, c.from, c.to)}))
				for now, _ := p.Change(); now.Phase == engine.PhaseBuilding; now, _ = p.Change() {
					at := time.Now()
					p.apply(entry.AppendBackfill(nil, &entry.Backfill{Change: now.ID, Step: now.Step}))
					took = append(took, time.Since(at))
				}
				now, _ := p.Change()
				p.apply(entry.AppendFinish(nil, &entry.Finish{Change: now.ID, Abandon: true}))
			}
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/step")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms/longest")
			b.ReportMetric(float64(rows*b.N)/float64(len(took)), "rows/step")
		})
	}
}

// bankWith is the bank's document with something put in the place of something else.
func bankWith(b *testing.B, from, to string) []byte {
	text, err := os.ReadFile("../../testdata/bank/schema.yaml")
	if err != nil {
		b.Fatal(err)
	}
	doc, problems := schema.Parse([]byte(strings.Replace(string(text), from, to, 1)))
	if problems != nil {
		b.Fatal(problems)
	}
	return doc.Canonical()
}
