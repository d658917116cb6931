// Package shop is an example application: the wholesaler of TPC-C (TPC Benchmark C,
// Standard Specification, Revision 5.11), with its tables, its five transactions as
// procedures, its conditions of consistency, its data and its mix of work.
//
// What is measured with it is not comparable with published results: there are
// neither terminals nor think times, and small sizes are allowed.
package shop
