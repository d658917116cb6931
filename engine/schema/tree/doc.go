// Package tree reads the documents that users write, YAML 1.2 (core) or JSON,
// into one plain tree of nodes, and keeps for every node where it stood.
//
// One idea: a document is looked at through a [Cursor], which knows its node,
// its place in the document and where problems are collected. Whoever reads a
// document asks the cursor for what it expects; whatever is otherwise becomes
// a [Problem] that names the place, the line, what is wrong and, where there is
// one, the remedy. Reading never stops at the first problem.
//
// The reading is strict, because a document that is understood differently
// from what its author meant is worse than one that is refused: repeated keys,
// anchors and aliases, tags, several documents in one stream, numbers that are
// not finite and text that is not UTF-8 are all refused. Plain YAML scalars are
// resolved by the core schema of YAML 1.2 alone: "no", "on" and "2001-01-01"
// are text.
//
// [Node.AppendCanonical] writes a tree as JSON with sorted keys: equal
// documents have equal canonical text, whichever form they were written in, and
// reading that text gives the same tree.
//
// The package never evaluates, never looks anything up, and reads nothing but
// the bytes that it is given; size and depth are bounded by its caller's limits.
package tree
