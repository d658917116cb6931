// Package history records the status of nodes and the assignments of tasks over
// time, and plays what was recorded back against other policies.
//
// # One idea
//
// What a policy decides is a function of the status (package policy), so the past
// can be asked again: a recording has the status as it changed, and beside it who
// held each task and why. A back-test walks through the status with another set of
// policies, keeps its own holders, and lays the two side by side.
//
// # The format
//
// A recording is text, one JSON object a line, ascending in time. All have at (RFC
// 3339, UTC) and group. What else they have says what they are:
//
//	{"at":…,"group":"orders","begin":true,"labels":{…}}       what was before is not known
//	{"at":…,"group":"orders","nodes":{"n1":{…},"n3":null}}    nodes that changed, each whole; null: gone
//	{"at":…,"group":"orders","task":"primary","holder":"n2","epoch":7,"cause":"recovery","why":"…"}
//
// The fields of a node are those of expressions, partition among them. slot is 1
// for a task's second holder and so on; an empty holder is nobody; labels of a task
// stand with its assignments. Whoever appends may be killed: a last line that is
// torn is passed over.
//
// # How it flows
//
//	what is -> Recorder -> lines -> file, or Log in memory -> Read -> Recording -> Backtest -> Report
//
// A [Recorder] writes what changed: at once where a status, a role or a label is
// another, and at most every Pace where only a measurement is, so that an idle
// cluster records next to nothing. A [Log] keeps the last lines within a bound.
//
// # What it can't know
//
// Load follows the tasks: a node that a back-test gives a task has the load that it
// had without it. And where nothing was recorded (a node that was down, a log that
// was cut), nothing is judged.
package history
