package node

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"lockstep/engine/partition"
	"lockstep/engine/store"
	"lockstep/txlog"
)

// transfer counts the snapshots that are on their way from or to a copy at present.
// The log has snapshots written only for a member that needs one.
type transfer struct{ sending, receiving atomic.Int32 }

// logMachine is a partition as the log wants it: what ends because the log asked
// for it is called so.
type logMachine struct {
	*partition.Partition
	transfer *transfer
}

func (m logMachine) SaveSnapshot(prepared any, w io.Writer, stop <-chan struct{}) error {
	m.transfer.sending.Add(1)
	defer m.transfer.sending.Add(-1)
	return stopped(m.Partition.SaveSnapshot(prepared, w, stop))
}

func (m logMachine) RecoverFromSnapshot(r io.Reader, stop <-chan struct{}) error {
	m.transfer.receiving.Add(1)
	defer m.transfer.receiving.Add(-1)
	return stopped(m.Partition.RecoverFromSnapshot(r, stop))
}

func stopped(err error) error {
	if errors.Is(err, partition.ErrDiverged) {
		return fmt.Errorf("%w: %w", txlog.ErrUnfit, err)
	}
	if errors.Is(err, store.ErrStopped) {
		return fmt.Errorf("%w: %w", txlog.ErrStopped, err)
	}
	return err
}

// isSent tells whether a snapshot is on its way from this copy to a member without a
// vote, or is being taken in there. It may take hours, and until it is in, the member
// says that it has nothing.
func (n *Node) isSent(c *copyOf, members *txlog.Membership) bool {
	if c.transfer.sending.Load() > 0 {
		return true
	}
	for _, m := range members.Members {
		if report, ok := n.reportOf(m.Node); ok && !m.Voting && report.Groups[c.name].Receiving {
			return true
		}
	}
	return false
}
