package program

import (
	"slices"

	"lockstep/engine/schema/tree"
)

// The codes of refusals (interface.md, Errors).
const (
	CodeMalformed        = "malformed"
	CodeInvalid          = "invalid"
	CodeUnknownProcedure = "unknown_procedure"
	CodeUnknownTable     = "unknown_table"
	CodeTooLarge         = "too_large"
)

// Refusal is why a document is not taken: nothing happened, and nothing will.
type Refusal struct {
	Status int    // of HTTP: 400, 404, 413 or 422
	Code   string // one of the codes above
	Detail string // for people
	Errors []PointerDetail
}

// PointerDetail is one thing that is wrong with a document, and where.
type PointerDetail struct {
	Pointer string // JSON pointer into the document (RFC 6901); in a schema the dotted place
	Detail  string
}

// Error makes a Refusal usable as an error of Go.
func (r *Refusal) Error() string { return r.Code + ": " + r.Detail }

// statusOf is the status that goes with a refusal's code.
func statusOf(code string) int {
	switch code {
	case CodeMalformed:
		return 400
	case CodeUnknownProcedure, CodeUnknownTable:
		return 404
	case CodeTooLarge:
		return 413
	}
	return 422
}

// refusal is a refusal for one reason at one place.
func refusal(code, pointer, detail string) *Refusal {
	text := detail
	if pointer != "" {
		text = pointer + ": " + detail
	}
	return &Refusal{Status: statusOf(code), Code: code, Detail: text, Errors: []PointerDetail{{pointer, detail}}}
}

// refuse is the refusal that the problems of a transaction document mean.
func refuse(problems []tree.Problem) *Refusal {
	var r *Refusal
	switch tree.Worst(problems) {
	case tree.Malformed:
		r = &Refusal{Code: CodeMalformed}
	case tree.UnknownTable:
		r = &Refusal{Code: CodeUnknownTable}
	default:
		r = &Refusal{Code: CodeInvalid}
	}
	r.Status = statusOf(r.Code)
	// What decided the code is told first.
	worst := tree.Worst(problems)
	sorted := slices.Clone(problems)
	slices.SortStableFunc(sorted, func(a, b tree.Problem) int {
		switch {
		case a.Fault == b.Fault:
			return 0
		case a.Fault == worst:
			return -1
		case b.Fault == worst:
			return 1
		}
		return 0
	})
	for _, p := range sorted {
		r.Errors = append(r.Errors, PointerDetail{p.JSONPointer, p.Detail})
	}
	r.summarize()
	return r
}

// summarize makes the detail of the first error and the number of others.
func (r *Refusal) summarize() {
	first := r.Errors[0]
	r.Detail = first.Detail
	if first.Pointer != "" {
		r.Detail = first.Pointer + ": " + first.Detail
	}
	switch n := len(r.Errors) - 1; {
	case n == 1:
		r.Detail += " (and one more problem)"
	case n > 1:
		r.Detail += " (and more problems)"
	}
}

// RefuseSchema is the refusal that the problems of a schema document mean;
// pointers are the dotted places that people read.
func RefuseSchema(problems []tree.Problem) *Refusal {
	r := &Refusal{Code: CodeInvalid}
	if tree.Worst(problems) == tree.Malformed {
		r.Code = CodeMalformed
	}
	r.Status = statusOf(r.Code)
	for _, p := range problems {
		detail := p.Detail
		if p.Line > 0 {
			detail = "line " + itoa(p.Line) + ": " + detail
		}
		r.Errors = append(r.Errors, PointerDetail{p.Pointer, detail})
	}
	r.summarize()
	return r
}
