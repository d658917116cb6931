package bench

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// "A scripted day in the life on five real processes with a client running
// throughout: its longest gap per event, no lost or doubled transaction, digests
// equal at the end", in short form; make day is the long one.
func TestADay(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*testTime)
	defer cancel()
	dir := t.TempDir()
	var told []string
	result, err := RunDay(ctx, DayConfig{
		Cluster:     ClusterConfig{Binary: build(t), Dir: dir, Group: "day"},
		Connections: 5, Accounts: 100, Rows: 2000, ReplaceAfter: 2 * time.Second, Seed: 1,
		Told: func(e DayEvent) { told = append(told, e.Event) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range result.Events {
		doc, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", doc)
		// Whatever was done, the client went on: no gap comes near what it would wait.
		if limit := (30 * time.Second).Seconds() * 1000; e.Gap > limit || e.Gap == 0 {
			t.Errorf("in %s no transaction committed for %.0f ms", e.Event, e.Gap)
		}
	}
	if want := strings.Join(DayEvents(), " "); strings.Join(told, " ") != want {
		t.Errorf("events %v, not %s", told, want)
	}
	if result.Operations == 0 || result.Unknown != result.Resolved {
		t.Errorf("%d operations of the history, %d of %d in doubt resolved", result.Operations, result.Resolved, result.Unknown)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("the day left %v, %v", left, err)
	}
}
