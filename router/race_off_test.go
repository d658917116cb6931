//go:build !race

package router

// raceEnabled: the race detector makes everything ten times slower.
const raceEnabled = false
