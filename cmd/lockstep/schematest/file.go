package schematest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"lockstep/cmd/lockstep/testfile"
)

// defaultTime is when the first transaction of a test runs unless it says
// otherwise.
const defaultTime = "2026-01-01T00:00:00Z"

// File is a file of tests that was read.
type File struct {
	Path string

	src    []byte
	root   *yaml.Node
	schema schemaSource
	stamp  stamp
	given  []tableRows
	tests  []test
}

// schemaSource is the schema under test.
type schemaSource struct {
	path string // the file it stands in
	src  []byte
}

// reader reads the parts of a file.
type reader struct{ testfile.Reader }

// stamp is what an entry of the log is stamped with.
type stamp struct {
	millis int64
	seed   [16]byte
}

// tableRows are the rows of one table, as the file has them.
type tableRows struct {
	table *yaml.Node // the name
	rows  []*yaml.Node
}

// test is one test of a file.
type test struct {
	name    string
	node    *yaml.Node
	stamp   stamp
	given   []tableRows
	actions []action
	rows    *yaml.Node // what is there at the end, or nil
}

// action is a transaction or a query.
type action struct {
	node   *yaml.Node // the mapping
	query  bool
	assign string // the task that is assigned, in place of a transaction
	label  string // what messages call it
	proc   string // the procedure that it names, or empty
	doc    []byte // the document, as JSON
	id     string
	after  time.Duration
	expect *yaml.Node // what is to come of it, or nil: that it commits
}

// Read reads a file of tests. A *testfile.BadFile names its mistakes.
func Read(path string) (*File, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &reader{testfile.Reader{File: path}}
	f := &File{Path: path, src: src}
	if len(src) > testfile.MaxFileBytes {
		return nil, &testfile.BadFile{Problems: []testfile.Problem{{File: path, Detail: fmt.Sprintf("%d bytes; a file of tests has at most %d", len(src), testfile.MaxFileBytes)}}}
	}
	if f.root, err = testfile.Parse(src); err != nil {
		return nil, &testfile.BadFile{Problems: []testfile.Problem{{File: path, Detail: strings.TrimPrefix(err.Error(), "yaml: ")}}}
	}
	if f.root.Kind != yaml.DocumentNode {
		return nil, &testfile.BadFile{Problems: []testfile.Problem{{File: path, Detail: "the file is empty; it wants schema and tests"}}}
	}
	f.read(r, f.root.Content[0])
	if err := r.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) read(r *reader, top *yaml.Node) {
	fields := r.Fields(top, "the file", "schema", "time", "seed", "given", "tests")
	f.stamp = r.stamp(fields, stamp{millis: parsedDefault(), seed: seedOf("lockstep")})
	f.given = r.tables(fields["given"])
	if n := fields["schema"]; n != nil {
		f.schema = r.schema(n, f.src)
	} else {
		r.Fail(top, "the file names no schema: write schema: schema.yaml, a path beside this file, or the document itself")
	}
	if fields["tests"] == nil {
		r.Fail(top, "the file has no tests")
		return
	}
	list := r.List(fields["tests"], "tests")
	if len(list) > testfile.MaxTests {
		r.Fail(fields["tests"], "%d tests; a file has at most %d", len(list), testfile.MaxTests)
		return
	}
	names := map[string]bool{}
	for _, n := range list {
		t := r.test(n, f.stamp)
		if t.name != "" && names[t.name] {
			r.Fail(n, "there is another test of the name %q", t.name)
		}
		names[t.name] = true
		f.tests = append(f.tests, t)
	}
}

func parsedDefault() int64 {
	at, err := time.Parse(time.RFC3339, defaultTime)
	if err != nil {
		panic(err) // a constant
	}
	return at.UnixMilli()
}

func seedOf(text string) (seed [16]byte) {
	sum := sha256.Sum256([]byte(text))
	copy(seed[:], sum[:])
	return seed
}

// stamp reads time and seed.
func (r *reader) stamp(fields map[string]*yaml.Node, s stamp) stamp {
	if n := fields["time"]; n != nil {
		at, err := time.Parse(time.RFC3339Nano, r.Text(n, "time"))
		if err != nil || at.UnixMilli() < 0 {
			r.Fail(n, "time is an instant from 1970 on, such as %s", defaultTime)
		}
		s.millis = at.UnixMilli()
	}
	if n := fields["seed"]; n != nil {
		s.seed = seedOf(r.Text(n, "seed"))
	}
	return s
}

// tables reads rows by table.
func (r *reader) tables(n *yaml.Node) (list []tableRows) {
	if n == nil || testfile.IsNull(testfile.Follow(n)) {
		return nil
	}
	r.Each(n, "given", func(key, val *yaml.Node) {
		t := tableRows{table: key}
		for _, row := range r.List(val, "given."+key.Value) {
			r.Each(row, "a row of "+key.Value, func(*yaml.Node, *yaml.Node) {})
			t.rows = append(t.rows, row)
		}
		list = append(list, t)
	})
	return list
}

// schema finds the schema: a path, or a document within the file.
func (r *reader) schema(n *yaml.Node, src []byte) schemaSource {
	m := testfile.Follow(n)
	if m.Kind == yaml.MappingNode {
		return schemaSource{path: r.File, src: inlineSchema(r, n, src)}
	}
	name := r.Text(n, "schema")
	if name == "" {
		return schemaSource{}
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.File), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		r.Fail(n, "reading the schema: %s", err)
	}
	return schemaSource{path: path, src: text}
}

// inlineSchema is the schema that stands in the file itself: its own lines with
// nothing but blank ones before it, so that what is said of it names the line in
// the file. Where that is not the whole of it (it is written in braces, or uses
// an alias of elsewhere) it is written as JSON.
func inlineSchema(r *reader, n *yaml.Node, src []byte) []byte {
	asJSON := r.AppendJSON(nil, n)
	if len(n.Content) == 0 {
		return asJSON
	}
	first := n.Content[0].Line
	var out bytes.Buffer
	for i, line := range bytes.SplitAfter(src, []byte("\n")) {
		switch {
		case i+1 < first:
			out.WriteByte('\n')
		case i+1 > first && len(line) > 0 && !bytes.ContainsRune([]byte(" \t\r\n#"), rune(line[0])):
			return sameOr(out.Bytes(), asJSON)
		default:
			out.Write(line)
		}
	}
	return sameOr(out.Bytes(), asJSON)
}

// sameOr is the text if it means the JSON document, else that.
func sameOr(text, doc []byte) []byte {
	var n yaml.Node
	if yaml.Unmarshal(text, &n) != nil || n.Kind != yaml.DocumentNode {
		return doc
	}
	if got, err := testfile.JSON(n.Content[0]); err != nil || !bytes.Equal(got, doc) {
		return doc
	}
	return text
}

func (r *reader) test(n *yaml.Node, s stamp) test {
	fields := r.Fields(n, "a test", "name", "time", "seed", "given", "transactions", "rows")
	t := test{node: n, stamp: r.stamp(fields, s), given: r.tables(fields["given"]), rows: fields["rows"]}
	if name := fields["name"]; name != nil {
		t.name = r.Text(name, "name")
	} else {
		r.Fail(n, "the test has no name")
	}
	if list := fields["transactions"]; list != nil {
		for i, e := range r.List(list, "transactions") {
			t.actions = append(t.actions, r.action(e, i+1))
		}
	}
	if t.actions == nil && t.rows == nil {
		r.Fail(n, "the test does nothing: it wants transactions, or rows to look for")
	}
	return t
}

// action reads a transaction or, where it has the field query, a query.
func (r *reader) action(n *yaml.Node, number int) action {
	a := action{node: testfile.Follow(n), id: fmt.Sprintf("t%d", number)}
	fields := r.Fields(n, "a transaction", "procedure", "params", "steps", "return", "types", "query", "assign", "id", "after", "expect")
	if after := fields["after"]; after != nil {
		d, err := time.ParseDuration(r.Text(after, "after"))
		if err != nil || d < 0 || d%time.Millisecond != 0 {
			r.Fail(after, "after is a span of whole milliseconds, such as 90s or 1h30m")
		}
		a.after = d
	}
	if id := fields["id"]; id != nil {
		a.id = r.Text(id, "id")
	}
	a.expect = fields["expect"]
	if task := fields["assign"]; task != nil {
		a.assign, a.label = r.Text(task, "assign"), "assign"
		if len(fields) > 1 && (len(fields) > 2 || fields["after"] == nil) {
			r.Fail(n, "assign stands alone, or with after")
		}
		return a
	}
	body := n
	if q := fields["query"]; q != nil {
		for _, name := range []string{"procedure", "params", "steps", "return", "types", "id"} {
			if extra := fields[name]; extra != nil {
				r.Fail(extra, "%s belongs inside the query", name)
			}
		}
		a.query, body = true, q
		fields = r.Fields(q, "a query", "procedure", "params", "steps", "return", "types")
	}
	a.doc = r.document(fields)
	a.label = "steps"
	if p := fields["procedure"]; p != nil {
		a.proc = r.Text(p, "procedure")
		a.label = a.proc
	} else if fields["steps"] == nil {
		r.Fail(body, "a transaction or query has a procedure or steps")
	}
	if a.query {
		a.label = "query " + a.label
	}
	return a
}

// document writes a transaction document as a client sends it.
func (r *reader) document(fields map[string]*yaml.Node) []byte {
	doc := []byte{'{'}
	for _, name := range []string{"procedure", "params", "steps", "return", "types"} {
		n := fields[name]
		if n == nil {
			continue
		}
		if len(doc) > 1 {
			doc = append(doc, ',')
		}
		doc = append(testfile.QuoteJSON(doc, name), ':')
		doc = r.AppendJSON(doc, n)
	}
	return append(doc, '}')
}
