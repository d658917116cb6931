package value

import (
	"bytes"
	"crypto/sha256"
	"math"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Canonicalizer writes the canonical form of JSON texts (RFC 8785): no white
// space, members sorted by the UTF-16 units of their names, one way to write
// each string and each number. Two texts have the same form exactly where they
// mean the same document. One thing goes beyond the RFC, which knows only
// doubles: an integer of up to 64 bits keeps all its digits, so that documents
// that differ in the last digit of a large amount stay different.
//
// Refused, with a *JSONError, is what is not JSON: also a name that occurs twice,
// a string that is not UTF-8, a number too large for a double, and nesting over
// MaxDocumentDepth.
//
// A Canonicalizer keeps its buffers from one call to the next, so that calls
// cost no allocation; its zero value is ready. It serves one goroutine at a time.
type Canonicalizer struct {
	cursor
	out     []byte
	members []member // members of the objects that are still open
	buffer  []byte   // output of Fingerprint, kept
}

// member is one member of an open object, as it stands in the output: its name,
// quoted, then the colon and the value.
type member struct {
	from, nameEnd, to int32
	simple            bool // the name is ASCII without escapes
}

// Append appends the canonical form of a JSON text.
func (c *Canonicalizer) Append(dst, raw []byte) ([]byte, error) {
	err := c.document(dst, raw, nil)
	out := c.out
	c.out = nil
	if err != nil {
		return dst, err
	}
	return out, nil
}

// Fingerprint is the first half of the SHA-256 of the canonical form of a JSON
// text, without the members of the top level object that are named: a
// transaction's "id" is no part of what it does (transactions.md, Exactly once).
func (c *Canonicalizer) Fingerprint(raw []byte, dropTopLevel ...string) (fp [16]byte, err error) {
	if err := c.document(c.buffer[:0], raw, dropTopLevel); err != nil {
		return fp, err
	}
	sum := sha256.Sum256(c.out)
	copy(fp[:], sum[:])
	if c.out = c.out[:0]; cap(c.out) <= keptBuffer {
		c.buffer = c.out
	}
	return fp, nil
}

// keptBuffer is how large a buffer is kept between calls: one large document must
// not hold its memory for ever.
const keptBuffer = 64 << 10

// Canonicalize is the canonical form of a JSON text; see Canonicalizer.
func Canonicalize(raw []byte) ([]byte, error) {
	var c Canonicalizer
	out, err := c.Append(make([]byte, 0, len(raw)), raw)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Fingerprint is Canonicalizer.Fingerprint for those who need just one; it makes
// its buffers, two allocations, for each call.
func Fingerprint(raw []byte, dropTopLevel ...string) (fp [16]byte, err error) {
	const members = 16 // as many as the open objects of most documents have
	c := Canonicalizer{
		buffer:  make([]byte, 0, 2*len(raw)+16), // twice, for arranging the members of the top level
		members: make([]member, 0, members),
	}
	return c.Fingerprint(raw, dropTopLevel...)
}

// document copies the whole text, but for some members of its top level.
func (c *Canonicalizer) document(dst, raw []byte, drop []string) error {
	c.cursor = cursor{src: raw}
	c.out, c.members = dst, c.members[:0]
	defer func() { c.src = nil }()   // the text is the caller's
	if len(raw) > math.MaxInt32/16 { // so that no place in the output is beyond an int32
		return c.fault(reasonLong)
	}
	if err := c.value(0, drop); err != nil {
		return err
	}
	if c.at = skipSpace(c.src, c.at); c.at != len(c.src) {
		return c.fault(reasonTrailing)
	}
	return nil
}

// value copies the value that begins at or after the present place.
func (c *Canonicalizer) value(depth int, drop []string) *JSONError {
	c.at = skipSpace(c.src, c.at)
	if c.at >= len(c.src) {
		return c.fault(reasonEnd)
	}
	switch first := c.src[c.at]; first {
	case '"':
		return c.text()
	case '{', '[':
		if depth == MaxDocumentDepth {
			return c.fault(reasonDepth)
		}
		if first == '{' {
			return c.object(depth+1, drop)
		}
		return c.list(depth + 1)
	case 't':
		return c.literal("true")
	case 'f':
		return c.literal("false")
	case 'n':
		return c.literal("null")
	default:
		if first != '-' && !isDigit(first) {
			return c.fault(reasonValue)
		}
	}
	return c.number()
}

func (c *Canonicalizer) literal(word string) *JSONError {
	if !scanLiteral(c.src, c.at, word) {
		return c.fault(reasonValue)
	}
	c.at += len(word)
	c.out = append(c.out, word...)
	return nil
}

// text copies a string, with the escapes of the canonical form.
func (c *Canonicalizer) text() *JSONError {
	end, plain, reason := scanString(c.src, c.at)
	if reason != "" {
		c.at = end
		return c.fault(reason)
	}
	if plain {
		c.out = append(c.out, c.src[c.at:end]...)
	} else {
		c.out = AppendJSONString(c.out, appendUnescaped(nil, c.src[c.at+1:end-1]))
	}
	c.at = end
	return nil
}

func (c *Canonicalizer) number() *JSONError {
	end, integer, ok := scanNumber(c.src, c.at)
	if !ok {
		c.at = end
		return c.fault(reasonNumber)
	}
	number := c.src[c.at:end]
	if c.out, ok = appendCanonicalNumber(c.out, number, integer); !ok {
		return c.fault(reasonNumberFit)
	}
	c.at = end
	return nil
}

// appendCanonicalNumber writes a number whose exact value is an integer of 64
// bits with all its digits, any other as the nearest double.
func appendCanonicalNumber(dst, number []byte, integer bool) ([]byte, bool) {
	if integer && len(number) <= 18 && number[0] != '-' {
		return append(dst, number...), true
	}
	if d, ok := parseDecimal(number); ok {
		if magnitude, err := d.whole(); err == nil && (!d.negative || magnitude <= 1<<63) {
			if d.negative {
				dst = append(dst, '-')
			}
			return AppendText(dst, OfUint(magnitude)), true
		}
	}
	v, err := ParseDouble(number)
	if err != nil {
		return dst, false
	}
	return AppendDouble(dst, v.Double()), true
}

func (c *Canonicalizer) list(depth int) *JSONError {
	c.out = append(c.out, '[')
	closed := c.open(']')
	for n := 0; !closed; n++ {
		if n > 0 {
			c.out = append(c.out, ',')
		}
		err := c.value(depth, nil)
		if err != nil {
			return err.within(string(AppendText(nil, OfInt(int64(n)))))
		}
		if closed, err = c.next(']'); err != nil {
			return err
		}
	}
	c.out = append(c.out, ']')
	return nil
}

func (c *Canonicalizer) object(depth int, drop []string) *JSONError {
	start, base, begin := c.at, len(c.members), len(c.out)
	c.out = append(c.out, '{')
	closed := c.open('}')
	for !closed {
		m, err := c.member(depth)
		if err != nil {
			return err
		}
		c.members = append(c.members, m)
		c.out = append(c.out, ',')
		if closed, err = c.next('}'); err != nil {
			return err
		}
	}
	if err := c.arrange(start, begin+1, c.members[base:], drop); err != nil {
		return err
	}
	c.members = c.members[:base]
	if len(c.out) > begin+1 {
		c.out = c.out[:len(c.out)-1] // the last comma
	}
	c.out = append(c.out, '}')
	return nil
}

// arrange puts the members of one object, which fill the output from begin on, in
// order and leaves out those to drop. A comma follows each.
func (c *Canonicalizer) arrange(start, begin int, members []member, drop []string) *JSONError {
	moved, twice := c.sort(members)
	if twice >= 0 {
		return c.twice(start, members[twice])
	}
	if !moved && len(drop) == 0 {
		return nil
	}
	end := len(c.out)
	for _, m := range members {
		if len(drop) > 0 && c.dropped(m, drop) {
			continue
		}
		c.out = append(c.out, c.out[m.from:m.to]...)
		c.out = append(c.out, ',')
	}
	c.out = append(c.out[:begin], c.out[end:]...)
	return nil
}

// dropped tells whether a member is one of those to drop.
func (c *Canonicalizer) dropped(m member, drop []string) bool {
	for _, d := range drop {
		if name := c.out[m.from+1 : m.nameEnd-1]; string(name) == d || (!m.simple && c.name(m) == d) {
			return true
		}
	}
	return false
}

// sort puts members in the order of their names. It tells whether any moved, and
// which has the name of another, or -1.
func (c *Canonicalizer) sort(members []member) (moved bool, twice int) {
	if len(members) > insertionMax {
		return c.sortMany(members)
	}
	for i := 1; i < len(members); i++ {
		for j := i; j > 0; j-- {
			order := c.compareNames(members[j-1], members[j])
			if order == 0 {
				return moved, j
			}
			if order < 0 {
				break
			}
			members[j-1], members[j] = members[j], members[j-1]
			moved = true
		}
	}
	return moved, -1
}

func (c *Canonicalizer) sortMany(members []member) (moved bool, twice int) {
	moved = !slices.IsSortedFunc(members, c.compareNames)
	if moved {
		slices.SortFunc(members, c.compareNames)
	}
	for i := 1; i < len(members); i++ {
		if c.compareNames(members[i-1], members[i]) == 0 {
			return moved, i
		}
	}
	return moved, -1
}

// member copies a name, the colon and the value.
func (c *Canonicalizer) member(depth int) (m member, err *JSONError) {
	m.from = int32(len(c.out))
	c.at = skipSpace(c.src, c.at)
	if err := c.text(); err != nil {
		return m, err
	}
	m.nameEnd = int32(len(c.out))
	m.simple = simpleName(c.out[m.from+1 : m.nameEnd-1])
	if err := c.colon(); err != nil {
		return m, err
	}
	c.out = append(c.out, ':')
	if err := c.value(depth, nil); err != nil {
		return m, err.within(c.name(m))
	}
	m.to = int32(len(c.out))
	return m, nil
}

// name is what a member is called.
func (c *Canonicalizer) name(m member) string {
	return string(appendUnescaped(nil, c.out[m.from+1:m.nameEnd-1]))
}

func (c *Canonicalizer) twice(start int, m member) *JSONError {
	err := &JSONError{Offset: start, Reason: reasonTwice}
	return err.within(c.name(m))
}

// compareNames orders two members by the UTF-16 units of their names. Names
// without escapes and beyond-ASCII characters have the same order as bytes.
func (c *Canonicalizer) compareNames(a, b member) int {
	x, y := c.out[a.from+1:a.nameEnd-1], c.out[b.from+1:b.nameEnd-1]
	if a.simple && b.simple {
		return bytes.Compare(x, y)
	}
	return slices.Compare(utf16Units(x), utf16Units(y))
}

func simpleName(name []byte) bool {
	for _, b := range name {
		if b >= utf8.RuneSelf || b == '\\' {
			return false
		}
	}
	return true
}

// utf16Units is the name as RFC 8785 compares it.
func utf16Units(name []byte) []uint16 {
	return utf16.Encode([]rune(string(appendUnescaped(nil, name))))
}
