package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// ErrStopped says that work was given up because its copy is closing.
var ErrStopped = errors.New("stopped")

// ContentDigest digests everything that is replicated state: all keys and
// values but the applied position and the verdicts. Copies that reached the same
// revision by the same log have the same one, whatever batches, flushes, crashes
// and snapshots lay on the way.
func ContentDigest(stop <-chan struct{}, r Reader) ([32]byte, error) {
	return PacedDigest(r, func(int) error {
		select {
		case <-stop:
			return ErrStopped
		default:
			return nil
		}
	})
}

// PacedDigest is ContentDigest where pace hears every so often how many bytes were
// read since it last did, and may wait, or end the work by an error.
func PacedDigest(r Reader, pace func(bytes int) error) ([32]byte, error) {
	h := sha256.New()
	it := r.NewIter([]byte{spaceMeta}, []byte{spaceEnd})
	var head []byte
	const paceBytes = 64 << 10
	read := 0
	for ok := it.First(); ok; ok = it.Next() {
		key, val := it.Key(), it.Value()
		head = binary.AppendUvarint(head[:0], uint64(len(key)))
		head = binary.AppendUvarint(head, uint64(len(val)))
		h.Write(head)
		h.Write(key)
		h.Write(val)
		if read += len(key) + len(val); read < paceBytes {
			continue
		}
		if err := pace(read); err != nil {
			return [32]byte{}, closeWith(it, err)
		}
		read = 0
	}
	if err := closeWith(it, it.Err()); err != nil {
		return [32]byte{}, err
	}
	return [32]byte(h.Sum(nil)), nil
}
