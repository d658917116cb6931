// Package model is a second, naive implementation of the transaction language,
// written from its description (transactions.md) alone, to be compared with
// the engine.
//
// # One idea
//
// Two programs that were written apart and agree on a million random
// transactions are unlikely to be wrong in the same way. So the model shares
// nothing with the engine: rows are Go maps in a slice, whole numbers are
// computed with math/big, times with package time, an index is a sort, an abort
// is a copy of the tables thrown away. Of cel-go it uses the parser, to get a
// tree, and nothing that types or evaluates.
//
// # How data flows
//
//	schema (JSON) ---> Group.Apply ----------------> applied, or refused
//	transaction (JSON), id ---> Group.Execute -----> Outcome
//	query (JSON) ---> Group.Query -----------------> result, or code, step, message
//	                  Group.Rows ------------------> a table in key order, as JSON
//
// A Group holds tables, outcomes by id, the revision and the time. What it is
// given has been accepted by the engine's compiler: the model does not check
// types, it finds at run time what an expression yields. Only what an empty
// list would hold is looked up in the text (static.go), for sum of nothing is a
// number of some type.
//
// The tests hold the generator of schemas, programs and histories, and the
// comparison with the engine's Machine: status, code, step, message and result
// byte for byte, the tables after every entry, and queries.
//
// # What it leaves out
//
// The budget of cost is Lockstep's own table, which only a copy of it could
// follow: generated programs stay below it. Those of steps, rows and bytes are
// modelled, but not how an abort by them is worded. What refuses a document
// before it is ordered is not modelled either.
//
// The package serves tests alone; nothing of the server imports it.
package model
