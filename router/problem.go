package router

import (
	"encoding/json"
	"strconv"
	"time"

	"lockstep/engine/program"
	"lockstep/engine/value"
)

// What a refusal says of the transaction (interface.md, Errors).
const (
	notApplied     = "not_applied"
	outcomeUnknown = "unknown"
)

// Problem is a refusal, shown as application/problem+json (RFC 9457). Cluster,
// Group and Forwarder return one as an error where they know the code.
type Problem struct {
	Code     string
	Detail   string
	ID       string // of the transaction
	Group    string
	Revision uint64
	Step     string                  // of an abort
	Errors   []program.PointerDetail // places in the input
	Reasons  []Unready               // of readyz
	Plan     *SchemaPlan             // of a schema that rows break
	Broken   uint64                  // rows known to break it
	Change   *SchemaChange           // the schema change that is under way

	retryAfter time.Duration // advice when to try anew; 0: none yet
	heavy      bool          // of a query that found too many heavy ones

	// Of a request at a time when none are taken: which times those are, and when
	// they end, RFC 3339.
	window, opens string

	explained []byte // of an aborted query: how it went, JSON

	aborted bool // Code is an abort's, not one of the table
	unknown bool // the outcome is unknown although the table says otherwise
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Code
	}
	return p.Code + ": " + p.Detail
}

// rule is what the table says of a code.
type rule struct {
	code      string
	status    int
	title     string
	retryable bool
	outcome   string
	later     bool // Retry-After is sent
}

// ruleTable is the table of codes (interface.md, Errors), and the only place
// where a code meets its status. Nothing writes to it.
var ruleTable = [...]rule{
	{"malformed", 400, "The request is malformed", false, notApplied, false},
	{"ambiguous", 400, "The request is ambiguous", false, notApplied, false},
	{"unauthenticated", 401, "Who is asking is not known", false, notApplied, false},
	{"forbidden", 403, "Not allowed", false, notApplied, false},
	{"unknown_group", 404, "No such group", false, notApplied, false},
	{"unknown_procedure", 404, "No such procedure", false, notApplied, false},
	{"unknown_table", 404, "No such table", false, notApplied, false},
	{"unknown_transaction", 404, "No outcome of this transaction is known", false, outcomeUnknown, false},
	{"not_found", 404, "Not found", false, notApplied, false},
	{"method_not_allowed", 405, "The method is not allowed here", false, notApplied, false},
	{"already_exists", 409, "It exists already, and is different", false, notApplied, false},
	{"fenced", 409, "The task is held under another epoch", false, notApplied, false},
	{"change_in_progress", 409, "Another change is under way", true, notApplied, false},
	{"node_unavailable", 409, "The node does not answer", true, notApplied, false},
	{"node_draining", 409, "The node is draining or drained", false, notApplied, false},
	{"node_dedicated", 409, "The node is kept for another group", false, notApplied, false},
	{"node_in_use", 409, "The node is in use", false, notApplied, false},
	{"quorum_present", 409, "The group has its majority", false, notApplied, false},
	{"no_copy", 409, "No copy of the group answers", false, notApplied, false},
	{"quorum_at_risk", 409, "The group would be left without a majority", false, notApplied, false},
	{"last_copy", 409, "It is the group's last copy", false, notApplied, false},
	{"too_few_nodes", 409, "There are too few nodes", false, notApplied, false},
	{"compacted", 410, "The changes asked for are no longer kept", false, notApplied, false},
	{"changed", 412, "It has changed since it was read", false, notApplied, false},
	{"too_large", 413, "The request is too large", false, notApplied, false},
	{"invalid", 422, "The request is not valid", false, notApplied, false},
	{"idempotency_key_reused", 422, "The id was used with another document", false, notApplied, false},
	{"overloaded", 429, "Too much is waiting", true, notApplied, true},
	{"header_too_large", 431, "The head of the request is too large", false, notApplied, false},
	{"internal", 500, "A fault of the server", false, outcomeUnknown, false},
	{"not_implemented", 501, "Not available in this version", false, notApplied, false},
	{"no_primary", 503, "The group has no primary at the moment", true, notApplied, true},
	{"no_quorum", 503, "No majority of the group answers", true, notApplied, true},
	{"unavailable", 503, "The node can't serve at the moment", true, notApplied, true},
	{"starting", 503, "The node is starting", true, notApplied, true},
	{"draining", 503, "The node is stopping", true, notApplied, true},
	{"diverged", 503, "Copies differ and no majority agrees", true, notApplied, true},
	{"held", 503, "The group is held", true, notApplied, true},
	{"behind", 503, "No copy could serve the read in time", true, notApplied, true},
	{"outcome_unknown", 504, "It was proposed, and its outcome is not known yet", true, outcomeUnknown, false},
	{"deadline_exceeded", 504, "The deadline came first", true, notApplied, false},
	{"disk_full", 507, "The disk is nearly full", true, notApplied, true},
}

// rule finds the rule of a problem; a code that is not in the table is a fault
// of ours.
func (p *Problem) rule() rule {
	if p.aborted {
		return rule{"aborted", 409, "The transaction was aborted", false, notApplied, false}
	}
	for _, r := range ruleTable {
		if r.code == p.Code {
			if p.unknown {
				r.outcome = outcomeUnknown
			}
			return r
		}
	}
	return rule{p.Code, 500, "A fault of the server", false, outcomeUnknown, false}
}

// label is the code in metrics, where users' own codes would be too many.
func (p *Problem) label() string {
	if p.aborted {
		return "aborted"
	}
	return p.Code
}

// appendJSON appends the document, on one line.
func (p *Problem) appendJSON(dst []byte) []byte {
	r := p.rule()
	dst = append(append(append(dst, `{"type":"/problems/`...), r.code...), `","title":`...)
	dst = value.AppendJSONString(dst, r.title)
	dst = strconv.AppendInt(append(dst, `,"status":`...), int64(r.status), 10)
	if p.Detail != "" {
		dst = value.AppendJSONString(append(dst, `,"detail":`...), p.Detail)
	}
	dst = value.AppendJSONString(append(dst, `,"code":`...), p.Code)
	dst = append(append(append(dst, `,"outcome":"`...), r.outcome...), `","retryable":`...)
	dst = strconv.AppendBool(dst, r.retryable)
	if p.retryAfter%time.Second > 0 {
		dst = strconv.AppendInt(append(dst, `,"retry_after_ms":`...), ceil(p.retryAfter, time.Millisecond), 10)
	}
	if p.opens != "" {
		dst = value.AppendJSONString(append(dst, `,"opens_at":`...), p.opens)
		dst = value.AppendJSONString(append(dst, `,"window":`...), p.window)
	}
	if p.ID != "" {
		dst = value.AppendJSONString(append(dst, `,"id":`...), p.ID)
	}
	if p.Revision != 0 {
		dst = strconv.AppendUint(append(dst, `,"revision":`...), p.Revision, 10)
	}
	if p.Group != "" {
		dst = value.AppendJSONString(append(dst, `,"group":`...), p.Group)
	}
	if p.Step != "" {
		dst = value.AppendJSONString(append(dst, `,"step":`...), p.Step)
	}
	if p.explained != nil {
		dst = append(append(dst, `,"explain":`...), p.explained...)
	}
	if len(p.Errors) > 0 {
		dst = append(dst, `,"errors":[`...)
		for i, e := range p.Errors {
			dst = value.AppendJSONString(append(comma(dst, i), `{"pointer":`...), e.Pointer)
			dst = value.AppendJSONString(append(dst, `,"detail":`...), e.Detail)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	if p.Broken > 0 {
		dst = strconv.AppendUint(append(dst, `,"rows_broken":`...), p.Broken, 10)
	}
	if p.Plan != nil {
		dst = appendMember(dst, `,"plan":`, p.Plan)
	}
	if p.Change != nil {
		dst = appendMember(dst, `,"schema_change":`, p.Change)
	}
	if len(p.Reasons) > 0 {
		dst = append(dst, `,"reasons":[`...)
		for i, u := range p.Reasons {
			dst = value.AppendJSONString(append(comma(dst, i), `{"code":`...), u.Code)
			if u.Group != "" {
				dst = value.AppendJSONString(append(dst, `,"group":`...), u.Group)
			}
			dst = value.AppendJSONString(append(dst, `,"detail":`...), u.Detail)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// ceil is a duration in whole units, rounded up.
func ceil(d, unit time.Duration) int64 { return int64((d + unit - 1) / unit) }

// appendMember appends a member whose value is a plain structure.
func appendMember(dst []byte, name string, v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		return dst // structures of texts and numbers can always be written
	}
	return append(append(dst, name...), raw...)
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

// refused makes a problem of what a parser refused.
func refused(r *program.Refusal) *Problem {
	return &Problem{Code: r.Code, Detail: r.Detail, Errors: r.Errors}
}
