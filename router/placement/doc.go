// Package placement turns what policies decide into what has to be done: the
// assignments of a group's tasks that change, and the primary that is wanted.
//
// # One idea
//
// The supervisor on a group's leader knows two things: what its log says of who holds
// which task, and what its heartbeats say of the nodes. Make lays them before the
// policies (package policy), task by task, and gives the difference between what is
// and what they choose. It is a pure function: whoever calls it orders what comes out,
// and calls it again. So a supervisor that is late, restarted or wrong does no harm:
// an assignment that is made twice is fenced by its epoch.
//
//	log: slots with holder and since ─┐
//	status: candidates, now ──────────┼─► policy.Decide for each task ─► Assign entries, and a Wish for primary
//	policies, tasks ──────────────────┘
//
// The first holder of a task has the slot of its name, the others name#2 and so on;
// each slot is assigned for itself, under an epoch of its own. The holder of primary
// is the Raft leader, always: for primary there is only a wish (interface.md).
//
// # What it never does
//
// It reads no clock, orders nothing, and knows no log, catalog or network.
package placement
