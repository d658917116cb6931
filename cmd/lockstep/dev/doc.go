// Package dev runs a cluster of real lockstep serve processes on one machine: what
// is tried at home is what runs in production.
//
// Its one idea is that the processes are started with the same command lines every
// time, and that a node finds out by its data folder whether it is new. So
// starting a cluster and starting it again are one thing, and the only thing to
// remember, in dev.json within the data folder, is what the cluster was made of.
//
// # How it goes
//
// Start checks the ports, takes the folder for itself (dev.lock), starts n1 with
// --bootstrap and, when it answers, the others with --join and n1's raft address
// (process.go). In a new cluster it then makes the group on the first nodes and
// applies the schema (make.go). It is ready when every node's /readyz says so and
// a linearizable query through every node succeeds. From then on it waits: for the
// end of its context, for children that end, which are reported or, if asked,
// started again, and for requests to its control listener (control.go), which
// dev restart sends: an address on 127.0.0.1 and a token, both in dev.json.
//
// HTTP is on port, port+1, …; the nodes' own traffic on port+100, port+101, …, and
// the control listener on the next free port after those. A node's log goes to a
// file beside its data folder.
//
// # Children
//
// Children end with dev: on Linux the kernel kills them when dev dies, however
// it dies. They have process groups of their own, so that Ctrl-C reaches dev
// alone, which stops them in order. They inherit no descriptor but their log:
// whoever waits for the end of dev's output does not wait for them.
//
// # What it never does
//
// It never applies a schema to a cluster that was made before, never removes data,
// and writes nothing to standard output.
package dev
