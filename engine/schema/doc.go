// Package schema turns a schema document into the tables that transactions
// work on (transactions.md, Schema: one document per redundancy group).
//
// One idea: what a user writes names things, what is stored numbers them. A
// [Document] is what the user wrote, in a canonical form that is logged and
// hashed. A [Layout] is the replicated record of numbers: every table, column
// and index got one when it first appeared and keeps it as long as it lives,
// and none is ever given twice. Both together give a [Schema], compiled and
// ready to run, the same on every copy.
//
// How data flows:
//
//	YAML or JSON --Parse--> Document --Evolve(old)--> Schema + Change      a new document is applied
//	Document.Canonical + Layout.AppendBinary --Load--> Schema              a store is opened again
//
// [Evolve] compares the new document with the old schema, allows what
// transactions.md allows (tables, optional or defaulted columns, indexes and
// checks may come, anything may go) and refuses everything else by name. A
// [Change] says what that means for rows: which ids are gone, and which tables
// must be looked at before the new schema may hold.
//
// Tables, columns, indexes and procedures are kept in byte order of their
// names: a document's own order has no meaning, since its canonical form has
// none. Rows are objects of [Table.RowType]: the columns in that order, and
// last [RevisionField].
//
// Procedures are compiled by package engine/program, which builds on this one.
// The package reads no clock and no file, and never touches rows.
package schema
