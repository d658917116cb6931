package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"lockstep/engine/program"
)

// changeFormat is the first byte of the records of changes.
const changeFormat = 1

// append appends the stored form: the format, then all fields in order; numbers
// are varints, text and lists are preceded by their length.
func (p *progress) append(dst []byte) []byte {
	dst = append(dst, changeFormat, byte(p.phase))
	for _, n := range [...]uint64{p.id, p.base, p.step, uint64(p.look), p.rows, uint64(p.began), p.broken} {
		dst = binary.AppendUvarint(dst, n)
	}
	return appendViolations(appendPart(dst, p.cursor), p.first)
}

func appendViolations(dst []byte, list []Violation) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, v := range list {
		for _, s := range [...]string{v.Place, v.Key, v.Detail} {
			dst = appendPart(dst, []byte(s))
		}
	}
	return dst
}

func appendEnds(dst []byte, begun uint64, ends []ChangeEnd) []byte {
	dst = binary.AppendUvarint(append(dst, changeFormat), begun)
	dst = binary.AppendUvarint(dst, uint64(len(ends)))
	for i := range ends {
		e := &ends[i]
		for _, n := range [...]uint64{e.ID, e.Base, e.Version, e.Rows, e.Broken} {
			dst = binary.AppendUvarint(dst, n)
		}
		dst = appendViolations(append(dst, e.Hash[:]...), e.First)
	}
	return dst
}

// changeDecoder reads those records; after an error it reads zeros.
type changeDecoder struct {
	rest []byte
	bad  bool
}

func newChangeDecoder(src []byte) *changeDecoder {
	d := &changeDecoder{rest: src}
	d.bad = d.byte() != changeFormat
	return d
}

func (d *changeDecoder) fixed(n int) []byte {
	if d.bad || len(d.rest) < n {
		d.bad = true
		return make([]byte, min(n, sha256.Size))
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *changeDecoder) byte() byte { return d.fixed(1)[0] }

func (d *changeDecoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if d.bad || size <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *changeDecoder) text() string {
	n := d.number()
	if n > uint64(len(d.rest)) {
		d.bad = true
		return ""
	}
	return string(d.fixed(int(n)))
}

func (d *changeDecoder) violations() []Violation {
	var list []Violation
	for n := d.number(); n > 0 && !d.bad; n-- {
		list = append(list, Violation{Place: d.text(), Key: d.text(), Detail: d.text()})
	}
	return list
}

// done tells what was wrong with the record.
func (d *changeDecoder) done(what string) error {
	if d.bad || len(d.rest) > 0 {
		return fmt.Errorf("%w: %s", errState, what)
	}
	return nil
}

// loadProgress reads the change under way; not ok where there is none.
func loadProgress(r Reader) (p progress, ok bool, err error) {
	raw, ok, err := r.Get(changeKey(), nil)
	if err != nil || !ok {
		return progress{}, false, err
	}
	d := newChangeDecoder(raw)
	p.phase = Phase(d.byte())
	p.id, p.base, p.step, p.look = d.number(), d.number(), d.number(), int(d.number())
	p.rows, p.began, p.broken = d.number(), int64(d.number()), d.number()
	p.cursor, p.first = []byte(d.text()), d.violations()
	return p, true, d.done("progress of a schema change")
}

// loadEnds reads how many changes were begun and how the last ones ended.
func loadEnds(r Reader) (begun uint64, ends []ChangeEnd, err error) {
	raw, ok, err := r.Get(changeEndsKey(), nil)
	if err != nil || !ok {
		return 0, nil, err
	}
	d := newChangeDecoder(raw)
	begun = d.number()
	for n := d.number(); n > 0 && !d.bad; n-- {
		e := ChangeEnd{ID: d.number(), Base: d.number(), Version: d.number(), Rows: d.number(), Broken: d.number()}
		copy(e.Hash[:], d.fixed(len(e.Hash)))
		e.First = d.violations()
		ends = append(ends, e)
	}
	return begun, ends, d.done("ends of schema changes")
}

// loadChange brings the change under way back into memory.
func (m *Machine) loadChange() error {
	var err error
	if m.begun, m.ends, err = loadEnds(m.store); err != nil {
		return err
	}
	p, ok, err := loadProgress(m.store)
	if err != nil || !ok {
		return err
	}
	doc, okDoc, err := m.store.Get(changeDocKey(), nil)
	if err != nil {
		return err
	}
	layout, okLayout, err := m.store.Get(changeLayoutKey(), nil)
	if err != nil || !okDoc || !okLayout {
		return errors.Join(err, missing(okDoc && okLayout, "schema of a change under way"))
	}
	next, err := program.Load(doc, layout, m.opt.Env)
	if err != nil {
		return err
	}
	if m.compiled == nil {
		return missing(false, "schema that a change under way replaces")
	}
	m.change = newChange(p, m.compiled, next)
	if p.look > len(m.change.what.Look) {
		return fmt.Errorf("%w: progress of a schema change", errState)
	}
	return nil
}

func sum(b []byte) [32]byte { return sha256.Sum256(b) }

// clipBytes cuts text to at most n bytes at a boundary of characters.
func clipBytes(s string, n int) string {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
