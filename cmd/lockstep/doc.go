// Command lockstep is the one program of Lockstep: a node, a cluster to try it
// with, and the tools that talk to either.
//
//	lockstep dev                      three nodes on this machine, ready for curl
//	lockstep serve                    one node
//	lockstep tx, query, schema, group what an application's developer needs
//	lockstep status, verify, replay   what an operator needs
//
// Its one idea is that the command line adds nothing of its own: serve hands a
// checked configuration to router/node, dev runs serve several times, and
// every other command is one request through router/client, shown as a table for
// people or as the server's own JSON or YAML for programs.
//
// # Files
//
// main.go puts the commands together and turns an error into an exit code
// (exit.go: 0 done, 1 refused, 2 usage, 3 unavailable). config.go is the table of
// a node's settings, each of which is a flag, an environment variable and a key of
// the configuration file at once; serve.go runs a node with them until a signal.
// The other files are a command each; output.go and table.go show what they got,
// and progress.go keeps people company while they wait. The package dev holds the
// cluster of processes, the package schematest what "schema test" does.
//
// # What it never does
//
// It writes nothing but what was asked for to standard output: notices, progress
// and errors go to standard error. It never decides by the text of an error.
package main
