// Package lang is the expression language of transactions: it reads CEL, checks
// it against the types in scope, and evaluates it.
//
// # One idea
//
// The grammar and the type checker are cel-go's; everything that runs is ours.
// An outcome must be the same on every copy, byte for byte and unit for unit of
// cost, whatever the release of Go or of a library: so the checked tree is
// compiled to closures over value.Value, with our own table of costs, our own
// faults, sorted maps, and limits that are judged before anything is made.
//
// # How data flows
//
// An Env is built once (NewEnv): the parser, and the table of functions of one
// language version (functions.go and the tables beside each function). A Scope
// names the variables that an expression may use, each with its Type and the slot
// of the Frame where its value will stand. Env.Compile parses, refuses what
// would take the checker too long (complexity.go), type-checks, and compiles
// (compile.go, construct.go, comprehension.go). What can't be evaluated is a
// Problem with its place, a caret and, where it helps, what to write instead
// (explain.go); there is no construct that compiles and then can't run.
//
// Expr.Eval takes a Frame (values by slot, the budget, what `tx` shows) and
// returns a value or a Fault. Scalars allocate nothing: values are not boxed, and
// arithmetic and comparisons of ints take a way without values at all (fast.go).
//
// # Null
//
// Types are nullable or not, and the checker takes a nullable where a plain one
// is wanted: computing with a null is a fault at run time. A type that is known
// at run time only (json) is checked there. Scope.UnknownNulls gives comparisons
// SQL's reading of null, for checks on rows.
//
// # Cost
//
// Evaluating a node costs one unit, an entry of a map literal keyUnits more; what
// a source always evaluates is charged at once, both sides of && and ?: included.
// A comprehension charges its body once for each element. Whatever looks at or
// makes a value of some size charges for that size first: 16 bytes of text, one
// element of a list, one node of a comparison are a unit each. A unit is some tens
// of nanoseconds at most. Sizes of lists, maps and text are known before they are
// made, and one over the limits is a fault instead.
//
// # What it never does
//
// It reads no clock, no randomness, no locale and no time zone, visits no map in
// Go's order, folds no constants, estimates no cost, and keeps no text of a
// library in a Fault. It does not know tables, steps or JSON documents: those are
// the packages above.
//
// # Beside CEL's own
//
//	coalesce(a, b)  when(c, x)              null
//	sum min max avg (of a list)  muldiv     numbers
//	math.abs sign ceil floor round trunc sqrt least greatest
//	math.bitAnd bitOr bitXor bitNot bitShiftLeft bitShiftRight
//	lowerAscii upperAscii trim charAt       text, by characters
//	substring indexOf lastIndexOf
//	replace split join reverse
//	lists.range slice flatten distinct      lists
//	reverse sort isSorted
//	sets.contains intersects equivalent
//	sha256 sha512 hex fromHex               bytes
//	base64 fromBase64
//	tx.id tx.revision tx.now                the transaction
//	tx.uuid(n) tx.random(n)
//
// STDLIB.md tells all of them, with signatures, costs and an example each; a test
// writes it from the tables of functions and holds it to them.
//
// Left out of CEL: type(), time zones, Unicode classes and case folding in
// patterns, objects by name, optional syntax. An int compares with a double
// exactly, -0 is 0, and a double that leaves the finite is a fault.
package lang
