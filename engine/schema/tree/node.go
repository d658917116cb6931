package tree

import "slices"

// Kind says what a node is.
type Kind uint8

// The kinds of nodes. A number written without fraction and exponent is Int;
// any other is Float.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	List
	Map
)

// String names the kind as messages do.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Int, Float:
		return "a number"
	case String:
		return "text"
	case List:
		return "a list"
	default:
		return "an object"
	}
}

// Node is one value of a document.
type Node struct {
	Kind    Kind
	Bool    bool     // Bool: the value
	Text    string   // String: the text; Int: decimal digits with an optional '-'; Float: a JSON number
	Items   []*Node  // List: the elements; Map: the values, in the document's order
	Keys    []string // Map: the keys, parallel to Items, without repetition
	Line    int      // 1-based line in the document
	Column  int      // 1-based column, in characters
	KeyLine []int    // Map: the line that each key stands on
}

// Get is the value under a key of a Map, or nil.
func (n *Node) Get(key string) *Node {
	for i, k := range n.Keys {
		if k == key {
			return n.Items[i]
		}
	}
	return nil
}

// Drop takes a key of a Map away, with its value.
func (n *Node) Drop(key string) {
	if i := slices.Index(n.Keys, key); i >= 0 {
		n.Items, n.Keys, n.KeyLine = slices.Delete(n.Items, i, i+1), slices.Delete(n.Keys, i, i+1), slices.Delete(n.KeyLine, i, i+1)
	}
}

// Path is a place in a document: a key or an index below another place. The
// nil path is the document itself.
type Path struct {
	up    *Path
	key   string
	index int // -1 for a key
}

// Key is the place under a key.
func (p *Path) Key(key string) *Path { return &Path{up: p, key: key, index: -1} }

// Index is the place of an element.
func (p *Path) Index(i int) *Path { return &Path{up: p, index: i} }

// String writes the place as people do: procedures.transfer.steps[3].require.
func (p *Path) String() string { return string(p.appendDotted(nil)) }

func (p *Path) appendDotted(dst []byte) []byte {
	if p == nil {
		return dst
	}
	dst = p.up.appendDotted(dst)
	if p.index >= 0 {
		dst = append(dst, '[')
		dst = appendInt(dst, p.index)
		return append(dst, ']')
	}
	if len(dst) > 0 {
		dst = append(dst, '.')
	}
	return append(dst, p.key...)
}

// Pointer writes the place as a JSON pointer (RFC 6901): /steps/3/require.
func (p *Path) Pointer() string { return string(p.appendPointer(nil)) }

func (p *Path) appendPointer(dst []byte) []byte {
	if p == nil {
		return dst
	}
	dst = append(p.up.appendPointer(dst), '/')
	if p.index >= 0 {
		return appendInt(dst, p.index)
	}
	for i := range len(p.key) {
		switch c := p.key[i]; c {
		case '~':
			dst = append(dst, "~0"...)
		case '/':
			dst = append(dst, "~1"...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
