package lang

import (
	"strings"
	"unicode/utf8"

	"lockstep/engine/value"
)

// stringTable has the functions of text. Positions count characters (code
// points), case and white space are ASCII's.
func stringTable() []function {
	return []function{
		{"contains", binaryOf(textTest("contains", strings.Contains)), []string{".string, string -> bool"}},
		{"startsWith", binaryOf(textTest("startsWith", strings.HasPrefix)), []string{".string, string -> bool"}},
		{"endsWith", binaryOf(textTest("endsWith", strings.HasSuffix)), []string{".string, string -> bool"}},
		{"matches", buildMatches, []string{".string, string -> bool", "string, string -> bool"}},
		{"lowerAscii", unaryOf(mapText("lowerAscii", lowerASCII)), []string{".string -> string"}},
		{"upperAscii", unaryOf(mapText("upperAscii", upperASCII)), []string{".string -> string"}},
		{"trim", unaryOf(mapText("trim", trimASCII)), []string{".string -> string"}},
		{"charAt", variadic(charAt), []string{".string, int -> string"}},
		{"substring", variadic(substring), []string{".string, int -> string", ".string, int, int -> string"}},
		{"indexOf", variadic(indexOf), []string{".string, string -> int", ".string, string, int -> int", ".list(A), A -> int"}},
		{"lastIndexOf", variadic(lastIndexOf), []string{".string, string -> int", ".string, string, int -> int", ".list(A), A -> int"}},
		{"replace", variadic(replace), []string{".string, string, string -> string", ".string, string, string, int -> string"}},
		{"split", variadic(split), []string{".string, string -> list(string)", ".string, string, int -> list(string)"}},
		{"join", variadic(join), []string{".list(string) -> string", ".list(string), string -> string"}},
	}
}

func size(f *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.String:
		if ft := f.chargeText(len(a.Str())); ft != nil {
			return value.Value{}, ft
		}
		return value.OfInt(int64(utf8.RuneCountInString(a.Str()))), nil
	case value.Bytes:
		return value.OfInt(int64(len(a.Str()))), nil
	case value.List, value.Map, value.Object:
		return value.OfInt(int64(a.Len())), nil
	}
	return noOperation("size", a)
}

// textTest is a question about two texts.
func textTest(name string, test func(s, part string) bool) operation {
	return func(f *Frame, a, b value.Value) (value.Value, *Fault) {
		if a.Kind() != value.String || b.Kind() != value.String {
			return noOperation(name, a, b)
		}
		if ft := f.chargeText(len(a.Str()) + len(b.Str())); ft != nil {
			return value.Value{}, ft
		}
		return value.OfBool(test(a.Str(), b.Str())), nil
	}
}

// mapText makes a text of no greater length.
func mapText(name string, fn func(string) string) unaryFn {
	return func(f *Frame, a value.Value) (value.Value, *Fault) {
		if a.Kind() != value.String {
			return noOperation(name, a)
		}
		if ft := f.chargeText(len(a.Str())); ft != nil {
			return value.Value{}, ft
		}
		return value.OfString(fn(a.Str())), nil
	}
}

func lowerASCII(s string) string { return shiftCase(s, 'A', 'Z', 'a'-'A') }

func upperASCII(s string) string { return shiftCase(s, 'a', 'z', -('a' - 'A')) }

func shiftCase(s string, from, to byte, by int) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= from && s[i] <= to {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= from && b[i] <= to {
					b[i] = byte(int(b[i]) + by)
				}
			}
			return string(b)
		}
	}
	return s
}

func trimASCII(s string) string { return strings.Trim(s, " \t\n\v\f\r") }

// texts tells whether the arguments are texts, then integers: the shape of all
// functions below.
func texts(f *Frame, name string, args []value.Value, strs int) *Fault {
	total := 0
	for i, a := range args {
		want := value.Int
		if i < strs {
			want = value.String
		}
		if a.Kind() != want {
			_, ft := noOperation(name, args...)
			return ft
		}
		total += len(a.Str())
	}
	return f.chargeText(total)
}

// offset is the byte at which the i-th character begins, or -1.
func offset(s string, i int64) int {
	if i < 0 || i > int64(len(s)) {
		return -1
	}
	at := 0
	for ; i > 0; i-- {
		if at == len(s) {
			return -1
		}
		_, n := utf8.DecodeRuneInString(s[at:])
		at += n
	}
	return at
}

func outside(name string, i value.Value) (value.Value, *Fault) {
	return value.Value{}, fault2(FaultArgument, name, "position "+show(i))
}

// charAt is the i-th character; empty just after the last one.
func charAt(f *Frame, args []value.Value) (value.Value, *Fault) {
	if ft := texts(f, "charAt", args, 1); ft != nil {
		return value.Value{}, ft
	}
	s := args[0].Str()
	at := offset(s, args[1].Int())
	if at < 0 {
		return outside("charAt", args[1])
	}
	_, n := utf8.DecodeRuneInString(s[at:])
	return value.OfString(s[at : at+n]), nil
}

func substring(f *Frame, args []value.Value) (value.Value, *Fault) {
	if ft := texts(f, "substring", args, 1); ft != nil {
		return value.Value{}, ft
	}
	s := args[0].Str()
	from, to := offset(s, args[1].Int()), len(s)
	if from < 0 {
		return outside("substring", args[1])
	}
	if len(args) == 3 {
		if to = offset(s, args[2].Int()); to < from {
			return outside("substring", args[2])
		}
	}
	return value.OfString(s[from:to]), nil
}

// indexOf is the character at which a text first occurs, from a position on; -1
// where it does not. Of a list it is the position of an equal element.
func indexOf(f *Frame, args []value.Value) (value.Value, *Fault) {
	if args[0].Kind() == value.List && len(args) == 2 {
		return elementIndex(f, args[0].Elems(), args[1], false)
	}
	if ft := texts(f, "indexOf", args, 2); ft != nil {
		return value.Value{}, ft
	}
	s, from := args[0].Str(), 0
	if len(args) == 3 {
		if from = offset(s, args[2].Int()); from < 0 {
			return outside("indexOf", args[2])
		}
	}
	at := strings.Index(s[from:], args[1].Str())
	if at < 0 {
		return value.OfInt(-1), nil
	}
	return value.OfInt(int64(utf8.RuneCountInString(s[:from+at]))), nil
}

// lastIndexOf is the character at which a text last occurs, beginning no later
// than at a position; -1 where it does not.
func lastIndexOf(f *Frame, args []value.Value) (value.Value, *Fault) {
	if args[0].Kind() == value.List && len(args) == 2 {
		return elementIndex(f, args[0].Elems(), args[1], true)
	}
	if ft := texts(f, "lastIndexOf", args, 2); ft != nil {
		return value.Value{}, ft
	}
	s, part := args[0].Str(), args[1].Str()
	end := len(s)
	if len(args) == 3 {
		from := offset(s, args[2].Int())
		if from < 0 {
			return outside("lastIndexOf", args[2])
		}
		end = min(len(s), from+len(part))
	}
	at := strings.LastIndex(s[:end], part)
	if at < 0 {
		return value.OfInt(-1), nil
	}
	return value.OfInt(int64(utf8.RuneCountInString(s[:at]))), nil
}

// limitOf is the optional count among the arguments; -1 means all.
func limitOf(args []value.Value, i int) int {
	if len(args) <= i {
		return -1
	}
	return int(max(-1, min(args[i].Int(), value.MaxNodes+value.MaxBytes)))
}

// replace puts a text in the place of another, at most n times. The result's
// length is known before it is made.
func replace(f *Frame, args []value.Value) (value.Value, *Fault) {
	if ft := texts(f, "replace", args, 3); ft != nil {
		return value.Value{}, ft
	}
	s, old, by, limit := args[0].Str(), args[1].Str(), args[2].Str(), limitOf(args, 3)
	count := strings.Count(s, old) // for an empty text, the number of characters and 1
	if limit >= 0 {
		count = min(count, limit)
	}
	if ft := f.Meter.Charge(uint64(count)); ft != nil {
		return value.Value{}, ft
	}
	if ft := f.room(len(s) + count*(len(by)-len(old))); ft != nil {
		return value.Value{}, ft
	}
	return value.OfString(strings.Replace(s, old, by, count)), nil
}

// split cuts a text at each occurrence of another, into at most n parts. An
// empty separator cuts between all characters.
func split(f *Frame, args []value.Value) (value.Value, *Fault) {
	if ft := texts(f, "split", args, 2); ft != nil {
		return value.Value{}, ft
	}
	s, sep, limit := args[0].Str(), args[1].Str(), limitOf(args, 2)
	parts := strings.Count(s, sep) + 1
	if sep == "" {
		parts -= 2 // it counts the place after the last character too
	}
	if limit >= 0 {
		parts = min(parts, limit)
	}
	if parts >= value.MaxNodes {
		return value.Value{}, &Fault{Kind: FaultTooLarge}
	}
	if ft := f.Meter.Charge(uint64(parts)); ft != nil {
		return value.Value{}, ft
	}
	out := make([]value.Value, parts)
	for i, p := range strings.SplitN(s, sep, limit) {
		out[i] = value.OfString(p)
	}
	return value.OfList(out), nil
}

// join puts the texts of a list together.
func join(f *Frame, args []value.Value) (value.Value, *Fault) {
	sep := ""
	if len(args) == 2 {
		if args[1].Kind() != value.String {
			return noOperation("join", args...)
		}
		sep = args[1].Str()
	}
	if args[0].Kind() != value.List {
		return noOperation("join", args...)
	}
	elems := args[0].Elems()
	if ft := f.Meter.Charge(uint64(len(elems))); ft != nil {
		return value.Value{}, ft
	}
	total := max(0, len(elems)-1) * len(sep)
	for _, e := range elems {
		if e.Kind() != value.String {
			return noOperation("join", e)
		}
		total += len(e.Str())
	}
	if ft := f.room(total); ft != nil {
		return value.Value{}, ft
	}
	var b strings.Builder
	b.Grow(total)
	for i, e := range elems {
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(e.Str())
	}
	return value.OfString(b.String()), nil
}
