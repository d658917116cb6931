package entry

// Version is the version of the format that this package writes.
const Version = 1

// Kind tells what an entry holds.
type Kind byte

// The kinds of entries.
const (
	KindBatch      Kind = 1 // transactions
	KindSchema     Kind = 2 // a new schema document
	KindCheckpoint Kind = 3 // each copy computes its digests here
	KindVerdict    Kind = 6 // what a majority of the copies computed at a checkpoint
	KindLanguage   Kind = 7 // the group goes on in another version of the language
	KindAssign     Kind = 8 // a task is assigned to a node, or taken from it
	KindSettings   Kind = 9 // what execution needs of the group's settings
	KindBackfill   Kind = 4 // a schema change under way looks at some more rows
	KindFinish     Kind = 5 // a schema change under way becomes the schema, or is given up
)

// KindIncarnation begins a group anew from one of its copies.
const KindIncarnation Kind = 10

// Bounds of an entry. The decoder holds every input to them.
const (
	// MaxBytes is the largest entry: the sequencer closes an entry at 4 MiB,
	// and one transaction of the largest size may be its last.
	MaxBytes = 10 << 20
	// MaxItems is the most transactions in an entry.
	MaxItems = 1 << 16
	// MaxKeyBytes is the longest client's key (transactions.md, Exactly once).
	MaxKeyBytes = 255
	// MaxTaskBytes is the longest name of a task.
	MaxTaskBytes = 255
	// MaxReasonBytes is the longest sentence that says why a task was assigned.
	MaxReasonBytes = 400
	// MaxItemBytes is the largest encoded transaction: a document of the
	// default limit of 4 MiB, typed, with room for the encoding.
	MaxItemBytes = 5 << 20
	// MaxKeyRetentionMillis bounds for how long keys are kept: their outcomes fill
	// the disk, up to a bound, for a month at most. MinKeyRetentionMillis leaves room
	// for retries.
	MaxKeyRetentionMillis = 31 * 24 * 60 * 60 * 1000
	MinKeyRetentionMillis = 60 * 1000
	// MaxIncarnations bounds their number: each skips a million revisions.
	MaxIncarnations = 1 << 40
	// MaxCopies is the most copies that a verdict names: far more than a group has.
	MaxCopies = 64
)

// Raw is an entry as the log delivers it: its index, and the encoded command.
type Raw struct {
	Index uint64
	Cmd   []byte
}

// Fingerprint identifies a transaction's document: SHA-256 of its canonical
// JSON (RFC 8785), cut to 16 bytes.
type Fingerprint [16]byte

// Item is one transaction as it is ordered.
type Item struct {
	ID          ID
	Fingerprint Fingerprint
	Proc        int32  // index of the procedure in the schema; -1 for inline steps
	Params      []byte // parameters, typed, in the binary form of package value
	Source      []byte // inline: the self-contained document of the steps
}

// Origin tells who proposed an entry, so that the proposer finds its waiters
// when the entry is applied on its own node.
type Origin struct {
	Proposer uint64 // session of the router that proposed it
	Sequence uint64 // the proposer's own number of the entry
}

// Batch is an entry of transactions, stamped by the primary.
type Batch struct {
	Origin
	TimeMillis    int64    // Unix milliseconds by the primary's clock
	Seed          [16]byte // seed of tx.uuid and tx.random
	SchemaVersion uint64   // revision of the schema that the items were typed against
	Items         []Item
}

// Schema is an entry that replaces the group's schema, or begins to: where rows
// must be looked at, backfills and a finish follow.
type Schema struct {
	Origin
	TimeMillis int64
	IfMatch    uint64 // apply only if this is the present version, or NoSchema; 0: always
	// IfBegun: apply only if this many changes were begun before, plus one, so that
	// an entry that comes late, or twice, does not begin anew what was given up; 0:
	// always.
	IfBegun  uint64
	Document []byte // canonical JSON of the document
}

// NoSchema as a precondition: the group has no schema yet.
const NoSchema = 1<<64 - 1

// Checkpoint is an entry at which every copy computes its digests.
type Checkpoint struct {
	Origin
	TimeMillis int64
	ID         uint64 // chosen by the proposer; names the digests afterwards
	Contents   Contents
}

// Language is an entry that switches the group to another language version.
type Language struct {
	Origin
	TimeMillis int64
	Version    uint32
	IfMatch    uint64 // switch only if this is the present version of the schema; 0: always
}

// Assign is an entry that assigns a task of the group.
type Assign struct {
	Origin
	TimeMillis int64
	Task       string
	Holder     uint64 // the node that holds it from here on; 0: nobody
	Epoch      uint64 // the group's last one plus one, or nothing happens
	Reason     Reason
	Text       string // why, in a sentence for people; at most MaxReasonBytes
}

// Settings is an entry with what execution needs of the group's settings: it reads
// nothing that did not come through its own log (architecture.md, The catalog).
type Settings struct {
	Origin
	TimeMillis int64
	// Version is the catalog's revision at which they were read: above that of the
	// group's last ones, or nothing happens.
	Version uint64
	// KeyRetentionMillis is for how long clients' keys are kept.
	KeyRetentionMillis int64
}

// Incarnation is an entry that begins a group anew from one of its copies: what was
// acknowledged by others may be lost, so that nothing of before must mean something
// else from here on (architecture.md, The catalog).
type Incarnation struct {
	Origin
	TimeMillis int64
	Number     uint64 // above the group's last one, or nothing happens
}

// Reason is why a task was assigned as it was: an application that is started
// for recovery may have to do what one started normally has not (patent,
// paragraph 43).
type Reason byte

// The reasons of an assignment.
const (
	ReasonNormal      Reason = 1 // as the policies want it, nothing being wrong
	ReasonRecovery    Reason = 2 // the holder before has failed
	ReasonMaintenance Reason = 3 // the holder before is being emptied
	ReasonShutdown    Reason = 4 // the holder before is stopping, or the task ends
)

// String is the reason as users write and read it.
func (r Reason) String() string {
	switch r {
	case ReasonNormal:
		return "normal"
	case ReasonRecovery:
		return "recovery"
	case ReasonMaintenance:
		return "maintenance"
	case ReasonShutdown:
		return "shutdown"
	}
	return "unknown"
}

// Contents says what is digested at a checkpoint beside the running digest, which
// every copy has at hand.
type Contents byte

// What is digested at a checkpoint.
const (
	ContentsNone     Contents = 0 // nothing more: it costs nothing
	ContentsAsked    Contents = 1 // the whole content, when somebody asks for it
	ContentsScrubbed Contents = 2 // the whole content, at a pace that spares the disk
)

// Verdict is an entry that says which digests are right at a checkpoint. It
// changes no row, and takes no revision.
type Verdict struct {
	Origin
	TimeMillis int64
	Checkpoint uint64   // its ID
	Revision   uint64   // that the copies were at
	Running    [32]byte // chained over ordered writes and outcomes
	HasContent bool     // the contents were digested too
	Content    [32]byte
	// Agreed are the replicas that have these digests, a majority of the group's
	// data copies unless an operator chose. None: no majority agrees, and the
	// digests above mean nothing.
	Agreed []uint64
	// Differed are the replicas that answered with other digests.
	Differed []uint64
	// Chosen says that an operator said which copy is right.
	Chosen bool
}

// Held says that the verdict is that there is none: copies differ, and no
// majority of them agrees.
func (v *Verdict) Held() bool { return len(v.Agreed) == 0 }

// Backfill is an entry at which a schema change under way looks at some more of
// the rows that were there before it began. One that was proposed for another
// change or step is passed over, so that it can be proposed again without harm.
type Backfill struct {
	Origin
	TimeMillis int64
	Change     uint64 // the change's number
	Step       uint64 // how many backfills of it were applied before
	Rows       uint64 // how many rows to look at, at the most; the engine has a bound of its own
}

// Finish is an entry that ends a schema change under way: with all rows looked
// at and nothing against it, users see it from here on; else it is given up.
type Finish struct {
	Origin
	TimeMillis int64
	Change     uint64 // the change's number
	Abandon    bool   // give it up, whatever was found
}
