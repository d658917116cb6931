// Package policy decides which node holds a task: it reads policy documents,
// judges the nodes by them, and chooses.
//
// # One idea
//
// A decision is a pure function of two values: a [Set] of policies and an
// [Input], which is everything that is known of one task of one group at one
// moment. Time is passed in, nothing is remembered between two decisions, and
// nothing is looked up: so the same question can be asked of what is, of what
// might be (another status, a policy that is not applied yet), and of what was.
//
// # How data flows
//
//	document --Parse--> Document --Compile--> Policy --NewSet--> Set
//	Input{Now, Group, Task, Holders, Candidates} --Decide, Explain--> Decision, Explanation
//
// A [Compiler] pins the environment of the expressions, which is that of the
// transaction language (package engine/lang): the same grammar, functions,
// bounds and costs, maps in the order of their keys, UTC alone. The variables are
// those of [Variables]; a field that does not exist is a mistake of the document,
// with a hint, while a label that does not exist reads as empty text.
//
// # How it chooses
//
// Of the policies that match a task of a group the first decides alone: what
// comes first is told by precedes. Each candidate is judged: some may never be
// chosen (exclusion), require excludes, prefer adds up to a score. Then holders
// that may keep their slots keep them; slots without one go to the best at once;
// and a better candidate replaces a holder only as hold and margin let it. So
// neither of them ever delays recovery or a drain. With equal scores the holder
// stays, and who is chosen anew is the first by name.
//
// A [Decider] asks the same question again and again, and evaluates nothing as long
// as nothing has changed that the policies look at.
//
// # What is refused, and what is asked for trial
//
// Set.Unsatisfied tells, before a policy is applied, which tasks it could never
// place. A [Question] is asked of a status that is otherwise (Overrides) or of a
// policy that is not applied. Package history plays recordings back.
// Users are told of all of it in POLICIES.md, of which a test writes the tables.
//
// # What it never does
//
// It reads no clock, knows no log, router or engine, and performs nothing: whoever
// asks proposes what has to change. No input makes it panic or run on: documents,
// expressions and their costs are bounded in limits.go.
package policy
