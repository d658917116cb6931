package replay

import (
	"encoding/hex"
	"encoding/json"
	"sync/atomic"

	"lockstep/engine"
)

// Progress is how far a replay has come; it may be read while it runs.
type Progress struct {
	Bytes        atomic.Uint64 // of the file, read
	Transactions atomic.Uint64
	Revision     atomic.Uint64
}

// Point is a point of the group's order.
type Point struct {
	Index      uint64 `json:"index"`
	Revision   uint64 `json:"revision"`
	TimeMillis int64  `json:"time_ms"`
}

// Report is what came of a replay.
type Report struct {
	Group    string `json:"group"`
	Node     string `json:"node"` // that wrote the recording
	Program  string `json:"program"`
	Snapshot bool   `json:"snapshot"` // it begins with a state, not with the group
	From     Point  `json:"from"`
	To       Point  `json:"to"`

	Entries       uint64 `json:"entries"`
	Transactions  uint64 `json:"transactions"` // executed: committed and aborted
	Committed     uint64 `json:"committed"`
	Aborted       uint64 `json:"aborted"`
	PassedOver    uint64 `json:"passed_over"` // duplicates, typed against an old schema, put off
	SchemaChanges uint64 `json:"schema_changes"`

	Compared Compared `json:"compared"`
	Equal    bool     `json:"equal"`
	// Digest is of the whole content and the running digest at the end, as `verify`
	// shows it.
	Digest string `json:"digest"`

	Rehearsal *Rehearsal `json:"rehearsal,omitempty"`
}

// Compared counts the points at which digests were compared.
type Compared struct {
	Equal     uint64 `json:"equal"`
	Different uint64 `json:"different"`
	Verdicts  uint64 `json:"verdicts"` // of them: agreed by a majority of the copies
	// Undecided counts verdicts that there was no majority.
	Undecided uint64      `json:"undecided"`
	First     *Difference `json:"first_difference,omitempty"`
}

// Difference is where digests first differed.
type Difference struct {
	After    uint64 `json:"after_revision"` // the last one that was equal
	By       uint64 `json:"by_revision"`
	What     string `json:"what"` // which digest
	Recorded string `json:"recorded"`
	Replayed string `json:"replayed"`
}

// digests is what is compared at a point.
type digests struct {
	revision uint64
	running  [32]byte
	content  *[32]byte // nil: it is not known
}

// compare compares what the recording says with what came out here.
func (c *Compared) compare(recorded, replayed digests, lastEqual *uint64) {
	what, a, b := "", "", ""
	switch {
	case recorded.revision != replayed.revision:
		what, a, b = "revision", decimal(recorded.revision), decimal(replayed.revision)
	case recorded.running != replayed.running:
		what, a, b = "running digest", hexOf(recorded.running), hexOf(replayed.running)
	case recorded.content != nil && replayed.content != nil && *recorded.content != *replayed.content:
		what, a, b = "content digest", hexOf(*recorded.content), hexOf(*replayed.content)
	}
	if what == "" {
		c.Equal++
		*lastEqual = replayed.revision
		return
	}
	if c.Different++; c.First == nil {
		c.First = &Difference{After: *lastEqual, By: max(recorded.revision, replayed.revision), What: what, Recorded: a, Replayed: b}
	}
}

func hexOf(d [32]byte) string { return hex.EncodeToString(d[:]) }

func decimal(n uint64) string {
	b, _ := json.Marshal(n) // a number can always be written
	return string(b)
}

func pointOf(p engine.Position) Point {
	return Point{Index: p.Index, Revision: p.Revision, TimeMillis: p.NowMillis}
}
