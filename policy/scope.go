package policy

import (
	"maps"
	"slices"
	"time"

	"lockstep/engine/lang"
	"lockstep/engine/value"
)

// Variable is a name that expressions may use, for the scope and for the page
// that tells of it.
type Variable struct {
	Name   string // as "node.status"; "now" stands alone
	Type   lang.Type
	Doc    string
	Values []string // of a text that is one of a few, all of them
}

func kind(k lang.Kind) lang.Type { return lang.Type{Kind: k} }

// labelsType is a map in which a missing label reads as empty text.
func labelsType() lang.Type {
	empty := value.OfString("")
	return lang.Type{Kind: lang.KMap, Elem: &lang.Type{Kind: lang.KString}, Missing: &empty}
}

// countsType is a map in which a missing key reads as 0.
func countsType() lang.Type {
	none := value.OfInt(0)
	return lang.Type{Kind: lang.KMap, Elem: &lang.Type{Kind: lang.KInt}, Missing: &none}
}

// Variables are all names in scope, in the order of interface.md.
func Variables() []Variable {
	var (
		text, integer, number = kind(lang.KString), kind(lang.KInt), kind(lang.KDouble)
		span, flag            = kind(lang.KDuration), kind(lang.KBool)
		labels                = labelsType()
		statuses              = []string{Available, Suspect, Unavailable, Draining, Drained}
	)
	return []Variable{
		{"node.name", text, "the candidate's name", nil},
		{"node.status", text, "what supervision finds, or what an operator asked for", statuses},
		{"node.labels", labels, "its labels; one that is missing reads as ''", nil},
		{"node.version", text, "of the program that it runs", nil},
		{"node.os", text, "its operating system, as linux", nil},
		{"node.arch", text, "its processor, as amd64", nil},
		{"node.cpu", number, "how busy its processors are, a share of 1", nil},
		{"node.memory_free", number, "a share of 1", nil},
		{"node.disk_free", number, "a share of 1", nil},
		{"node.heartbeat_age", span, "since it was last heard", nil},
		{"node.uptime", span, "since it was started", nil},
		{"node.tasks", integer, "tasks that it holds now, of all groups", nil},
		{"node.primaries", integer, "groups that it is the primary of now", nil},
		{"node.partitions", integer, "copies that it has now, of all groups", nil},
		{"partition.role", text, "of the group's copy on the node", []string{RolePrimary, RoleSubscriber, RoleJoining, RoleWitness}},
		{"partition.status", text, "as status shows it", nil},
		{"partition.revision", integer, "the last one that it has applied", nil},
		{"partition.lag", integer, "revisions behind the primary", nil},
		{"partition.lag_time", span, "how far behind that is in time", nil},
		{"partition.apply_rate", number, "revisions a second", nil},
		{"partition.size_bytes", integer, "on disk", nil},
		{"partition.diverged", flag, "its content differs from the majority's", nil},
		{"group.name", text, "", nil},
		{"group.labels", labels, "likewise", nil},
		{"group.size", integer, "data copies", nil},
		{"group.available", integer, "of these, on available nodes", nil},
		{"group.zones", countsType(), "label zone to the data copies there; a zone without one reads as 0", nil},
		{"task.name", text, "", nil},
		{"task.kind", text, "built-in tasks have their own", []string{TaskPrimary, TaskReader, TaskBackup, TaskVerify, TaskCopy, KindApplication}},
		{"task.holder", text, "who holds it, or ''; of several the candidate if it is one, else the first", nil},
		{"task.held_for", span, "for how long", nil},
		{"task.labels", labels, "likewise", nil},
		{"now", kind(lang.KTimestamp), "in UTC", nil},
	}
}

// Slots of the variables in a frame.
const (
	slotNode = iota
	slotPartition
	slotGroup
	slotTask
	slotNow
	slots
)

var slotNames = [slots]string{"node", "partition", "group", "task", "now"}

// scopes are the three scopes there are.
type scopes struct {
	full   *lang.Scope // everything
	copies *lang.Scope // without partition
	groups *lang.Scope // group alone
	types  [slots]lang.Type
}

func newScopes() *scopes {
	s := &scopes{full: lang.NewScope(lang.TxNone), copies: lang.NewScope(lang.TxNone), groups: lang.NewScope(lang.TxNone)}
	var names [slots][]string
	var types [slots][]lang.Type
	for _, v := range Variables() {
		for slot, owner := range slotNames {
			if v.Name == owner {
				s.types[slot] = v.Type
			} else if len(v.Name) > len(owner) && v.Name[:len(owner)+1] == owner+"." {
				names[slot] = append(names[slot], v.Name[len(owner)+1:])
				types[slot] = append(types[slot], v.Type)
			}
		}
	}
	for slot, owner := range slotNames {
		if names[slot] != nil {
			object := &lang.ObjectType{Name: owner, Shape: value.NewShape(owner, names[slot]), Fields: types[slot]}
			s.types[slot] = lang.Type{Kind: lang.KObject, Object: object}
		}
		v := lang.Var{Name: owner, Type: s.types[slot], Slot: slot}
		s.full = s.full.With(v)
		if slot != slotPartition {
			s.copies = s.copies.With(v)
		}
		if slot == slotGroup {
			s.groups = s.groups.With(v)
		}
	}
	return s
}

func (s *scopes) object(slot int, fields ...value.Value) value.Value {
	return value.OfObject(s.types[slot].Object.Shape, fields)
}

// The values of the variables, in the order of Variables: a test holds them to it.

func (s *scopes) node(n *Node) value.Value {
	return s.object(slotNode, value.OfString(n.Name), value.OfString(n.Status), textMap(n.Labels),
		value.OfString(n.Version), value.OfString(n.OS), value.OfString(n.Arch),
		number(n.CPU), number(n.MemoryFree), number(n.DiskFree), span(n.HeartbeatAge), span(n.Uptime),
		value.OfInt(n.Tasks), value.OfInt(n.Primaries), value.OfInt(n.Partitions))
}

func (s *scopes) partition(p *Partition) value.Value {
	if p == nil {
		return value.Value{}
	}
	return s.object(slotPartition, value.OfString(p.Role), value.OfString(p.Status), value.OfInt(p.Revision), value.OfInt(p.Lag),
		span(p.LagTime), number(p.ApplyRate), value.OfInt(p.SizeBytes), value.OfBool(p.Diverged))
}

func (s *scopes) group(g *Group) value.Value {
	keys, vals := make([]value.Value, 0, len(g.Zones)), make([]value.Value, 0, len(g.Zones))
	for _, zone := range slices.Sorted(maps.Keys(g.Zones)) {
		keys, vals = append(keys, value.OfString(zone)), append(vals, value.OfInt(g.Zones[zone]))
	}
	zones, _ := value.OfMap(keys, vals) // keys of one kind, each once
	return s.object(slotGroup, value.OfString(g.Name), textMap(g.Labels), value.OfInt(g.Size), value.OfInt(g.Available), zones)
}

func (s *scopes) task(t *Task, h Holder) value.Value {
	return s.object(slotTask, value.OfString(t.Name), value.OfString(KindOf(t.Name)), value.OfString(h.Node), span(h.Held), textMap(t.Labels))
}

func instant(t time.Time) value.Value {
	return value.OfTimestamp(t.Unix(), int32(t.Nanosecond()))
}

func span(d time.Duration) value.Value { return value.OfDuration(int64(d)) }

// number keeps what is no finite number out of the language, which has none.
func number(f float64) value.Value {
	if f-f != 0 {
		f = 0
	}
	return value.OfDouble(f)
}

func textMap(m map[string]string) value.Value {
	keys, vals := make([]value.Value, 0, len(m)), make([]value.Value, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		keys, vals = append(keys, value.OfString(k)), append(vals, value.OfString(m[k]))
	}
	v, _ := value.OfMap(keys, vals) // keys of one kind, each once
	return v
}
