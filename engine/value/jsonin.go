package value

import (
	"strconv"
	"strings"
)

// FromJSON reads the content of a json column or of an undeclared parameter:
// objects become maps, a number without point and exponent an int, any other a
// double. White space around the value is allowed, text after it is not. Refused are
// names that occur twice in an object, nesting over MaxJSONDepth, strings that
// are not UTF-8, and numbers that neither kind can hold: an integer beyond 64
// bits passes only if a double writes it back unchanged. The error is a
// *JSONError. Size is not judged here (transactions.md: sizes are judged at
// execution only); a value of tiny parts takes up to 100 bytes for each byte of
// text.
func FromJSON(raw []byte) (Value, error) {
	p := jsonParser{cursor: cursor{src: raw}}
	v, err := p.value(0)
	if err != nil {
		return Value{}, err
	}
	if p.at = skipSpace(raw, p.at); p.at != len(raw) {
		return Value{}, p.fault(reasonTrailing)
	}
	return v, nil
}

// jsonParser reads one text from left to right.
type jsonParser struct {
	cursor
	owned string  // copy of src, made at the first string, which all strings share
	stack []Value // elements of the containers that are still open
}

// value reads the value that begins at or after the present place.
func (p *jsonParser) value(depth int) (Value, *JSONError) {
	p.at = skipSpace(p.src, p.at)
	if p.at >= len(p.src) {
		return Value{}, p.fault(reasonEnd)
	}
	switch c := p.src[p.at]; c {
	case '"':
		s, err := p.text()
		return OfString(s), err
	case '[', '{':
		if depth == MaxJSONDepth {
			return Value{}, p.fault(reasonDepth)
		}
		if c == '[' {
			return p.list(depth + 1)
		}
		return p.object(depth + 1)
	case 't':
		return p.literal("true", OfBool(true))
	case 'f':
		return p.literal("false", OfBool(false))
	case 'n':
		return p.literal("null", Value{})
	default:
		if c != '-' && !isDigit(c) {
			return Value{}, p.fault(reasonValue)
		}
	}
	return p.number()
}

func (p *jsonParser) literal(word string, v Value) (Value, *JSONError) {
	if !scanLiteral(p.src, p.at, word) {
		return Value{}, p.fault(reasonValue)
	}
	p.at += len(word)
	return v, nil
}

// text reads a string. Strings without an escape are parts of one copy of the
// whole text.
func (p *jsonParser) text() (string, *JSONError) {
	end, plain, reason := scanString(p.src, p.at)
	if reason != "" {
		p.at = end
		return "", p.fault(reason)
	}
	from, to := p.at+1, end-1
	p.at = end
	if !plain {
		return string(appendUnescaped(make([]byte, 0, to-from), p.src[from:to])), nil
	}
	if from == to {
		return "", nil
	}
	if p.owned == "" {
		p.owned = string(p.src)
	}
	return p.owned[from:to], nil
}

func (p *jsonParser) number() (Value, *JSONError) {
	end, integer, ok := scanNumber(p.src, p.at)
	if !ok {
		p.at = end
		return Value{}, p.fault(reasonNumber)
	}
	text := p.src[p.at:end]
	v, ok := jsonNumber(text, integer)
	if !ok {
		return Value{}, p.fault(reasonNumberFit)
	}
	p.at = end
	return v, nil
}

// jsonNumber is the int or the double that holds a number, if one does.
func jsonNumber(text []byte, integer bool) (Value, bool) {
	if integer {
		if i, ok := shortInt(text); ok {
			return OfJSONInt(i), true
		}
		if i, err := ParseInt(text); err == nil {
			return OfJSONInt(i.Int()), true
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return Value{}, false
	}
	v := OfDouble(f)
	if integer {
		var scratch [32]byte
		was, _ := parseDecimal(text)
		now, _ := parseDecimal(AppendDouble(scratch[:0], v.Double()))
		if was.long || was.mantissa != now.mantissa || was.exponent != now.exponent {
			return Value{}, false
		}
	}
	return v, true
}

// enter is where the elements of the next container begin on the stack.
func (p *jsonParser) enter() int {
	if p.stack == nil {
		p.stack = make([]Value, 0, 16) // enough for most documents
	}
	return len(p.stack)
}

func (p *jsonParser) list(depth int) (Value, *JSONError) {
	base := p.enter()
	closed := p.open(']')
	for !closed {
		v, err := p.value(depth)
		if err != nil {
			return Value{}, err.within(strconv.Itoa(len(p.stack) - base))
		}
		p.stack = append(p.stack, v)
		if closed, err = p.next(']'); err != nil {
			return Value{}, err
		}
	}
	elems := make([]Value, len(p.stack)-base)
	copy(elems, p.stack[base:])
	p.stack = p.stack[:base]
	return OfList(elems), nil
}

func (p *jsonParser) object(depth int) (Value, *JSONError) {
	base := p.enter()
	start := p.at
	closed := p.open('}')
	for !closed {
		p.at = skipSpace(p.src, p.at)
		name, err := p.text()
		if err != nil {
			return Value{}, err
		}
		if err := p.colon(); err != nil {
			return Value{}, err
		}
		v, err := p.value(depth)
		if err != nil {
			return Value{}, err.within(name)
		}
		p.stack = append(p.stack, OfString(name), v)
		if closed, err = p.next('}'); err != nil {
			return Value{}, err
		}
	}
	n := (len(p.stack) - base) / 2
	both := make([]Value, 2*n)
	keys, vals := both[:n:n], both[n:]
	for i := range n {
		keys[i], vals[i] = p.stack[base+2*i], p.stack[base+2*i+1]
	}
	p.stack = p.stack[:base]
	m, ok := OfMap(keys, vals)
	if !ok {
		return Value{}, p.twice(start, keys)
	}
	return m, nil
}

// twice is the error of an object that has a name twice; its keys are sorted.
func (p *jsonParser) twice(start int, keys []Value) *JSONError {
	err := &JSONError{Offset: start, Reason: reasonTwice}
	for i := 1; i < len(keys); i++ {
		if keys[i-1].Str() == keys[i].Str() {
			return err.within(strings.Clone(keys[i].Str()))
		}
	}
	return err
}
