package tasks

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// canonical is a document as it is kept: its members in order, no white space, each
// text and each number in one form (RFC 8785), as far as that is the same number. The
// RFC's numbers are double precision, and a client's need not be: 9007199254740993 is
// kept as it stands, and what only looks different is all that may be lost.
func canonical(raw []byte) ([]byte, error) {
	v := jsontext.Value(bytes.Clone(raw))
	if err := v.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
		return nil, fmt.Errorf("write the task: %w", err)
	}
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); {
		end := i + 1
		switch c := v[i]; {
		case c == '"':
			for ; v[end] != '"'; end++ {
				if v[end] == '\\' {
					end++
				}
			}
			end++
			out = append(out, v[i:end]...)
		case c == '-' || c >= '0' && c <= '9':
			for end < len(v) && strings.IndexByte("0123456789+-.eE", v[end]) >= 0 {
				end++
			}
			out = append(out, number(v[i:end])...)
		default:
			out = append(out, c)
		}
		i = end
	}
	return out, nil
}

// number is a number's form by RFC 8785, where that is the same number and not longer.
func number(text jsontext.Value) []byte {
	if !bytes.ContainsAny(text, ".eE") {
		return text
	}
	short := text.Clone()
	if short.Canonicalize() != nil || len(short) > len(text) || decimalOf(short) != decimalOf(text) {
		return text
	}
	return short
}

// decimal is a number: its digits, without zeros at either end, times a power of ten.
type decimal struct {
	negative bool
	digits   string
	exponent int
	strange  string // what is no such number
}

func decimalOf(text []byte) (d decimal) {
	s := string(text)
	s, d.negative = strings.CutPrefix(s, "-")
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		e, err := strconv.ParseInt(s[at+1:], 10, 32) // far more than a double has
		if err != nil {
			return decimal{strange: string(text)}
		}
		d.exponent, s = int(e), s[:at]
	}
	whole, part, _ := strings.Cut(s, ".")
	d.exponent -= len(part)
	d.digits = strings.TrimLeft(whole+part, "0")
	n := len(d.digits)
	d.digits = strings.TrimRight(d.digits, "0")
	d.exponent += n - len(d.digits)
	if d.digits == "" {
		d.exponent = 0
	}
	return d
}
