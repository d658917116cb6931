package program

import (
	"strconv"

	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/schema/tree"
	"lockstep/engine/value"
)

// eachStep runs steps once for each element of a list, in order.
type eachStep struct {
	at        string
	in        *lang.Expr
	as, index int
	do        []step
	collect   *lang.Expr // nil: nothing is collected
	into      int
}

func (s *eachStep) run(r *run) (*Abort, error) {
	if abort := r.begin(s.at); abort != nil {
		return abort, nil
	}
	list, fault := s.in.Eval(r.f)
	if fault != nil {
		return faulted(s.at, fault), nil
	}
	if list.Kind() != value.List {
		return faulted(s.at, notAList(list)), nil
	}
	var collected []value.Value
	size := value.Size{Nodes: 1, Depth: 1}
	for i, e := range list.Elems() {
		if fault := r.f.Meter.Charge(stepCost); fault != nil {
			return faulted(s.at, fault), nil
		}
		r.f.Slots[s.as] = e
		if s.index >= 0 {
			r.f.Slots[s.index] = value.OfInt(int64(i))
		}
		if abort, err := r.steps(s.do); abort != nil || err != nil {
			return abort, err
		}
		if s.collect == nil {
			continue
		}
		v, fault := s.collect.Eval(r.f)
		if fault != nil {
			return faulted(s.at, fault), nil
		}
		part := v.Size()
		size.Nodes, size.Bytes, size.Depth = size.Nodes+part.Nodes, size.Bytes+part.Bytes, max(size.Depth, part.Depth+1)
		if size.TooLarge() {
			return tooLarge(s.at), nil
		}
		collected = append(collected, v)
	}
	if s.into >= 0 {
		r.f.Slots[s.into] = value.OfList(collected)
	}
	return nil, nil
}

// notAList is the fault of going through what is no list.
func notAList(v value.Value) *lang.Fault {
	if v.IsNull() {
		return &lang.Fault{Kind: lang.FaultNullValue, B: "list"}
	}
	return &lang.Fault{Kind: lang.FaultWrongType, A: v.Kind().String(), B: "list"}
}

// eachStep compiles a loop. What its steps bind is in scope within them and in
// collect, and nowhere else.
func (c *compiler) eachStep(body tree.Cursor, name string, depth int) step {
	if !body.Object([]string{"in", "as"}, "index", "do", "collect", "into") {
		return nil
	}
	do, collect, into := body.Field("do"), body.Field("collect"), body.Field("into")
	switch {
	case !do.Here() && !collect.Here():
		body.Fail(tree.Malformed, "each needs do (steps), or collect and into, or both")
	case collect.Here() != into.Here():
		body.Fail(tree.Malformed, "collect says what is collected and into the name of the list: each needs the other")
	}
	s := &eachStep{at: name, in: c.expr(body.Field("in"), nil), as: noSlot, index: noSlot, into: noSlot}
	before := c.bound
	s.as = c.bindText(body.Field("as"), c.elementType(body.Field("in"), s.in))
	s.index = c.bindText(body.Field("index"), lang.Type{Kind: lang.KInt})
	s.do = c.steps(do, name+".do", depth+1)
	s.collect = c.expr(collect, nil)
	c.bound = before
	elem := lang.Type{Kind: lang.KJSON} // of an expression that was refused
	if s.collect != nil {
		elem = s.collect.Type()
	}
	s.into = c.bindText(into, lang.Type{Kind: lang.KList, Elem: &elem})
	if s.as < 0 {
		return nil // refused
	}
	return s
}

// elementType is the type of what a loop goes through.
func (c *compiler) elementType(at tree.Cursor, in *lang.Expr) lang.Type {
	json := lang.Type{Kind: lang.KJSON}
	if in == nil {
		return json
	}
	switch t := in.Type(); t.Kind {
	case lang.KJSON:
		return json
	case lang.KList:
		if t.Elem != nil {
			return *t.Elem
		}
		return json
	default:
		hint := ""
		if t.Kind == lang.KMap {
			hint = "; the keys of a map are listed by m.map(k, k)"
		}
		at.Fail(tree.Invalid, "each goes through a list, and this is of type %s%s", t.String(), hint)
		return json
	}
}

// bindText binds the name that stands at a place, if one does.
func (c *compiler) bindText(at tree.Cursor, t lang.Type) int {
	if !at.Here() {
		return noSlot
	}
	name, ok := at.Text()
	if !ok {
		return noSlot
	}
	return c.bind(at, name, t)
}

// emitStep puts a message into the change feed.
type emitStep struct {
	at    string
	topic string
	value *lang.Expr
}

func (s *emitStep) run(r *run) (*Abort, error) {
	if abort := r.begin(s.at); abort != nil {
		return abort, nil
	}
	v, fault := s.value.Eval(r.f)
	if fault != nil {
		return faulted(s.at, fault), nil
	}
	if v.TooLarge() {
		return tooLarge(s.at), nil
	}
	if abort := r.weigh(s.at, rowBytes(v)+len(s.topic)); abort != nil {
		return abort, nil
	}
	return nil, r.st.Emit(s.topic, v)
}

// emitStep compiles a message.
func (c *compiler) emitStep(body tree.Cursor, name string) step {
	if !body.Object([]string{"topic", "value"}) {
		return nil
	}
	s := &emitStep{at: name, value: c.expr(body.Field("value"), nil)}
	s.topic = label(body.Field("topic"), "topic")
	return s
}

// expectTaskStep fences: it goes on only while a task is held under an epoch.
type expectTaskStep struct {
	at    string
	task  string
	epoch *lang.Expr
}

func (s *expectTaskStep) run(r *run) (*Abort, error) {
	if abort := r.begin(s.at); abort != nil {
		return abort, nil
	}
	want, fault := s.epoch.Eval(r.f)
	if fault == nil {
		fault = r.f.Meter.Charge(readCost)
	}
	if fault != nil {
		return faulted(s.at, fault), nil
	}
	epoch, err := r.st.TaskEpoch(s.task)
	if err != nil || epoch == want.Int() && epoch > 0 {
		return nil, err
	}
	now := "is held under epoch " + strconv.FormatInt(epoch, 10)
	if epoch == 0 {
		now = "is held by nobody"
	}
	return &Abort{Code: CodeFenced, Step: s.at, Message: "the task " + s.task + " " + now + ", not under " + strconv.FormatInt(want.Int(), 10)}, nil
}

// expectTaskStep compiles a fence.
func (c *compiler) expectTaskStep(body tree.Cursor, name string) step {
	if !body.Object([]string{"task", "epoch"}) {
		return nil
	}
	s := &expectTaskStep{at: name, epoch: c.expr(body.Field("epoch"), &lang.Type{Kind: lang.KInt})}
	s.task = label(body.Field("task"), "task")
	return s
}

// label reads a topic or a task's name: plain text that is no expression.
func label(at tree.Cursor, what string) string {
	text, ok := at.Text()
	if !ok {
		return ""
	}
	if text == "" || len(text) > schema.MaxLabelBytes {
		at.Fail(tree.Invalid, "a %s has 1 to %d bytes", what, schema.MaxLabelBytes)
		return ""
	}
	for i := range len(text) {
		if text[i] < 0x21 || text[i] == 0x7f {
			at.Fail(tree.Invalid, "a %s has no blanks and no control characters; it is text as it stands, no expression", what)
			return ""
		}
	}
	return text
}
