// Package chronicle keeps lines of text in a file that stays within a bound.
//
// # One idea
//
// A file is written only at its end. When it is full it is set aside, in place of the
// one that was set aside before, and another begins; so the last lines are always
// there, half of the bound at least, and old ones go in one piece. What begins a file
// must be readable for itself: whoever appends is told that it has turned.
//
// Nothing is synced: these are lines that nobody was promised. After a crash a last
// line that is torn is cut off, so that the next one does not continue it.
package chronicle
