// Package spread chooses which copy of a group answers a read, from what a router
// sees of them itself, and says when a second copy is worth asking.
//
// # One idea
//
// A router knows best what it did: how many reads it has open at a node, and how long
// the last ones took. Of two copies drawn at random it takes the one with less to do
// (the power of two choices): that spreads load about as well as knowing all of it,
// and a copy that hangs is left alone as soon as a few reads are open there, long
// before anybody tells that it is away.
//
// # How data flows
//
//	Set (which copies may serve: policy, status) ─► Choose ─► Node.Begin … End ─► its load
//	Hedge: Earn with each read, After = the 95th percentile of late, Spend for a second copy
//
// A session keeps to one copy without anything being kept: each copy's score is a hash
// of the session and the node, and the highest is taken (rendezvous hashing), so that
// only the sessions of a copy that goes away move.
//
// # What it never does
//
// It asks nobody, and decides nothing about consistency: any copy of a Set will do.
package spread
