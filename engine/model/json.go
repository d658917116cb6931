package model

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// JSON writes a value as outcomes do.
func JSON(v any) string {
	var b strings.Builder
	writeJSON(&b, v)
	return b.String()
}

func writeJSON(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case int64:
		if v > safeInt || v < -safeInt {
			writeString(b, strconv.FormatInt(v, 10))
			return
		}
		b.WriteString(text(v))
	case uint64:
		if v > safeInt {
			writeString(b, strconv.FormatUint(v, 10))
			return
		}
		b.WriteString(text(v))
	case string:
		writeString(b, v)
	case bool, float64, bigInJSON:
		b.WriteString(text(v))
	case Bytes, time.Time, time.Duration:
		writeString(b, text(v))
	case List:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, e)
		}
		b.WriteByte(']')
	case *Map:
		b.WriteByte('{')
		for i, k := range v.Keys {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, text(k))
			b.WriteByte(':')
			writeJSON(b, v.Vals[i])
		}
		b.WriteByte('}')
	case *Object:
		writeJSON(b, v.asMap())
	default:
		panic("no value of the language")
	}
}

// asMap is an object as a map of its fields.
func (o *Object) asMap() *Map {
	m := &Map{}
	for name, v := range o.Fields {
		m.put(name, v)
	}
	return m
}

// text is a scalar as string() and JSON write it, without quotes.
func text(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case bigInJSON:
		return strconv.FormatInt(int64(v), 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return string(b)
	case string:
		return v
	case Bytes:
		return base64.StdEncoding.EncodeToString([]byte(v))
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.999999999Z")
	case time.Duration:
		return spanText(v)
	}
	panic("no scalar")
}

// spanText is a duration as seconds with an s.
func spanText(d time.Duration) string {
	n := big.NewInt(int64(d))
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
		n.Neg(n)
	}
	whole, rest := new(big.Int).QuoRem(n, big.NewInt(1e9), new(big.Int))
	s := sign + whole.String()
	if rest.Sign() != 0 {
		fraction := rest.String()
		s += "." + strings.TrimRight(strings.Repeat("0", 9-len(fraction))+fraction, "0")
	}
	return s + "s"
}

// writeString writes text with no more escapes than JSON asks for.
func writeString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\f':
			b.WriteString(`\f`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ':
			const digits = "0123456789abcdef"
			b.WriteString(`\u00` + string(digits[r>>4]) + string(digits[r&15]))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// parseJSON reads a document that is known to be JSON; numbers stay text.
func parseJSON(doc []byte) any {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

// canonical takes from a document what says nothing: how numbers are written.
func canonical(v any) any {
	switch v := v.(type) {
	case json.Number:
		if r, ok := new(big.Rat).SetString(string(v)); ok && r.IsInt() && (r.Num().IsInt64() || r.Num().IsUint64()) {
			return r.Num().String()
		}
		f, _ := v.Float64()
		return unsigned(f)
	case []any:
		l := List{}
		for _, e := range v {
			l = append(l, canonical(e))
		}
		return l
	case map[string]any:
		m := &Map{}
		for name, e := range v {
			m.put(name, canonical(e))
		}
		return m
	case string:
		return "'" + v
	}
	return v
}

// fromJSON is the value that JSON has where no type is declared: a number without
// fraction or exponent is int, any other double.
func fromJSON(v any, nested bool) any {
	switch v := v.(type) {
	case json.Number:
		if strings.ContainsAny(string(v), ".eE") {
			f, err := v.Float64()
			if err != nil {
				panic(err)
			}
			return unsigned(f)
		}
		i, err := v.Int64()
		if err != nil {
			f, _ := v.Float64()
			return unsigned(f)
		}
		if nested && (i > safeInt || i < -safeInt) {
			return bigInJSON(i)
		}
		return i
	case []any:
		l := List{}
		for _, e := range v {
			l = append(l, fromJSON(e, true))
		}
		return l
	case map[string]any:
		m := &Map{}
		for name, e := range v {
			m.put(name, fromJSON(e, true))
		}
		return m
	}
	return v // null, bool, string
}

// unsigned makes -0 to 0.
func unsigned(f float64) float64 {
	if f == 0 {
		return 0
	}
	return f
}

// number reads a JSON number, or the text of a whole one, for a numeric type.
func number(s, kind string) any {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("no number: " + s)
	}
	switch {
	case kind == "double":
		f, _ := strconv.ParseFloat(s, 64)
		return unsigned(f)
	case kind == "int" && r.IsInt() && r.Num().IsInt64():
		return r.Num().Int64()
	case kind == "uint" && r.IsInt() && r.Num().IsUint64():
		return r.Num().Uint64()
	}
	panic(s + " is no " + kind)
}

// decode reads JSON for a declared type.
func decode(v any, t *Type) any {
	if v == nil && (t.Optional || t.Kind == "json") {
		return nil
	}
	switch t.Kind {
	case "json":
		return fromJSON(v, true)
	case "int", "uint", "double":
		if s, ok := v.(string); ok {
			return number(s, t.Kind)
		}
		return number(string(v.(json.Number)), t.Kind)
	case "bytes":
		return Bytes(unBase64(v.(string)))
	case "timestamp":
		at, ok := parseTime(v.(string))
		if !ok {
			panic("no timestamp")
		}
		return at
	case "duration":
		r, ok := new(big.Rat).SetString(strings.TrimSuffix(v.(string), "s"))
		if !ok {
			panic("no duration")
		}
		r.Mul(r, big.NewRat(1e9, 1))
		return time.Duration(r.Num().Int64())
	case "list":
		l := List{}
		for _, e := range v.([]any) {
			l = append(l, decode(e, t.Elem))
		}
		return l
	case "object":
		o := &Object{Type: t.Name, Fields: map[string]any{}}
		in := v.(map[string]any)
		for name, ft := range t.Fields {
			o.Fields[name] = nil
			if e, ok := in[name]; ok {
				o.Fields[name] = decode(e, ft)
			}
		}
		return o
	}
	return v // bool, string
}

func unBase64(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// parseTime reads RFC 3339 within the years 1 to 9999.
func parseTime(s string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !inRange(at) {
		return time.Time{}, false
	}
	return at.UTC(), true
}

func inRange(at time.Time) bool {
	y := at.UTC().Year()
	return y >= 1 && y <= 9999
}

// toJSON is a value as a json column keeps it: text, numbers, lists and maps.
func toJSON(v any) any {
	switch v := v.(type) {
	case int64:
		if v > safeInt || v < -safeInt {
			return bigInJSON(v)
		}
	case uint64:
		if v > math.MaxInt64 {
			fail("evaluation_error", "a uint beyond what json has")
		}
		return toJSON(int64(v))
	case Bytes, time.Time, time.Duration:
		return text(v)
	case List:
		l := List{}
		for _, e := range v {
			l = append(l, toJSON(e))
		}
		return l
	case *Map:
		m := &Map{}
		for i, k := range v.Keys {
			if !m.put(text(k), toJSON(v.Vals[i])) {
				fail("evaluation_error", "two keys with one text")
			}
		}
		return m
	case *Object:
		return toJSON(v.asMap())
	}
	return v
}

// conform makes a value what a place wants, or fails.
func conform(v any, t *Type) any {
	if v == nil {
		if t.Optional || t.Kind == "json" {
			return nil
		}
		failNull("null where " + t.String() + " is wanted")
	}
	switch t.Kind {
	case "json":
		out, abort := try(func() any { return toJSON(v) })
		if abort != nil {
			fail("evaluation_error", show(v)+" is no json")
		}
		return out
	case "list":
		if l, ok := v.(List); ok {
			out := List{}
			for _, e := range l {
				out = append(out, conform(e, t.Elem))
			}
			return out
		}
	default:
		if kindName(v) == t.Kind {
			return plain(v)
		}
	}
	fail("evaluation_error", "a value of type "+kindName(v)+" where "+t.String()+" is wanted")
	return nil
}

// sortedNames are the keys of a JSON object in byte order.
func sortedNames[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func validText(b Bytes) bool { return utf8.ValidString(string(b)) }
