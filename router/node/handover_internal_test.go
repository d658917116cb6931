package node

import (
	"testing"
	"time"
)

// A handover takes about 450 ms where a round trip takes 100 ms; in one network it is
// given up as soon as ever.
func TestAHandoverHasTimeInEachProfile(t *testing.T) {
	if lan := roundOf("lan"); lan != handOverRound {
		t.Errorf("lan: %v", lan)
	}
	if wan := roundOf("wan"); wan < time.Second || 2*wan > handOverWait {
		t.Errorf("wan: %v", wan)
	}
}
