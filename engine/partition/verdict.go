package partition

import (
	"errors"
	"fmt"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/store"
)

// ErrDiverged says that the copy was found to differ from the majority: it must
// not be read any more.
var ErrDiverged = errors.New("the group's copy on this node differs from the others and is not served")

// Kinds of digests by which a copy is found to differ.
const (
	// ByRunning: it wrote other rows or outcomes than the majority did.
	ByRunning = "running"
	// ByContent: it holds other data than the majority, or can't read its own.
	ByContent = "content"
)

// Finding is how a copy was found to differ from the majority.
type Finding struct {
	Kind    string // ByRunning or ByContent
	Own     Digests
	Verdict *entry.Verdict
	// Equal is the last revision at which this copy's digest of that kind is known
	// to have been right; 0: none is known.
	Equal uint64
	// Unreadable is why the copy can't read its own content.
	Unreadable error
}

// Compared is what a copy knows of its digests: the last revisions at which the
// running digest, and that of the content, were those of a verdict.
type Compared struct{ Running, Content uint64 }

// judge compares the copy with a verdict, right after its entry is committed.
func (c *checks) judge(cmd []byte) {
	var r entry.Reader
	if _, err := r.Reset(cmd); err != nil {
		return
	}
	v, err := r.Verdict()
	if err != nil || v.Held() {
		return
	}
	c.mu.Lock()
	k := c.named(v.Checkpoint)
	if k == nil || c.closed {
		c.mu.Unlock()
		return // met before this copy was opened: the next one tells
	}
	if k.digests.Revision != v.Revision || k.digests.Running != v.Running {
		f := Finding{Kind: ByRunning, Own: k.digests, Verdict: &v, Equal: c.equal.Running}
		c.mu.Unlock()
		c.p.diverge(f)
		return
	}
	c.equal.Running = max(c.equal.Running, v.Revision) // a scrub's verdict comes late
	at := c.equal
	compare := v.HasContent && k.digests.HasContent
	if compare {
		select {
		case <-k.done:
		default:
			// Only a scrub is compared late: the digest that nobody asked for is not
			// worth computing for a verdict that the others have reached.
			compare = false
			if k.scrub {
				k.awaiting = &v
			}
		}
	}
	c.mu.Unlock()
	c.p.compared(at)
	if compare {
		c.compareContent(k, &v)
	}
}

// compareContent compares a content that was digested.
func (c *checks) compareContent(k *check, v *entry.Verdict) {
	if k.err != nil && !errors.Is(k.err, store.ErrCorrupt) {
		return // given up for a reason that says nothing of the data
	}
	c.mu.Lock()
	f := Finding{Kind: ByContent, Own: k.digests, Verdict: v, Equal: c.equal.Content, Unreadable: k.err}
	equal := k.err == nil && k.digests.Content == v.Content
	if equal {
		c.equal.Content = v.Revision
	}
	at, closed := c.equal, c.closed
	c.mu.Unlock()
	switch {
	case equal:
		c.p.compared(at)
	case !closed: // a copy that is closing can't read for that reason
		c.p.diverge(f)
	}
}

func (p *Partition) compared(at Compared) {
	if p.cfg.Compared != nil {
		p.cfg.Compared(at)
	}
}

// diverge stops serving at once, and tells what was found. Nothing is applied any
// more: a copy that is wrong can only become more so, or stumble.
func (p *Partition) diverge(f Finding) {
	if !p.diverged.CompareAndSwap(false, true) {
		return
	}
	p.waiters.close()
	p.checks.wake()
	if p.cfg.Diverged != nil {
		p.cfg.Diverged(f)
	}
	close(p.condemned)
}

// Judged is what the verdicts said that this copy has met.
func (p *Partition) Judged() engine.Judged { return p.published.Load().judged }

// String is the finding for people.
func (f *Finding) String() string {
	since := "no earlier checkpoint of this kind is known to have been equal"
	if f.Equal > 0 {
		since = fmt.Sprintf("at revision %d they were equal", f.Equal)
	}
	switch {
	case f.Unreadable != nil:
		return fmt.Sprintf("its content can't be read (%v), which %d others agree on at revision %d; %s", f.Unreadable, len(f.Verdict.Agreed), f.Verdict.Revision, since)
	case f.Kind == ByContent:
		return fmt.Sprintf("its content at revision %d is not what %d others agree on; %s", f.Verdict.Revision, len(f.Verdict.Agreed), since)
	}
	return fmt.Sprintf("what it wrote up to revision %d is not what %d others agree on; %s", f.Verdict.Revision, len(f.Verdict.Agreed), since)
}
