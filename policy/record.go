package policy

import (
	"encoding/json"
	"time"

	"lockstep/engine/schema/tree"
)

// The JSON forms of a candidate, with the names that expressions know. What is
// zero is left out.
type nodeJSON struct {
	Status       string            `json:"status,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Version      string            `json:"version,omitempty"`
	OS           string            `json:"os,omitempty"`
	Arch         string            `json:"arch,omitempty"`
	CPU          float64           `json:"cpu,omitempty"`
	MemoryFree   float64           `json:"memory_free,omitempty"`
	DiskFree     float64           `json:"disk_free,omitempty"`
	HeartbeatAge string            `json:"heartbeat_age,omitempty"`
	Uptime       string            `json:"uptime,omitempty"`
	Tasks        int64             `json:"tasks,omitempty"`
	Primaries    int64             `json:"primaries,omitempty"`
	Partitions   int64             `json:"partitions,omitempty"`
	Dedicated    string            `json:"dedicated,omitempty"`
	Partition    *partitionJSON    `json:"partition,omitempty"`
}

type partitionJSON struct {
	Role      string  `json:"role,omitempty"`
	Status    string  `json:"status,omitempty"`
	Revision  int64   `json:"revision,omitempty"`
	Lag       int64   `json:"lag,omitempty"`
	LagTime   string  `json:"lag_time,omitempty"`
	ApplyRate float64 `json:"apply_rate,omitempty"`
	SizeBytes int64   `json:"size_bytes,omitempty"`
	Diverged  bool    `json:"diverged,omitempty"`
}

// MarshalJSON writes what is known of a node and its copy, without its name:
// ReadCandidate reads it again.
func (c *Candidate) MarshalJSON() ([]byte, error) {
	n := &c.Node
	out := nodeJSON{Status: n.Status, Labels: n.Labels, Version: n.Version, OS: n.OS, Arch: n.Arch, CPU: n.CPU, MemoryFree: n.MemoryFree,
		DiskFree: n.DiskFree, HeartbeatAge: spanText(n.HeartbeatAge), Uptime: spanText(n.Uptime), Tasks: n.Tasks, Primaries: n.Primaries,
		Partitions: n.Partitions, Dedicated: n.Dedicated}
	if p := c.Partition; p != nil {
		out.Partition = &partitionJSON{Role: p.Role, Status: p.Status, Revision: p.Revision, Lag: p.Lag, LagTime: spanText(p.LagTime),
			ApplyRate: p.ApplyRate, SizeBytes: p.SizeBytes, Diverged: p.Diverged}
	}
	return json.Marshal(out)
}

func spanText(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return d.String()
}

// ReadCandidate reads the fields of a node and its copy that are there over what
// is known of it; the name is the caller's.
func ReadCandidate(at tree.Cursor, c *Candidate) { readNode(at, c) }

// LooksAtTime tells whether what a policy decides may change by time alone,
// beyond what Decision.Recheck tells.
func (p *Policy) LooksAtTime() bool { return p.timed }
