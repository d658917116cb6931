package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What can be known of a request that was not answered by success
// (interface.md, Errors).
const (
	NotApplied = "not_applied" // nothing happened, for certain
	Applied    = "applied"     // it took effect
	Unknown    = "unknown"     // it may yet take effect: only the same document under the same id settles it
)

// Problem is a refusal or an abort: the server's application/problem+json
// document. Decide by Code, Outcome and Retryable, never by Detail.
type Problem struct {
	Type      string   `json:"type,omitempty"`
	Title     string   `json:"title,omitempty"`
	Status    int      `json:"status"`
	Detail    string   `json:"detail,omitempty"`
	Code      string   `json:"code,omitempty"`
	Outcome   string   `json:"outcome,omitempty"`
	Retryable bool     `json:"retryable"`
	ID        string   `json:"id,omitempty"`       // the transaction's
	Group     string   `json:"group,omitempty"`    //
	Revision  uint64   `json:"revision,omitempty"` // of the recorded abort
	Step      string   `json:"step,omitempty"`     // of the recorded abort
	Errors    []Detail `json:"errors,omitempty"`   // places in the input

	// RetryAfter is the document's retry_after_ms, else the header of that name,
	// zero where there is neither.
	RetryAfter time.Duration `json:"-"`
	// Server is the base URL of who answered.
	Server string `json:"-"`
	// Raw is the document as received, nil where the answer was none.
	Raw json.RawMessage `json:"-"`
}

// Detail is one place in the input and what is wrong there.
type Detail struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// Error gives code, detail and places in one or several lines.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Code)
	if p.Detail != "" {
		b.WriteString(": ")
		b.WriteString(p.Detail)
	}
	for _, e := range p.Errors {
		if strings.Contains(p.Detail, e.Detail) {
			continue // the detail says it already
		}
		fmt.Fprintf(&b, "\n  %s: %s", e.Pointer, e.Detail)
	}
	return b.String()
}

// Recorded says whether the problem is an outcome that the group's state keeps:
// a transaction that was ordered and aborted.
func (p *Problem) Recorded() bool { return p.Status == http.StatusConflict && p.Revision > 0 }

// problemOf reads a refusal. An answer that is no problem document (a proxy's,
// another program's) becomes one with the code "unexpected_answer", whose outcome
// nobody knows.
func problemOf(server string, status int, header http.Header, body []byte) *Problem {
	p := &Problem{}
	if err := json.Unmarshal(body, p); err != nil || p.Code == "" {
		p = &Problem{
			Title:     http.StatusText(status),
			Code:      "unexpected_answer",
			Detail:    fmt.Sprintf("%s answered %d with what is no problem document: %s", server, status, excerpt(body)),
			Outcome:   Unknown,
			Retryable: status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout,
		}
	} else {
		p.Raw = append(json.RawMessage(nil), body...)
	}
	p.Status = status
	p.Server = server
	if p.RetryAfter = millis(body); p.RetryAfter == 0 {
		p.RetryAfter = retryAfter(header)
	}
	return p
}

// millis reads a problem's retry_after_ms, which is finer than the header's seconds.
func millis(body []byte) time.Duration {
	var advice struct {
		Millis float64 `json:"retry_after_ms"`
	}
	if json.Unmarshal(body, &advice) != nil || !(advice.Millis > 0) {
		return 0
	}
	return advised(advice.Millis / 1000)
}

// retryAfter reads the header in its form of seconds; a date is not used by
// Lockstep's servers and reads as none.
func retryAfter(h http.Header) time.Duration {
	s, err := strconv.ParseFloat(strings.TrimSpace(h.Get("Retry-After")), 64)
	if err != nil || !(s > 0) {
		return 0
	}
	return advised(s)
}

// advised makes a wait of so many seconds a duration of at most longestAdvice.
func advised(seconds float64) time.Duration {
	return time.Duration(min(seconds, longestAdvice.Seconds()) * float64(time.Second))
}

func excerpt(body []byte) string {
	text := strings.Join(strings.Fields(string(body)), " ")
	if len(text) > excerptBytes {
		text = text[:excerptBytes] + "…"
	}
	return strconv.Quote(text)
}

// Unavailable says that no server gave a verdict: none could be reached, or all
// kept silent until the deadline.
type Unavailable struct {
	Servers  []string // base URLs tried
	Attempts int
	Outcome  string // NotApplied, or Unknown where an attempt may have reached the group
	ID       string // the transaction's, for asking again
	Last     error  // of the last attempt
}

// Error names who was tried and what is known.
func (u *Unavailable) Error() string {
	text := fmt.Sprintf("no answer from %s (tried %d times; is a node running there? name others with --server or LOCKSTEP_SERVER): %v", strings.Join(u.Servers, ", "), u.Attempts, u.Last)
	if u.Outcome == Unknown && u.ID != "" {
		text += fmt.Sprintf("; the transaction may have been applied: send the same document under the id %s again", u.ID)
	}
	return text
}

// Unwrap gives the last attempt's error.
func (u *Unavailable) Unwrap() error { return u.Last }
