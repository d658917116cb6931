package partition

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/store"
)

// bench is a copy of the bank with accounts, on a real disk.
type bench struct {
	*Partition
	b        *testing.B
	index    uint64
	counter  uint64
	compiled *program.Compiled
	rng      *rand.Rand
	accounts int
}

func newBench(b *testing.B, accounts int) *bench {
	env, err := lang.NewEnv()
	if err != nil {
		b.Fatal(err)
	}
	p := &bench{b: b, accounts: accounts, rng: rand.New(rand.NewPCG(1, 2))}
	p.Partition = New(Config{
		Group: "bank", Env: env, Local: testSession,
		Store:   store.Options{Dir: b.TempDir(), FS: vfs.Default, MemTableBytes: 32 << 20},
		Applied: func([]engine.Applied) {}, Fatal: func(err error) { b.Error(err) },
	})
	if _, err := p.Open(nil); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.Close() })
	text, err := os.ReadFile("../../testdata/bank/schema.yaml")
	if err != nil {
		b.Fatal(err)
	}
	doc, problems := schema.Parse(text)
	if problems != nil {
		b.Fatal(problems)
	}
	p.apply(entry.AppendSchema(nil, &entry.Schema{Document: doc.Canonical(), TimeMillis: 1}))
	p.compiled = p.Compiled()
	for done := 0; done < accounts; done += 1000 {
		p.apply(p.entry(1000, func(i int) string {
			return fmt.Sprintf(`{"procedure": "open", "params": {"id": "acc%d", "owner": "o", "balance": 1000000}}`, done+i)
		}))
	}
	return p
}

func (p *bench) apply(cmd []byte) {
	p.index++
	if err := p.Apply([]entry.Raw{{Index: p.index, Cmd: cmd}}); err != nil {
		p.b.Fatal(err)
	}
}

func (p *bench) entry(n int, document func(int) string) []byte {
	b := entry.Batch{Origin: entry.Origin{Proposer: testSession, Sequence: p.index}, TimeMillis: 1 + int64(p.index), SchemaVersion: p.compiled.Version}
	for i := range n {
		typed, refusal := program.ParseTransaction([]byte(document(i)), p.compiled)
		if refusal != nil {
			p.b.Fatal(refusal)
		}
		p.counter++
		b.Items = append(b.Items, entry.Item{ID: entry.ID{Session: testSession, Counter: p.counter}, Proc: int32(typed.Proc), Params: typed.Params, Source: typed.Source})
	}
	return entry.AppendBatch(nil, &b)
}

func (p *bench) transfers(n int) []byte {
	return p.entry(n, func(int) string {
		return fmt.Sprintf(`{"procedure": "transfer", "params": {"from": "acc%d", "to": "acc%d", "amount": 1}}`, p.rng.IntN(p.accounts), p.rng.IntN(p.accounts))
	})
}

// BenchmarkTransfers is the engine alone: entries of transfers between random
// accounts, outcomes and digest recorded (goals.md).
func BenchmarkTransfers(b *testing.B) {
	for _, c := range []struct{ accounts, entry int }{{10_000, 1}, {10_000, 100}, {100_000, 1000}} {
		b.Run(fmt.Sprintf("accounts=%d/entry=%d", c.accounts, c.entry), func(b *testing.B) {
			p := newBench(b, c.accounts)
			const ahead = 64
			var cmds [][]byte
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += c.entry {
				if len(cmds) == 0 {
					b.StopTimer()
					for range ahead {
						cmds = append(cmds, p.transfers(c.entry))
					}
					b.StartTimer()
				}
				p.apply(cmds[0])
				cmds = cmds[1:]
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}
