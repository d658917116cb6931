package golden

import (
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"lockstep/engine/entry"
)

// rewrite makes the golden logs anew: make golden.
var rewrite = flag.Bool("rewrite", false, "make the golden logs and what they come to anew")

// tried is how many of the ways a replay tries, from the last, where time is short.
var tried = flag.Int("ways", 2, "try the last so many of the ways in which a copy comes by the entries")

// until is for processors that are emulated.
var until = flag.Int("until", 0, "replay no further than to the checkpoint of this number (0: to the end)")

// way is how a copy comes by the entries.
type way struct {
	name  string
	seed  uint64 // 0: nothing happens by chance
	calls int    // entries of one call at most
	harm  bool   // crashes, flushes and moves in between
}

// ways are all of them, the one that shows most last.
var ways = []way{
	{name: "one by one", calls: 1},
	{name: "in calls of any size", seed: 1, calls: 100},
	{name: "with crashes and moves", seed: 2, calls: 40, harm: true},
}

// replay applies a log in some way and gives the report.
func replay(t testing.TB, name string, log []logged, w way) string {
	rng := rand.New(rand.NewPCG(w.seed, 11))
	got := newReport()
	r := newReplica(t)
	defer func() { r.close() }()
	for at := 0; at < len(log); {
		n := min(w.calls, len(log)-at)
		if w.seed != 0 {
			n = min(1+rng.IntN(w.calls), len(log)-at)
		}
		n = untilCheckpoint(log[at : at+n])
		step(t, r, got, log[at:at+n])
		at += n
		if w.harm {
			at = harm(r, rng, log, at)
		}
	}
	return got.text(name, log)
}

// part is the log to the checkpoint that -until names.
func part(log []logged) []logged {
	for i := range log {
		if log[i].checkpoint != 0 && log[i].checkpoint == uint64(*until) {
			return log[:i+1]
		}
	}
	return log
}

// untilCheckpoint is how many entries there are to the first checkpoint, it included.
func untilCheckpoint(log []logged) int {
	for i := range log {
		if log[i].checkpoint != 0 {
			return i + 1
		}
	}
	return len(log)
}

// step applies entries in one call, and takes what became of them.
func step(t testing.TB, r *replica, got *report, log []logged) {
	raws := make([]entry.Raw, len(log))
	for i := range log {
		raws[i] = log[i].Raw
	}
	for _, a := range r.applied(raws...) {
		if !got.add(a) {
			t.Fatalf("entry %d of its router, executed again after a crash, came to something else", a.Sequence)
		}
	}
	last := log[len(log)-1]
	if last.checkpoint == 0 {
		return
	}
	d, line := r.digestLine(last.checkpoint)
	got.checkpoints[last.checkpoint] = line
	if d != last.digests {
		t.Errorf("checkpoint %d has other digests than the recording:\n%+v\nwant\n%+v", last.checkpoint, d, last.digests)
	}
}

// harm syncs, crashes or moves the copy, by chance, and gives where the log goes on.
func harm(r *replica, rng *rand.Rand, log []logged, at int) int {
	switch rng.IntN(60) {
	case 0, 1, 2, 3:
		r.must(r.Sync())
	case 4, 5:
		r.crash(rng)
		applied := r.Position().Index
		for at = 0; at < len(log) && log[at].Index <= applied; at++ {
		}
	case 6:
		r.move()
	}
	return at
}

// "So on every copy, whatever its operating system, processor, time zone, locale, core
// count or moment of crash and restart: the same rows, the same outcomes byte for byte,
// the same state hash." (transactions.md, Determinism)
func TestReplay(t *testing.T) {
	for _, h := range histories {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			if *rewrite {
				p := h.make(t)
				defer p.close()
				writeLog(t, h.name, p.log)
				text := p.report.text(h.name, p.log)
				p.must(os.WriteFile(dir+h.name+".txt", []byte(text), 0o644))
			}
			log, want := part(readLog(t, h.name)), readText(t, h.name+".txt")
			for _, w := range ways[len(ways)-*tried:] {
				got := replay(t, h.name, log, w)
				if *until > 0 {
					want = want[:min(len(got), len(want))]
				}
				if got != want {
					t.Fatalf("%s: %s", w.name, difference(got, want))
				}
			}
		})
	}
}

// difference is the first line that differs.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got\n" + g[i] + "\nwant\n" + w[i]
		}
	}
	return "one is longer than the other"
}
