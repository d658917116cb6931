// Package policytest runs users' tests of their policies, without a cluster: the
// command "lockstep policy test".
//
// One idea: a decision is a function of status and policies (package policy), so a
// file that has both says all there is to say, and what passes here is what a
// supervisor does.
//
// How data flows:
//
//	file --Read--> File: policies, status, tests
//	each test: status of the file, over it that of the test --ParseInput--> Input
//	each step: time passes, status changes --Explain--> Explanation, against the nodes of the file
//	           what was decided is done: the next step finds it so
//	Suite.Report --Text, JSON, JUnit (package testfile)
//
// What a test does not name is not compared; an update changes what is named.
package policytest
