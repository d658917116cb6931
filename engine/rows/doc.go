// Package rows is the encoding of a table's row in the store: compact, and
// readable under every later schema without being rewritten (transactions.md,
// Schema: "Carrying rows over rewrites none of them nor their _revision; the
// default that they show is fixed at activation").
//
// # One idea
//
// A row names its columns by number, and records the highest number that its
// table had when the row was written: its horizon. Numbers are never used twice.
// So a reader that meets a column which the row does not hold knows which of two
// things happened. Up to the horizon the column was there and was null. Beyond it
// the column was added since, and shows the value that the schema gave to the
// rows of that time (fill). A column that the row holds and the schema has no
// more was dropped, and is passed over.
//
// # The encoding
//
//	byte    format, 1
//	varint  revision that wrote the row
//	varint  horizon
//	then for each column that is not null, ascending by number:
//	varint  number, less the number before it (less 0 at first)
//	value   the binary form of package value
//
// Each row has exactly one encoding.
package rows
