// Package keys turns the columns of a key into bytes that sort as the values
// do, so that a store that knows only bytes keeps rows in the order of their
// keys (transactions.md, Schema: "Rows sort by key, ascending, in the columns'
// natural order"; indexes likewise).
//
// # One idea
//
// Each column is encoded so that comparing bytes is comparing values, and so
// that no encoding is the beginning of another of its column. A tuple is then its
// columns one after the other: two tuples are decided by the first column in
// which they differ, and the tuples with given first columns are exactly the keys
// that begin with those columns' bytes (PrefixEnd bounds them).
//
// # The encoding
//
// All values of one column have one kind, or are null; the kind itself is not
// written.
//
//	null       00 00, before everything else
//	bool       01 false, 02 true
//	int        one byte 09..f6 for -119..118; else a byte that counts the bytes
//	           that follow, f7..fe for positive and 08..01 for negative ints, big
//	           end first
//	uint       one byte 01..f6 for 0..245; else f7..fe and one to eight bytes
//	double     IEEE 754, the sign flipped, all bits flipped where negative
//	string     its bytes, 00 as 00 ff, ended by 00 01
//	bytes      likewise
//	timestamp  its Unix second as an int, its nanoseconds as a uint
//	duration   its nanoseconds as an int
//
// Every value has one encoding and Decode takes no other.
//
// # What it never does
//
// It never judges the length of a key: MaxKey is for its callers, who know whose
// fault a long key is.
package keys
