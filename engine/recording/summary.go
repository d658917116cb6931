package recording

import (
	"errors"
	"io"

	"lockstep/engine/entry"
)

// Summary is what a whole recording holds.
type Summary struct {
	Begin
	To           Position // as the last digest says; From where there is none
	Entries      uint64
	Transactions uint64 // items of the entries, executed or not
	Digests      uint64
	FirstMillis  int64 // stamps of the first and the last entry of transactions
	LastMillis   int64
	ClosedMillis int64 // when the recording was closed, by the writer's clock
	Bytes        uint64
}

// Summarize reads a whole recording and checks every byte of its form; it executes
// nothing.
func Summarize(r io.Reader) (Summary, error) {
	rd, err := NewReader(r)
	if err != nil {
		return Summary{}, err
	}
	s := Summary{Begin: rd.Begin(), To: rd.Begin().From}
	var er entry.Reader
	for {
		rec, err := rd.Next()
		s.Bytes = rd.Offset()
		switch {
		case errors.Is(err, io.EOF):
			return s, nil
		case err != nil:
			return s, err
		}
		switch rec.Kind {
		case KindEntry:
			s.Entries++
			s.count(&er, rec.Cmd)
		case KindDigest:
			s.Digests++
			d := &rec.Digest
			s.To = Position{Index: d.Index, Revision: d.Revision, TimeMillis: d.TimeMillis, Running: d.Running}
		case KindEnd:
			s.ClosedMillis = rec.TakenMillis
		}
	}
}

// count counts an entry's transactions. What is no entry is the engine's affair.
func (s *Summary) count(r *entry.Reader, cmd []byte) {
	if kind, err := r.Reset(cmd); err != nil || kind != entry.KindBatch {
		return
	}
	b, err := r.Batch()
	if err != nil {
		return
	}
	var it entry.Item
	for r.Next(&it) {
		s.Transactions++
	}
	if s.FirstMillis == 0 {
		s.FirstMillis = b.TimeMillis
	}
	s.LastMillis = b.TimeMillis
}
