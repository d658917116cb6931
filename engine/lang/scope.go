package lang

import (
	"maps"
	"slices"
)

// TxScope says how much of `tx` an expression may see.
type TxScope int

// The scopes of tx.
const (
	TxNone  TxScope = iota // nothing: checks
	TxFull                 // id, revision, now, uuid(n), random(n): transactions and defaults
	TxQuery                // revision and now: queries
)

// Var is a variable in scope.
type Var struct {
	Name string
	Type Type
	Slot int // where Frame.Slots holds its value
}

// Scope is the names that an expression may use. It is immutable: With returns
// a larger one.
type Scope struct {
	tx      TxScope
	sqlNull bool
	vars    map[string]Var
	names   []string // in the order of declaration
}

// NewScope makes a scope without variables.
func NewScope(tx TxScope) *Scope { return &Scope{tx: tx} }

// With adds a variable, which hides one of the same name.
func (s *Scope) With(v Var) *Scope {
	n := &Scope{tx: s.tx, sqlNull: s.sqlNull, vars: maps.Clone(s.vars), names: slices.Clone(s.names)}
	if n.vars == nil {
		n.vars = map[string]Var{}
	}
	if _, ok := n.vars[v.Name]; !ok {
		n.names = append(n.names, v.Name)
	}
	n.vars[v.Name] = v
	return n
}

// UnknownNulls makes comparisons treat null as SQL does, as checks want it: ==,
// != and in with a null operand are a fault for which FromNull is true, unless
// the null is written as a literal. && and || absorb it as SQL's unknown.
func (s *Scope) UnknownNulls() *Scope {
	n := *s
	n.sqlNull = true
	return &n
}

// Lookup finds a variable by name.
func (s *Scope) Lookup(name string) (Var, bool) {
	v, ok := s.vars[name]
	return v, ok
}
