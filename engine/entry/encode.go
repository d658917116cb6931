package entry

import (
	"encoding/binary"
	"errors"
)

const (
	flagKeyed  = 1 << 0
	flagInline = 1 << 1
)

const (
	flagContent = 1 << 0
	flagChosen  = 1 << 1
)

// AppendBatch appends the encoded entry.
func AppendBatch(dst []byte, b *Batch) []byte {
	dst = AppendBatchHeader(dst, b, len(b.Items))
	for i := range b.Items {
		dst = AppendItem(dst, &b.Items[i])
	}
	return dst
}

// AppendBatchHeader appends all of a batch but its items, of which count must
// follow, each by AppendItem or in that form already: a sequencer that got its
// items encoded has no need to decode them.
func AppendBatchHeader(dst []byte, b *Batch, count int) []byte {
	dst = appendOrigin(append(dst, Version, byte(KindBatch)), b.Origin, b.TimeMillis)
	dst = append(dst, b.Seed[:]...)
	dst = binary.AppendUvarint(dst, b.SchemaVersion)
	return binary.AppendUvarint(dst, uint64(count))
}

// AppendItem appends one transaction; routers send each other this form.
func AppendItem(dst []byte, it *Item) []byte {
	var flags byte
	if it.ID.Key != "" {
		flags |= flagKeyed
	}
	if it.Proc < 0 {
		flags |= flagInline
	}
	dst = append(dst, flags)
	if it.ID.Key != "" {
		dst = appendText(dst, it.ID.Key)
	} else {
		dst = binary.LittleEndian.AppendUint64(dst, it.ID.Session)
		dst = binary.AppendUvarint(dst, it.ID.Counter)
	}
	dst = append(dst, it.Fingerprint[:]...)
	if it.Proc < 0 {
		dst = appendBytes(dst, it.Source)
	} else {
		dst = binary.AppendUvarint(dst, uint64(it.Proc))
	}
	return appendBytes(dst, it.Params)
}

// AppendSchema appends the encoded entry.
func AppendSchema(dst []byte, s *Schema) []byte {
	dst = appendOrigin(append(dst, Version, byte(KindSchema)), s.Origin, s.TimeMillis)
	dst = binary.AppendUvarint(dst, s.IfMatch)
	dst = binary.AppendUvarint(dst, s.IfBegun)
	return appendBytes(dst, s.Document)
}

// AppendBackfill appends the encoded entry.
func AppendBackfill(dst []byte, b *Backfill) []byte {
	dst = appendOrigin(append(dst, Version, byte(KindBackfill)), b.Origin, b.TimeMillis)
	dst = binary.AppendUvarint(dst, b.Change)
	dst = binary.AppendUvarint(dst, b.Step)
	return binary.AppendUvarint(dst, b.Rows)
}

// AppendFinish appends the encoded entry.
func AppendFinish(dst []byte, f *Finish) []byte {
	dst = appendOrigin(append(dst, Version, byte(KindFinish)), f.Origin, f.TimeMillis)
	dst = binary.AppendUvarint(dst, f.Change)
	abandon := byte(0)
	if f.Abandon {
		abandon = 1
	}
	return append(dst, abandon)
}

// AppendCheckpoint appends the encoded entry.
func AppendCheckpoint(dst []byte, c *Checkpoint) []byte {
	dst = appendOrigin(append(dst, Version, byte(KindCheckpoint)), c.Origin, c.TimeMillis)
	return append(binary.LittleEndian.AppendUint64(dst, c.ID), byte(c.Contents))
}

// AppendVerdict appends the encoded entry.
func AppendVerdict(dst []byte, v *Verdict) []byte {
	dst = appendOrigin(append(dst, Version, byte(KindVerdict)), v.Origin, v.TimeMillis)
	dst = binary.LittleEndian.AppendUint64(dst, v.Checkpoint)
	dst = binary.AppendUvarint(dst, v.Revision)
	dst = append(dst, v.Running[:]...)
	var flags byte
	if v.HasContent {
		flags |= flagContent
	}
	if v.Chosen {
		flags |= flagChosen
	}
	dst = append(dst, flags)
	if v.HasContent {
		dst = append(dst, v.Content[:]...)
	}
	return appendReplicas(appendReplicas(dst, v.Agreed), v.Differed)
}

func appendReplicas(dst []byte, replicas []uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(replicas)))
	for _, r := range replicas {
		dst = binary.AppendUvarint(dst, r)
	}
	return dst
}

// AppendLanguage appends the encoded entry.
func AppendLanguage(dst []byte, l *Language) []byte {
	dst = appendOrigin(append(dst, Version, byte(KindLanguage)), l.Origin, l.TimeMillis)
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(l.Version)), l.IfMatch)
}

// AppendAssign appends the encoded entry.
func AppendAssign(dst []byte, a *Assign) []byte {
	dst = appendOrigin(append(dst, Version, byte(KindAssign)), a.Origin, a.TimeMillis)
	dst = appendText(dst, a.Task)
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, a.Holder), a.Epoch)
	return appendText(append(dst, byte(a.Reason)), a.Text)
}

// AppendSettings appends the encoded entry.
func AppendSettings(dst []byte, s *Settings) []byte {
	dst = appendOrigin(append(dst, Version, byte(KindSettings)), s.Origin, s.TimeMillis)
	return binary.AppendUvarint(binary.AppendUvarint(dst, s.Version), uint64(s.KeyRetentionMillis))
}

// AppendIncarnation appends the encoded entry.
func AppendIncarnation(dst []byte, i *Incarnation) []byte {
	dst = appendOrigin(append(dst, Version, byte(KindIncarnation)), i.Origin, i.TimeMillis)
	return binary.AppendUvarint(dst, i.Number)
}

// Restamp appends a copy of an encoded entry that is no batch, with another
// origin and time: what the primary adds to what it was sent.
func Restamp(dst, cmd []byte, o Origin, timeMillis int64) ([]byte, error) {
	var r Reader
	kind, err := r.Reset(cmd)
	if err != nil {
		return nil, err
	}
	if r.origin(); r.bad != nil || kind == KindBatch {
		return nil, errors.Join(r.bad, ErrCorrupt)
	}
	return append(appendOrigin(append(dst, Version, byte(kind)), o, timeMillis), r.src...), nil
}

func appendOrigin(dst []byte, o Origin, timeMillis int64) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, o.Proposer)
	dst = binary.AppendUvarint(dst, o.Sequence)
	return binary.AppendUvarint(dst, uint64(max(timeMillis, 0)))
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
