package policy

import (
	"encoding/json"

	"lockstep/engine/value"
)

// Explanation is why a decision is what it is, in the form of POST
// /v1/placements/explain.
type Explanation struct {
	Group      string                 `json:"group,omitempty"`
	Task       string                 `json:"task"`
	Kind       string                 `json:"kind"`
	Choice     string                 `json:"choice"`            // empty: nobody
	Choices    []string               `json:"choices,omitempty"` // where there are several holders, or slots
	Holder     string                 `json:"holder,omitempty"`
	Best       string                 `json:"best,omitempty"` // whom the policy likes best, whatever hold and margin say
	Reason     string                 `json:"reason"`
	Cause      Cause                  `json:"cause,omitempty"` // of a change
	Policy     string                 `json:"policy"`
	Hold       string                 `json:"hold,omitempty"`
	Margin     float64                `json:"margin,omitempty"`
	Candidates []CandidateExplanation `json:"candidates"`
	NotUsed    []NotUsed              `json:"not_used,omitempty"`
}

// CandidateExplanation is what the policy makes of one candidate.
type CandidateExplanation struct {
	Node     string             `json:"node"`
	Eligible bool               `json:"eligible"`
	Score    float64            `json:"score"`
	Reason   string             `json:"reason,omitempty"` // why it is not eligible
	Require  []RequireExplained `json:"require"`
	Prefer   []PreferExplained  `json:"prefer"`
}

// RequireExplained is what came of one expression of require.
type RequireExplained struct {
	Expr  string          `json:"expr"`
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

// PreferExplained is what came of one expression of prefer.
type PreferExplained struct {
	Expr   string          `json:"expr"`
	Weight float64         `json:"weight"`
	Value  json.RawMessage `json:"value,omitempty"`
	Points float64         `json:"points"` // what it adds to the score
	Error  string          `json:"error,omitempty"`
}

// NotUsed is a policy that did not decide, and why.
type NotUsed struct {
	Policy string `json:"policy"`
	Reason string `json:"reason"`
}

// Explain decides and tells why: every candidate with the value of every
// expression, and every policy that did not decide.
func (s *Set) Explain(in *Input) (*Decision, *Explanation) {
	p := s.decides(in)
	list := p.judge(in, true)
	d := p.decide(in, list)
	e := &Explanation{Group: in.Group.Name, Task: in.Task.Name, Kind: KindOf(in.Task.Name), Choice: d.Choice(), Reason: d.Reason(),
		Policy: p.Name, Margin: p.Margin, Candidates: make([]CandidateExplanation, len(list))}
	if p.Hold > 0 {
		e.Hold = p.Hold.String()
	}
	if len(d.Slots) > 0 {
		e.Holder, e.Cause = d.Slots[0].Was, d.Slots[0].Cause
	}
	if len(d.Slots) > 1 {
		for _, slot := range d.Slots {
			e.Choices = append(e.Choices, slot.Node)
		}
	}
	if len(d.Best) > 0 {
		e.Best = d.Best[0]
	}
	for i := range list {
		e.Candidates[i] = p.explain(&list[i])
	}
	e.NotUsed = s.notUsed(p, in)
	return d, e
}

func (p *Policy) explain(j *judged) CandidateExplanation {
	c := CandidateExplanation{Node: j.Node.Name, Eligible: j.eligible(), Score: j.score, Reason: j.excluded,
		Require: make([]RequireExplained, len(j.require)), Prefer: make([]PreferExplained, len(j.prefer))}
	for i, e := range j.require {
		c.Require[i].Expr = p.Require[i]
		c.Require[i].Value, c.Require[i].Error = e.shown()
		if e.fault == nil && e.value.Kind() != value.Bool {
			c.Require[i].Error = "neither true nor false"
		}
	}
	for i, e := range j.prefer {
		c.Prefer[i] = PreferExplained{Expr: p.Prefer[i].Expr, Weight: p.Prefer[i].Weight, Points: rounded(e.share * p.Prefer[i].Weight)}
		c.Prefer[i].Value, c.Prefer[i].Error = e.shown()
		if e.fault == nil && e.value.Kind() != value.Bool && !e.value.IsNumber() {
			c.Prefer[i].Error = "neither true nor false, nor a number"
		}
	}
	return c
}

func (e *evaluated) shown() (json.RawMessage, string) {
	if e.fault != nil {
		return nil, e.fault.Message()
	}
	return value.AppendJSON(nil, e.value), ""
}

// notUsed tells of every other policy of the set why it did not decide. Policies
// for other tasks are left out.
func (s *Set) notUsed(used *Policy, in *Input) (list []NotUsed) {
	for _, p := range s.policies {
		if p == used || !matchesTask(p.Task, in.Task.Name) {
			continue
		}
		why, ok := p.matches(in)
		if ok {
			why = whyBefore(used, p)
		}
		list = append(list, NotUsed{p.Name, why})
	}
	return list
}
