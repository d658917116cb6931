package outcome_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
)

func genOutcome() *rapid.Generator[outcome.Outcome] {
	return rapid.Custom(func(t *rapid.T) outcome.Outcome {
		o := outcome.Outcome{
			ID:       entry.ID{Session: 1, Counter: rapid.Uint64Min(1).Draw(t, "counter")},
			Revision: rapid.Uint64().Draw(t, "revision"), TimeMillis: rapid.Int64Range(0, 253402300799999).Draw(t, "time"),
			Committed: rapid.Bool().Draw(t, "committed"),
		}
		copy(o.Fingerprint[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "fingerprint"))
		if o.Committed {
			o.Result = []byte(rapid.SampledFrom([]string{"null", "1", `{"a":[1,2]}`}).Draw(t, "result"))
		} else {
			o.Code, o.Step, o.Message = rapid.String().Draw(t, "code"), "steps[1]", rapid.String().Draw(t, "message")
		}
		return o
	})
}

// What a copy recorded, every router passes on unchanged.
func TestVerdictsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := outcome.Verdict{Kind: outcome.Kind(rapid.IntRange(1, 5).Draw(t, "kind"))}
		id := entry.ID{Key: "k"}
		if v.Kind <= outcome.Duplicate {
			v.Outcome = genOutcome().Draw(t, "outcome")
			id = v.Outcome.ID
		}
		raw := outcome.AppendVerdict(nil, &v)
		got, rest, err := outcome.DecodeVerdict(append(bytes.Clone(raw), 1, 2), id)
		if err != nil || len(rest) != 2 {
			t.Fatalf("%v, %d bytes left", err, len(rest))
		}
		if again := outcome.AppendVerdict(nil, &got); !bytes.Equal(again, raw) {
			t.Fatalf("read as %+v", got)
		}
		for n := range raw {
			if _, _, err := outcome.DecodeVerdict(raw[:n], id); err == nil {
				t.Fatalf("cut to %d of %d bytes, it is read", n, len(raw))
			}
		}
	})
}

// The document that users see (transactions.md, Outcome).
func TestDocument(t *testing.T) {
	for want, o := range map[string]outcome.Outcome{
		`{"id":"k","group":"bank","revision":1042,"status":"committed","time":"2026-11-23T10:00:00.123Z","result":{"from":70,"to":130}}`: {
			ID: entry.ID{Key: "k"}, Revision: 1042, TimeMillis: 1795428000123, Committed: true, Result: []byte(`{"from":70,"to":130}`),
		},
		`{"id":"ls-000000000000000a-1","group":"bank","revision":1043,"status":"aborted","time":"2026-11-23T10:00:00Z","code":"insufficient_funds","message":"say \"no\"","step":"steps[3]"}`: {
			ID: entry.ID{Session: 10, Counter: 1}, Revision: 1043, TimeMillis: 1795428000000, Code: "insufficient_funds", Message: `say "no"`, Step: "steps[3]",
		},
	} {
		if got := string(o.AppendJSON(nil, "bank")); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// No bytes from a peer may panic a node.
func FuzzDecodeVerdict(f *testing.F) {
	v := outcome.Verdict{Kind: outcome.Executed, Outcome: outcome.Outcome{Committed: true, Result: []byte("null")}}
	f.Add(outcome.AppendVerdict(nil, &v))
	f.Add([]byte{4})
	f.Fuzz(func(_ *testing.T, raw []byte) {
		_, _, _ = outcome.DecodeVerdict(raw, entry.ID{Key: "k"})
	})
}
