package outcome

import (
	"fmt"

	"lockstep/engine/entry"
)

// Kind is what the log says of an ordered item.
type Kind byte

// The kinds of verdicts.
const (
	// Executed: this entry executed it; the outcome is new.
	Executed Kind = 1
	// Duplicate: an earlier entry did; the outcome is the recorded one.
	Duplicate Kind = 2
	// KeyReused: the id was used with another document
	// (422 idempotency_key_reused). Nothing was done.
	KeyReused Kind = 3
	// StaleSchema: the item was typed against a schema that is no longer the
	// present one. Nothing was done; type it anew and order it again under the
	// same id.
	StaleSchema Kind = 4
	// Expired: the id is below its router's window, or was executed so long ago
	// that its outcome is no longer kept. Nothing was done now.
	Expired Kind = 5
	// Deferred: the items before it used up what one entry may take, in cost or
	// in bytes. It was not executed; order it again. It never leaves the primary,
	// which does so by itself.
	Deferred Kind = 6
)

// Verdict is what the log says of one item of one entry.
type Verdict struct {
	Kind    Kind
	Outcome Outcome // of Executed and Duplicate
}

// AppendVerdict appends the binary form, which routers send each other.
func AppendVerdict(dst []byte, v *Verdict) []byte {
	dst = append(dst, byte(v.Kind))
	if v.Kind == Executed || v.Kind == Duplicate {
		dst = v.Outcome.Append(dst)
	}
	return dst
}

// DecodeVerdict reads a verdict on the item id from the front of src. The
// result aliases src.
func DecodeVerdict(src []byte, id entry.ID) (v Verdict, rest []byte, err error) {
	if len(src) == 0 || src[0] < byte(Executed) || src[0] > byte(Expired) {
		return Verdict{}, nil, fmt.Errorf("%w: kind of verdict", ErrCorrupt)
	}
	v.Kind, rest = Kind(src[0]), src[1:]
	if v.Kind == Executed || v.Kind == Duplicate {
		v.Outcome, rest, err = Decode(rest, id)
	}
	return v, rest, err
}
