package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"lockstep/engine"
	"lockstep/engine/program"
	"lockstep/engine/value"
)

const pagesSchema = `
tables:
  items:
    columns: {k: {type: int}, name: {type: string}, a: {type: int, optional: true}, u: {type: string, optional: true}}
    key: [k, name]
    indexes: {by_a: {columns: [a]}, by_a_name: {columns: [a, name]}, by_u: {columns: [u], unique: true}}
procedures:
  put:
    params: {k: int, name: string, "a?": int, "u?": string}
    steps: [{upsert: {table: items, row: {k: "params.k", name: "params.name", a: "params.a", u: "params.u"}}}]
`

// sceneOfItems has sixty items: columns of indexes repeat, and are null for some.
func sceneOfItems(t *testing.T) *scene {
	s := newScene(t)
	s.schema(&datadriven.TestData{Input: pagesSchema})
	var lines strings.Builder
	for i := range 60 {
		doc := map[string]any{"k": i / 7, "name": fmt.Sprintf("n\x00%c", 'a'+i%7)}
		if i%5 != 0 {
			doc["a"] = i % 4
		}
		if i%3 != 0 {
			doc["u"] = fmt.Sprintf("u%d", i*37%60)
		}
		params, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "{\"procedure\": \"put\", \"params\": %s}\n", params)
	}
	if out := s.entry(&datadriven.TestData{Input: lines.String()}); strings.Contains(out, "aborted") {
		t.Fatal(out)
	}
	return s
}

// drawScan makes any scan of the items.
func drawScan(t *rapid.T) map[string]any {
	scan := map[string]any{"table": "items", "as": "all"}
	columns := 2
	if index := rapid.SampledFrom([]string{"", "by_a", "by_a_name", "by_u"}).Draw(t, "index"); index != "" {
		scan["index"] = index
		columns = map[string]int{"by_a": 3, "by_a_name": 4, "by_u": 3}[index]
	}
	kinds := map[string]string{"": "is", "by_a": "iis", "by_a_name": "isis", "by_u": "sis"}[fmt.Sprint(scan["index"])]
	if scan["index"] == nil {
		kinds = "is"
	}
	tuple := func(name string, from, most int) []string {
		var parts []string
		for i := range rapid.IntRange(0, most).Draw(t, name) {
			if kinds[from+i] == 'i' {
				parts = append(parts, fmt.Sprint(rapid.IntRange(-1, 9).Draw(t, name)))
			} else {
				parts = append(parts, fmt.Sprintf("'%s'", rapid.SampledFrom([]string{"n\\u0000c", "n", "u20", "u5", "z"}).Draw(t, name)))
			}
		}
		return parts
	}
	prefix := tuple("prefix", 0, min(2, columns))
	if len(prefix) > 0 {
		scan["prefix"] = prefix
	}
	for _, end := range []string{"from", "to"} {
		if parts := tuple(end, len(prefix), columns-len(prefix)); len(parts) > 0 {
			scan[end] = parts
		}
	}
	if rapid.Bool().Draw(t, "desc") {
		scan["order"] = "desc"
	}
	if rapid.Bool().Draw(t, "some") {
		scan["where"] = "row.k % 2 == 0"
	}
	if rapid.Bool().Draw(t, "limited") {
		scan["limit"] = rapid.IntRange(1, 30).Draw(t, "limit")
	}
	return scan
}

// Piece by piece a scan gives what it gives at once: nothing is left out, nothing
// comes twice, in the same order, however it goes and wherever pages end.
func TestPagesAddUpToTheScan(t *testing.T) {
	s := sceneOfItems(t)
	v := s.view()
	rapid.Check(t, func(t *rapid.T) {
		doc, err := json.Marshal(map[string]any{"steps": []any{map[string]any{"scan": drawScan(t)}}, "return": "all.map(r, [string(r.k), r.name])"})
		if err != nil {
			t.Fatal(err)
		}
		p, params, refusal := program.ParseQuery(doc, v.Compiled())
		if refusal != nil {
			t.Fatalf("%s: %v", doc, refusal)
		}
		run := func(o engine.QueryOptions) engine.QueryAnswer {
			a, err := v.Run(p, params, o)
			if err != nil || a.Abort != nil {
				t.Fatalf("%s: %v %v", doc, err, a.Abort)
			}
			return a
		}
		want := run(engine.QueryOptions{}).Result.Elems()
		o := engine.QueryOptions{Limit: rapid.IntRange(1, 9).Draw(t, "page")}
		var got []value.Value
		for pages := 0; ; pages++ {
			a := run(o)
			if a.Result.Len() > o.Limit || pages > 100 {
				t.Fatalf("%s: page %d has %d rows of at most %d", doc, pages, a.Result.Len(), o.Limit)
			}
			got = append(got, a.Result.Elems()...)
			if o.After = a.Next; o.After == "" {
				break
			}
		}
		if !value.Equal(value.OfList(got), value.OfList(want)) {
			t.Fatalf("%s, %d rows a page:\n%s\nwant\n%s", doc, o.Limit, value.AppendJSON(nil, value.OfList(got)), value.AppendJSON(nil, value.OfList(want)))
		}
	})
}

// A token is refused by every other query and where a byte of it was changed: it
// never leads to a wrong place.
func TestATokenIsOfOneQuery(t *testing.T) {
	v := sceneOfItems(t).view()
	run := func(doc string, o engine.QueryOptions) (engine.QueryAnswer, error) {
		p, params, refusal := program.ParseQuery([]byte(doc), v.Compiled())
		if refusal != nil {
			t.Fatal(refusal)
		}
		var err error
		if o.Document, err = value.Fingerprint([]byte(doc)); err != nil {
			t.Fatal(err)
		}
		return v.Run(p, params, o)
	}
	const doc = `{"steps": [{"scan": {"table": "items", "index": "by_a", "where": "row.k > params.k", "as": "all"}}], "params": {"k": 2}, "return": "all"}`
	first, err := run(doc, engine.QueryOptions{Limit: 3})
	if err != nil || first.Next == "" {
		t.Fatal(first.Next, err)
	}
	refused := func(doc, after string) {
		t.Helper()
		var input *engine.InputError
		if _, err := run(doc, engine.QueryOptions{Limit: 3, After: after}); !errors.As(err, &input) || input.Field != "after" {
			t.Errorf("%s after %s: %v", doc, after, err)
		}
	}
	refused(strings.Replace(doc, `{"k": 2}`, `{"k": 3}`, 1), first.Next)
	refused(strings.Replace(doc, `by_a`, `by_a_name`, 1), first.Next)
	for i := range first.Next {
		changed := []byte(first.Next)
		changed[i] ^= 1
		refused(doc, string(changed))
		if i > 0 {
			refused(doc, first.Next[:i])
		}
	}
	if again, err := run(doc, engine.QueryOptions{Limit: 3, After: first.Next}); err != nil || again.Result.Len() != 3 {
		t.Errorf("the token itself: %v", err)
	}
}

// Rows by an index come a page at a time likewise.
func TestRowsByAnIndex(t *testing.T) {
	v := sceneOfItems(t).view()
	for _, index := range []string{"", "by_a", "by_a_name", "by_u"} {
		whole, err := v.Page("items", engine.PageOptions{Index: index, Limit: 1000})
		if err != nil || len(whole.Rows) != 60 || whole.Next != "" {
			t.Fatalf("%s: %d rows, %v", index, len(whole.Rows), err)
		}
		for limit := 1; limit < 8; limit++ {
			o := engine.PageOptions{Index: index, Limit: limit}
			var rows []value.Value
			for {
				p, err := v.Page("items", o)
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, p.Rows...)
				if o.After = p.Next; o.After == "" {
					break
				}
			}
			if !slices.EqualFunc(rows, whole.Rows, value.Equal) {
				t.Errorf("by %q, %d a page: other rows, or in another order", index, limit)
			}
		}
	}
	var input *engine.InputError
	p, err := v.Page("items", engine.PageOptions{Index: "by_a", Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []engine.PageOptions{
		{Index: "by_a_name", Limit: 3, After: p.Next}, {Limit: 3, After: p.Next}, {Index: "by_a", Prefix: []string{"1"}, Limit: 3, After: p.Next},
	} {
		if _, err := v.Page("items", o); !errors.As(err, &input) || input.Field != "after" {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// Poll is asked at set amounts of work, and its error ends the query, whatever the
// language makes of it: a message that fails is left out, this is not. A transaction
// can't be polled: its meter has nobody to ask.
func TestAQueryIsPolled(t *testing.T) {
	v := sceneOfItems(t).view()
	numbers := "[0" + strings.Repeat(", 1", 99) + "]"
	heavy := fmt.Sprintf(`{"steps": [{"require": {"expr": "false", "code": "no", "message": "string(%s.all(a, %s.all(b, %s.all(c, a + b + c >= 0))))"}}]}`, "params.n", "params.n", "params.n")
	doc := heavy[:len(heavy)-1] + `, "params": {"n": ` + numbers + `}, "types": {"n": ["int"]}}`
	p, params, refusal := program.ParseQuery([]byte(doc), v.Compiled())
	if refusal != nil {
		t.Fatal(refusal)
	}
	var asked []uint64
	stop := errors.New("stop")
	_, err := v.Run(p, params, engine.QueryOptions{Budget: 20, Poll: func(used uint64) error {
		if asked = append(asked, used); len(asked) == 7 {
			return stop
		}
		return nil
	}})
	if !errors.Is(err, stop) || len(asked) != 7 {
		t.Fatalf("asked %v, ended with %v", asked, err)
	}
	for i := 1; i < len(asked); i++ {
		if step := asked[i] - asked[i-1]; step == 0 || step > 40_000 {
			t.Errorf("%d units between two questions", step)
		}
	}
	a, err := v.Run(p, params, engine.QueryOptions{Budget: 20, Poll: func(uint64) error { return nil }})
	if err != nil || a.Abort == nil || a.Abort.Code != "no" || a.Abort.Message != "true" {
		t.Errorf("when nobody stops it: %v %v", a.Abort, err)
	}
	if a, err := v.Run(p, params, engine.QueryOptions{}); err != nil || a.Abort == nil || a.Abort.Message == "true" {
		t.Errorf("with a transaction's budget: %v %v", a.Abort, err)
	}
}
