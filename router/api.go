package router

import (
	"context"
	"io"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/value"
	"lockstep/router/order"
)

// Cluster is what the front needs of its node. Its methods may be called from
// any goroutine and, but for CatchUp, CreateGroup, HandOver, Verify and Trust, never block.
type Cluster interface {
	Primaries

	Partitions
	Recovery
	Nodes
	Tokens
	// Lookup finds a group. known tells whether the group exists; the Group is
	// nil where this node has no copy of it that is open.
	Lookup(name string) (g Group, known bool)
	// CatchUp waits until this node knows of every group that was made before
	// the call. A *Problem says why it can't.
	CatchUp(ctx context.Context) error
	// Groups lists every group that exists, by name.
	Groups() []GroupStatus
	// CreateGroup makes a group, or finds it made alike (created is false). A
	// *Problem says why not.
	CreateGroup(ctx context.Context, spec GroupSpec) (status GroupStatus, created bool, err error)
	// Status is the whole cluster at a glance.
	Status() ClusterStatus
	// Unready tells why this node should get no traffic yet; none: it is ready.
	Unready() []Unready
	// Verify compares the data copies of a group at one revision; it waits for
	// them until the context ends. A *Problem says why it could not begin.
	Verify(ctx context.Context, group string) (VerifyReport, error)
	// Export begins a recording of a group, of this node's copy or, where it has
	// none, of another's. The context bounds the beginning alone. A *Problem says
	// why not.
	Export(ctx context.Context, group string, o ExportOptions) (Recording, error)
	// Trust has the copy on a node taken for the right one, where a group's copies
	// differ and no majority agrees; the others are then built anew from it. A
	// *Problem says why not.
	Trust(ctx context.Context, group, node string) (GroupStatus, error)
}

// Group is a group of which this node has a copy. Methods may be called from
// any goroutine.
type Group interface {
	Orderer
	Copy
	Schemas
	Timed
}

// Orderer brings transactions into the group's order.
type Orderer interface {
	// Submit hands a transaction over and returns at once. Done is called exactly
	// once, by the request's deadline, perhaps before Submit returns; it does not
	// block. An id that was zero is made before Submit returns and stands in the
	// request from then on.
	Submit(*order.Request)
	// Backlog is how long what is under way here takes at the present rate; 0 where
	// that is not known.
	Backlog() time.Duration
	// Given tells whether a router's id is known here to have been given: it is
	// this router's own, or the copy has executed it or a later one of its session.
	Given(id entry.ID) (bool, error)
	// Pending tells whether a transaction of this id is being ordered, as far as
	// is known here.
	Pending(id entry.ID) bool
}

// Copy is this node's copy of the group's state.
type Copy interface {
	// Applied is the log index and the revision that the copy has reached.
	Applied() (index, revision uint64)
	// WaitIndex and WaitRevision wait until the copy has reached it; the error is
	// the context's, or that the copy has closed.
	WaitIndex(ctx context.Context, index uint64) error
	WaitRevision(ctx context.Context, revision uint64) error
	// ReadIndex asks the group's primary, confirmed by a majority, for an index
	// that covers everything acknowledged before the call: one round, no retries.
	ReadIndex(ctx context.Context) (index uint64, err error)
	// Watch has f called after each change of the group's leader, until the group
	// closes.
	Watch(f func())
	// View is a consistent snapshot, to be closed.
	View() (View, error)
	// Lag is how many revisions the copy is behind the primary as last heard.
	Lag() uint64
	// KeyWindowSeconds is how long clients' keys are really kept.
	KeyWindowSeconds() int64
}

// Schemas reads and changes the group's schema.
type Schemas interface {
	// Catalog is the schema that the copy has reached; nil before the first one.
	Catalog() Catalog
	// PutSchema replaces the schema through the log and waits until it holds, or
	// only checks it. A
	// *Problem says what is wrong: invalid with its places, changed, and so on.
	PutSchema(ctx context.Context, put SchemaPut) (SchemaResult, error)
}

// Catalog is one version of a schema. It never changes.
type Catalog interface {
	// Version is the revision at which it was applied.
	Version() uint64
	// Document is the schema as canonical JSON.
	Document() []byte
	// AppendDerived appends what compiling the document found out, as JSON: the
	// types of procedures and the language version.
	AppendDerived(dst []byte) []byte
	// ParseTransaction reads and types a document; the result does not alias raw.
	ParseTransaction(raw []byte) (program.Typed, *program.Refusal)
}

// View is a consistent snapshot of a copy. It is used by one goroutine.
type View interface {
	Revision() uint64
	// Row finds one row by the text of its key; null where there is none.
	Row(table string, key []string) (value.Value, *program.Refusal, error)
	// Page lists rows in order; next is the place to go on from, empty at the end.
	Page(table string, o PageOptions) (rows []value.Value, next string, refusal *program.Refusal, err error)
	// Query runs a read-only document.
	Query(raw []byte, o QueryOptions) (QueryAnswer, *program.Refusal, error)
	// Outcome finds what became of a transaction.
	Outcome(id entry.ID) (outcome.Outcome, bool, error)
	Close()
}

// PageOptions say which rows of a table a page has.
type PageOptions struct {
	Index  string   // the order; empty: the key's
	Prefix []string // leading columns of it, as text
	Limit  int      // most rows
	After  string   // next of the page before; empty: from the beginning
}

// QueryOptions say how a query runs.
type QueryOptions struct {
	Limit   int    // above 0: a page of so many rows of its scan
	After   string // next of the page before
	Explain bool
	// Poll is asked again and again while the query runs, and told the cost so far;
	// its error ends the query, and is returned.
	Poll func(used uint64) error
}

// QueryAnswer is what a query gave.
type QueryAnswer struct {
	Result value.Value
	Abort  *program.Abort // not nil: there is no result
	Next   string         // where the next page goes on; empty at the end
	Trace  *program.Trace // where Explain was asked for
}

// Forwarder sends a request to a node that has an open copy of the group. The
// bytes are for Server.ServeForwarded there, and those it returns are its
// answer. An error that wraps ErrNotForwarded says that no node got it.
type Forwarder interface {
	Forward(ctx context.Context, group string, request []byte) (answer []byte, err error)
}

// ExportOptions say what to record of a group.
type ExportOptions struct {
	// From is where to begin: "start", with the group itself, "now", with the state
	// of the copy, or "" for start where the log still reaches back so far, else now.
	From string
	// Follow is for how long entries that come are recorded as well.
	Follow time.Duration
}

// Recording is one that was begun (package recording has the format).
type Recording interface {
	// Write writes it all, in pieces that can be sent on as they are. It is called
	// once. After an error the recording is not whole, and says so unless the writer
	// failed.
	Write(ctx context.Context, w io.Writer) error
	// Close lets go of what it holds; a second time does nothing.
	Close()
}

// SchemaPut is a wish to change a schema.
type SchemaPut struct {
	Document []byte // YAML or JSON, as the client sent it
	IfMatch  uint64 // only if this is the present version; 0: always
	DryRun   bool   // check, and change nothing
	Language uint32 // version of the language that the group goes on in, with the schema that it has; 0: as it is
}

// SchemaResult is what became of it.
type SchemaResult struct {
	Version uint64 // of the schema that holds now; with DryRun the present one
	Created bool   // there was none before
	Changed bool   // false where the group had this very schema already
	Plan    SchemaPlan
}

// SchemaPlan is what a schema document does to a group, or would do, by places in
// the document: tables.accounts.columns.limit, procedures.transfer.
type SchemaPlan struct {
	Adds    []string     `json:"adds,omitempty"`
	Changes []string     `json:"changes,omitempty"` // an index that is built anew, a procedure that is another
	Drops   []string     `json:"drops,omitempty"`   // with all its data
	Passes  []SchemaPass `json:"passes,omitempty"`
}

func (p *SchemaPlan) empty() bool {
	return len(p.Adds)+len(p.Changes)+len(p.Drops)+len(p.Passes) == 0
}

// SchemaPass is a table whose rows a change must look at.
type SchemaPass struct {
	Table string   `json:"table"`
	For   []string `json:"for"`  // the new indexes and checks
	Rows  uint64   `json:"rows"` // of the table, or as many as were looked at
	All   bool     `json:"all"`  // these are all rows of the table
}

// SchemaChange is a schema change under way: users do not see it yet.
type SchemaChange struct {
	Change  uint64 `json:"change"`  // its number in the group
	Version uint64 `json:"version"` // of the schema that holds meanwhile
	State   string `json:"state"`   // building, built or failed
	Started string `json:"started"` // RFC 3339
	// RowsDone is how many rows were looked at, of RowsTotal or about as many; 0
	// while they are being counted.
	RowsDone  uint64 `json:"rows_done"`
	RowsTotal uint64 `json:"rows_total,omitempty"`
}

// GroupSpec is what a client asks a new group to be.
type GroupSpec struct {
	Name     string            `json:"name"`
	Nodes    []string          `json:"nodes,omitempty"`
	Copies   int               `json:"copies,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Settings map[string]any    `json:"settings,omitempty"`
}

// ClusterStatus answers GET /v1/status.
type ClusterStatus struct {
	Cluster string        `json:"cluster,omitempty"`
	Node    string        `json:"node,omitempty"` // the one that answers
	Nodes   []NodeStatus  `json:"nodes"`
	Groups  []GroupStatus `json:"groups"`
	// Troubles are what is wrong, the worst first.
	Troubles []Trouble `json:"troubles,omitempty"`
}

// NodeStatus is one node.
type NodeStatus struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	HTTP    string `json:"http"`
	Version string `json:"version"`
	NodeFacts
}

// GroupStatus is one group as this node sees it.
type GroupStatus struct {
	Name     string `json:"name"`
	Primary  string `json:"primary"` // a node's name; empty while there is none
	Revision uint64 `json:"revision"`
	// Incarnation counts how often the group was rebuilt from one of its copies.
	Incarnation      uint64 `json:"incarnation,omitempty"`
	SchemaVersion    uint64 `json:"schema_version"`
	KeyWindowSeconds int64  `json:"key_window_seconds"`
	Durability       string `json:"durability,omitempty"`
	// Made is the number of copies that it was made with.
	Made int `json:"-"`
	// Held says why the group takes no changes, and what to do; empty: it does.
	Held         string            `json:"held,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Partitions   []PartitionStatus `json:"partitions"`
	SchemaChange *SchemaChange     `json:"schema_change,omitempty"`
	GroupHealth
}

// PartitionStatus is one copy of a group.
type PartitionStatus struct {
	Node     string `json:"node"`
	Role     string `json:"role"`
	Status   string `json:"status"`
	Revision uint64 `json:"revision"`
	Lag      uint64 `json:"lag"`
	// Kind is data, or witness: it votes, and has no data.
	Kind string `json:"kind,omitempty"`
	// Leaving says that it is being taken out of its group, and wiped.
	Leaving bool `json:"leaving,omitempty"`
	// Replaces is the node whose copy leaves when this one votes.
	Replaces string `json:"replaces,omitempty"`
	// Progress is how far a copy is that joins.
	Progress *Progress `json:"progress,omitempty"`
	// Reason says why Status is not available, where that is known.
	Reason string `json:"reason,omitempty"`
	// Divergence is the last that was found of a copy on this node, its former ones
	// included.
	Divergence *Divergence `json:"divergence,omitempty"`
}

// Divergence is how a copy was found to differ from the majority.
type Divergence struct {
	Found  time.Time `json:"found"`
	Kind   string    `json:"kind"` // the digest that showed it: running or content
	Reason string    `json:"reason"`
	// The copy was equal at EqualRevision, as far as is known (0: nothing is), and
	// differed at Revision.
	EqualRevision uint64 `json:"equal_revision"`
	Revision      uint64 `json:"revision"`
	Replica       uint64 `json:"replica"`  // that differed; its successor has another
	Evidence      string `json:"evidence"` // file on the node
}

// Unready is a reason for which a node is not ready.
type Unready struct {
	Code   string `json:"code"` // starting, draining, no_primary …
	Group  string `json:"group,omitempty"`
	Detail string `json:"detail"`
}

// VerifyReport compares a group's copies at one revision.
type VerifyReport struct {
	Group      string         `json:"group"`
	Revision   uint64         `json:"revision"`
	Equal      bool           `json:"equal"`
	Partitions []VerifiedCopy `json:"partitions"`
}

// VerifiedCopy is one copy's digest, or why there is none.
type VerifiedCopy struct {
	Node     string `json:"node"`
	Revision uint64 `json:"revision"`
	Digest   string `json:"digest,omitempty"`
	Error    string `json:"error,omitempty"`
}
