package node

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"lockstep/engine"
	"lockstep/engine/partition"
	"lockstep/engine/value"
	"lockstep/router/node/lastcopy"
	"lockstep/txlog"
)

//go:embed catalog.yaml
var catalogSchema []byte

// catalogVersion counts the changes of catalogSchema. The leader of the system group
// gives the catalog the schema of its own program where that is a later one; which it
// has stands in a counter, catalogCounter.
const (
	catalogVersion   = 8
	lifecycleVersion = 8 // from here on it knows of draining, leaving and tokens
	catalogCounter   = "catalog_schema"
)

// systemGroup is the name of the group that holds the catalog; shard 1.
const (
	systemGroup = "system"
	systemShard = 1
)

// catalog is what there should be, as one revision of the system group has it.
type catalog struct {
	revision   uint64
	version    int64     // of its schema, as catalogVersion counts
	nodes      []nodeRow // by name
	groups     []groupRow
	partitions []partitionRow
	tasks      []taskRow               // of applications, by name
	policies   []policyRow             // of users, by name
	removed    map[txlog.NodeID]string // nodes that are gone for good, with their names

	// Of joining: the tokens, whether one is needed, and whether that was decided.
	tokens                      []tokenRow
	tokenRequired, tokenDecided bool
}

type nodeRow struct {
	id                txlog.NodeID
	name, http, raft  string
	version, os, arch string
	labels            map[string]string // with those that an operator set
	configured        map[string]string // of its configuration
	overrides         map[string]string
	replica           uint64
	state             string // "", stateDraining or stateDrained
	evacuate, leaving bool
	successor         txlog.NodeID // 0: whichever suits
	dedicated         string       // a group's name, or empty
}

// What is wished of a node, and how far it is.
const (
	stateDraining = "draining"
	stateDrained  = "drained"
)

type groupRow struct {
	name   string
	shard  uint64
	labels map[string]string
	copies int // how many it was made with
	// incarnation counts how often it was rebuilt from a copy, origin is the last of
	// them; nil: it never was.
	incarnation uint64
	origin      *origin
	// last is what becomes of copies that are away.
	last lastcopy.Settings
	// first are the members that it began with, by replica.
	first map[uint64]txlog.NodeID
	// settings are those that were given, as JSON; package settings reads them.
	settings []byte
	revision uint64 // that wrote the row
}

type partitionRow struct {
	group   string
	node    txlog.NodeID
	replica uint64
	first   uint64 // the replica there when the group was made; 0: there was none
	kind    string // kindData or kindWitness
	// leaving: it is to be taken out of the group, and wiped. away: a witness has its
	// place, until its node is back.
	leaving, away bool
	replaces      txlog.NodeID // the node whose copy leaves when this one votes; 0: none
}

// Kinds of copies.
const (
	kindData    = "data"
	kindWitness = "witness"
)

func (c *catalog) node(id txlog.NodeID) (nodeRow, bool) {
	i := slices.IndexFunc(c.nodes, func(n nodeRow) bool { return n.id == id })
	if i < 0 {
		return nodeRow{}, false
	}
	return c.nodes[i], true
}

func (c *catalog) named(name string) (nodeRow, bool) {
	i := slices.IndexFunc(c.nodes, func(n nodeRow) bool { return n.name == name })
	if i < 0 {
		return nodeRow{}, false
	}
	return c.nodes[i], true
}

func (c *catalog) group(name string) (groupRow, bool) {
	i := slices.IndexFunc(c.groups, func(g groupRow) bool { return g.name == name })
	if i < 0 {
		return groupRow{}, false
	}
	return c.groups[i], true
}

// copies are the copies of a group, by the names of their nodes.
func (c *catalog) copies(group string) []partitionRow {
	var out []partitionRow
	for _, p := range c.partitions {
		if p.group == group {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b partitionRow) int { return strings.Compare(c.nodeName(a.node), c.nodeName(b.node)) })
	return out
}

func (c *catalog) nodeName(id txlog.NodeID) string {
	if n, ok := c.node(id); ok {
		return n.name
	}
	return id.String()
}

// readCatalog reads the catalog from a copy of the system group. With an error comes
// what was read before it, if anything.
func readCatalog(p *partition.Partition) (*catalog, error) {
	v, err := p.View()
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	defer v.Close()
	c := &catalog{revision: v.Position().Revision, removed: map[txlog.NodeID]string{}}
	if v.Compiled() == nil {
		return c, nil
	}
	for _, t := range []struct {
		table string
		add   func(value.Value) error
	}{
		{"counters", c.addCounter}, {"nodes", c.addNode}, {"groups", c.addGroup}, {"partitions", c.addPartition},
		{"removed_nodes", c.addRemoved}, {"tasks", c.addTask}, {"policies", c.addPolicy}, {"tokens", c.addToken},
	} {
		if err := eachRow(v, t.table, t.add); err != nil {
			return c, fmt.Errorf("read the catalog: %w", err)
		}
	}
	slices.SortFunc(c.nodes, func(a, b nodeRow) int { return strings.Compare(a.name, b.name) })
	for i := range c.groups {
		c.countCopies(&c.groups[i])
	}
	return c, nil
}

func (c *catalog) addCounter(row value.Value) error {
	switch text(row, "name") {
	case catalogCounter:
		c.version = number(row, "next")
	case tokenCounter:
		c.tokenDecided, c.tokenRequired = true, number(row, "next") != 0
	}
	return nil
}

func (c *catalog) addNode(row value.Value) error {
	id, err := txlog.ParseNodeID(text(row, "id"))
	if err != nil {
		return err
	}
	successor, err := otherNode(row, "successor")
	configured, overrides := labels(row, "labels"), labels(row, "overrides")
	c.nodes = append(c.nodes, nodeRow{
		id: id, name: text(row, "name"), http: text(row, "http"), raft: text(row, "raft"),
		version: text(row, "version"), os: text(row, "os"), arch: text(row, "arch"),
		labels: overlaid(configured, overrides), configured: configured, overrides: overrides, replica: uint64(number(row, "replica")),
		state: text(row, "state"), evacuate: flag(row, "evacuate"), leaving: flag(row, "leaving"), successor: successor,
		dedicated: text(row, "dedicated"),
	})
	return err
}

func (c *catalog) addGroup(row value.Value) error {
	g := groupRow{
		name: text(row, "name"), shard: uint64(number(row, "shard")), labels: labels(row, "labels"), copies: int(number(row, "copies")),
		first: map[uint64]txlog.NodeID{}, settings: object(row, "settings"), revision: uint64(number(row, "_revision")),
	}
	g.incarnation = uint64(number(row, "incarnation"))
	if v := field(row, "origin"); v.Kind() == value.Map {
		o, err := readOrigin(v)
		if err != nil {
			return fmt.Errorf("group %s: %w", g.name, err)
		}
		g.origin = o
	}
	settings := field(row, "settings")
	g.last, _ = lastcopy.ParseSettings(entryText(settings, "last_copy"), entryText(settings, "replace_after")) // what can't be read is the default
	for replica, node := range labels(row, "first") {
		r, err := strconv.ParseUint(replica, 10, 64)
		if err != nil {
			return fmt.Errorf("group %s: %w", g.name, err)
		}
		if g.first[r], err = txlog.ParseNodeID(node); err != nil {
			return fmt.Errorf("group %s: %w", g.name, err)
		}
	}
	c.groups = append(c.groups, g)
	return nil
}

// object is a column that holds an object, as JSON; nil where it is empty.
func object(row value.Value, name string) []byte {
	v := field(row, name)
	if v.Kind() != value.Map || v.Len() == 0 {
		return nil
	}
	return value.AppendRawJSON(nil, v)
}

func (c *catalog) addPartition(row value.Value) error {
	id, err := txlog.ParseNodeID(text(row, "node"))
	if err != nil {
		return err
	}
	replaces, err := otherNode(row, "replaces")
	p := partitionRow{
		group: text(row, "group"), node: id, replica: uint64(number(row, "replica")), first: uint64(number(row, "first")),
		kind: text(row, "kind"), leaving: text(row, "state") == "leaving", away: text(row, "state") == "away", replaces: replaces,
	}
	if p.kind == "" {
		p.kind = kindData // the catalog has no such column yet
	}
	c.partitions = append(c.partitions, p)
	return err
}

// overlaid are labels with others over them.
func overlaid(under, over map[string]string) map[string]string {
	if len(over) == 0 {
		return under
	}
	out := maps.Clone(under)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, over)
	return out
}

func (c *catalog) addToken(row value.Value) error {
	made := field(row, "made")
	c.tokens = append(c.tokens, tokenRow{
		id: text(row, "id"), hash: text(row, "hash"), made: time.Unix(made.Seconds(), 0).UTC(), expires: number(row, "expires"),
	})
	return nil
}

func (c *catalog) addRemoved(row value.Value) error {
	id, err := txlog.ParseNodeID(text(row, "id"))
	c.removed[id] = text(row, "name")
	return err
}

// otherNode reads a column that names a node, or none.
func otherNode(row value.Value, column string) (txlog.NodeID, error) {
	if text(row, column) == "" {
		return 0, nil
	}
	return txlog.ParseNodeID(text(row, column))
}

// countCopies finds out with which copies a group was made before that was noted.
func (c *catalog) countCopies(g *groupRow) {
	if len(g.first) > 0 {
		return
	}
	for _, p := range c.partitions {
		if p.group == g.name && p.first != 0 {
			g.first[p.first] = p.node
		}
	}
	g.copies = max(g.copies, len(g.first))
}

// partition is a group's copy on a node.
func (c *catalog) partition(group string, node txlog.NodeID) (partitionRow, bool) {
	i := slices.IndexFunc(c.partitions, func(p partitionRow) bool { return p.group == group && p.node == node })
	if i < 0 {
		return partitionRow{}, false
	}
	return c.partitions[i], true
}

// wished are the copies of a group that shall be its members.
func (c *catalog) wished(group string) []partitionRow {
	return slices.DeleteFunc(c.copies(group), func(p partitionRow) bool { return p.leaving || p.away })
}

// withData are the copies of a group that have data, or are to get it.
func (c *catalog) withData(group string) []partitionRow {
	return slices.DeleteFunc(c.copies(group), func(p partitionRow) bool { return p.kind == kindWitness || p.away })
}

// eachRow visits a whole table, a page at a time, at one revision; none where the
// catalog is of a program that had no such table yet.
func eachRow(v *partition.View, table string, visit func(value.Value) error) error {
	for after := ""; ; {
		page, err := v.Page(table, engine.PageOptions{Limit: engine.MaxPageRows, After: after})
		if errors.Is(err, engine.ErrNoTable) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, row := range page.Rows {
			if err := visit(row); err != nil {
				return fmt.Errorf("table %s: %w", table, err)
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

func field(row value.Value, name string) value.Value {
	i, ok := row.Shape().Index(name)
	if !ok {
		return value.Value{}
	}
	return row.Field(i)
}

func text(row value.Value, name string) string  { return field(row, name).Str() }
func number(row value.Value, name string) int64 { return field(row, name).Int() }
func flag(row value.Value, name string) bool    { return field(row, name).Bool() }

// labels reads a column that holds an object of texts.
func labels(row value.Value, name string) map[string]string {
	v := field(row, name)
	if v.Kind() != value.Map || v.Len() == 0 {
		return nil
	}
	out := make(map[string]string, v.Len())
	for i, key := range v.Keys() {
		out[key.Str()] = v.At(i).Str()
	}
	return out
}

// readOrigin reads where a group comes from that was rebuilt.
func readOrigin(v value.Value) (*origin, error) {
	o := &origin{Token: entryText(v, "token"), Node: entryText(v, "node")}
	for i, key := range v.Keys() {
		switch at := v.At(i); key.Str() {
		case "shard":
			o.Shard = whole(at)
		case "replica":
			o.Replica = whole(at)
		case "formers":
			for j := range at.Len() {
				o.Formers = append(o.Formers, whole(at.At(j)))
			}
		}
	}
	var err error
	o.node, err = txlog.ParseNodeID(o.Node)
	return o, err
}

// whole is a number in a JSON document.
func whole(v value.Value) uint64 {
	if v.Kind() == value.Double {
		return uint64(v.Double())
	}
	return uint64(v.Int())
}

// entryText is a text in a JSON object, empty where there is none.
func entryText(v value.Value, name string) string {
	if v.Kind() != value.Map {
		return ""
	}
	for i, key := range v.Keys() {
		if key.Str() == name && v.At(i).Kind() == value.String {
			return v.At(i).Str()
		}
	}
	return ""
}

// createGroup is the transaction that makes a group with its copies, in a catalog of
// the given version.
func createGroup(version int64, name string, nodes []nodeRow, labels map[string]string, settings map[string]any) ([]byte, error) {
	type step map[string]any
	params := map[string]any{"name": name, "labels": labels, "settings": settings}
	if labels == nil {
		params["labels"] = map[string]string{}
	}
	if settings == nil {
		params["settings"] = map[string]any{}
	}
	row := step{"name": "params.name", "shard": "shard", "labels": "params.labels", "settings": "params.settings"}
	if version > 1 {
		row["copies"], row["first"] = len(nodes), "params.first"
		first := map[string]string{}
		for i, n := range nodes {
			first[strconv.Itoa(i+1)] = n.id.String()
		}
		params["first"] = first
	}
	steps := []step{
		{"get": step{"table": "counters", "key": []string{"'shard'"}, "as": "counter", "optional": true}},
		{"let": step{"shard": fmt.Sprintf("counter == null ? %d : counter.next", systemShard+1)}},
		{"upsert": step{"table": "counters", "row": step{"name": "'shard'", "next": "shard + 1"}}},
		{"insert": step{"table": "groups", "row": row}},
	}
	steps = append(steps, step{"upsert": step{"table": "counters", "row": step{"name": "'replica/' + params.name", "next": len(nodes) + 1}}})
	for i, n := range nodes {
		param := fmt.Sprintf("node%d", i)
		params[param] = n.id.String()
		steps = append(steps,
			step{"get": step{"table": "nodes", "key": []string{"params." + param}, "as": "known_" + param}},
			step{"insert": step{"table": "partitions", "row": step{"group": "params.name", "node": "params." + param, "replica": i + 1, "first": i + 1}}})
	}
	return json.Marshal(map[string]any{"steps": steps, "params": params, "return": "shard"})
}
