package program_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"lockstep/engine/keys"
	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// memory is a State of a few rows in maps, with the same promises as the
// machine's: atomic by begin and rollback, last writers as of the beginning.
type memory struct {
	revision int64
	emitted  []string
	rows     map[string]map[string]value.Value // table, encoded key
	before   map[string]map[string]value.Value
}

func newMemory() *memory { return &memory{rows: map[string]map[string]value.Value{}} }

func (m *memory) begin() {
	m.revision++
	m.before = map[string]map[string]value.Value{}
	for name, rows := range m.rows {
		m.before[name] = maps.Clone(rows)
	}
}

func (m *memory) rollback() { m.rows = m.before }

func encodeKey(key []value.Value) string { return string(keys.AppendTuple(nil, key)) }

func (m *memory) Get(t *schema.Table, key []value.Value) (value.Value, error) {
	return m.rows[t.Name][encodeKey(key)], nil
}

func (m *memory) Put(t *schema.Table, key []value.Value, row, _ value.Value) (*program.Abort, error) {
	for _, x := range t.Indexes {
		if x.Unique && m.taken(t, x, key, row) {
			return &program.Abort{Code: program.CodeUniqueViolation, Message: "another row has the same values in " + x.Name}, nil
		}
	}
	if m.rows[t.Name] == nil {
		m.rows[t.Name] = map[string]value.Value{}
	}
	m.rows[t.Name][encodeKey(key)] = row
	return nil, nil
}

func (m *memory) taken(t *schema.Table, x *schema.Index, key []value.Value, row value.Value) bool {
	for k, other := range m.rows[t.Name] {
		same := k != encodeKey(key)
		for _, c := range x.Columns {
			same = same && !row.Field(c).IsNull() && value.Equal(row.Field(c), other.Field(c))
		}
		if same {
			return true
		}
	}
	return false
}

func (m *memory) Delete(t *schema.Table, key []value.Value, _ value.Value) error {
	delete(m.rows[t.Name], encodeKey(key))
	return nil
}

func (m *memory) Revision() int64 { return m.revision }

func (m *memory) LastWriter(t *schema.Table, key []value.Value) (int64, error) {
	row := m.before[t.Name][encodeKey(key)]
	if row.IsNull() {
		return 0, nil
	}
	return row.Field(t.RevisionIndex()).Int(), nil
}

// Scan sorts all rows anew, by the columns and then the key, and compares each
// with the span, column by column.
func (m *memory) Scan(t *schema.Table, span *program.Span, visit func(value.Value) bool) error {
	order := slices.Clone(t.Key)
	if span.Index != nil {
		order = append(slices.Clone(span.Index.Columns), t.Key...)
	}
	compare := func(row value.Value, from int, with []value.Value) int {
		for i, v := range with {
			if c := bytes.Compare(keys.Append(nil, row.Field(order[from+i])), keys.Append(nil, v)); c != 0 {
				return c
			}
		}
		return 0
	}
	rows := m.table(t.Name)
	slices.SortFunc(rows, func(a, b value.Value) int {
		all := make([]value.Value, len(order))
		for i, c := range order {
			all[i] = b.Field(c)
		}
		return compare(a, 0, all)
	})
	if span.Desc {
		slices.Reverse(rows)
	}
	n := len(span.Prefix)
	for _, row := range rows {
		if compare(row, 0, span.Prefix) != 0 || compare(row, n, span.From) < 0 || span.To != nil && compare(row, n, span.To) >= 0 {
			continue
		}
		if !visit(row) {
			break
		}
	}
	return nil
}

// TaskEpoch knows one task, "sweep", held under epoch 7.
func (m *memory) TaskEpoch(task string) (int64, error) {
	if task == "sweep" {
		return 7, nil
	}
	return 0, nil
}

func (m *memory) Emit(topic string, v value.Value) error {
	m.emitted = append(m.emitted, topic+" "+string(value.AppendJSON(nil, v)))
	return nil
}

// table is all rows of a table in key order.
func (m *memory) table(name string) []value.Value {
	var list []value.Value
	for _, key := range slices.Sorted(maps.Keys(m.rows[name])) {
		list = append(list, m.rows[name][key])
	}
	return list
}

// execute runs a program as the machine does.
func (m *memory) execute(p *program.Program, params value.Value, cost uint64) (value.Value, *program.Abort, error) {
	m.begin()
	slots := make([]value.Value, p.Slots)
	slots[schema.ParamsSlot] = params
	frame := lang.Frame{
		Slots: slots, Meter: &lang.Meter{Limit: cost},
		Tx: &lang.Tx{ID: "tx-1", Revision: m.revision, Now: value.OfTimestamp(1_795_514_400, 123_000_000)},
	}
	lim := program.DefaultLimits()
	result, abort, err := p.Run(&frame, m, &lim)
	if abort != nil {
		m.rollback()
	}
	return result, abort, err
}

func newEnv(t testing.TB) *lang.Env {
	t.Helper()
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// build compiles a schema document.
func build(t testing.TB, env *lang.Env, src string) *program.Compiled {
	t.Helper()
	doc, problems := schema.Parse([]byte(src))
	if problems == nil {
		var c *program.Compiled
		if c, _, problems = program.Build(nil, doc, env); problems == nil {
			return c
		}
	}
	t.Fatalf("the schema is refused: %v", problems)
	return nil
}
