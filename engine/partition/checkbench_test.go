package partition

import (
	"testing"

	"lockstep/engine/entry"
)

// BenchmarkCheckpoint is what a checkpoint of running digests and its verdict take
// of the time in which a copy applies entries: it is met every few seconds.
func BenchmarkCheckpoint(b *testing.B) {
	p := newBench(b, 10_000)
	b.ResetTimer()
	for i := range b.N {
		id := uint64(i + 1)
		p.apply(entry.AppendCheckpoint(nil, &entry.Checkpoint{ID: id}))
		pos := p.Position()
		p.apply(entry.AppendVerdict(nil, &entry.Verdict{Checkpoint: id, Revision: pos.Revision, Running: pos.Digest, Agreed: []uint64{1, 2, 3}}))
	}
}
