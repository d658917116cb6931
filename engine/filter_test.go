package engine

import (
	"fmt"
	"testing"
)

// A filter may say of a new key that it can be there, seldom; of one that is
// there it never says that it is not.
func TestFilterNeverDeniesAKeyThatIsThere(t *testing.T) {
	f := keyFilter{complete: true}
	const n = 100_000 // three layers
	for i := range n {
		f.add(hashKey(fmt.Sprintf("order-%d", i)))
	}
	wrong := 0
	for i := range n {
		if !f.may(hashKey(fmt.Sprintf("order-%d", i))) {
			t.Fatalf("order-%d is denied", i)
		}
		if f.may(hashKey(fmt.Sprintf("other-%d", i))) {
			wrong++
		}
	}
	if wrong > n/20 {
		t.Errorf("%d of %d new keys are taken for old ones", wrong, n)
	}
}
