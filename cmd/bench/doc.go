// Command bench measures Lockstep and tries to break it.
//
//	bench throughput   transactions a second and latency, closed loop; with
//	                   --workload certify, clients that contend for a few rows
//	bench failover     the gap that clients see at a fault
//	bench chaos        transfers while processes are killed, and everything checked
//	bench network      the same while links between the nodes are cut, lossy or slow
//	bench day          the same while five nodes go through a day of operations
//
// Without --server it starts three processes of the lockstep program, which it
// finds beside its own file or on PATH, in a temporary folder, and removes them.
// It needs no source tree.
//
// Its one idea is the package bench's: every run ends with checks. Exit codes: 0 all
// checks hold, 1 a check failed or the run did, 2 wrong usage.
//
// It writes nothing but the result to standard output; progress, on a terminal, and
// errors go to standard error.
package main
