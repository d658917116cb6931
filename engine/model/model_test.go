package model_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lockstep/engine/lang"
	"lockstep/engine/model"
)

var (
	longRun  = flag.Int("model.transactions", 0, "how many transactions to compare at least; 0: a few seconds of them")
	longSeed = flag.Uint64("model.seed", 1, "the seed of the first histories")
)

// How many histories are made of one seed: in a long run, and in one of seconds.
const (
	checksARound      = 20
	checksOfAShortOne = 10
)

// "The outcome of a transaction is a function of the group's state, the
// transaction, and the time and seed stamped into its log entry; of nothing else"
// (transactions.md, Determinism): so two programs written apart have to agree on
// it, byte for byte, errors included.
func TestTheEngineAgreesWithTheModel(t *testing.T) {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	seen := newCoverage(env)
	if *longRun == 0 {
		round(t, seen, *longSeed)
		round(t, seen, 0) // rapid takes a seed of its own, and names it if need be
		t.Logf("%d transactions", seen.transactions)
		return
	}
	begin := time.Now()
	for seed := *longSeed; seen.transactions < *longRun && !t.Failed(); seed++ {
		round(t, seen, seed)
		if seed%20 == 0 {
			t.Logf("%s: %d transactions, seed %d", time.Since(begin).Round(time.Second), seen.transactions, seed)
		}
	}
	t.Logf("%d transactions in %s, seeds from %d on\n%s", seen.transactions, time.Since(begin).Round(time.Second), *longSeed, seen)
	if missing := seen.missing(); len(missing) > 0 {
		t.Errorf("never came up: %s", strings.Join(missing, ", "))
	}
}

// round compares some histories of one seed.
func round(t *testing.T, seen *coverage, seed uint64) {
	checks, most := checksARound, 250
	if *longRun == 0 {
		checks, most = checksOfAShortOne, 60
	}
	for name, value := range map[string]string{"rapid.seed": strconv.FormatUint(seed, 10), "rapid.checks": strconv.Itoa(checks)} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := newPair(t, seen.env, seen)
		defer p.close()
		p.history(1 + p.g.upTo(most))
	})
}

// coverage counts what has been compared.
type coverage struct {
	env          *lang.Env
	transactions int
	kinds        map[string]int
}

func newCoverage(env *lang.Env) *coverage { return &coverage{env: env, kinds: map[string]int{}} }

func (c *coverage) String() string {
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.kinds)) {
		fmt.Fprintf(&b, "%9d %s\n", c.kinds[what], what)
	}
	return b.String()
}

// count files an outcome under what it is.
func (c *coverage) count(o model.Outcome) {
	switch {
	case o.Committed:
		c.kinds["committed"]++
	case o.Code == "cost_exceeded":
		for _, budget := range budgets {
			if strings.Contains(o.Message, budget) {
				c.kinds["cost_exceeded: "+budget]++
			}
		}
	case o.Code == "evaluation_error":
		c.kinds[o.Code+": "+faultKind(o.Message)]++
	default:
		c.kinds["aborted: "+o.Code]++
	}
}

// faultKind is the message of a runtime error without its operands.
func faultKind(message string) string {
	for _, k := range faultKinds {
		if strings.Contains(message, k) {
			return k
		}
	}
	return message
}

var faultKinds = []string{"overflow in", "division by zero in", "is no finite number", "field", "no such key", "is outside a list of",
	"is not defined for", "null where", "a value of type", "is repeated", "can't be a key", "is outside the years", "not a usable pattern", "of an empty list",
	"can't take", "that are no UTF-8 text", "of null", " is no json", " is no ", "the limit is"}

var budgets = []string{"steps", "rows read", "bytes written", "a value is larger"}

// functions are all that the language has, so that a new one has to come up too;
// and those of text that lists have as well.
func (c *coverage) functions() []string {
	names := c.env.Functions()
	for _, name := range []string{"size", "reverse", "indexOf", "lastIndexOf"} {
		names = append(names, name+" of a list")
	}
	return names
}

// missing is what should have come up in a long run and never did.
func (c *coverage) missing() []string {
	names := c.functions()
	for _, group := range []struct{ prefix, words string }{
		{"step ", "get scan insert update upsert delete require let if each expect expect_task emit"},
		{"type ", "bool int uint double string bytes timestamp duration json"},
		{"", "all exists existsOne exists_one filter map has tx.id tx.revision tx.now"},
		{"", "committed query executed duplicate"},
		{"aborted: ", "not_found already_exists unique_violation limit_exceeded conflict fenced bad refused"},
	} {
		for _, w := range strings.Fields(group.words) {
			names = append(names, group.prefix+w)
		}
	}
	for _, k := range faultKinds {
		names = append(names, "evaluation_error: "+k)
	}
	for _, b := range budgets {
		names = append(names, "cost_exceeded: "+b)
	}
	names = append(names, "key reused", "schema applied at once", "schema applied in steps: true", "schema applied in steps: false", "task assigned: true", "task assigned: false")
	return slices.DeleteFunc(names, func(n string) bool { return c.kinds[n] > 0 })
}
