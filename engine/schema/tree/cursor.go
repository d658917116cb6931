package tree

import (
	"fmt"
	"slices"
	"strings"
)

// Cursor looks at one node of a document. Its methods note a problem and say
// no where the node is not what was asked for. The zero Cursor stands for a
// node that is not there; asking it anything notes nothing.
type Cursor struct {
	Node     *Node
	Path     *Path
	Problems *Problems
}

// Root is a cursor at the top of a document.
func Root(n *Node, ps *Problems) Cursor { return Cursor{Node: n, Problems: ps} }

// Here tells whether there is a node.
func (c Cursor) Here() bool { return c.Node != nil }

// Fail notes a problem of a class at this place.
func (c Cursor) Fail(fault Fault, format string, args ...any) {
	c.FailAt(fault, fmt.Sprintf(format, args...), "")
}

// FailAt is Fail with an expression's snippet.
func (c Cursor) FailAt(fault Fault, detail, snippet string) {
	if c.Problems == nil {
		return
	}
	p := Problem{Fault: fault, Pointer: c.Path.String(), JSONPointer: c.Path.Pointer(), Detail: detail, Snippet: snippet}
	if c.Node != nil {
		p.Line, p.Column = c.Node.Line, c.Node.Column
	}
	c.Problems.Add(p)
}

// Object checks that the node is an object whose keys are all among those
// allowed and that all that are required are there. It reports whether the
// node is an object at all, so that the rest can still be read.
func (c Cursor) Object(required []string, optional ...string) bool {
	if !c.IsMap() {
		return false
	}
	for i, key := range c.Node.Keys {
		if !slices.Contains(required, key) && !slices.Contains(optional, key) {
			c.at(i).Fail(Malformed, "unknown field %q; known here: %s", key, strings.Join(slices.Concat(required, optional), ", "))
		}
	}
	for _, key := range required {
		if c.Node.Get(key) == nil {
			c.Fail(Malformed, "the field %q is missing", key)
		}
	}
	return true
}

// IsMap checks that the node is an object.
func (c Cursor) IsMap() bool { return c.is(Map, "an object") }

// IsList checks that the node is a list.
func (c Cursor) IsList() bool { return c.is(List, "a list") }

func (c Cursor) is(kind Kind, what string) bool {
	if c.Node == nil {
		return false
	}
	if c.Node.Kind != kind {
		c.Fail(Malformed, "%s is wanted here, not %s", what, c.Node.Kind)
		return false
	}
	return true
}

// Field is the value under a key, or the zero Cursor (with the place) where
// there is none.
func (c Cursor) Field(key string) Cursor {
	f := Cursor{Path: c.Path.Key(key), Problems: c.Problems}
	if c.Node != nil && c.Node.Kind == Map {
		f.Node = c.Node.Get(key)
	}
	return f
}

// at is the i-th entry of an object.
func (c Cursor) at(i int) Cursor {
	n := *c.Node.Items[i]
	n.Line, n.Column = c.Node.KeyLine[i], 1
	return Cursor{Node: &n, Path: c.Path.Key(c.Node.Keys[i]), Problems: c.Problems}
}

// Entry is one key and value of an object.
type Entry struct {
	Key   string
	Value Cursor
}

// Entries are the entries of an object in byte order of their keys, which is
// the order in which everything that has names is worked on.
func (c Cursor) Entries() []Entry {
	if c.Node == nil || c.Node.Kind != Map {
		return nil
	}
	list := make([]Entry, len(c.Node.Keys))
	for i, key := range c.Node.Keys {
		list[i] = Entry{key, Cursor{Node: c.Node.Items[i], Path: c.Path.Key(key), Problems: c.Problems}}
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return list
}

// Elements are the elements of a list.
func (c Cursor) Elements() []Cursor {
	if c.Node == nil || c.Node.Kind != List {
		return nil
	}
	list := make([]Cursor, len(c.Node.Items))
	for i, item := range c.Node.Items {
		list[i] = Cursor{Node: item, Path: c.Path.Index(i), Problems: c.Problems}
	}
	return list
}

// Text is the content of a text node; ok is false, with a problem noted, where
// the node is something else, and without one where it is not there.
func (c Cursor) Text() (text string, ok bool) {
	if !c.is(String, "text") {
		return "", false
	}
	return c.Node.Text, true
}

// Flag is the content of a boolean node; false where it is not there.
func (c Cursor) Flag() bool {
	return c.is(Bool, "true or false") && c.Node.Bool
}
