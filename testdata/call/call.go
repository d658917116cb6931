// Package call writes transactions as the documents that a client posts. It is
// what the example applications beside it make their data and their traffic with.
package call

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
)

// Params are the parameters of a transaction by name.
type Params map[string]any

// Procedure is a call of a procedure, one line of JSON.
func Procedure(name string, params Params) string {
	return document(map[string]any{"procedure": name, "params": params})
}

// Insert is an inline transaction that inserts rows into a table, one line of
// JSON. types has the columns that the rows give, with the type of each as a
// schema writes it, and a ? after the name of one that a row may leave out.
func Insert(table string, types map[string]string, rows []Params) string {
	row := make(map[string]string, len(types))
	for column := range types {
		column = strings.TrimSuffix(column, "?")
		row[column] = "r." + column
	}
	return document(map[string]any{
		"steps": []any{map[string]any{"each": map[string]any{
			"in": "params.rows", "as": "r",
			"do": []any{map[string]any{"insert": map[string]any{"table": table, "row": row}}},
		}}},
		"params": Params{"rows": rows},
		"types":  map[string]any{"rows": []any{types}},
	})
}

// document is a value as JSON, the names of objects in byte order.
func document(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps, text and numbers always have a form in JSON
	}
	return string(text)
}

// Rand is a generator of chance that gives the same from the same seed.
func Rand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x10c5)) }

// Inline is an inline transaction, one line of JSON. types has those of the params
// that their JSON does not tell; result is the expression that it returns.
func Inline(steps []any, params Params, types map[string]any, result string) string {
	return document(map[string]any{"steps": steps, "params": params, "types": types, "return": result})
}
