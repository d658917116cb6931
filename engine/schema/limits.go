package schema

import "lockstep/engine/schema/tree"

// The limits of a schema document. They bound what every copy has to compile
// at one entry of the log, and are part of the language version: a document
// that one copy takes, all take.
const (
	MaxDocumentBytes = 1 << 20 // of the document as it is sent
	maxDocumentDepth = 64      // steps nest two levels per "if"; this is far more than is readable
	maxDocumentNodes = 100_000 // values in the document
	MaxTables        = 1_000   // in one schema
	MaxColumns       = 500     // of one table; rows are decoded whole
	MaxKeyColumns    = 8       // of a key or an index: longer ones are a sign of a missing column
	MaxIndexes       = 64      // of one table; each is written with every row
	MaxChecks        = 64      // of one table; each is evaluated for every write
	// MaxTableExpressions bounds defaults and checks of all tables together; each
	// takes some 100 µs to compile.
	MaxTableExpressions = 8_000
	MaxNameBytes        = 64      // of a table, column, index, param, procedure or code
	MaxLabelBytes       = 255     // of a topic or the name of a task
	MaxTypeDepth        = 8       // lists and objects inside a param's type
	fillCost            = 100_000 // cost that evaluating one default may take
)

// DocumentLimits are the limits that a schema document is read under.
func DocumentLimits() tree.Limits {
	return tree.Limits{Bytes: MaxDocumentBytes, Depth: maxDocumentDepth, Nodes: maxDocumentNodes}
}
