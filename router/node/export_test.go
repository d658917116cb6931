package node

import (
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"path/filepath"
	"sync"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/partition"
	"lockstep/engine/value"
	"lockstep/txlog"
)

// Plant makes a node's copy of a group execute something else than what was
// ordered: change may alter each entry before the copy's engine is told it, as an
// engine would that reads a clock, or visits a map in its own order.
func Plant(cfg *Config, group string, change func(cmd []byte) []byte) {
	cfg.plant = func(name string, sm txlog.StateMachine) txlog.StateMachine {
		if name != group {
			return sm
		}
		return planted{sm, change}
	}
}

// Slow has a node's snapshots of a group last: each that is written or taken in waits
// for so long at its first byte. A newcomer is given up after alone, and a log is
// shortened after some entries.
func Slow(cfg *Config, group string, wait, alone time.Duration) {
	cfg.aloneWait, cfg.snapshotEntries = alone, 10
	cfg.plant = func(name string, sm txlog.StateMachine) txlog.StateMachine {
		if name != group {
			return sm
		}
		return slow{sm, wait}
	}
}

type slow struct {
	txlog.StateMachine
	wait time.Duration
}

func (s slow) SaveSnapshot(fixed any, w io.Writer, stop <-chan struct{}) error {
	return s.StateMachine.SaveSnapshot(fixed, late{Writer: w, once: s.once(stop)}, stop)
}

func (s slow) RecoverFromSnapshot(r io.Reader, stop <-chan struct{}) error {
	return s.StateMachine.RecoverFromSnapshot(late{Reader: r, once: s.once(stop)}, stop)
}

func (s slow) once(stop <-chan struct{}) func() {
	return sync.OnceFunc(func() {
		select {
		case <-time.After(s.wait):
		case <-stop:
		}
	})
}

type late struct {
	io.Reader
	io.Writer
	once func()
}

func (l late) Read(b []byte) (int, error)  { l.once(); return l.Reader.Read(b) }
func (l late) Write(b []byte) (int, error) { l.once(); return l.Writer.Write(b) }

// Halt has the node stop before a step of building a copy anew, while on is true:
// replace (naming a new replica in the catalog) or aside (moving the old data). It
// is also told "opened GROUP" when a copy's log has just been opened.
func Halt(cfg *Config, on func(step string) bool) { cfg.halt = on }

type planted struct {
	txlog.StateMachine
	change func([]byte) []byte
}

func (p planted) Apply(entries []entry.Raw) error {
	for i := range entries {
		entries[i].Cmd = p.change(append([]byte(nil), entries[i].Cmd...))
	}
	return p.StateMachine.Apply(entries)
}

// Lead makes the node the group's primary.
func (n *Node) Lead(ctx context.Context, group string) error {
	c := n.copy(group)
	if c == nil {
		return partition.ErrClosed
	}
	return c.log.Transfer(ctx, n.id)
}

// CopyFolder is where a group's copy is on disk.
func (n *Node) CopyFolder(group string) string {
	c := n.copy(group)
	return filepath.Join(n.folder.dir, groupsDir, replicaName(c.shard, c.log.Replica()))
}

// HasLog tells whether the log of a replica is on disk.
func (n *Node) HasLog(group string, replica uint64) bool {
	return n.host.HasData(n.copy(group).shard, replica)
}

// KnowTrialLanguage has a node run as a later program would, which knows one
// version of the language more.
func KnowTrialLanguage(c *Config, knows bool) {
	c.language = lang.NewEnv
	if knows {
		c.language = lang.NewTrialEnv
	}
}

//go:embed testdata/catalog-1.yaml
var firstCatalog []byte

// FirstCatalog has a node run as a program would that knows the first version of
// the catalog's schema.
func FirstCatalog(c *Config) { c.catalogSchema, c.catalogVersion = firstCatalog, 1 }

// CatalogVersion is the version of the catalog's schema as this node has read it.
func (n *Node) CatalogVersion() (is, latest int64) { return n.catalog.Load().version, catalogVersion }

// LatestCatalog has a node run as this program does.
func LatestCatalog(c, as *Config) {
	c.catalogSchema, c.catalogVersion = as.catalogSchema, as.catalogVersion
}

// LeadSystem makes the node the system group's leader.
func (n *Node) LeadSystem(ctx context.Context) error { return n.systemCopy().log.Transfer(ctx, n.id) }

// Assign has a node order an assignment of a task, as a supervisor would; holder is
// nil for nobody.
func Assign(ctx context.Context, n *Node, group, task string, holder *Node, reason entry.Reason) error {
	a := entry.Assign{Task: task, Reason: reason, Text: "a test wants it so"}
	if holder != nil {
		a.Holder = uint64(holder.id)
	}
	c := n.copy(group)
	for {
		committed, err := n.assign(ctx, c, c.part.Tasks().Epoch, a)
		if committed || err != nil {
			return err
		}
	}
}

// Recoveries is the record of who had a group rebuilt, and by which plans.
func (n *Node) Recoveries(group string) (by, plans []string) {
	v, err := n.systemCopy().part.View()
	if err != nil {
		return nil, nil
	}
	defer v.Close()
	_ = eachRow(v, "recoveries", func(row value.Value) error {
		if text(row, "group") == group {
			by, plans = append(by, text(row, "by")), append(plans, string(value.AppendJSON(nil, field(row, "plan"))))
		}
		return nil
	})
	return by, plans
}

// PutPolicy puts a policy into the catalog as it stands.
func PutPolicy(ctx context.Context, n *Node, name, document string) error {
	doc, err := json.Marshal(map[string]any{
		"steps": []any{map[string]any{"upsert": map[string]any{"table": "policies", "row": map[string]string{
			"name": "params.name", "document": "params.document", "version": "tx.revision"}}}},
		"params": map[string]string{"name": name, "document": document},
	})
	if err != nil {
		return err
	}
	_, err = n.systemCopy().execute(ctx, doc)
	return err
}

// EditCatalog orders a transaction on the catalog, with the parameter row.
func EditCatalog(ctx context.Context, n *Node, row any, steps ...any) error {
	doc, err := json.Marshal(map[string]any{"steps": steps, "params": map[string]any{"row": row}})
	if err != nil {
		return err
	}
	_, err = n.systemCopy().execute(ctx, doc)
	return err
}

// VoterPatience has another node vote in the system group soon in place of one that is
// away.
func VoterPatience(c *Config, d time.Duration) { c.voterPatience = d }

// Crash ends the node as nearly as may be as a kill would: nothing is handed over,
// answered or flushed.
func (n *Node) Crash() {
	n.mu.Lock()
	n.stopping = true
	n.mu.Unlock()
	n.cancel()
	_ = n.http.Close()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = n.server.Shutdown(ended)
	n.peers.Close()
	n.host.Close()
	n.work.Wait()
	n.release()
}
