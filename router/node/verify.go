package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"lockstep/engine/entry"
	"lockstep/engine/partition"
	"lockstep/engine/store"
	"lockstep/router"
	"lockstep/router/order"
	"lockstep/txlog"
)

// digestQuestion asks a node for its copy's digests at a checkpoint.
type digestQuestion struct {
	Group      string `json:"group"`
	Checkpoint uint64 `json:"checkpoint"`
	Replica    uint64 `json:"replica,omitempty"` // of this replica only; 0: whichever is there
	Soon       bool   `json:"soon,omitempty"`    // don't wait for a scrub to end
}

// digestAnswer is the copy's.
type digestAnswer struct {
	Revision uint64 `json:"revision"`
	Digest   string `json:"digest,omitempty"` // over both, to compare
	Running  string `json:"running"`
	Content  string `json:"content,omitempty"`
	Pending  bool   `json:"pending,omitempty"` // the scrub has not ended
	// Unreadable is why the copy can't read its own content.
	Unreadable string `json:"unreadable,omitempty"`
}

// Verify has every copy of a group digest its content at one point of the order,
// a checkpoint that is ordered like a transaction, and compares.
func (n *Node) Verify(ctx context.Context, group string) (router.VerifyReport, error) {
	c := n.copy(group)
	cat := n.catalog.Load()
	if c == nil || group == systemGroup {
		if _, ok := cat.group(group); ok {
			return router.VerifyReport{}, &router.Problem{Code: "starting", Group: group, Detail: "this node has no copy of the group: ask one that has"}
		}
		return router.VerifyReport{}, &router.Problem{Code: "unknown_group", Group: group, Detail: fmt.Sprintf("there is no group %q", group)}
	}
	id := checkpointID()
	v, err := c.order(ctx, &order.Request{Checkpoint: &entry.Checkpoint{ID: id, Contents: entry.ContentsAsked}})
	if err != nil {
		return router.VerifyReport{}, err
	}
	report := router.VerifyReport{Group: group, Revision: v.Outcome.Revision}
	copies := cat.withData(group)
	report.Partitions = make([]router.VerifiedCopy, len(copies))
	var asking sync.WaitGroup
	for i, p := range copies {
		asking.Go(func() {
			report.Partitions[i] = n.verifyCopy(ctx, cat, p, digestQuestion{Group: group, Checkpoint: id})
		})
	}
	asking.Wait()
	report.Equal = allEqual(report.Partitions)
	return report, nil
}

func checkpointID() uint64 {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	return binary.BigEndian.Uint64(raw[:])
}

func allEqual(copies []router.VerifiedCopy) bool {
	for _, c := range copies {
		if c.Error != "" || c.Digest != copies[0].Digest || c.Revision != copies[0].Revision {
			return false
		}
	}
	return len(copies) > 0
}

func (n *Node) verifyCopy(ctx context.Context, cat *catalog, p partitionRow, q digestQuestion) router.VerifiedCopy {
	out := router.VerifiedCopy{Node: cat.nodeName(p.node)}
	answer, err := n.digestOf(ctx, p.node, q)
	if err != nil {
		out.Error = err.Error()
		return out
	}
	out.Revision, out.Digest, out.Error = answer.Revision, answer.Digest, answer.Unreadable
	return out
}

func (n *Node) digestOf(ctx context.Context, at txlog.NodeID, q digestQuestion) (digestAnswer, error) {
	if at == n.id {
		return n.ownDigest(ctx, q)
	}
	raw, err := json.Marshal(q)
	if err != nil {
		return digestAnswer{}, err
	}
	raw, err = n.peers.Call(ctx, uint64(at), serviceDigest, raw)
	if err != nil {
		return digestAnswer{}, err
	}
	var a digestAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return digestAnswer{}, fmt.Errorf("the node's answer can't be read: %w", err)
	}
	return a, nil
}

func (n *Node) answerDigest(ctx context.Context, _ uint64, raw []byte) ([]byte, error) {
	var q digestQuestion
	if err := json.Unmarshal(raw, &q); err != nil {
		return nil, fmt.Errorf("the question can't be read: %w", err)
	}
	a, err := n.ownDigest(ctx, q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(a)
}

func (n *Node) ownDigest(ctx context.Context, q digestQuestion) (digestAnswer, error) {
	c := n.copy(q.Group)
	if c == nil {
		return digestAnswer{}, partition.ErrClosed
	}
	if own := c.log.Replica(); q.Replica != 0 && q.Replica != own {
		return digestAnswer{}, fmt.Errorf("the copy here is replica %d", own)
	}
	if q.Soon {
		d, _, done, err := c.part.DigestsSoon(ctx, q.Checkpoint)
		if !done || err != nil {
			return digestAnswer{Pending: err == nil}, err
		}
		return answerOf(d, nil)
	}
	return answerOf(c.part.Digests(ctx, q.Checkpoint))
}

// answerOf tells digests that a copy computed. That it can't read its own content
// is an answer too.
func answerOf(d partition.Digests, err error) (digestAnswer, error) {
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return digestAnswer{}, err
	}
	a := digestAnswer{Revision: d.Revision, Running: hex.EncodeToString(d.Running[:])}
	switch {
	case err != nil:
		a.Unreadable = err.Error()
	case d.HasContent:
		a.Content = hex.EncodeToString(d.Content[:])
		h := sha256.New()
		h.Write(d.Content[:])
		h.Write(d.Running[:])
		a.Digest = hex.EncodeToString(h.Sum(nil))
	}
	return a, nil
}

// digestOfText reads what answerOf wrote.
func digestOfText(text string) (d [32]byte) {
	raw, err := hex.DecodeString(text)
	if err == nil && len(raw) == len(d) {
		copy(d[:], raw)
	}
	return d
}
