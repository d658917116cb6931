package txlog

import (
	"errors"
	"fmt"
)

var (
	// ErrNotLeader: this replica doesn't lead the group. Definite: nothing was proposed. See NotLeaderError.
	ErrNotLeader = errors.New("this node is not the leader of the group")
	// ErrBusy: too much is on its way already. Definite: nothing was proposed; try again a little later.
	ErrBusy = errors.New("the log takes no more for the moment")
	// ErrTooLarge: the entry is above MaxEntryBytes. Definite.
	ErrTooLarge = errors.New("entry too large for the log")
	// ErrEmpty: an entry has to have at least a byte, for the library keeps empty ones to itself.
	ErrEmpty = errors.New("an entry cannot be empty")
	// ErrNotReady: the replica has not finished opening. Definite.
	ErrNotReady = errors.New("the replica is still starting")
	// ErrClosed: the group or its host is closed.
	ErrClosed = errors.New("the replica is closed")
	// ErrNoLeader: no leader was known when the time was over.
	ErrNoLeader = errors.New("the group has no leader")
	// ErrNoQuorum: a leader is known, but no majority confirmed it before the time was over.
	ErrNoQuorum = errors.New("the group has no quorum")
	// ErrRefused: the group's members make the change impossible.
	ErrRefused = errors.New("the change of members was refused")
	// ErrNoGroup: this host runs no such group.
	ErrNoGroup = errors.New("no such group on this node")
	// ErrGroupExists: the group runs here already.
	ErrGroupExists = errors.New("the group runs on this node already")
	// ErrReplicaRemoved: the replica was removed from its group; its id cannot come back.
	ErrReplicaRemoved = errors.New("this replica was removed from the group")
	// ErrUnfit is what a StateMachine's SaveSnapshot returns, wrapped or not, where its state must not be copied:
	// the replica that waits for it gets none from here.
	ErrUnfit = errors.New("the state of this replica must not be copied")
	// ErrWitness: this replica is a witness, which has nothing to answer from. Definite.
	ErrWitness = errors.New("this replica is a witness: it votes, and has no data")
	// ErrInUse: another process uses the directory.
	ErrInUse = errors.New("the directory is in use by another process")
	// ErrForeignData: the directory belongs to another node, cluster, machine or version.
	ErrForeignData = errors.New("the directory belongs to something else")
)

// NotLeaderError is ErrNotLeader with what is known of the leader.
type NotLeaderError struct {
	Leader NodeID // 0 when none is known
	Term   uint64
}

func (e *NotLeaderError) Error() string {
	if e.Leader == 0 {
		return ErrNotLeader.Error() + ", and none is known"
	}
	return fmt.Sprintf("%s: node %s is", ErrNotLeader, e.Leader)
}

func (e *NotLeaderError) Unwrap() error { return ErrNotLeader }
