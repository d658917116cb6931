package bench

import (
	"context"
	"encoding/json"
	"testing"
	"time"
)

// The issue, Certification: contention behaves (no livelock for 64 clients on 10
// hot rows). On a real cluster every client gets through, following the advice that
// comes with a conflict, and no update is lost.
func TestContentionOnHotRowsMakesProgress(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	result, err := RunCertify(ctx, CertifyConfig{
		Cluster:     ClusterConfig{Binary: build(t), Dir: t.TempDir(), Group: "certify"},
		Connections: 64, Rows: 10, Backoff: "advised", Consistency: "local",
		Duration: time.Second, Each: 10, Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", doc)
	if result.Conflicts == 0 || result.GaveUp != 0 || result.Fewest != 10 || result.Most != 10 {
		t.Errorf("%d conflicts, %d loops given up, %d to %d of 10 successes a client", result.Conflicts, result.GaveUp, result.Fewest, result.Most)
	}
	if each := *result.AttemptsPerSuccess; each > 6 {
		t.Errorf("%.1f attempts a success: 64 clients on 10 rows that all come back at once need some four", each)
	}
}

// A check that can't fail shows nothing: one increment too few, or too many.
func TestALostUpdateIsFound(t *testing.T) {
	added := []int64{5, 7}
	if c := checkAdded([]int64{firstBalance + 5, firstBalance + 7}, added); !c.OK {
		t.Errorf("all is well, and it says %v", c)
	}
	for _, balances := range [][]int64{{firstBalance + 5, firstBalance + 6}, {firstBalance + 6, firstBalance + 7}, {firstBalance + 5}} {
		if c := checkAdded(balances, added); c.OK {
			t.Errorf("%v is taken for right", balances)
		}
	}
}
