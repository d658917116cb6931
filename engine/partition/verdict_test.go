package partition

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"lockstep/engine/entry"
)

// judged is a copy with the history applied, a checkpoint met after it, and what
// it found of itself.
type judged struct {
	*testCopy
	index    uint64
	own      Digests
	findings chan Finding
}

const checkpointID = 4711

func newJudged(t *testing.T, contents entry.Contents) *judged {
	h := newHistory(t, 11)
	h.generate(30)
	j := &judged{testCopy: openTest(t, newDisk()), findings: make(chan Finding, 2)}
	j.cfg.Diverged = func(f Finding) { j.findings <- f }
	j.apply(h.entries)
	j.index = h.index
	j.log(entry.AppendCheckpoint(nil, &entry.Checkpoint{ID: checkpointID, Contents: contents}))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	own, err := j.Digests(ctx, checkpointID)
	if err != nil {
		t.Fatal(err)
	}
	j.own = own
	return j
}

func (j *judged) log(cmd []byte) {
	j.index++
	j.apply([]entry.Raw{{Index: j.index, Cmd: cmd}})
}

func (j *judged) verdict(change func(*entry.Verdict)) {
	v := entry.Verdict{
		Checkpoint: checkpointID, Revision: j.own.Revision, Running: j.own.Running,
		HasContent: j.own.HasContent, Content: j.own.Content, Agreed: []uint64{1, 2},
	}
	change(&v)
	j.log(entry.AppendVerdict(nil, &v))
}

// "a verdict is an entry like any other": it changes neither rows nor digests.
func TestVerdictChangesNothing(t *testing.T) {
	j := newJudged(t, entry.ContentsScrubbed)
	defer j.close()
	before := j.Position()
	j.verdict(func(*entry.Verdict) {})
	j.verdict(func(v *entry.Verdict) { v.Agreed, v.Differed = nil, []uint64{1, 2} })
	after := j.Position()
	if after.Index = before.Index; after != before {
		t.Errorf("the position was %+v and is %+v", before, after)
	}
	j.log(entry.AppendCheckpoint(nil, &entry.Checkpoint{ID: 2, Contents: entry.ContentsAsked}))
	if again, err := j.Digests(context.Background(), 2); err != nil || again != j.own {
		t.Errorf("the digests were %+v and are %+v (%v)", j.own, again, err)
	}
	if len(j.findings) != 0 {
		t.Errorf("a copy that is right finds %v", <-j.findings)
	}
}

// "A copy in the minority … stops serving": it is not read, not streamed, and
// applies nothing more.
func TestCopyInTheMinorityServesNothing(t *testing.T) {
	for kind, change := range map[string]func(*entry.Verdict){
		ByRunning: func(v *entry.Verdict) { v.Running[0]++ },
		ByContent: func(v *entry.Verdict) { v.Content[0]++ },
	} {
		j := newJudged(t, entry.ContentsScrubbed)
		j.verdict(func(*entry.Verdict) {})
		prepared, err := j.PrepareSnapshot()
		if err != nil {
			t.Fatal(err)
		}
		j.verdict(change)
		f := <-j.findings
		if f.Kind != kind || f.Own != j.own || f.Equal != j.own.Revision || f.Verdict.Checkpoint != checkpointID {
			t.Errorf("%s: found %+v", kind, f)
		}
		if _, err := j.View(); !errors.Is(err, ErrDiverged) {
			t.Errorf("%s: a view is given: %v", kind, err)
		}
		if err := j.SaveSnapshot(prepared, discard{}, nil); !errors.Is(err, ErrDiverged) {
			t.Errorf("%s: the copy is streamed: %v", kind, err)
		}
		at := j.Position()
		j.verdict(func(*entry.Verdict) {})
		if j.Position() != at {
			t.Errorf("%s: entries are applied still", kind)
		}
		j.close()
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// "Without a majority the group refuses writes": that no majority agrees is kept,
// whatever crashes, until one does by digests of the same kind.
func TestHeldUntilAMajorityAgrees(t *testing.T) {
	j := newJudged(t, entry.ContentsScrubbed)
	none := func(v *entry.Verdict) { v.Agreed, v.Differed = nil, []uint64{1, 2, 3} }
	running := func(v *entry.Verdict) { v.HasContent = false }
	whole := func(*entry.Verdict) {}
	for _, step := range []struct {
		change func(*entry.Verdict)
		held   bool
	}{
		{whole, false}, {none, true}, {running, true}, {whole, false},
		{func(v *entry.Verdict) { none(v); running(v) }, true}, {running, false}, {none, true},
	} {
		j.verdict(step.change)
		if held := j.Judged().Held != nil; held != step.held {
			t.Fatalf("held: %t, want %t", held, step.held)
		}
	}
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
	j.close()
	again := openTest(t, j.disk)
	defer again.close()
	is := again.Judged()
	if is.Held == nil || is.Last == nil || !is.Last.Held() || is.Content == nil || is.Content.Content != j.own.Content {
		t.Errorf("after a restart the verdicts are %+v", is)
	}
	moved := again.moved()
	defer moved.close()
	if moved.Judged().Held == nil {
		t.Error("a copy that was streamed does not know that the group is held")
	}
}

// A verdict that comes before the scrub has ended is compared when it has.
func TestScrubIsComparedWhenItEnds(t *testing.T) {
	h := newHistory(t, 12)
	h.generate(200)
	c := openTest(t, newDisk())
	defer c.close()
	findings := make(chan Finding, 1)
	c.cfg.Diverged = func(f Finding) { findings <- f }
	c.cfg.Pacer = NewPacer(1 << 20)
	c.apply(h.entries)
	pos := c.Position()
	c.apply([]entry.Raw{{Index: h.index + 1, Cmd: entry.AppendCheckpoint(nil, &entry.Checkpoint{ID: 1, Contents: entry.ContentsScrubbed})}})
	v := entry.Verdict{Checkpoint: 1, Revision: pos.Revision, Running: pos.Digest, HasContent: true, Content: [32]byte{1}, Agreed: []uint64{2, 3}}
	c.apply([]entry.Raw{{Index: h.index + 2, Cmd: entry.AppendVerdict(nil, &v)}})
	select {
	case f := <-findings:
		if f.Kind != ByContent {
			t.Errorf("found %+v", f)
		}
	case <-time.After(time.Minute):
		t.Fatal("the scrub was never compared with the verdict")
	}
}

// endsLate is a context that ends right after it was looked at for the first time:
// before the one who looked has begun to wait.
type endsLate struct {
	context.Context
	end  context.CancelFunc
	once sync.Once
}

func (e *endsLate) Err() error {
	err := e.Context.Err()
	e.once.Do(func() {
		e.end()
		for range 1000 { // whoever the end wakes may run
			runtime.Gosched()
		}
	})
	return err
}

// Who waits for a checkpoint waits no longer than its context, whenever that ends.
func TestWaitForACheckpointEnds(t *testing.T) {
	c := openTest(t, newDisk())
	defer c.close()
	ctx, end := context.WithCancel(context.Background())
	defer end()
	done := make(chan error, 1)
	go func() {
		_, err := c.Digests(&endsLate{Context: ctx, end: end}, 1)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, ErrNoCheckpoint) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		c.checks.wake()
		t.Fatal("it waits on, though its context has ended")
	}
}

// "Once its file is written the copy of that replica is never opened again": until
// then the log is not told that the copy has applied what it skips.
func TestLogStandsStillUntilTheFindingIsKept(t *testing.T) {
	j := newJudged(t, entry.ContentsScrubbed)
	defer j.close()
	found, kept := make(chan struct{}), make(chan struct{})
	j.cfg.Diverged = func(Finding) { close(found); <-kept }
	go j.diverge(Finding{}) // as by a scrub that ends, beside the goroutine that applies
	<-found
	over := make(chan error, 1)
	at := j.index + 1
	go func() {
		err := j.Apply([]entry.Raw{{Index: at, Cmd: entry.AppendCheckpoint(nil, &entry.Checkpoint{ID: 2})}})
		over <- errors.Join(err, j.Sync())
	}()
	for range 1000 {
		runtime.Gosched()
	}
	if len(over) > 0 {
		t.Error("the copy says that it has applied and synced what it skipped")
	}
	close(kept)
	if err := <-over; err != nil {
		t.Error(err)
	}
}

// A scrub's checkpoint is remembered however many others come before it ends.
func TestScrubIsNotForgotten(t *testing.T) {
	j := newJudged(t, entry.ContentsScrubbed)
	defer j.close()
	for i := range uint64(2 * checkpointsKept) {
		j.log(entry.AppendCheckpoint(nil, &entry.Checkpoint{ID: i + 1}))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if d, _, done, err := j.DigestsSoon(ctx, checkpointID); err != nil || !done || d != j.own {
		t.Errorf("of the scrub it knows %+v, %t, %v", d, done, err)
	}
	if _, _, _, err := j.DigestsSoon(ctx, 1); !errors.Is(err, ErrNoCheckpoint) || len(j.checks.recent) != checkpointsKept {
		t.Errorf("%d checkpoints are remembered: %v", len(j.checks.recent), err)
	}
}
