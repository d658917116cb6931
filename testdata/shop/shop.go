package shop

import (
	_ "embed" // for Schema
	"math/rand/v2"

	"lockstep/testdata/call"
)

// Schema is the example's schema document, YAML.
//
//go:embed schema.yaml
var Schema string

// Size is how much there is: that of the specification is Full for each warehouse.
type Size struct {
	Warehouses int
	Districts  int // of each warehouse, at most 10
	Customers  int // of each district; as many orders are there at the start
	Items      int
}

// Full is the specification's size of a number of warehouses (clause 1.2.1).
func Full(warehouses int) Size {
	return Size{Warehouses: warehouses, Districts: 10, Customers: 3000, Items: 100_000}
}

// Delivered is how many of a district's first orders are loaded as delivered: the
// last three in ten are new (clause 4.3.3.1).
func (s Size) Delivered() int { return s.Customers - s.Customers*3/10 }

// names is how many different last names the customers of a district have.
func (s Size) names() int { return max(1, s.Customers/3) }

// chance draws what the specification has random.
type chance struct {
	*rand.Rand
	c int // the constant C of NURand
}

// The constants C of NURand for C_LAST, as clause 2.1.6.1 wants them to differ
// between the load and the run.
const (
	loadConstant = 157
	runConstant  = loadConstant + 87
)

func newChance(seed uint64, c int) chance { return chance{call.Rand(seed), c} }

// between is uniform, both ends included.
func (r chance) between(low, high int) int { return low + r.IntN(high-low+1) }

// percent is true so many times in a hundred.
func (r chance) percent(n int) bool { return r.IntN(100) < n }

// nonUniform is NURand(A, low, high) (clause 2.1.6), with A made smaller as the range
// is smaller than the specification's.
func (r chance) nonUniform(a, full, low, high int) int {
	n := high - low + 1
	if n < full {
		scaled := 1
		for scaled*2+1 <= a*n/full {
			scaled = scaled*2 + 1
		}
		a = scaled
	}
	return ((r.between(0, a)|r.between(low, high))+r.c)%n + low
}

func (r chance) customer(s Size) int { return r.nonUniform(1023, 3000, 1, s.Customers) }
func (r chance) item(s Size) int     { return r.nonUniform(8191, 100_000, 1, s.Items) }
func (r chance) last(s Size) string  { return lastName(r.nonUniform(255, 1000, 0, s.names()-1)) }

// lastName is C_LAST of a number from 0 to 999 (clause 4.3.2.3).
func lastName(n int) string {
	syllables := [...]string{"BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "EING"}
	return syllables[n/100%10] + syllables[n/10%10] + syllables[n%10]
}

// text is an a-string: letters and digits, of a length between two.
func (r chance) text(low, high int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return r.of(alphabet, r.between(low, high))
}

// digits is an n-string.
func (r chance) digits(n int) string { return r.of("0123456789", n) }

func (r chance) of(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// data is an a-string of 26 to 50 characters, one in ten of which has ORIGINAL
// somewhere within.
func (r chance) data() string {
	s := r.text(26, 50)
	if !r.percent(10) {
		return s
	}
	const mark = "ORIGINAL"
	at := r.IntN(len(s) - len(mark) + 1)
	return s[:at] + mark + s[at+len(mark):]
}

// permutation is the numbers from 1 to n in an order of chance.
func (r chance) permutation(n int) []int {
	p := r.Perm(n)
	for i := range p {
		p[i]++
	}
	return p
}
