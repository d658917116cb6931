package policy

import (
	"time"

	"lockstep/engine/schema/tree"
)

// The bounds of policies, and why.
const (
	// MaxDocumentBytes bounds one document: fifty times what people write, and
	// small enough to stand in a row of the catalog.
	MaxDocumentBytes = 64 << 10

	// MaxNameBytes bounds the names of policies and tasks, as those of other
	// things are bounded.
	MaxNameBytes = 128

	// MaxExpressions bounds require and prefer, each: an explanation shows every
	// one of them for every candidate.
	MaxExpressions = 32

	// MaxExpressionBytes bounds one expression: about twenty lines.
	MaxExpressionBytes = 2 << 10

	// MaxWeight bounds a weight, a margin and so a score, far below where doubles
	// lose whole numbers.
	MaxWeight = 1e6

	// MaxPriority bounds a priority on both sides of zero.
	MaxPriority = 1_000_000

	// MaxCount bounds the holders of one task: each has an epoch and a watch.
	MaxCount = 64

	// MaxHold bounds hold, so that a wrong unit does not nail a task down.
	MaxHold = 30 * 24 * time.Hour

	// MaxPolicies bounds a Set: each is looked at for each task of each group.
	MaxPolicies = 1_000

	// MaxCandidates bounds the nodes that one decision looks at.
	MaxCandidates = 1_000

	// MaxCandidateCost bounds what evaluating one policy for one candidate may
	// cost, in units of the language (some tens of nanoseconds each): about a
	// millisecond. What is over it fails, as any other error of an expression.
	MaxCandidateCost = 20_000

	// MaxLabels bounds the labels of one node, group or task.
	MaxLabels = 64
)

// documentLimits bound the reading of a document.
func documentLimits() tree.Limits {
	return tree.Limits{Bytes: MaxDocumentBytes, Depth: 8, Nodes: 1_000}
}
