package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// ErrStopped says that work was given up because its copy is closing.
var ErrStopped = errors.New("stopped")

// ContentDigest digests everything that is replicated state: all keys and
// values but the applied position. Copies that reached the same revision by the
// same log have the same one, whatever batches, flushes, crashes and snapshots
// lay on the way.
func ContentDigest(stop <-chan struct{}, r Reader) ([32]byte, error) {
	h := sha256.New()
	it := r.NewIter([]byte{spaceMeta}, []byte{spaceEnd})
	var head []byte
	const checkEvery = 1024
	for n, ok := 0, it.First(); ok; n, ok = n+1, it.Next() {
		if n%checkEvery == 0 {
			select {
			case <-stop:
				return [32]byte{}, closeWith(it, ErrStopped)
			default:
			}
		}
		key, val := it.Key(), it.Value()
		head = binary.AppendUvarint(head[:0], uint64(len(key)))
		head = binary.AppendUvarint(head, uint64(len(val)))
		h.Write(head)
		h.Write(key)
		h.Write(val)
	}
	if err := closeWith(it, it.Err()); err != nil {
		return [32]byte{}, err
	}
	return [32]byte(h.Sum(nil)), nil
}
