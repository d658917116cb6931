package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Outcome is what the group's state keeps of a transaction (transactions.md,
// Outcome).
type Outcome struct {
	ID       string          `json:"id"`
	Group    string          `json:"group"`
	Revision uint64          `json:"revision"`
	Status   string          `json:"status"` // committed, aborted or, while it is being ordered, pending
	Time     time.Time       `json:"time,omitzero"`
	Result   json.RawMessage `json:"result,omitempty"`
	Code     string          `json:"code,omitempty"`
	Message  string          `json:"message,omitempty"`
	Step     string          `json:"step,omitempty"`

	// Raw is the document as received.
	Raw json.RawMessage `json:"-"`
}

// Committed says whether the transaction took effect.
func (o *Outcome) Committed() bool { return o.Status == "committed" }

// Result is a query's answer.
type Result struct {
	Revision uint64          `json:"revision"`
	Result   json.RawMessage `json:"result"`
	Next     string          `json:"next,omitempty"` // of a page: for QueryOptions.After; empty at the end
	Explain  *Explanation    `json:"explain,omitempty"`

	Raw json.RawMessage `json:"-"`
}

// Explanation is how a query went.
type Explanation struct {
	Steps     []ExplainedStep `json:"steps"` // in the order in which they stand
	Executed  int             `json:"steps_executed"`
	RowsRead  int             `json:"rows_read"`
	RowsLimit int             `json:"rows_limit"`
	Cost      uint64          `json:"cost"`
	CostLimit uint64          `json:"cost_limit"`
	Millis    float64         `json:"time_ms"`
}

// ExplainedStep is one step, its runs taken together; an outer step's figures hold
// those of the steps within it.
type ExplainedStep struct {
	Step     string   `json:"step"`
	Kind     string   `json:"kind"`
	Table    string   `json:"table,omitempty"`
	Access   string   `json:"access,omitempty"` // key, key range, index or full
	Index    string   `json:"index,omitempty"`
	By       []string `json:"by,omitempty"` // columns by which rows are found
	Where    string   `json:"where,omitempty"`
	Runs     int      `json:"runs"`
	RowsRead int      `json:"rows_read"`
	Returned *int     `json:"rows_returned,omitempty"` // of a scan: those that matched
	Cost     uint64   `json:"cost"`
	Hint     string   `json:"hint,omitempty"` // how it could read fewer rows
}

// Page is some rows of a table in the order of the key or of an index.
type Page struct {
	Revision uint64            `json:"revision"`
	Rows     []json.RawMessage `json:"rows"`
	Next     string            `json:"next,omitempty"` // for PageOptions.After; empty at the end

	Raw json.RawMessage `json:"-"`
}

// Schema is a group's schema document.
type Schema struct {
	Document    []byte // as the server sent it
	ContentType string
	ETag        string // its version, for SchemaOptions.IfMatch
}

// Status is the cluster at a glance.
type Status struct {
	Nodes  []NodeStatus  `json:"nodes"`
	Groups []GroupStatus `json:"groups"`
	// Troubles are what is wrong, the worst first.
	Troubles []Trouble `json:"troubles"`

	Raw json.RawMessage `json:"-"`
}

// NodeStatus is one computing system as the answering node sees it.
type NodeStatus struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	HTTP    string `json:"http"`
	Version string `json:"version"`
	// Reason says why Status is what it is.
	Reason string `json:"reason"`
	// CPU, MemoryFree and DiskFree are shares of 1; nil while they are not known.
	CPU        *float64 `json:"cpu"`
	MemoryFree *float64 `json:"memory_free"`
	DiskFree   *float64 `json:"disk_free"`
	Dedicated  string   `json:"dedicated"` // the group that it is kept for; empty: any
	Holds      []string `json:"holds"`     // tasks, as group/task
}

// Trouble is something that is wrong, what it affects, and what to do.
type Trouble struct {
	Severity string `json:"severity"` // critical, warning or notice
	Node     string `json:"node"`
	Group    string `json:"group"`
	What     string `json:"what"`
	Affects  string `json:"affects"`
	Do       string `json:"do"`
}

// TaskBrief is who holds a task of a group.
type TaskBrief struct {
	Task   string    `json:"task"`
	Holder string    `json:"holder"` // empty: nobody
	Epoch  uint64    `json:"epoch"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	Why    string    `json:"why"`
}

// GroupStatus is one redundancy group as the answering node sees it.
type GroupStatus struct {
	Name       string            `json:"name"`
	Primary    string            `json:"primary"`
	Revision   uint64            `json:"revision"`
	Held       string            `json:"held"`                 // why the group takes no changes, and what to do; empty: it does
	Durability string            `json:"durability,omitempty"` // how many copies there are, where they are fewer than it was made with
	Partitions []PartitionStatus `json:"partitions"`
	Status     string            `json:"status"` // available, degraded, no_primary, no_quorum or held
	Reason     string            `json:"reason"`
	Wanted     string            `json:"wanted"` // the primary that the policies want, where it is another
	Tasks      []TaskBrief       `json:"tasks"`

	SchemaChange *SchemaChange `json:"schema_change,omitempty"` // nil: none is under way
}

// SchemaChange is a schema change under way.
type SchemaChange struct {
	Change    uint64 `json:"change"`  // its number in the group
	Version   uint64 `json:"version"` // of the schema that holds meanwhile
	State     string `json:"state"`   // building, built or failed
	Started   string `json:"started"` // RFC 3339
	RowsDone  uint64 `json:"rows_done"`
	RowsTotal uint64 `json:"rows_total,omitempty"` // about; 0 while they are being counted
}

// String says how far it is.
func (c *SchemaChange) String() string {
	if c.RowsTotal == 0 {
		return fmt.Sprintf("%s, %d rows looked at", c.State, c.RowsDone)
	}
	return fmt.Sprintf("%s, %d of about %d rows looked at", c.State, c.RowsDone, c.RowsTotal)
}

// PartitionStatus is one copy of a group.
type PartitionStatus struct {
	Node     string `json:"node"`
	Role     string `json:"role"`
	Status   string `json:"status"`
	Revision uint64 `json:"revision"`
	Lag      uint64 `json:"lag"` // revisions behind the primary
	Reason   string `json:"reason"`
	Kind     string `json:"kind"`     // data or witness
	Leaving  bool   `json:"leaving"`  // it is being taken out of its group, and wiped
	Replaces string `json:"replaces"` // the node whose copy leaves when this one votes
	// Progress is how far a copy is that joins; nil for others.
	Progress *Progress `json:"progress"`
	// Divergence is the last that was found of a copy on this node.
	Divergence *Divergence `json:"divergence"`
}

// Divergence is how a copy was found to differ from the majority.
type Divergence struct {
	Found         time.Time `json:"found"`
	Kind          string    `json:"kind"`
	Reason        string    `json:"reason"`
	EqualRevision uint64    `json:"equal_revision"`
	Revision      uint64    `json:"revision"`
	Replica       uint64    `json:"replica"`
	Evidence      string    `json:"evidence"`
}

// Verification compares a group's copies at one revision.
type Verification struct {
	Group      string              `json:"group"`
	Revision   uint64              `json:"revision"`
	Equal      bool                `json:"equal"`
	Partitions []VerifiedPartition `json:"partitions"`

	Raw json.RawMessage `json:"-"`
}

// VerifiedPartition is one copy's digest, or why there is none.
type VerifiedPartition struct {
	Node     string `json:"node"`
	Revision uint64 `json:"revision"`
	Digest   string `json:"digest,omitempty"`
	Error    string `json:"error,omitempty"`
}

// Complete says whether every copy could be looked at.
func (v *Verification) Complete() bool {
	for _, p := range v.Partitions {
		if p.Error != "" {
			return false
		}
	}
	return true
}

// Group is a redundancy group to be made.
type Group struct {
	Name   string            `json:"name"`
	Nodes  []string          `json:"nodes,omitempty"`  // where its copies are, or
	Copies int               `json:"copies,omitempty"` // how many, on nodes that Lockstep chooses
	Labels map[string]string `json:"labels,omitempty"`
	// Settings are the group's settings: last_copy, replace_after, …
	Settings map[string]any `json:"settings,omitempty"`
}

// decode reads an answer's body into v.
func (a *answer) decode(v any) error {
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("%s answered %d with what this client can't read: %w: %s", a.server, a.status, err, excerpt(a.body))
	}
	return nil
}

// revision reads the Lockstep-Revision header, 0 where there is none.
func revision(h http.Header) uint64 {
	n, err := strconv.ParseUint(h.Get("Lockstep-Revision"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
