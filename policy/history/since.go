package history

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"lockstep/policy"
)

// Since is the recording of one group from an instant on: what was known by then, as
// if it had been recorded anew at that instant, and what came after.
func (r *Recording) Since(at time.Time) []Record {
	first := slices.IndexFunc(r.Records, func(x Record) bool { return !x.At.Before(at) })
	if first < 0 {
		first = len(r.Records)
	}
	if first == 0 {
		return r.Records
	}
	begin := Record{At: at, Group: r.Records[0].Group, Begin: true}
	known := Record{At: at, Group: begin.Group, Nodes: map[string]*policy.Candidate{}}
	held := map[string]Record{}
	for _, x := range r.Records[:first] {
		switch {
		case x.Begin:
			begin.Labels = x.Labels
			clear(known.Nodes)
		case x.Nodes != nil:
			maps.Copy(known.Nodes, x.Nodes)
		case x.Task != "":
			x.At = at
			held[fmt.Sprintf("%s#%d", x.Task, x.Slot)] = x
		}
	}
	maps.DeleteFunc(known.Nodes, func(_ string, c *policy.Candidate) bool { return c == nil })
	out := []Record{begin}
	if len(known.Nodes) > 0 {
		out = append(out, known)
	}
	for _, key := range slices.Sorted(maps.Keys(held)) {
		out = append(out, held[key])
	}
	return append(out, r.Records[first:]...)
}
