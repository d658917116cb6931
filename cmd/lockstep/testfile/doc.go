// Package testfile is what the files of tests of all kinds have in common: "lockstep
// schema test" and "lockstep policy test".
//
// One idea: a file of tests is YAML, and its nodes are kept. Mistakes and
// differences name lines by them, and an update changes those that differ from what
// came and writes the rest back, comments, order and blank lines as they were.
//
//	file --Parse--> nodes --Reader--> what a kind of tests makes of them
//	what came --Differ.Compare--> differences, by line
//	          --Amend, Write--> the file, with what came
//	Report --Text, JUnit, JSON--> people, build servers, programs
//
// What a test does is no concern of this package.
package testfile
