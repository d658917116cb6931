package policy

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"lockstep/engine/schema/tree"
)

// ReadInput reads the status that a decision is made of, as files of tests and
// recorded histories have it:
//
//	now: 2026-01-01T10:00:00Z
//	group: orders              # or {name, labels, size, available, zones}
//	task: primary              # or {name, labels}
//	holder: n1                 # or holders: [n1, n2], or [{node: n1, held: 5m}]
//	held: 5m                   # of holders that do not say it themselves
//	nodes:
//	  n1: {status: suspect, labels: {zone: eu-1}, cpu: 0.3, partition: {lag: 2}}
//	  n2: {}
//	  n3: {partition: none}    # no copy of the group
//
// A node is available and has a subscriber's copy, the holder of primary the
// primary's, unless it says otherwise; a group's size, available and zones are
// counted from its nodes where they are left out.
func ReadInput(at tree.Cursor) *Input {
	in := &Input{}
	if !at.Object([]string{"task", "nodes"}, "now", "group", "holder", "holders", "held") {
		return in
	}
	in.Now = readInstant(at.Field("now"))
	in.Task = readTaskOf(at.Field("task"))
	readHolders(at, in)
	counted := readGroup(at.Field("group"), &in.Group)
	nodes := at.Field("nodes")
	if nodes.IsMap() && len(nodes.Node.Items) > MaxCandidates {
		nodes.Fail(tree.Invalid, "%d nodes; at most %d are taken", len(nodes.Node.Items), MaxCandidates)
		return in
	}
	for _, e := range nodes.Entries() {
		c := Candidate{Node: Node{Name: e.Key, Status: Available, MemoryFree: 1, DiskFree: 1}}
		if in.Task.Name != TaskCopy {
			c.Partition = &Partition{Role: RoleSubscriber, Status: Available}
			if in.Task.Name == TaskPrimary && len(in.Holders) > 0 && in.Holders[0].Node == e.Key {
				c.Partition.Role = RolePrimary
			}
		}
		if readNode(e.Value, &c); c.Partition != nil && c.Node.Status == Unavailable && e.Value.Field("partition").Field("status").Node == nil {
			c.Partition.Status = Unavailable
		}
		in.Candidates = append(in.Candidates, c)
	}
	in.count(counted)
	return in
}

// ParseInput reads an Input of a document of its own.
func ParseInput(src []byte) (*Input, []Problem) {
	root, problems := tree.Parse(src, inputLimits())
	if problems != nil {
		return nil, problems
	}
	var ps tree.Problems
	in := ReadInput(tree.Root(root, &ps))
	if !ps.None() {
		return nil, ps.List()
	}
	return in, nil
}

// Recount works size, available and zones of the group out anew from its
// candidates.
func (in *Input) Recount() { in.count([3]bool{}) }

// count works out what was not given of the group: size, available, zones.
func (in *Input) count(given [3]bool) {
	g, zones := &in.Group, map[string]int64{}
	var size, available int64
	for i := range in.Candidates {
		c := &in.Candidates[i]
		if c.Partition == nil || c.Partition.Role == RoleWitness {
			continue
		}
		size++
		if c.Node.Status == Available {
			available++
		}
		if zone := c.Node.Labels["zone"]; zone != "" {
			zones[zone]++
		}
	}
	if !given[0] {
		g.Size = size
	}
	if !given[1] {
		g.Available = available
	}
	if !given[2] {
		g.Zones = zones
	}
}

func readInstant(f tree.Cursor) time.Time {
	if !f.Here() {
		return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	text, ok := f.Text()
	if !ok {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1970 {
		f.Fail(tree.Invalid, "%q is no instant from 1970 on, such as 2026-01-01T10:00:00Z", text)
	}
	return t.UTC()
}

func readTaskOf(f tree.Cursor) (t Task) {
	if !f.Here() || f.Node.Kind == tree.String {
		t.Name = readTask(f)
		return t
	}
	if f.Object([]string{"name"}, "labels") {
		t.Name, t.Labels = readTask(f.Field("name")), readLabels(f.Field("labels"))
	}
	return t
}

func readHolders(at tree.Cursor, in *Input) {
	var held time.Duration
	if f := at.Field("held"); f.Here() {
		held = readSpan(f, math.MaxInt64)
	}
	if f := at.Field("holder"); f.Here() && f.Node.Kind != tree.Null {
		name, _ := f.Text()
		in.Holders = []Holder{{Node: name, Held: held}}
	}
	list := at.Field("holders")
	if !list.Here() || !list.IsList() {
		return
	}
	if len(list.Node.Items) > MaxCount {
		list.Fail(tree.Invalid, "%d holders; at most %d are taken", len(list.Node.Items), MaxCount)
		return
	}
	in.Holders = nil
	for _, e := range list.Elements() {
		h := Holder{Held: held}
		switch {
		case e.Node.Kind == tree.String:
			h.Node = e.Node.Text
		case e.Node.Kind == tree.Null:
		case e.Object([]string{"node"}, "held"):
			h.Node, _ = e.Field("node").Text()
			if f := e.Field("held"); f.Here() {
				h.Held = readSpan(f, math.MaxInt64)
			}
		}
		in.Holders = append(in.Holders, h)
	}
}

// readGroup tells which of size, available and zones were given.
func readGroup(f tree.Cursor, g *Group) (given [3]bool) {
	if !f.Here() {
		g.Name = "group"
		return given
	}
	if f.Node.Kind == tree.String {
		g.Name = f.Node.Text
		return given
	}
	if !f.Object([]string{"name"}, "labels", "size", "available", "zones") {
		return given
	}
	g.Name, _ = f.Field("name").Text()
	g.Labels = readLabels(f.Field("labels"))
	if e := f.Field("size"); e.Here() {
		g.Size, given[0] = int64(readInt(e, 0, MaxCandidates)), true
	}
	if e := f.Field("available"); e.Here() {
		g.Available, given[1] = int64(readInt(e, 0, MaxCandidates)), true
	}
	if e := f.Field("zones"); e.Here() && e.IsMap() {
		g.Zones, given[2] = map[string]int64{}, true
		for _, z := range e.Entries() {
			g.Zones[z.Key] = int64(readInt(z.Value, 0, MaxCandidates))
		}
	}
	return given
}

func readLabels(f tree.Cursor) map[string]string {
	if !f.Here() || !f.IsMap() {
		return nil
	}
	if len(f.Node.Items) > MaxLabels {
		f.Fail(tree.Invalid, "%d labels; at most %d are taken", len(f.Node.Items), MaxLabels)
		return nil
	}
	labels := map[string]string{}
	for _, e := range f.Entries() {
		if text, ok := e.Value.Text(); ok {
			labels[e.Key] = text
		}
	}
	return labels
}

// fieldReader reads one field of a node or a partition.
type fieldReader[T any] struct {
	name string
	read func(f tree.Cursor, into *T)
}

func text[T any](name string, at func(*T) *string, values ...string) fieldReader[T] {
	return fieldReader[T]{name, func(f tree.Cursor, into *T) {
		s, ok := f.Text()
		if ok && len(values) > 0 && !slices.Contains(values, s) {
			f.Fail(tree.Invalid, "%q is none of %s", s, strings.Join(values, ", "))
		}
		*at(into) = s
	}}
}

func share[T any](name string, most float64, at func(*T) *float64) fieldReader[T] {
	return fieldReader[T]{name, func(f tree.Cursor, into *T) { *at(into) = readNumber(f, 0, most) }}
}

func whole[T any](name string, at func(*T) *int64) fieldReader[T] {
	return fieldReader[T]{name, func(f tree.Cursor, into *T) {
		if f.Node.Kind != tree.Int {
			f.Fail(tree.Malformed, "a whole number is wanted here, not %s", f.Node.Kind)
			return
		}
		n, err := strconv.ParseInt(f.Node.Text, 10, 64)
		if err != nil || n < 0 {
			f.Fail(tree.Invalid, "a whole number from 0 is wanted")
		}
		*at(into) = n
	}}
}

func spanOf[T any](name string, at func(*T) *time.Duration) fieldReader[T] {
	return fieldReader[T]{name, func(f tree.Cursor, into *T) { *at(into) = readSpan(f, math.MaxInt64) }}
}

func nodeFields() []fieldReader[Node] {
	return []fieldReader[Node]{
		text("status", func(n *Node) *string { return &n.Status }, Available, Suspect, Unavailable, Draining, Drained),
		{"labels", func(f tree.Cursor, n *Node) { n.Labels = readLabels(f) }},
		text("version", func(n *Node) *string { return &n.Version }),
		text("os", func(n *Node) *string { return &n.OS }),
		text("arch", func(n *Node) *string { return &n.Arch }),
		share("cpu", 1, func(n *Node) *float64 { return &n.CPU }),
		share("memory_free", 1, func(n *Node) *float64 { return &n.MemoryFree }),
		share("disk_free", 1, func(n *Node) *float64 { return &n.DiskFree }),
		spanOf("heartbeat_age", func(n *Node) *time.Duration { return &n.HeartbeatAge }),
		spanOf("uptime", func(n *Node) *time.Duration { return &n.Uptime }),
		whole("tasks", func(n *Node) *int64 { return &n.Tasks }),
		whole("primaries", func(n *Node) *int64 { return &n.Primaries }),
		whole("partitions", func(n *Node) *int64 { return &n.Partitions }),
		text("dedicated", func(n *Node) *string { return &n.Dedicated }),
	}
}

func partitionFields() []fieldReader[Partition] {
	return []fieldReader[Partition]{
		text("role", func(p *Partition) *string { return &p.Role }, RolePrimary, RoleSubscriber, RoleJoining, RoleWitness),
		text("status", func(p *Partition) *string { return &p.Status }),
		whole("revision", func(p *Partition) *int64 { return &p.Revision }),
		whole("lag", func(p *Partition) *int64 { return &p.Lag }),
		spanOf("lag_time", func(p *Partition) *time.Duration { return &p.LagTime }),
		share("apply_rate", math.MaxFloat64, func(p *Partition) *float64 { return &p.ApplyRate }),
		whole("size_bytes", func(p *Partition) *int64 { return &p.SizeBytes }),
		{"diverged", func(f tree.Cursor, p *Partition) { p.Diverged = f.Flag() }},
	}
}

// readFields reads those fields of an object that are there.
func readFields[T any](at tree.Cursor, fields []fieldReader[T], into *T, more ...string) {
	names := more
	for _, f := range fields {
		names = append(names, f.name)
	}
	if !at.Object(nil, names...) {
		return
	}
	for _, f := range fields {
		if c := at.Field(f.name); c.Here() {
			f.read(c, into)
		}
	}
}

// readNode reads the fields of a node that are there over what is known of it.
func readNode(at tree.Cursor, c *Candidate) {
	if at.Here() && at.Node.Kind == tree.Null {
		return
	}
	readFields(at, nodeFields(), &c.Node, "partition")
	part := at.Field("partition")
	switch {
	case !part.Here():
	case part.Node.Kind == tree.Null, part.Node.Kind == tree.String && part.Node.Text == "none":
		c.Partition = nil
	default:
		if c.Partition == nil {
			c.Partition = &Partition{Role: RoleSubscriber, Status: Available}
		}
		readFields(part, partitionFields(), c.Partition)
	}
}

// inputLimits bound the reading of an Input.
func inputLimits() tree.Limits {
	return tree.Limits{Bytes: 4 << 20, Depth: 12, Nodes: 100_000}
}
