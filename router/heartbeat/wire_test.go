package heartbeat

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lockstep/policy/supervision"
)

func genBeat() *rapid.Generator[supervision.Beat] {
	span := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "us")) * time.Microsecond
	})
	return rapid.Custom(func(t *rapid.T) supervision.Beat {
		b := supervision.Beat{From: rapid.StringMatching(`[a-z0-9]{1,20}`).Draw(t, "from"), Boot: rapid.Uint64Min(1).Draw(t, "boot"),
			Sequence: rapid.Uint64().Draw(t, "sequence"), Stalled: span.Draw(t, "stalled") / 1000 * 1000}
		b.Stalled = b.Stalled.Truncate(time.Microsecond) % (300 * 24 * time.Hour)
		for range rapid.IntRange(0, 5).Draw(t, "hears") {
			b.Hears = append(b.Hears, supervision.Hearing{Node: rapid.StringMatching(`[a-z0-9]{1,20}`).Draw(t, "node"),
				Age: span.Draw(t, "age") % (300 * 24 * time.Hour), HearsYou: rapid.Bool().Draw(t, "hears you")})
		}
		return b
	})
}

// What is read is what was written; and cut anywhere it is refused, but within the
// report, which is whatever follows.
func TestFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := genBeat().Draw(t, "beat")
		report := rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "report")
		var got supervision.Beat
		raw := appendFrame(nil, &b, report)
		back, err := decodeFrame(raw, &got)
		if err != nil || !bytes.Equal(back, report) || !bytes.Equal(appendFrame(nil, &got, back), raw) {
			t.Fatalf("%+v came back as %+v with %q: %v", b, got, back, err)
		}
		bare := appendFrame(nil, &b, nil)
		if back, err := decodeFrame(bare, &got); err != nil || back != nil {
			t.Fatalf("without a report: %q, %v", back, err)
		}
		for n := range bare {
			if _, err := decodeFrame(bare[:n], &got); err == nil {
				t.Fatalf("cut to %d of %d bytes it is taken", n, len(bare))
			}
		}
	})
}

// "No input may panic a node": whatever comes is a heartbeat or an error.
func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, &supervision.Beat{From: "n1", Boot: 7, Sequence: 9, Hears: []supervision.Hearing{{Node: "n2", Age: time.Second, HearsYou: true}}}, []byte("{}")))
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var b supervision.Beat
		report, err := decodeFrame(raw, &b)
		if err != nil {
			return
		}
		var again supervision.Beat
		if _, err := decodeFrame(appendFrame(nil, &b, report), &again); err != nil {
			t.Fatalf("%x is read as %+v, which can't be read again: %v", raw, b, err)
		}
	})
}
