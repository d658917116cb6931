package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// replyKind is what an attempt tells of a transaction.
type replyKind int

const (
	committed replyKind = iota
	aborted             // ordered, and refused for good: a definite outcome
	later               // nothing happened; it may be sent again
	unknown             // it may have been executed: only the same id settles it
	refused             // nothing happened, and sending it again changes nothing
)

// reply is the answer to one transaction.
type reply struct {
	kind     replyKind
	revision uint64
	id       string // the answer's, where it was read at leisure; empty: the one expected
	code     string // of what is not a commit
	detail   string
}

// definite tells whether the transaction has its outcome.
func (r reply) definite() bool { return r.kind == committed || r.kind == aborted }

// answerForm is what an outcome and a problem have in common.
type answerForm struct {
	ID        string `json:"id"`
	Revision  uint64 `json:"revision"`
	Type      string `json:"type"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	Outcome   string `json:"outcome"`
	Status    any    `json:"status"` // an outcome's is text, a problem's a number
	Retryable bool   `json:"retryable"`
}

// readReply reads an answer's document. wantID is the id that was sent. Commits,
// nearly all of what comes, are recognized by the form in which they are written;
// everything else is read by the book.
func readReply(doc, wantID []byte) (reply, error) {
	if revision, ok := readCommit(doc, wantID); ok {
		return reply{kind: committed, revision: revision}, nil
	}
	var f answerForm
	if err := json.Unmarshal(doc, &f); err != nil {
		return reply{}, fmt.Errorf("an answer is no document: %w: %.200q", err, doc)
	}
	r := reply{id: f.ID, revision: f.Revision, code: f.Code, detail: f.Detail}
	switch {
	case f.Status == "committed":
		r.kind = committed
	case f.Status == "aborted" || f.Type == "/problems/aborted":
		r.kind = aborted
	case f.Outcome == "unknown":
		r.kind = unknown
	case f.Retryable:
		r.kind = later
	default:
		r.kind = refused
	}
	if r.definite() && (f.Revision == 0 || f.ID != string(wantID)) {
		return reply{}, fmt.Errorf("the answer to %s is of id %q, revision %d: %.200q", wantID, f.ID, f.Revision, doc)
	}
	return r, nil
}

// readCommit recognizes {"id":"…","group":"…","revision":N,"status":"committed",…}.
func readCommit(doc, wantID []byte) (uint64, bool) {
	rest, ok := bytes.CutPrefix(doc, []byte(`{"id":"`))
	if !ok {
		return 0, false
	}
	if rest, ok = bytes.CutPrefix(rest, wantID); !ok {
		return 0, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`","group":"`)); !ok {
		return 0, false
	}
	quote := bytes.IndexByte(rest, '"')
	if quote < 0 || bytes.IndexByte(rest[:quote], '\\') >= 0 {
		return 0, false
	}
	if rest, ok = bytes.CutPrefix(rest[quote:], []byte(`","revision":`)); !ok {
		return 0, false
	}
	var n uint64
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' && digits < 18 {
		n = n*10 + uint64(rest[digits]-'0')
		digits++
	}
	rest, ok = bytes.CutPrefix(rest[digits:], []byte(`,"status":"committed",`))
	return n, ok && n > 0 && bytes.HasSuffix(rest, []byte(`}`))
}
