package model_test

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// path is an expression that stands for something in scope.
type path struct {
	src, kind string
	nullable  bool
	fails     bool // often: a row of a list that may be empty
	loose     bool // its type may turn out at run time only
}

// gen writes schemas, programs and histories. It keeps what is in scope, so that
// what it writes type-checks.
type gen struct {
	t     *rapid.T
	paths []path
	names int
	draws bool // tx.id, tx.uuid and tx.random can be used
	tx    bool // tx.now and tx.revision can be used
}

// pick chooses; what stands first is chosen oftener, and where a failure shrinks.
func pick[T any](g *gen, from []T) T { return from[g.upTo(len(from)-1)] }

// upTo draws a number from 0 to n.
func (g *gen) upTo(n int) int { return rapid.IntRange(0, n).Draw(g.t, "n") }

// one tells whether one chance in n came true; a failure shrinks to no.
func (g *gen) one(n int) bool {
	// rapid draws the greatest of a range rarely and the least often: what lies in
	// between is even enough.
	return rapid.Uint64().Draw(g.t, "chance")%uint64(n) == uint64(n)-1
}

func (g *gen) fresh() string {
	g.names++
	return fmt.Sprintf("v%d", g.names)
}

var scalars = []string{"int", "string", "bool", "double", "uint", "bytes", "timestamp", "duration"}

// leaves are expressions without parts. The values of keys are few, so that rows
// meet; there are some at the ends of each type.
var leaves = map[string][]string{
	"bool": {"true", "false", "true", "false"},
	"int": {"1", "0", "2", "-1", "3", "10", "7", "1", "2", "9007199254740991", "9007199254740993", "9223372036854775807",
		"-9223372036854775808", "-9007199254740992"},
	"uint":   {"1u", "0u", "2u", "5u", "9007199254740992u", "18446744073709551615u"},
	"double": {"1.0", "0.5", "-2.25", "2.5", "0.0", "-0.0", "3.5", "1e21", "1e-7", "123456789.125", "1.7976931348623157e308", "9007199254740992.0"},
	"string": {"'a'", "'b'", "''", "'ab'", "'c'", "'é'", "'B'", "'日本'", "' a\\t'", "'a,b,c'", "'12'", "'-7'", "'1.5'", "'x\"y\\\\'", "'\\u0001\\n'", "'😀z'"},
	"bytes":  {"b'a'", "b'b'", "b''", "b'\\x00\\xff'", "b'abc'"},
	"timestamp": {"timestamp('2026-11-23T10:00:00Z')", "timestamp('2026-11-23T10:00:00.123Z')", "timestamp(0)", "timestamp('1969-12-31T23:59:59.5Z')",
		"timestamp('0001-01-01T00:00:00Z')", "timestamp('9999-12-31T23:59:59.999999999Z')", "timestamp('2024-02-29T12:30:45+02:00')"},
	"duration": {"duration('1h')", "duration('1.5s')", "duration('0s')", "duration('-250ms')", "duration('1h15m30.918273645s')",
		"duration('9223372036s')", "duration('1ns')", "duration('-9223372036.854775808s')"},
	"[int]":    {"[1, 2, 3]", "[0, -1]", "[5]", "[9223372036854775807, 1, -1]"},
	"[uint]":   {"[1u, 2u]", "[0u]", "[18446744073709551615u]"},
	"[double]": {"[1.5, 2.0]", "[0.5]", "[1e308, 1e308]"},
	"[string]": {"['a', 'b']", "['']", "['é', 'B', 'a']"},
	"{int}":    {"{'a': 1, 'b': 2}", "{'b': 0}", "{'Z': 3, 'é': 1, 'a': -1}"},
	"json":     {"dyn(1)", "dyn('a')", "dyn(null)", "dyn([1, 2.5, 'x'])", "dyn({'a': 1, 'b': [true]})", "dyn(1.5)", "dyn(true)", "dyn(18446744073709551615u)"},
}

// forms are the compound expressions of each type: <kind> stands for an
// expression, @kind for the name of a variable of a comprehension that what
// follows may use, <null> for something that may be null.
var forms = map[string][]string{
	"bool": {"<int> < <int>", "<int> >= <uint>", "<double> > <int>", "<uint> <= <double>", "<string> < <string>", "<bytes> >= <bytes>",
		"<timestamp> <= <timestamp>", "<duration> > <duration>", "<bool> < <bool>", "<bool> && <bool>", "<bool> || <bool>", "!<bool>",
		"<bool> ? <bool> : <bool>", "<int> == <int>", "<int> == <double>", "<uint> != <int>", "<string> != <string>", "<bytes> == <bytes>",
		"<timestamp> != <timestamp>", "<duration> == <duration>", "<bool> == <bool>", "<[int]> == <[int]>", "<[string]> != <[string]>",
		"<{int}> == <{int}>", "<json> == <json>", "<json> != <int>", "<int> in <[int]>", "<string> in <[string]>", "<string> in <{int}>",
		"<double> in <[double]>", "<null> == null", "<null> != null", "null == <null>", "<string>.contains(<string>)", "<string>.startsWith(<string>)",
		"<string>.endsWith(<string>)", "<string>.matches('^[a-c]+$')", "<string>.matches('b|[0-9]{2}')", "matches(<string>, '' + <string>)", "<string>.matches('[' + <string>)",
		"<[int]>.all(@int, <bool>)", "<[int]>.exists(@int, <bool>)", "<[int]>.exists_one(@int, <bool>)", "<[string]>.existsOne(@string, <bool>)",
		"<[string]>.all(@string, <bool>)", "<[uint]>.exists(@uint, <bool>)", "<[double]>.all(@double, <bool>)", "<{int}>.all(@string, <bool>)",
		"<{int}>.exists(@string, <bool>)", "bool('true')", "bool('0')", "bool(<string>)", "<int> / <int> > <int>",
		"dyn(<int>) == dyn(<double>)", "dyn(<int>) == dyn(<string>)", "has(<{int}>.a)", "has(<field>)", "<json> && <bool>", "<bool> || <json>", "!<json>", "<int> > <json>", "<json> < <string>", "<json> in <[int]>",
		"<string> in <json>", "<json>.all(@json, <bool>)", "<json>.exists(@json, <bool>)", "<json> ? <bool> : <bool>", "<int?> == <int?>", "<string?> != <string?>", "<timestamp?> == <timestamp>", "<int> == <int?>",
		"<double> == <uint>", "<int> < <double>", "<double> >= <double>", "<uint> > <uint>",
		"<[int]>.isSorted()", "<[string]>.isSorted()", "<[double]>.isSorted()", "[<timestamp>, <timestamp>].isSorted()", "<json>.isSorted()", "sets.contains(<[int]>, <[int]>)", "sets.intersects(<[int]>, <[int]>)", "sets.equivalent(<[int]>, <[int]>)",
		"sets.contains(<[string]>, <[string]>)", "sets.intersects(<[double]>, <[double]>)", "sets.equivalent(<json>, <[int]>)", "sets.contains(<[int]>, <json>)", "sets.intersects(<json>, <json>)", "sets.equivalent(<[string]>, <[string]>.distinct())"},
	"int": {"<int> + <int>", "<int> - <int>", "<int> * <int>", "<int> / <int>", "<int> % <int>", "-<int>", "<[int]>[<int>]", "<[int]>[0]",
		"<bool> ? <int> : <int>", "int(<uint>)", "int(<double>)", "int('12')", "int(<string>)", "int(<timestamp>)", "size(<string>)",
		"<string>.size()", "size(<[int]>)", "<[string]>.size()", "size(<bytes>)", "size(<{int}>)", "<{int}>['a']", "<{int}>[<string>]", "<{int}>.b",
		"sum(<[int]>)", "sum([])", "min(<[int]>)", "max(<[int]>)", "muldiv(<int>, <int>, <int>)", "math.abs(<int>)", "math.sign(<int>)",
		"<string>.indexOf(<string>)", "<string>.indexOf(<string>, <int>)", "<string>.lastIndexOf(<string>)", "<string>.lastIndexOf(<string>, <int>)",
		"coalesce(<int?>, <int>)", "<timestamp>.getFullYear()", "<timestamp>.getMonth()", "<timestamp>.getDate()", "<timestamp>.getDayOfMonth()",
		"<timestamp>.getDayOfWeek()", "<timestamp>.getDayOfYear()", "<timestamp>.getHours()", "<timestamp>.getMinutes()", "<timestamp>.getSeconds()",
		"<timestamp>.getMilliseconds()", "<duration>.getHours()", "<duration>.getMinutes()", "<duration>.getSeconds()", "<duration>.getMilliseconds()",
		"<json> + <int>", "<int> * <json>", "-<json>", "int(<json>)", "size(<json>)", "sum(<json>)", "max(<json>)", "[<int>, <json>][<int>]", "tx.revision",
		"{1: <int>, 2: 5}[<int>]", "{true: <int>}[<bool>]", "{1u: <int>}[<uint>]",
		"math.least(<int>, <int>)", "math.greatest(<int>, <int>, <int>)", "math.least(<int>, <int>, <int>, <int>)", "math.greatest(<[int]>)", "math.greatest(<json>, <int>)", "math.least(<json>)",
		"math.bitAnd(<int>, <int>)", "math.bitOr(<int>, <int>)", "math.bitXor(<int>, <int>)", "math.bitNot(<int>)", "math.bitShiftLeft(<int>, <int>)", "math.bitShiftRight(<int>, <int>)",
		"math.bitAnd(<json>, <int>)", "math.bitShiftRight(<int>, <json>)", "<[int]>.indexOf(<int>)", "<[int]>.lastIndexOf(<int>)", "<[string]>.indexOf(<string>)", "<[string]>.lastIndexOf(<string>)", "<json>.indexOf(<int>)", "<json>.lastIndexOf(<json>)"},
	"uint": {"<uint> + <uint>", "<uint> - <uint>", "<uint> * <uint>", "<uint> / <uint>", "<uint> % <uint>", "uint(<int>)", "uint(<double>)",
		"uint('42')", "uint(<string>)", "<bool> ? <uint> : <uint>", "<[uint]>[<int>]", "sum(<[uint]>)", "max(<[uint]>)", "min(<[uint]>)",
		"muldiv(<uint>, <uint>, <uint>)", "math.abs(<uint>)", "math.sign(<uint>)", "coalesce(<uint?>, <uint>)",
		"math.bitAnd(<uint>, <uint>)", "math.bitOr(<uint>, <uint>)", "math.bitXor(<uint>, <uint>)", "math.bitNot(<uint>)", "math.bitShiftLeft(<uint>, <int>)", "math.bitShiftRight(<uint>, <int>)",
		"math.least(<uint>, <uint>, <uint>)", "math.greatest(<uint>, <uint>)", "math.least(<[uint]>)", "sum(<[uint]>.slice(<int>, <int>))"},
	"double": {"<double> + <double>", "<double> - <double>", "<double> * <double>", "<double> / <double>", "-<double>", "double(<int>)",
		"double(<uint>)", "double('1.5')", "double(<string>)", "<bool> ? <double> : <double>", "<[double]>[<int>]", "sum(<[double]>)",
		"min(<[double]>)", "max(<[double]>)", "avg(<[double]>)", "avg(<[int]>)", "avg(<[uint]>)", "math.abs(<double>)", "math.sign(<double>)",
		"math.ceil(<double>)", "math.floor(<double>)", "math.round(<double>)", "math.trunc(<double>)", "coalesce(<double?>, <double>)", "tx.random(<int>)",
		"math.sqrt(<double>)", "math.sqrt(<int>)", "math.sqrt(<uint>)", "math.sqrt(<json>)", "math.least(<double>, <double>)", "math.greatest(<double>, <double>, <double>, <double>)", "math.greatest(<[double]>)"},
	"string": {"<string> + <string>", "string(<int>)", "string(<uint>)", "string(<double>)", "string(<bool>)", "string(<bytes>)", "string(<timestamp>)",
		"string(<duration>)", "<bool> ? <string> : <string>", "<[string]>[<int>]", "<string>.lowerAscii()", "<string>.upperAscii()", "<string>.trim()",
		"<string>.charAt(<int>)", "<string>.charAt(0)", "<string>.substring(<int>)", "<string>.substring(<int>, <int>)", "<string>.replace(<string>, <string>)",
		"<string>.replace(<string>, <string>, <int>)", "<[string]>.join()", "<[string]>.join(<string>)", "hex(<bytes>)", "base64(<bytes>)",
		"coalesce(<string?>, <string>)", "tx.id", "tx.uuid(<int>)", "<json> + <string>", "string(<json>)",
		"<string>.reverse()", "<[string]>.sort()[0]"},
	"bytes": {"<bytes> + <bytes>", "bytes(<string>)", "sha256(<string>)", "sha256(<bytes>)", "fromHex(hex(<bytes>))", "fromHex(<string>)", "fromHex('00fF')",
		"fromBase64(base64(<bytes>))", "fromBase64('AP8=')", "fromBase64(<string>)", "<bool> ? <bytes> : <bytes>", "coalesce(<bytes?>, <bytes>)",
		"sha512(<string>)", "sha512(<bytes>)"},
	"timestamp": {"<timestamp> + <duration>", "<duration> + <timestamp>", "<timestamp> - <duration>", "timestamp(<int>)", "timestamp(<string>)",
		"<bool> ? <timestamp> : <timestamp>", "tx.now", "timestamp(string(<timestamp>))", "coalesce(<timestamp?>, <timestamp>)"},
	"duration": {"<duration> + <duration>", "<duration> - <duration>", "-<duration>", "<timestamp> - <timestamp>", "<bool> ? <duration> : <duration>",
		"duration(string(<duration>))", "duration(<string>)", "coalesce(<duration?>, <duration>)"},
	"[int]": {"[<int>, <int>]", "[] + <[int]>", "<[int]> + <[int]>", "<[int]>.map(@int, <int>)", "<[int]>.filter(@int, <bool>)", "<[int]>.map(@int, <bool>, <int>)",
		"<[string]>.map(@string, <int>)", "<bool> ? <[int]> : <[int]>", "<{int}>.map(@string, <int>)",
		"lists.range(<int> % 6)", "lists.range(3)", "lists.range(100000)", "<[int]>.slice(<int>, <int>)", "<[int]>.slice(0, 1)", "[<[int]>, <[int]>].flatten()", "<[int]>.distinct()", "<[int]>.reverse()", "<[int]>.sort()"},
	"[uint]": {"[<uint>]", "<[uint]> + <[uint]>", "<[int]>.map(@int, <uint>)", "<[uint]>.filter(@uint, <bool>)",
		"<[uint]>.sort()", "<[uint]>.distinct()", "<[uint]>.reverse()", "<[uint]>.slice(<int>, <int>)", "[<[uint]>].flatten()"},
	"[double]": {"[<double>, <double>]", "<[double]> + <[double]>", "<[int]>.map(@int, <double>)", "<[double]>.filter(@double, <bool>)",
		"<[double]>.sort()", "<[double]>.distinct()", "<[double]>.reverse()", "<[double]>.slice(<int>, <int>)", "[<[double]>].flatten()"},
	"[string]": {"[<string>, <string>]", "<[string]> + <[string]>", "<[int]>.map(@int, <string>)", "<[string]>.filter(@string, <bool>)",
		"<string>.split(<string>)", "<string>.split(<string>, <int>)", "'a,b,é'.split(',')", "<{int}>.map(@string, @@)", "<[string]>.map(@string, <string>)",
		"<[string]>.sort()", "<[string]>.distinct()", "<[string]>.reverse()", "<[string]>.slice(<int>, <int>)", "[<[string]>].flatten()"},
	"{int}": {"{'a': <int>, 'b': <int>}", "{<string>: <int>, 'k': 1}", "{<string>: <int>}", "{<string>: <int>, '' + <string>: 2}", "{'a': <int>, '' + <string>: 2}", "{<string?>: 1}", "<bool> ? <{int}> : <{int}>"},
	"json": {"dyn(<int>)", "dyn(<string>)", "dyn(<double>)", "dyn(<bool>)", "dyn(<bytes>)", "dyn(<uint>)", "dyn(<timestamp>)", "dyn(<duration>)", "dyn(<[int]>)",
		"dyn({'x': <int>, 'y': [<string>, null]})", "dyn([<json>, <int>])", "dyn({'s': <string>, 'n': <json>})", "dyn({1: <int>, true: <string>, 'z': 2u})",
		"<json>.a", "<json>['a']", "<json>[<int>]", "<bool> ? <json> : <json>", "dyn(<null>)", "dyn(<json>.map(@json, <json>))", "dyn(<json>.filter(@json, <bool>))", "<json> + <json>",
		"dyn({<json>: <int>})", "<json> / <json>", "<json> - <json>", "<json> % <json>", "dyn([<double>, <bytes>])", "dyn(<{int}>)", "coalesce(<json>, <json>)", "when(<bool>, <json>)",
		"dyn(<json>.sort())", "dyn(<json>.distinct())", "dyn(<json>.flatten())", "dyn(<json>.reverse())", "dyn(<json>.slice(<int>, <int>))", "dyn(lists.range(<json>))", "dyn([<bool>, <bool>, <bool>].sort())", "dyn([<bytes>, <bytes>, <bytes>].sort())", "dyn([<timestamp>, <timestamp>, <timestamp>].sort())", "dyn([<duration>, <duration>, <duration>].sort())", "dyn([<[int]>, <[int]>].distinct())", "dyn([<int>, <double>, <uint>].distinct())", "dyn([<json>, <[int]>].flatten())", "dyn([<json>, <json>].sort())", "math.least(<json>, <json>)"},
}

// usable tells whether a form can be written here.
func (g *gen) usable(form string) bool {
	if !g.tx && strings.Contains(form, "tx.") {
		return false
	}
	return g.draws || !strings.Contains(form, "tx.id") && !strings.Contains(form, "tx.uuid") && !strings.Contains(form, "tx.random")
}

// expr writes an expression of a kind.
func (g *gen) expr(kind string, depth int) string {
	if base, ok := strings.CutSuffix(kind, "?"); ok {
		return g.nullable(base, depth)
	}
	switch kind {
	case "null":
		return g.nullable("", depth)
	case "field":
		return g.field()
	}
	var here []path
	for _, p := range g.paths {
		if p.kind == kind {
			here = append(here, p)
		}
	}
	way := g.upTo(9)
	switch {
	case len(here) > 0 && (way > 4 || way > 1 && depth <= 0):
		p := pick(g, here)
		if (p.nullable || p.fails) && !g.one(4) { // now and then
			return pick(g, leaves[kind])
		}
		return p.src
	case depth <= 0 || way == 0:
		return pick(g, leaves[kind])
	}
	for {
		if f := pick(g, forms[kind]); g.usable(f) {
			return g.fill(f, depth-1)
		}
	}
}

// field writes a field of an object.
func (g *gen) field() string {
	for range 3 {
		if len(g.paths) > 0 {
			if p := pick(g, g.paths); strings.Contains(p.src, ".") && !strings.ContainsAny(p.src, "()[]") {
				return p.src
			}
		}
	}
	return "{'a': 1}.b"
}

// sure writes what has a kind by its type, and is never null.
func (g *gen) sure(kind string) string {
	for _, p := range g.paths {
		if p.kind == kind && !p.nullable && !p.loose && g.one(2) {
			return p.src
		}
	}
	return pick(g, leaves[kind])
}

// nullable writes what may be null, of any kind where none is given.
func (g *gen) nullable(kind string, depth int) string {
	var here []path
	for _, p := range g.paths {
		if p.nullable && (p.kind == kind || kind == "") {
			here = append(here, p)
		}
	}
	if len(here) > 0 && !g.one(4) {
		return pick(g, here).src
	}
	if kind == "" {
		kind = pick(g, scalars)
	}
	return "when(" + g.expr("bool", depth-1) + ", " + g.expr(kind, depth-1) + ")"
}

// fill writes a form out.
func (g *gen) fill(form string, depth int) string {
	var b strings.Builder
	before := len(g.paths)
	bound := ""
	for form != "" {
		i := strings.IndexAny(form, "<@")
		if i < 0 || i+1 == len(form) {
			b.WriteString(form)
			break
		}
		b.WriteString(form[:i])
		mark := form[i]
		form = form[i+1:]
		switch {
		case mark == '<' && (form[0] == ' ' || form[0] == '='): // the operator
			b.WriteByte('<')
		case mark == '<':
			kind, rest, _ := strings.Cut(form, ">")
			form = rest
			part := g.expr(kind, depth)
			if kind != "field" {
				part = operand(part)
			}
			b.WriteString(part)
		case form[0] == '@':
			form = form[1:]
			b.WriteString(bound)
		default:
			n := strings.IndexAny(form, ",)")
			bound = g.fresh()
			g.paths = append(g.paths, path{src: bound, kind: form[:n]})
			form = form[n:]
			b.WriteString(bound)
		}
	}
	g.paths = g.paths[:before]
	return b.String()
}

// operand is an expression as a part of another.
func operand(src string) string {
	if strings.ContainsAny(src, " ?-!") && !plainCall(src) {
		return "(" + src + ")"
	}
	return src
}

// plainCall tells what needs no parentheses around it: a bracket that ends where
// the text does.
func plainCall(src string) bool {
	open := strings.IndexAny(src, "([{'")
	if open < 0 || strings.ContainsAny(src[:open], " ?-!") || src[open] == '\'' {
		return false
	}
	depth := 0
	for i := open; i < len(src); i++ {
		switch src[i] {
		case '\'':
			for i++; src[i] != '\''; i++ {
				if src[i] == '\\' {
					i++
				}
			}
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				return i == len(src)-1
			}
		}
	}
	return false
}
