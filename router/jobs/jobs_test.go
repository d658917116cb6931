package jobs

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// book keeps runs as a catalog would.
type book struct {
	mu   sync.Mutex
	runs []Run
	fail bool
}

func (b *book) record(_ context.Context, run *Run) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail {
		return errors.New("no majority answers")
	}
	if run.ID == 0 {
		run.ID = uint64(len(b.runs) + 1)
		b.runs = append(b.runs, *run)
		return nil
	}
	b.runs[run.ID-1] = *run
	return nil
}

func (b *book) all() []Run {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Run(nil), b.runs...)
}

// hourly is a schedule: on the hour.
func hourly(_ string, after time.Time) (time.Time, bool) {
	return after.Truncate(time.Hour).Add(time.Hour), true
}

func runner(b *book, do func(ctx context.Context) (any, error)) *Runner {
	return New(Config{Node: "n1", Record: b.record, Next: hourly, Do: func(ctx context.Context, _ Run, _ func(string)) (any, error) { return do(ctx) }})
}

var verify = Key{"bank", "verify"}

// "Run on a subscriber, on schedule, progress, result, history": the holder runs the
// job at each time of its schedule, and makes up for missed times once.
func TestAJobRunsOnItsSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		r := runner(b, func(context.Context) (any, error) { return map[string]bool{"equal": true}, nil })
		defer r.Stop()
		begin := time.Now() // midnight of 2000-01-01
		r.Hold([]Assignment{{Key: verify, Epoch: 7, Since: begin, Schedule: "0 * * * *"}})
		<-time.After(150 * time.Minute)
		if runs := b.all(); len(runs) != 2 || !runs[1].Started.Equal(begin.Add(2*time.Hour)) || runs[1].Status != Done || string(runs[1].Result) != `{"equal":true}` || runs[1].Epoch != 7 || runs[1].By != BySchedule {
			t.Fatalf("%+v", runs)
		}
		// Nobody held it for a day: one run, not twenty-four.
		r.Hold(nil)
		<-time.After(24 * time.Hour)
		r.Hold([]Assignment{{Key: verify, Epoch: 9, Since: time.Now(), Schedule: "0 * * * *", Last: begin.Add(2 * time.Hour)}})
		<-time.After(time.Minute)
		if runs := b.all(); len(runs) != 3 || runs[2].Epoch != 9 {
			t.Fatalf("%+v", runs)
		}
	})
}

// Who asks for a job that runs joins it; and it needs neither holder nor schedule.
func TestAJobRunsOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		gate := make(chan struct{})
		r := runner(b, func(ctx context.Context) (any, error) { <-gate; return nil, errors.New("n3 differs") })
		defer r.Stop()
		first, err := r.Start(t.Context(), verify, ByRequest)
		if err != nil || first.ID != 1 {
			t.Fatalf("%+v %v", first, err)
		}
		if again, err := r.Start(t.Context(), verify, ByRequest); err != nil || again.ID != 1 || len(r.Running()) != 1 {
			t.Errorf("%+v %v", again, err)
		}
		close(gate)
		synctest.Wait()
		if runs := b.all(); len(runs) != 1 || runs[0].Status != Failed || runs[0].Detail != "n3 differs" || len(r.Running()) != 0 {
			t.Errorf("%+v", runs)
		}
	})
}

// A run that its schedule began ends with the assignment; one that somebody asked for
// goes on.
func TestARunEndsWithItsAssignment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		r := runner(b, func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() })
		backup := Key{"bank", "backup"}
		r.Hold([]Assignment{{Key: verify, Epoch: 7, Since: time.Now(), Schedule: "0 * * * *"}, {Key: backup, Epoch: 8}})
		<-time.After(61 * time.Minute)
		if _, err := r.Start(t.Context(), backup, ByRequest); err != nil {
			t.Fatal(err)
		}
		r.Hold(nil)
		synctest.Wait()
		if runs := b.all(); len(runs) != 2 || runs[0].Status != Interrupted || runs[0].Detail != errLost.Error() || runs[1].Status != Running {
			t.Errorf("%+v", runs)
		}
		r.Stop()
		if runs := b.all(); runs[1].Status != Interrupted || runs[1].Detail != errStopping.Error() {
			t.Errorf("%+v", runs)
		}
		if _, err := r.Start(context.Background(), verify, ByRequest); err == nil {
			t.Error("it begins after the end")
		}
	})
}

// A run that can't be recorded is not begun.
func TestARunThatCannotBeRecordedIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{fail: true}
		begun := false
		r := runner(b, func(context.Context) (any, error) { begun = true; return nil, nil })
		defer r.Stop()
		if _, err := r.Start(t.Context(), verify, ByRequest); err == nil || begun {
			t.Errorf("%v %v", err, begun)
		}
	})
}

// A time of the schedule is not lost with the catalog's majority: the run is begun when
// it can be recorded.
func TestARunThatCouldNotBeRecordedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{fail: true}
		r := runner(b, func(context.Context) (any, error) { return nil, nil })
		defer r.Stop()
		r.Hold([]Assignment{{Key: verify, Epoch: 7, Since: time.Now(), Schedule: "0 * * * *"}})
		<-time.After(61 * time.Minute)
		b.mu.Lock()
		b.fail = false
		b.mu.Unlock()
		<-time.After(time.Minute)
		if runs := b.all(); len(runs) != 1 || runs[0].Status != Done {
			t.Errorf("%+v", runs)
		}
	})
}

// A run goes on while its history can't be read, and nothing is begun by schedule.
func TestARunOutlivesAHistoryThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		r := runner(b, func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() })
		defer r.Stop()
		r.Hold([]Assignment{{Key: verify, Epoch: 7, Since: time.Now(), Schedule: "0 * * * *"}})
		<-time.After(61 * time.Minute)
		r.Hold([]Assignment{{Key: verify, Epoch: 7}})
		<-time.After(61 * time.Minute)
		if runs := b.all(); len(runs) != 1 || runs[0].Status != Running {
			t.Errorf("%+v", runs)
		}
	})
}

// A run that was interrupted is made up for, some times.
func TestAnInterruptedRunIsMadeUpFor(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2026, 1, 2, h, 0, 0, 0, time.UTC) }
	run := func(h int, status, by string) Run { return Run{ID: uint64(h), Started: at(h), Status: status, By: by} }
	done, lost := run(1, Done, BySchedule), func(h int) Run { return run(h, Interrupted, BySchedule) }
	for i, c := range []struct {
		runs, here []Run
		want       time.Time
	}{
		{nil, nil, time.Time{}},
		{[]Run{done}, nil, at(1)},
		{[]Run{run(2, Failed, BySchedule), done}, nil, at(2)},
		{[]Run{lost(2), done}, nil, at(1)},
		{[]Run{lost(2)}, nil, time.Time{}},
		{[]Run{run(2, Running, BySchedule), done}, nil, at(1)},
		{[]Run{run(2, Running, BySchedule), done}, []Run{{ID: 2}}, at(2)},
		{[]Run{run(2, Running, ByRequest), done}, nil, at(2)},
		{[]Run{lost(4), lost(3), lost(2), done}, nil, at(1)},
		{[]Run{lost(5), lost(4), lost(3), lost(2), done}, nil, at(2)},
	} {
		if got := Last(c.runs, c.here); !got.Equal(c.want) {
			t.Errorf("%d: %v, not %v", i, got, c.want)
		}
	}
}
