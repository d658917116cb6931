package engine_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/datadriven"

	"lockstep/engine"
	"lockstep/engine/entry"
)

// backfill orders a step of the change under way: backfill [rows=N] [step=N] [change=N] [all].
func (s *scene) backfill(d *datadriven.TestData) string {
	for out := ""; ; {
		now := s.machine.Change()
		if now == nil {
			return out + "no change is under way"
		}
		b := entry.Backfill{Origin: s.origin(), TimeMillis: s.millis, Change: now.ID, Step: now.Step}
		for name, field := range map[string]*uint64{"rows": &b.Rows, "step": &b.Step, "change": &b.Change} {
			if d.HasArg(name) {
				d.ScanArgs(s.t, name, field)
			}
		}
		out = s.apply(entry.AppendBackfill(nil, &b))
		if now := s.machine.Change(); !d.HasArg("all") || now.Phase != engine.PhaseBuilding {
			return out + s.change()
		}
	}
}

// finish orders the end of the change under way: finish [abandon] [change=N].
func (s *scene) finish(d *datadriven.TestData) string {
	f := entry.Finish{Origin: s.origin(), TimeMillis: s.millis, Abandon: d.HasArg("abandon")}
	if now := s.machine.Change(); now != nil {
		f.Change = now.ID
	}
	if d.HasArg("change") {
		d.ScanArgs(s.t, "change", &f.Change)
	}
	out := s.apply(entry.AppendFinish(nil, &f))
	_, ends := s.machine.ChangeEnds()
	for _, e := range ends {
		if e.ID == f.Change {
			out += fmt.Sprintf("change %d: version %d, %d rows looked at, %d break it\n%s", e.ID, e.Version, e.Rows, e.Broken, violations(e.First))
		}
	}
	return out
}

func (s *scene) change() string {
	now := s.machine.Change()
	if now == nil {
		return "no change is under way"
	}
	return fmt.Sprintf("change %d of version %d: %s, step %d, %d rows looked at, %d break it", now.ID, now.Base, now.Phase, now.Step, now.Rows, now.Broken)
}

// rehearse tells what a document would do.
func (s *scene) rehearse(doc string) string {
	r := s.view().Rehearse([]byte(doc), s.env, 0, nil)
	var out strings.Builder
	for _, p := range r.Problems {
		fmt.Fprintf(&out, "problem: %s\n", p)
	}
	for what, names := range map[string][]string{"1 adds": r.Plan.Adds, "2 changes": r.Plan.Changes, "3 drops": r.Plan.Drops} {
		for _, name := range names {
			fmt.Fprintf(&out, "%s %s\n", what, name)
		}
	}
	for _, p := range r.Passes {
		fmt.Fprintf(&out, "4 looks at %d rows of %s (all: %t) for %s\n", p.Rows, p.Table, p.All, strings.Join(p.For, ", "))
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(lines)
	if r.Err != nil {
		return "failed: " + r.Err.Error()
	}
	return strings.Join(append(lines, fmt.Sprintf("changed: %t, broken by %d rows", r.Changed, r.Broken)+" "+r.Extent(), violations(r.First)), "\n")
}

func violations(list []engine.Violation) string {
	var out []string
	for _, v := range list {
		out = append(out, v.String())
	}
	return strings.Join(out, "\n")
}
