package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/parser"
)

// tx is what `tx` shows.
type tx struct {
	id       string
	revision int64
	now      time.Time
	seed     [16]byte
}

// uuid and random are the n-th values of a transaction; the description leaves
// open how they are drawn, so these two follow package lang.
func (t *tx) uuid(n int64) string {
	d := t.draw("uuid", n)
	d[6] = d[6]&0x0f | 0x80
	d[8] = d[8]&0x3f | 0x80
	s := hex.EncodeToString(d[:16])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func (t *tx) random(n int64) float64 {
	d := t.draw("random", n)
	return float64(binary.BigEndian.Uint64(d[:8])>>11) / (1 << 53)
}

func (t *tx) draw(purpose string, n int64) [32]byte {
	b := append([]byte(nil), t.seed[:]...)
	for _, s := range []string{t.id, purpose} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(binary.BigEndian.AppendUint64(b, uint64(n)))
}

// scope is what an expression sees: one name more than the scope around it.
type scope struct {
	outer  *scope
	name   string
	val    any
	static *Type // as far as it is declared; nil where the value tells
}

func (s *scope) with(name string, val any, static *Type) *scope {
	return &scope{outer: s, name: name, val: val, static: static}
}

func (s *scope) find(name string) *scope {
	for ; s != nil; s = s.outer {
		if s.name == name {
			return s
		}
	}
	return nil
}

// source parses expressions, each text once.
type source struct {
	parser *parser.Parser
	trees  map[string]ast.Expr
}

func newSource() *source {
	// Without macros: all, exists, map, filter and has stay calls.
	p, err := parser.NewParser()
	if err != nil {
		panic(err)
	}
	return &source{parser: p, trees: map[string]ast.Expr{}}
}

func (s *source) tree(text string) ast.Expr {
	if e, ok := s.trees[text]; ok {
		return e
	}
	parsed, errs := s.parser.Parse(common.NewTextSource(text))
	if len(errs.GetErrors()) > 0 {
		panic(text + ": " + errs.ToDisplayString())
	}
	s.trees[text] = parsed.Expr()
	return parsed.Expr()
}
