package golden

import (
	"encoding/base64"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lockstep/testdata/call"
)

// cook makes the transactions of the golden log kitchen.
type cook struct {
	*primary
	asked int // expressions so far: each has its turn
}

func makeKitchen(t testing.TB) *primary {
	c := &cook{primary: newPrimary(t, 6, 50)}
	text := readText(t, "kitchen.yaml")
	c.schema(text, nil)
	for from := 0; from < 1500; from += 250 {
		c.send(call.Procedure("fill", call.Params{"from": from, "count": numbers(250), "v": "many "}))
	}
	const first, second = 3600, 1200
	for n := range first {
		if n%(first/checkpoints) == first/checkpoints-1 {
			c.checkpoint()
		}
		switch {
		case n%60 == 30:
			c.assign("cleaner", uint64(c.rng.IntN(4)))
		case n == 700 || n == 1700: // more than an entry takes: what is left is deferred
			dear := call.Procedure("too_much", call.Params{"how": "cost", "text": "", "list": numbers(100)})
			c.send(dear, dear, dear, c.document(), c.document())
		case n%90 == 45:
			c.send(c.tooMuch(n / 90))
		default:
			docs := []string{c.document()}
			for len(docs) < 6 && c.rng.IntN(3) > 0 {
				docs = append(docs, c.document())
			}
			c.send(docs...)
		}
	}
	some := func() { c.send(c.document(), c.place()) }
	broken := strings.Replace(text, "      by_n:", "      by_i: {columns: [i], unique: true}\n      by_n:", 1)
	if c.schema(broken, some) {
		t.Fatal("a unique index is there although rows break it")
	}
	if !c.schema(readText(t, "kitchen2.yaml"), some) {
		t.Fatal("the second schema is not there")
	}
	for range second {
		switch c.rng.IntN(3) {
		case 0:
			c.send(c.place())
		case 1:
			c.send(c.walk())
		default:
			c.send(c.expression())
		}
	}
	c.checkpoint()
	return c.primary
}

func readText(t testing.TB, name string) string {
	text, err := os.ReadFile(dir + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// numbers are those from 0 to n-1.
func numbers(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// document is a transaction against the first schema.
func (c *cook) document() string {
	id := fmt.Sprintf("thing-%d", c.rng.IntN(40))
	switch c.rng.IntN(20) {
	case 0, 1, 2:
		return c.put(id)
	case 3:
		return call.Procedure("make", call.Params{"id": id})
	case 4:
		return call.Procedure("change", call.Params{"id": id, "by": c.rng.IntN(9) - 3, "j": c.json(2)})
	case 5:
		return call.Procedure("touch", call.Params{"id": id, "n": c.rng.IntN(100)})
	case 6:
		return call.Procedure("drop", call.Params{"id": id, "quiet": c.rng.IntN(2) == 0})
	case 7:
		return call.Procedure("look", call.Params{"id": id, "field": c.pick("s", "j", "ox", "nothing")})
	case 8:
		return call.Procedure("certify", call.Params{"id": id, "revision": c.rng.IntN(2) * c.rng.IntN(8000), "epoch": c.epoch - c.epoch%2*uint64(c.rng.IntN(2))})
	case 9, 10:
		return c.place()
	case 11:
		return call.Procedure("clear", call.Params{"b": c.rng.IntN(2) == 0, "i": c.rng.IntN(8) - 2, "limit": 1 + c.rng.IntN(4)})
	case 12:
		return c.walk()
	case 13:
		return call.Procedure("solidify", call.Params{"id": id})
	}
	return c.expression()
}

func (c *cook) pick(from ...string) string { return from[c.rng.IntN(len(from))] }

// put gives a thing every column that must be there, and some that need not.
func (c *cook) put(id string) string {
	p := call.Params{"id": id}
	for _, name := range []string{"b", "i", "u", "x", "s", "y", "t", "d", "j"} {
		p[name] = c.value(name)
		if c.rng.IntN(2) == 0 {
			p["o"+name] = c.value(name)
		}
	}
	if c.rng.IntN(4) > 0 { // within what the checks allow
		p["i"], p["x"] = c.rng.IntN(1000), 1.5
	}
	return call.Procedure("put", p)
}

func (c *cook) place() string {
	cells := []call.Params{}
	for range c.rng.IntN(5) {
		cell := call.Params{
			"b": c.rng.IntN(2) == 0, "i": c.rng.IntN(8) - 2, "u": c.rng.IntN(4), "s": c.pick("", "a", "a\u0000", "b", "é"),
			"y": c.pick("", "AA==", "AP8=", "/w=="), "t": c.pick("2026-11-25T22:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"),
		}
		if c.rng.IntN(2) == 0 {
			cell["n"] = c.rng.IntN(6)
		}
		cells = append(cells, cell)
	}
	return call.Procedure("place", call.Params{"cells": cells, "replace": c.rng.IntN(3) > 0})
}

func (c *cook) walk() string {
	return call.Procedure("walk", call.Params{"b": c.rng.IntN(2) == 0, "i": c.rng.IntN(8) - 2, "u": c.rng.IntN(4), "s": c.pick("", "a", "b", "x-5"),
		"n": c.rng.IntN(6), "t": c.pick("2026-11-25T22:00:00Z", "0001-01-01T00:00:00Z"), "limit": 1 + c.rng.IntN(5)})
}

// tooMuch goes over one limit after another.
func (c *cook) tooMuch(n int) string {
	ways := []struct {
		how, text string
		list      []int
	}{
		{"matching rows", "", nil}, {"rows", "", numbers(20)}, {"steps", "", numbers(320)}, {"bytes", strings.Repeat("b", 15_000), numbers(6)},
		{"size", strings.Repeat("s", 100), nil}, {"collected", strings.Repeat("c", 1000), numbers(60)}, {"cost", "", numbers(100)},
		{"key", strings.Repeat("k", 900), nil}, {"result", "", numbers(180)}, {"limit", "", []int{0}}, {"", strings.Repeat("é", 800), nil},
	}
	w := ways[n%len(ways)]
	if w.list == nil {
		w.list = []int{}
	}
	return call.Procedure("too_much", call.Params{"how": w.how, "text": w.text, "list": w.list})
}

// typesOf are the types of the params of expressions, by the first letter of their
// names; what follows it is a digit.
var typesOf = map[byte]any{
	'b': "bool", 'i': "int", 'u': "uint", 'x': "double", 's': "string", 'y': "bytes", 't': "timestamp", 'd': "duration", 'j': "json",
	'l': []string{"int"}, 'm': []string{"double"}, 'n': []string{"string"}, 'v': []string{"uint"},
}

var param = regexp.MustCompile(`\b[biuxsytdjlmnv][0-9]\b`)

// expression is an inline transaction that returns one of the expressions, for values
// of its params from everywhere.
func (c *cook) expression() string {
	source := expressions[c.asked%len(expressions)]
	c.asked++
	p, types := call.Params{}, map[string]any{}
	for _, name := range param.FindAllString(source, -1) {
		p[name], types[name] = c.value(name), typesOf[name[0]]
	}
	return call.Inline([]any{}, p, types, param.ReplaceAllString(source, "params.$0"))
}

// value is a value of the type that a name stands for.
func (c *cook) value(name string) any {
	switch name[0] {
	case 'b':
		return c.rng.IntN(2) == 0
	case 'i':
		return c.integer()
	case 'u':
		return strconv.FormatUint(c.unsigned(), 10)
	case 'x':
		return c.double()
	case 's':
		return c.text()
	case 'y':
		return base64.StdEncoding.EncodeToString([]byte(c.pick("", "a", "\xff\x00", "0123456789abcdef0123456789abcdef", "é\xc3")))
	case 't':
		return c.pick("2026-11-25T22:00:00.123Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.5Z", "2024-02-29T12:30:45Z")
	case 'd':
		return c.pick("0s", "1.5s", "-0.25s", "86400s", "9223372036.854775807s", "-9223372036.854775808s", "0.000000001s", "5400s")
	case 'l':
		return many(c.rng.IntN(5), c.integer)
	case 'm':
		return many(c.rng.IntN(5), c.double)
	case 'n':
		return many(c.rng.IntN(4), c.text)
	case 'v':
		return many(c.rng.IntN(4), func() string { return strconv.FormatUint(c.unsigned(), 10) })
	}
	return c.json(3)
}

func many[T any](n int, one func() T) []T {
	list := make([]T, 0, n)
	for range n {
		list = append(list, one())
	}
	return list
}

// integer is text, for JSON numbers are exact to 2^53 only.
func (c *cook) integer() string {
	edges := []int64{0, 1, -1, 2, 3, 7, 10, 100, 1 << 53, 1<<53 + 1, -(1 << 53) - 1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, 1 << 31, -12345}
	return strconv.FormatInt(edges[c.rng.IntN(len(edges))], 10)
}

func (c *cook) unsigned() uint64 {
	edges := []uint64{0, 1, 2, 5, 1 << 53, 1<<63 - 1, 1 << 63, math.MaxUint64}
	return edges[c.rng.IntN(len(edges))]
}

func (c *cook) double() float64 {
	edges := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 0.2, 1.0 / 3, 2.5, -2.5, 3.5, 1e-320, math.SmallestNonzeroFloat64, 1e308, -1e308, math.MaxFloat64,
		1 << 53, 1<<53 + 2, 9.223372036854775e18, 1.8446744073709552e19, 123456.789, math.Pi, math.E}
	if c.rng.IntN(3) == 0 {
		// Any finite bits.
		if x := math.Float64frombits(c.rng.Uint64()); !math.IsNaN(x) && !math.IsInf(x, 0) {
			return x
		}
	}
	return edges[c.rng.IntN(len(edges))]
}

func (c *cook) text() string {
	return c.pick("", "a", "abc", "Äpfel ", " x-5\t", "İIıi", "a,b,,c", "12", "-7", "1.5", "true", "2024-02-29T12:30:45Z", "1h30m", "(", "a+b*", "[é-ü]+", "YWJj", "616263", "\u0000\U0001F600z", "id")
}

// json is any JSON value, of some depth at most.
func (c *cook) json(depth int) any {
	kinds := 5
	if depth > 0 {
		kinds = 8
	}
	switch c.rng.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return c.rng.IntN(2) == 0
	case 2:
		return c.rng.IntN(20) - 5
	case 3:
		return c.pickDouble()
	case 4:
		return c.text()
	case 5:
		return many(c.rng.IntN(4), func() any { return c.json(depth - 1) })
	}
	object := map[string]any{}
	for _, key := range []string{"a", "b", "é", "Z", "10"} {
		if c.rng.IntN(2) == 0 {
			object[key] = c.json(depth - 1)
		}
	}
	return object
}

func (c *cook) pickDouble() float64 {
	return slices.Max([]float64{c.double(), -1e15})
}
