package value

import "sort"

// Shape names the fields of an object type: a table's row, a declared params
// object. Shapes are compared by pointer. Make them with NewShape; they must
// not be changed afterwards.
type Shape struct {
	Name   string
	Fields []string

	sorted    []int          // positions of Fields in byte order of the names
	index     map[string]int // position by name
	quoted    []string       // per field: its name as JSON, quoted, with the colon
	nameBytes int            // bytes of all names together
}

// NewShape makes a shape. A name that occurs twice is a programmer's error and
// panics: whoever compiles a schema has refused it with its place.
func NewShape(name string, fields []string) *Shape {
	s := &Shape{
		Name:   name,
		Fields: fields,
		sorted: make([]int, len(fields)),
		index:  make(map[string]int, len(fields)),
		quoted: make([]string, len(fields)),
	}
	for i, f := range fields {
		if _, twice := s.index[f]; twice {
			panic("value: shape " + name + " has field " + f + " twice")
		}
		s.index[f] = i
		s.sorted[i] = i
		s.quoted[i] = string(append(AppendJSONString(nil, f), ':'))
		s.nameBytes += len(f)
	}
	sort.Slice(s.sorted, func(i, j int) bool { return fields[s.sorted[i]] < fields[s.sorted[j]] })
	return s
}

// Index is the position of a field.
func (s *Shape) Index(name string) (int, bool) {
	i, ok := s.index[name]
	return i, ok
}

// Sorted are the positions of the fields in byte order of their names, the
// order in which they are written. The slice must not be changed.
func (s *Shape) Sorted() []int { return s.sorted }
