// Package ratelimit is an example application: a token bucket and a sliding window
// for each key, by tx.now.
package ratelimit

import (
	_ "embed" // for Schema
	"fmt"
	"math/rand/v2"

	"lockstep/testdata/call"
)

// Schema is the example's schema document, YAML.
//
//go:embed schema.yaml
var Schema string

// The limits that Load sets.
const (
	api    = "api"    // 20 a second, 50 at once; 30 in any two seconds
	signup = "signup" // 1 a second, 3 at once; 5 in any minute
)

// Load gives the transactions that set the limits.
func Load() []string {
	set := func(name, span string, rate, burst, within int) string {
		return call.Procedure("set_limit", call.Params{"name": name, "rate": rate, "burst": burst, "span": span, "within": within})
	}
	return []string{set(api, "2s", 20, 50, 30), set(signup, "60s", 1, 3, 5)}
}

// Traffic makes calls by a number of keys, a few of them far too often.
type Traffic struct {
	rng  *rand.Rand
	keys int
}

// NewTraffic makes the traffic that follows from a seed.
func NewTraffic(seed uint64, keys int) *Traffic { return &Traffic{rng: call.Rand(seed), keys: keys} }

// Next is the next transaction.
func (t *Traffic) Next() string {
	// The lower a key's number, the more it calls.
	key := fmt.Sprintf("key-%03d", int(float64(t.keys)*t.rng.Float64()*t.rng.Float64()*t.rng.Float64()))
	limit := api
	if t.rng.IntN(5) == 0 {
		limit = signup
	}
	p := call.Params{"limit": limit, "key": key}
	switch n := t.rng.IntN(100); {
	case n < 35:
		return call.Procedure("take", p)
	case n < 50:
		p["tokens"] = t.rng.IntN(12)
		return call.Procedure("take", p)
	case n < 92:
		return call.Procedure("hit", p)
	case n < 99:
		return call.Procedure("peek", p)
	}
	return call.Procedure("forget", call.Params{"idle": "30s", "at_most": 10})
}
