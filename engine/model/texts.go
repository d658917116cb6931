package model

import (
	"regexp"
	"strconv"
	"strings"
)

// texts are the functions of text without positions.
func texts(name string, args []any) (any, bool) {
	if name == "size" {
		switch a := args[0].(type) {
		case string:
			return int64(len([]rune(a))), true
		case Bytes:
			return int64(len(a)), true
		case List:
			return int64(len(a)), true
		case *Map:
			return int64(len(a.Keys)), true
		case *Object:
			return int64(len(a.Fields)), true
		}
		return nil, false
	}
	if name == "join" {
		return join(args)
	}
	a, ok := args[0].(string)
	if !ok {
		return nil, false
	}
	switch name {
	case "lowerAscii":
		return changed(a, 'A', 'Z', 'a'-'A'), true
	case "upperAscii":
		return changed(a, 'a', 'z', 'A'-'a'), true
	case "reverse":
		out := ""
		for _, r := range a {
			out = string(r) + out
		}
		return out, true
	case "trim":
		return strings.Trim(a, " \t\n\v\f\r"), true
	}
	if len(args) < 2 {
		return nil, false
	}
	b, ok := args[1].(string)
	if !ok {
		return nil, false
	}
	switch name {
	case "contains":
		return strings.Contains(a, b), true
	case "startsWith":
		return strings.HasPrefix(a, b), true
	case "endsWith":
		return strings.HasSuffix(a, b), true
	case "matches":
		re, err := regexp.Compile(b)
		if err != nil {
			fail("evaluation_error", "not a usable pattern: "+b)
		}
		return re.MatchString(a), true
	}
	return nil, false
}

func changed(s string, lo, hi, by rune) string {
	return strings.Map(func(r rune) rune {
		if r >= lo && r <= hi {
			return r + by
		}
		return r
	}, s)
}

func join(args []any) (any, bool) {
	l, ok := args[0].(List)
	if !ok {
		return nil, false
	}
	separator := ""
	if len(args) == 2 {
		if separator, ok = args[1].(string); !ok {
			return nil, false
		}
	}
	var words []string
	for _, e := range l {
		s, ok := e.(string)
		if !ok {
			return noOperation("join", e), true
		}
		words = append(words, s)
	}
	return sized(strings.Join(words, separator)), true
}

// positions are the functions that count characters.
func positions(name string, args []any) (any, bool) {
	s, ok := args[0].(string)
	if !ok {
		return nil, false
	}
	chars := []rune(s)
	// at reads an argument as a position from lo on.
	at := func(i int, lo int64) int64 {
		n := args[i].(int64)
		if n < lo || n > int64(len(chars)) {
			fail("evaluation_error", name+" can't take position "+strconv.FormatInt(n, 10))
		}
		return n
	}
	texts := map[string]int{"indexOf": 1, "lastIndexOf": 1, "replace": 2, "split": 1}[name]
	for i, a := range args[1:] {
		want := "int"
		if i < texts {
			want = "string"
		}
		if kindName(a) != want {
			return nil, false
		}
	}
	switch name {
	case "charAt":
		n := at(1, 0)
		if n == int64(len(chars)) {
			return "", true
		}
		return string(chars[n]), true
	case "substring":
		from, to := at(1, 0), int64(len(chars))
		if len(args) == 3 {
			to = at(2, from)
		}
		return string(chars[from:to]), true
	case "indexOf", "lastIndexOf":
		part := []rune(args[1].(string))
		from, step := int64(0), int64(1)
		if name == "lastIndexOf" {
			from, step = int64(len(chars)), -1
		}
		if len(args) == 3 {
			from = at(2, 0)
		}
		for i := from; i >= 0 && i <= int64(len(chars)); i += step {
			if strings.HasPrefix(string(chars[i:]), string(part)) {
				return i, true
			}
		}
		return int64(-1), true
	case "replace":
		n := -1
		if len(args) == 4 {
			n = clampInt(args[3].(int64))
		}
		return sized(strings.Replace(s, args[1].(string), args[2].(string), n)), true
	case "split":
		n := -1
		if len(args) == 3 {
			n = clampInt(args[2].(int64))
		}
		l := List{}
		for _, word := range strings.SplitN(s, args[1].(string), n) {
			l = append(l, word)
		}
		return l, true
	}
	return nil, false
}

// clampInt is a count: what is negative means all.
func clampInt(n int64) int { return int(max(-1, min(n, 1<<30))) }
