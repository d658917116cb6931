package client

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Param gives the transaction a value from outside and returns the expression that
// names it, so that a value is never taken for an expression. Integers, strings,
// bools, float64, []byte, time.Time and time.Duration are what the language calls
// them, uint64 included; nil is null; anything else is json.
func (a *Attempt) Param(v any) string {
	name := "p" + strconv.Itoa(len(a.params))
	kind, plain, err := paramOf(v)
	if err != nil {
		a.fail(err)
	}
	if kind != "" {
		a.types[name] = kind
	}
	a.params[name] = plain
	return "params." + name
}

// paramOf is a value's declared type, empty where it goes without saying, and its
// form in JSON (transactions.md, Outcome).
func paramOf(v any) (kind string, plain any, err error) {
	switch v := v.(type) {
	case nil, bool, string:
		return "", v, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "", nil, fmt.Errorf("client: %v is no value of the language", v)
		}
		return "double", v, nil
	case []byte:
		return "bytes", base64.StdEncoding.EncodeToString(v), nil
	case time.Time:
		return "timestamp", v.UTC().Format(time.RFC3339Nano), nil
	case time.Duration:
		return "duration", durationText(v), nil
	}
	if text, ok := integer(v); ok {
		kind = "int"
		if _, ok := v.(uint64); ok {
			kind = "uint"
		}
		return kind, text, nil
	}
	doc, err := json.Marshal(v)
	if err != nil {
		return "", nil, fmt.Errorf("client: writing a param: %w", err)
	}
	return "json", json.RawMessage(doc), nil
}

// durationText writes seconds with an s, to the nanosecond.
func durationText(d time.Duration) string {
	text := strconv.FormatFloat(math.Abs(float64(d/time.Second)), 'f', 0, 64)
	if nanos := d % time.Second; nanos != 0 {
		text += strings.TrimRight(fmt.Sprintf(".%09d", max(nanos, -nanos)), "0")
	}
	if d < 0 {
		text = "-" + text
	}
	return text + "s"
}

// integer writes any of Go's integers as text, which the language takes for an int
// or a uint of any size.
func integer(v any) (string, bool) {
	switch v := v.(type) {
	case int:
		return strconv.FormatInt(int64(v), 10), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case int32:
		return strconv.FormatInt(int64(v), 10), true
	case uint32:
		return strconv.FormatUint(uint64(v), 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case json.Number:
		_, err := strconv.ParseInt(v.String(), 10, 64)
		return v.String(), err == nil
	}
	return "", false
}

// exprs makes params of the values of a key.
func (a *Attempt) exprs(values []any) []string {
	exprs := make([]string, len(values))
	for i, v := range values {
		exprs[i] = a.Param(v)
	}
	return exprs
}

// named makes params of the values of columns, in the order of their names: so the
// text of an attempt is that of the one before, which servers keep compiled.
func (a *Attempt) named(values map[string]any) map[string]string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	exprs := make(map[string]string, len(names))
	for _, name := range names {
		exprs[name] = a.Param(values[name])
	}
	return exprs
}

// keyTexts writes the values of a key as they stand in an address: text as it is,
// numbers decimal, bytes base64url (interface.md).
func keyTexts(key []any) ([]string, error) {
	texts := make([]string, len(key))
	for i, v := range key {
		switch v := v.(type) {
		case string:
			texts[i] = v
		case bool:
			texts[i] = strconv.FormatBool(v)
		case []byte:
			texts[i] = base64.RawURLEncoding.EncodeToString(v)
		case time.Time:
			texts[i] = v.UTC().Format(time.RFC3339Nano)
		default:
			text, ok := integer(v)
			if !ok {
				return nil, fmt.Errorf("client: a key column can't be a %T: use a string, an integer, a bool, []byte or time.Time", v)
			}
			texts[i] = text
		}
	}
	return texts, nil
}

// document is the transaction: what was relied on first, then what is written.
func (a *Attempt) document() ([]byte, error) {
	doc := struct {
		Steps  []json.RawMessage `json:"steps"`
		Params map[string]any    `json:"params,omitempty"`
		Types  map[string]string `json:"types,omitempty"`
		Return string            `json:"return,omitempty"`
	}{slices.Concat(a.expects, a.steps), a.params, a.types, a.result}
	if doc.Steps == nil {
		doc.Steps = []json.RawMessage{}
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("client: writing the transaction: %w", err)
	}
	return text, nil
}
