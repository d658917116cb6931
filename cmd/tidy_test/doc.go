// Package tidy holds what the project asks of its own source, as tests: whatever
// a reviewer would otherwise have to remember (style.md, habit 10).
//
// Its one idea is that the rules are data. layers_test.go has the list of
// packages from the top down, the packages that see a foreign library, and what
// the engine may not import; source_test.go has the rules of single files;
// links_test.go those of documents. A package that is new takes its place in the
// list, and the test that fails says so.
//
// It never looks at anything outside the module, and needs no tool but Go.
package tidy
