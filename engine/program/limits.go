package program

import "lockstep/engine/schema/tree"

// What bounds one transaction. All are part of the language version: exceeding
// one at run time is an outcome, which every copy has to reach alike.
const (
	// CostLimit is the budget of cost of one transaction, in the units
	// of package lang; most units take some ten nanoseconds, the worst of them a
	// hundred. It keeps a transaction within some ten milliseconds, and within a
	// fifth of a second whatever it does: apply time is failover time.
	CostLimit = 1_000_000

	// DefaultQueryBudget is how many times a transaction's budget of steps, rows
	// and cost a query has where the node's owner says nothing: it holds up no
	// order, and takes some seconds at the very worst. MaxQueryBudget is the most
	// that may be configured.
	DefaultQueryBudget = 20
	MaxQueryBudget     = 1_000

	// MaxStepsRun is how many steps one run may execute.
	MaxStepsRun = 100_000
	// MaxRowsRead is how many rows one run may read, those included that its
	// writes replace.
	MaxRowsRead = 10_000
	// MaxUnlimited is how many rows may match a scan that names no limit, so that
	// a table that grew tells so rather than fill the memory.
	MaxUnlimited = 1_000
	// MaxScanLimit is the largest limit that a scan may name.
	MaxScanLimit = 10_000
	// MaxBytesWritten bounds the rows that one run writes, by deep size: as much
	// as the largest log entry.
	MaxBytesWritten = 4 << 20

	// The cost of steps, beside that of their expressions. A row costs a look-up,
	// and its decoding or encoding by size.
	stepCost      = 4
	readCost      = 40
	writeCost     = 120
	seekCost      = 3_000 // of a scan, beside its rows
	indexRowCost  = 100   // of a row that a scan comes to by an index
	scanRowCost   = 10    // of a row that a scan comes to in the order of the key
	bytesPerUnit  = 16    // bytes of a row that cost one unit
	nodeOverhead  = 8     // bytes that a value counts beside its text
	maxMessage    = 1024
	hintRows      = 100      // read by a scan before a trace has a hint
	hintFactor    = 10       // times as many as it gave
	maxKeyInText  = 128      // bytes of a key that a message shows
	maxKeptBuffer = 64 << 10 // bytes of scratch that are worth keeping
	maxShownNames = 12       // names that a refusal lists
)

// What bounds the text of programs. Compiling an expression takes about 100 µs
// and 10 µs for each byte beyond the first few; a copy compiles an inline
// transaction that it has not seen when it applies it, and a schema whole.
const (
	MaxSteps             = 256       // of one program, nested ones included
	MaxNesting           = 16        // of steps inside steps
	MaxParams            = 256       // of one program
	MaxProcedures        = 2_000     // of one schema
	MaxSchemaExpressions = 8_000     // of all procedures of one schema together: a second's work
	MaxSchemaText        = 256 << 10 // bytes of those
	MaxInlineBytes       = 64 << 10  // of an inline transaction's steps, return and types
	MaxInlineExpressions = 512       // of an inline transaction: some 50 ms
	MaxInlineText        = 16 << 10  // bytes of those: no more than some 150 ms
	MaxCachedInlines     = 1_000     // compiled inline programs that a schema keeps at hand
	MaxCachedBytes       = 2 << 20   // of the text of those; a compiled program takes some twenty times its text
	maxInlineProblems    = 8         // that an inline transaction is told of
	inlineDepth          = 64        // containers inside containers in the JSON of steps
	inlineNodes          = 20_000    // values in the JSON of steps
)

func inlineLimits() tree.Limits {
	return tree.Limits{Bytes: MaxInlineBytes + 64, Depth: inlineDepth, Nodes: inlineNodes}
}
