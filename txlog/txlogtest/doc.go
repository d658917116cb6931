// Package txlogtest runs a cluster of hosts in one test: real directories, real TCP on loopback, state machines
// that a test can look into and interfere with.
//
// A Cluster has nodes numbered from 0, one group, and one Machine a node. Stop ends a node in good order, Crash
// takes its network away first, so that its peers lose it without a word; Restart brings it back with its
// directory. Everything ends with the test.
//
// It is for tests of txlog and of what is built on it. It waits by asking again at short intervals with a limit,
// never by sleeping a fixed while.
package txlogtest
