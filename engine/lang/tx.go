package lang

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"

	"github.com/google/cel-go/common/ast"

	"lockstep/engine/value"
)

func txTable() []function {
	return []function{
		{"tx.uuid", buildDrawn("uuid", txUUID), []string{"int -> string"}},
		{"tx.random", buildDrawn("random", txRandom), []string{"int -> double"}},
	}
}

// isTx tells whether a node is the name tx, not hidden by anything.
func (c *compiler) isTx(e ast.Expr) bool {
	return isIdent(e, "tx") && c.scope.tx != TxNone
}

// txField compiles tx.id, tx.revision and tx.now. None of them is ever null.
func (c *compiler) txField(id int64, field string, test bool) (node, *Problem) {
	_, t, ok := txType(c.scope.tx).Object.Field(field)
	if !ok {
		return node{}, c.problem(id, "tx."+field+" can't be used here", "")
	}
	if test {
		n := literal(value.OfBool(true))
		n.typ, n.lit = Type{Kind: KBool}, false
		return n, nil
	}
	n := node{typ: t, cost: 1}
	switch field {
	case "revision":
		n.ints = func(f *Frame) (int64, bool) { return f.Tx.Revision, true }
		n.eval = func(f *Frame) (value.Value, *Fault) { return value.OfInt(f.Tx.Revision), nil }
	case "now":
		n.eval = func(f *Frame) (value.Value, *Fault) { return f.Tx.Now, nil }
	default:
		n.eval = func(f *Frame) (value.Value, *Fault) { return value.OfString(f.Tx.ID), nil }
	}
	return n, nil
}

// buildDrawn compiles tx.uuid(n) and tx.random(n), which only a transaction has.
func buildDrawn(name string, draw func(d [32]byte) value.Value) builder {
	return func(c *compiler, id int64, args []node, t Type) (node, *Problem) {
		if c.scope.tx != TxFull {
			return node{}, c.callProblem(id, "tx."+name, "tx."+name+" can't be used here", "it exists in transactions and in defaults only")
		}
		arg := args[0].eval
		return node{typ: t, cost: hashUnits, eval: func(f *Frame) (value.Value, *Fault) {
			n, ft := arg(f)
			if ft != nil {
				return n, ft
			}
			if n.Kind() != value.Int {
				return noOperation("tx."+name, n)
			}
			return draw(f.Tx.draw(name, n.Int())), nil
		}}, nil
	}
}

// draw is the n-th block of 32 bytes of a transaction for one purpose: the
// SHA-256 of the entry's seed, the transaction's id, the purpose and n, each of
// the texts preceded by its length.
func (t *Tx) draw(purpose string, n int64) [32]byte {
	b := make([]byte, 0, 128)
	b = append(b, t.Seed[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(t.ID)))
	b = append(b, t.ID...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(purpose)))
	b = append(b, purpose...)
	b = binary.BigEndian.AppendUint64(b, uint64(n))
	return sha256.Sum256(b)
}

// txUUID is a UUID of version 8 (RFC 9562), lower case.
func txUUID(d [32]byte) value.Value {
	d[6] = d[6]&0x0f | 0x80
	d[8] = d[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[0:8], d[0:4])
	hex.Encode(text[9:13], d[4:6])
	hex.Encode(text[14:18], d[6:8])
	hex.Encode(text[19:23], d[8:10])
	hex.Encode(text[24:36], d[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return value.OfString(string(text[:]))
}

// txRandom is a double from 0 (inclusive) to 1 (exclusive), of 53 bits.
func txRandom(d [32]byte) value.Value {
	return value.OfDouble(float64(binary.BigEndian.Uint64(d[:8])>>11) / (1 << 53))
}

// hash is the SHA-256 of bytes or of text.
func hash(f *Frame, a value.Value) (value.Value, *Fault) {
	if a.Kind() != value.Bytes && a.Kind() != value.String {
		return noOperation("sha256", a)
	}
	if ft := f.Meter.Charge(hashUnits + uint64(len(a.Str()))/2); ft != nil {
		return value.Value{}, ft
	}
	d := sha256.Sum256([]byte(a.Str()))
	return value.OfBytes(string(d[:])), nil
}

// hash512 is the SHA-512 of bytes or of text.
func hash512(f *Frame, a value.Value) (value.Value, *Fault) {
	if a.Kind() != value.Bytes && a.Kind() != value.String {
		return noOperation("sha512", a)
	}
	if ft := f.Meter.Charge(2*hashUnits + uint64(len(a.Str()))/2); ft != nil {
		return value.Value{}, ft
	}
	d := sha512.Sum512([]byte(a.Str()))
	return value.OfBytes(string(d[:])), nil
}
