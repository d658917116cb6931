package txlog

import (
	"encoding/hex"
	"fmt"
	"strconv"
)

// NodeID is a node's permanent id: random, made when the node first starts, never used again by another.
type NodeID uint64

// String is the id as people see it: 16 hexadecimal digits.
func (n NodeID) String() string { return fmt.Sprintf("%016x", uint64(n)) }

// ParseNodeID reads what String wrote.
func ParseNodeID(s string) (NodeID, error) {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 || v == 0 {
		return 0, fmt.Errorf("%q is not a node id: it has 16 hexadecimal digits and isn't zero", s)
	}
	return NodeID(v), nil
}

// Raft members are addressed by a target: a text which the log keeps for good. The library takes only UUIDs
// there, so a target is the UUID whose first half spells "lockstep" and whose second half is the node id.
const targetPrefix = "6c6f636b-7374-6570-"

func (n NodeID) target() string {
	s := n.String()
	return targetPrefix + s[:4] + "-" + s[4:]
}

func parseTarget(s string) (NodeID, bool) {
	if len(s) != len(targetPrefix)+17 || s[:len(targetPrefix)] != targetPrefix || s[len(targetPrefix)+4] != '-' {
		return 0, false
	}
	s = s[len(targetPrefix):len(targetPrefix)+4] + s[len(targetPrefix)+5:]
	if _, err := hex.DecodeString(s); err != nil {
		return 0, false
	}
	id, err := ParseNodeID(s)
	return id, err == nil
}
