// Package value holds the values of the transaction language and every form
// that they take: in memory, as JSON in requests and answers, and as bytes in
// the log and in rows.
//
// # One idea
//
// A Value is three words that are passed by value, in registers, and never
// changed. Scalars live inside it, so that computing with them costs no
// allocation; text is a pointer and a length, as in a Go string; lists, maps
// and objects hang on a shared, immutable body, so that copying one is copying
// a pointer. A body knows its deep size from the moment it is made: a limit is
// checked before anything is walked, printed or stored, which is what keeps a
// short expression from growing into gigabytes (traps.md, Replicated poison).
//
// # How data flows
//
//	request JSON ──FromJSON, Parse…──▶ Value ──AppendBinary──▶ log entry, row
//	                                     │  ◀──DecodeBinary──
//	                                     └──AppendJSON──▶ outcome, row, query result
//
// Everything here is a pure function of its arguments and gives the same bytes
// on every machine: map entries are sorted when the map is made, never when it
// is read; doubles are printed as RFC 8785 prints them; instants are computed
// by this package's own calendar, with no time zone, locale or clock.
//
// # Order and equality
//
// Equal is the equality of CEL: numbers compare by value whatever their kinds,
// values of kinds that have nothing in common are simply not equal. Compare
// orders what the language lets a user order. CompareKeys is the order in which
// a map keeps its keys, and so the order of comprehensions and of results:
// false before true, then numbers by value, then strings by bytes
// (transactions.md, Determinism).
//
// # JSON
//
// An int outside ±(2^53-1) is written as a string, for many readers of JSON
// would round it; but inside a json column a number stays a number
// (transactions.md, Outcome). Where a result mixes both, the value itself
// remembers: an integer that came from JSON carries a mark (OfJSONInt), which
// changes how it is written and nothing else.
//
// Canonicalizer gives a request the one form and the fingerprint by which a second
// request under the same id is known to be the same or not.
//
// # What it never does
//
// It never judges a limit of the language for its caller (TooLarge says, the
// caller decides what follows), never holds NaN, an infinity or -0, never keeps
// a slice of its input, and never panics on bytes from outside.
package value
