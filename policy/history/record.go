package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"lockstep/engine/schema/tree"
	"lockstep/policy"
)

// Record is one line.
type Record struct {
	At     time.Time                    `json:"at"`
	Group  string                       `json:"group"`
	Begin  bool                         `json:"begin,omitempty"`
	Labels map[string]string            `json:"labels,omitempty"` // of the group; of the task in an assignment
	Nodes  map[string]*policy.Candidate `json:"nodes,omitempty"`  // nil: the node is gone

	Task   string       `json:"task,omitempty"` // an assignment
	Slot   int          `json:"slot,omitempty"`
	Holder string       `json:"holder,omitempty"`
	Epoch  uint64       `json:"epoch,omitempty"`
	Cause  policy.Cause `json:"cause,omitempty"`
	Why    string       `json:"why,omitempty"`
}

// Append appends the record as a line.
func (r *Record) Append(dst []byte) ([]byte, error) {
	out := *r
	out.At = r.At.UTC()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&out); err != nil {
		return dst, err
	}
	return append(dst, b.Bytes()...), nil
}

// Recording is what was recorded, in the order of time.
type Recording struct {
	Records []Record
	Torn    bool // the last line was cut off, and is left out
}

// Read reads a recording. An error names the line.
func Read(from io.Reader) (*Recording, error) {
	r := bufio.NewReaderSize(from, 64<<10)
	var out Recording
	for number := 1; ; number++ {
		line, whole, err := readLine(r)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			rec, problem := parse(line)
			switch {
			case problem != "" && !whole:
				out.Torn = true
			case problem != "":
				return nil, fmt.Errorf("line %d: %s", number, problem)
			default:
				out.Records = append(out.Records, rec)
			}
		}
		if !whole {
			break
		}
		if len(out.Records) > MaxRecords {
			return nil, fmt.Errorf("line %d: more than %d records; cut the recording into parts", number, MaxRecords)
		}
	}
	if !slices.IsSortedFunc(out.Records, byTime) {
		slices.SortStableFunc(out.Records, byTime) // put together of several
	}
	return &out, nil
}

func byTime(a, b Record) int { return a.At.Compare(b.At) }

// readLine reads up to the next line's end; whole is false at the end of the text.
func readLine(r *bufio.Reader) (line []byte, whole bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if line = append(line, part...); len(line) > MaxLineBytes {
			return nil, false, fmt.Errorf("it is longer than %d bytes", MaxLineBytes)
		}
		switch {
		case err == nil:
			return line, true, nil
		case errors.Is(err, io.EOF):
			return line, false, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, false, err
		}
	}
}

// parse reads one line, strictly.
func parse(line []byte) (Record, string) {
	root, problems := tree.ParseJSON(line, tree.Limits{Bytes: MaxLineBytes, Depth: 8, Nodes: 200_000})
	if problems != nil {
		return Record{}, problems[0].Detail
	}
	var ps tree.Problems
	rec := readRecord(tree.Root(root, &ps))
	if !ps.None() {
		p := ps.List()[0]
		return Record{}, p.Pointer + ": " + p.Detail
	}
	return rec, ""
}

func readRecord(top tree.Cursor) (rec Record) {
	if !top.Object([]string{"at", "group"}, "begin", "labels", "nodes", "task", "slot", "holder", "epoch", "cause", "why") {
		return rec
	}
	at, _ := top.Field("at").Text()
	var err error
	if rec.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
		top.Field("at").Fail(tree.Invalid, "no instant")
	}
	text := func(name string) (s string) {
		if f := top.Field(name); f.Here() {
			s, _ = f.Text()
		}
		return s
	}
	rec.Group, rec.Task, rec.Holder, rec.Cause, rec.Why = text("group"), text("task"), text("holder"), policy.Cause(text("cause")), text("why")
	if f := top.Field("begin"); f.Here() {
		rec.Begin = f.Flag()
	}
	rec.Slot, rec.Epoch = int(number(top.Field("slot"), policy.MaxCount-1)), number(top.Field("epoch"), 1<<63-1)
	if f := top.Field("labels"); f.Here() && f.IsMap() {
		rec.Labels = map[string]string{}
		for _, e := range f.Entries() {
			rec.Labels[e.Key], _ = e.Value.Text()
		}
	}
	if f := top.Field("nodes"); f.Here() && f.IsMap() {
		rec.Nodes = map[string]*policy.Candidate{}
		for _, e := range f.Entries() {
			if rec.Nodes[e.Key] = nil; e.Value.Node.Kind != tree.Null {
				c := &policy.Candidate{}
				policy.ReadCandidate(e.Value, c)
				c.Node.Name = e.Key
				rec.Nodes[e.Key] = c
			}
		}
	}
	return rec
}

func number(f tree.Cursor, most uint64) (n uint64) {
	if !f.Here() {
		return 0
	}
	if f.Node.Kind == tree.Int {
		if _, err := fmt.Sscan(f.Node.Text, &n); err == nil && n <= most {
			return n
		}
	}
	f.Fail(tree.Invalid, "a whole number from 0 to %d is wanted", most)
	return 0
}
