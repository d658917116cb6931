package replay

import (
	"context"
	"errors"
	"slices"

	"lockstep/engine/entry"
	"lockstep/engine/partition"
)

// checkpoints are the digests at those met last, until their verdicts come.
type checkpoints struct {
	byID  map[uint64]digests
	order []uint64 // oldest first
}

func (c *checkpoints) add(id uint64, d digests) {
	if c.byID == nil {
		c.byID = map[uint64]digests{}
	}
	if _, again := c.byID[id]; !again {
		c.order = append(c.order, id)
	}
	c.byID[id] = d
	if len(c.order) > checkpointsKept {
		delete(c.byID, c.order[0])
		c.order = slices.Delete(c.order, 0, 1)
	}
}

// checkpoint notes the digests at a checkpoint. A scrub's content is waited for:
// the copy would give it up for the next one, which comes soon here.
func (r *run) checkpoint(cmd []byte) error {
	if _, err := r.reader.Reset(cmd); err != nil {
		return nil // corrupt: no copy takes it for a checkpoint
	}
	e, err := r.reader.Checkpoint()
	if err != nil {
		return nil
	}
	pos := r.recorded.Position()
	d := digests{revision: pos.Revision, running: pos.Digest}
	if e.Contents == entry.ContentsScrubbed {
		if d.content, err = r.contentAt(e.ID); err != nil {
			return err
		}
	}
	r.points.add(e.ID, d)
	return nil
}

func (r *run) contentAt(checkpoint uint64) (*[32]byte, error) {
	// The checkpoint was met: nothing is waited for but the digest.
	d, err := r.recorded.Digests(context.Background(), checkpoint)
	if err != nil {
		return nil, err
	}
	return &d.Content, nil
}

// verdict compares with what a majority of the group's copies agreed on.
func (r *run) verdict(cmd []byte) error {
	if _, err := r.reader.Reset(cmd); err != nil {
		return nil
	}
	v, err := r.reader.Verdict()
	if err != nil {
		return nil
	}
	if v.Held() {
		r.report.Compared.Undecided++
		return nil
	}
	mine, ok := r.points.byID[v.Checkpoint]
	if !ok {
		return nil // its checkpoint lies before the recording's beginning
	}
	agreed := digests{revision: v.Revision, running: v.Running}
	if v.HasContent {
		if mine.content == nil {
			mine.content, err = r.contentAt(v.Checkpoint)
			if err != nil && !errors.Is(err, partition.ErrNoCheckpoint) {
				return err
			}
		}
		agreed.content = &v.Content
	}
	r.report.Compared.Verdicts++
	r.report.Compared.compare(agreed, mine, &r.lastEqual)
	return nil
}
