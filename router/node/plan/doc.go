// Package plan judges changes of nodes and copies before they are made: whether one
// may be made at all, and where a copy goes.
//
// A Cluster is what is wished (the catalog) with what is known of it (who is
// available, who votes), as values. Each judgement is a function of that alone; its
// Refusal names the reason and the remedy. What may never happen is that a change
// takes a group's last copy, or leaves it without a majority that answers. How a
// change is then made, step by step, is not known here.
//
// Where a copy goes that nobody named a node for is for policies to say first
// (Cluster.Rank); among nodes of one score, for the zones.
//
// It never changes anything, asks nobody but Rank, and has no clock.
package plan
