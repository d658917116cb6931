package node

import (
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"time"

	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/router/tasks"
	"lockstep/txlog"
)

// Config says what a node is. Defaults fills in what can be left out.
type Config struct {
	// Name is the node's name, unique in its cluster and kept for good.
	Name string
	// Data is the folder of everything the node keeps. Nothing else may use it.
	Data string
	// HTTP is where clients are served.
	HTTP string
	// Raft is where other nodes are served: a private network.
	Raft string
	// Bootstrap begins a new cluster with this node, unless the folder already
	// belongs to one.
	Bootstrap bool
	// Join are addresses (their Raft) of members of the cluster to join.
	Join []string
	// JoinToken is by what a node that is new may join; the node that begins a cluster has
	// others need it. Empty: none.
	JoinToken string
	// Replace has a node with an empty folder take the place of the one of the same name,
	// whose data is lost.
	Replace bool
	// Profile is how the cluster keeps time: lan or wan, the same on all nodes.
	Profile string
	// Labels describe the node for placement: zone, disk, …
	Labels map[string]string
	// CacheBytes is the memory for blocks read from disk, shared by all groups.
	CacheBytes int64
	// MemTableBytes is the memory for rows not flushed yet, divided among the
	// open groups.
	MemTableBytes int
	// QueryBudget is how many times a transaction's budget of steps, rows and cost
	// a query may use.
	QueryBudget int
	// CheckEvery and CheckRevisions are after how long, and after how many
	// revisions, the copies of a group that this node is primary of compare their
	// running digests, whichever comes first.
	CheckEvery     time.Duration
	CheckRevisions uint64
	// ScrubEvery is after how long they compare their whole contents as well: that
	// finds data that was altered on disk. 0: never.
	ScrubEvery time.Duration
	// ScrubBytes is how many bytes a second this node reads for that at most.
	ScrubBytes int
	// Commands are the programs that tasks may have this node run, and WebhookHosts
	// the hosts that they may have it call (tasks.Allow); WebhookSecret signs these
	// calls.
	Commands      []string
	WebhookHosts  []string
	WebhookSecret string
	// BackupDir is where backups are kept that this node makes; empty: it makes none.
	// BackupKeep is how many of each group stay, 0 for all, and BackupMaxAge how old they
	// may become, 0 for any age; the newest stays.
	BackupDir    string
	BackupKeep   int
	BackupMaxAge time.Duration
	// Keeper is the command line that runs tasks.Keep; empty: this node can run no
	// commands.
	Keeper []string
	// Log takes what people may want to know.
	Log *slog.Logger

	// plant makes a copy go wrong, and halt has the building of a copy anew stop
	// before a step. Only tests of this package can set them.
	// taskTimes are those of the runner; zero fields are as in production.
	taskTimes tasks.Times
	plant     func(group string, sm txlog.StateMachine) txlog.StateMachine
	halt      func(step string) bool
	// catalogSchema is the built-in schema, and catalogVersion its number; tests have a node be one
	// of another program.
	catalogSchema  []byte
	catalogVersion int64
	// voterPatience is after how long without an answer another node votes in the system group in
	// place of one; tests have less of it.
	voterPatience time.Duration
	// aloneWait is limits.go's; tests have less of it.
	aloneWait time.Duration
	// snapshotEntries is txlog.Config's, where 0 is its default; tests have logs shortened early.
	snapshotEntries uint64
	// language makes the environment of the language; nil is lang.NewEnv, and tests have a node know a
	// version that no program has.
	language func() (*lang.Env, error)
}

// Figures that a node starts with unless told otherwise.
const (
	defaultCacheBytes = 64 << 20
	// defaultMemTableBytes is shared by the groups of a node (architecture.md).
	defaultMemTableBytes = 128 << 20
	// expectedGroups and memTablesEach divide the memtables' budget: the catalog
	// and one group, and up to three buffers of each in memory.
	expectedGroups = 2
	memTablesEach  = 3
	// A difference is found within seconds of its making, at the cost of two small
	// entries; whole contents are read once a day, at a tenth of a slow disk.
	defaultCheckEvery     = 10 * time.Second
	defaultCheckRevisions = 250_000
	defaultScrubEvery     = 24 * time.Hour
	defaultScrubBytes     = 16 << 20
	// defaultBackupKeep is a week of nightly backups.
	defaultBackupKeep = 7
)

// Defaults are the figures of a node in production.
func Defaults() Config {
	return Config{
		HTTP: "127.0.0.1:7400", Raft: "127.0.0.1:7500", Profile: "lan",
		CacheBytes: defaultCacheBytes, MemTableBytes: defaultMemTableBytes,
		QueryBudget: program.DefaultQueryBudget,
		CheckEvery:  defaultCheckEvery, CheckRevisions: defaultCheckRevisions,
		ScrubEvery: defaultScrubEvery, ScrubBytes: defaultScrubBytes,
		BackupKeep: defaultBackupKeep,
	}
}

// nameForm is what names of nodes and groups look like: they stand in addresses.
const nameForm = `^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`

// Validate names the first field that can't work, and the remedy.
func (c *Config) Validate() error {
	if !validName(c.Name) {
		return fmt.Errorf("name is %q: give the node a name of up to 63 letters a-z, digits, '.', '_' or '-', such as n1", c.Name)
	}
	if c.Data == "" {
		return fmt.Errorf("data is empty: name the folder that the node keeps its data in")
	}
	for _, a := range []struct{ field, addr, example string }{
		{"http", c.HTTP, "127.0.0.1:7400"}, {"raft", c.Raft, "127.0.0.1:7500"},
	} {
		if err := checkAddress(a.addr); err != nil {
			return fmt.Errorf("%s is %q: %w; write host:port, such as %s", a.field, a.addr, err, a.example)
		}
	}
	if c.HTTP == c.Raft {
		return fmt.Errorf("http and raft are both %s: clients and nodes are served at different addresses", c.HTTP)
	}
	if c.Bootstrap && len(c.Join) > 0 {
		return fmt.Errorf("bootstrap and join are both given: bootstrap begins a new cluster, join enters one; leave one of them out")
	}
	if c.JoinToken != "" && len(c.JoinToken) < minTokenLetters {
		return fmt.Errorf("join_token has %d letters: give at least %d that nobody can guess", len(c.JoinToken), minTokenLetters)
	}
	for _, addr := range c.Join {
		if err := checkAddress(addr); err != nil {
			return fmt.Errorf("join has %q: %w; write the raft address of a member, such as 127.0.0.1:7500", addr, err)
		}
	}
	if _, err := txlog.ProfileByName(c.Profile); err != nil {
		return err
	}
	if c.CacheBytes < 1<<20 {
		return fmt.Errorf("cache_bytes is %d: give at least 1 MiB (1048576)", c.CacheBytes)
	}
	if c.MemTableBytes < 4<<20 {
		return fmt.Errorf("memtable_bytes is %d: give at least 4 MiB (4194304)", c.MemTableBytes)
	}
	if c.QueryBudget < 1 || c.QueryBudget > program.MaxQueryBudget {
		return fmt.Errorf("query_budget is %d: give how many times a transaction's budget a query may use, 1 to %d", c.QueryBudget, program.MaxQueryBudget)
	}
	if err := c.allow().Valid(); err != nil {
		return err
	}
	if c.BackupKeep < 0 || c.BackupMaxAge < 0 {
		return fmt.Errorf("backup.keep is %d and backup.max_age %s: give how many backups stay and how old they may become, or 0 for any", c.BackupKeep, c.BackupMaxAge)
	}
	return c.validateChecks()
}

func (c *Config) allow() *tasks.Allow {
	return &tasks.Allow{Commands: c.Commands, Hosts: c.WebhookHosts}
}

func (c *Config) validateChecks() error {
	switch {
	case c.CheckEvery < minCheckEvery:
		return fmt.Errorf("check_every is %s: give at least %s, such as 10s", c.CheckEvery, minCheckEvery)
	case c.CheckRevisions == 0:
		return fmt.Errorf("check_revisions is 0: give at least 1, such as 250000")
	case c.ScrubEvery < 0 || c.ScrubEvery > 0 && c.ScrubEvery < minCheckEvery:
		return fmt.Errorf("scrub_every is %s: give at least %s, such as 24h, or 0 for never", c.ScrubEvery, minCheckEvery)
	case c.ScrubBytes < minScrubBytes:
		return fmt.Errorf("scrub_bytes is %d: give at least %d bytes a second", c.ScrubBytes, minScrubBytes)
	}
	return nil
}

func validName(name string) bool { return regexp.MustCompile(nameForm).MatchString(name) }

func checkAddress(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("it is no address")
	}
	if host == "" {
		return fmt.Errorf("it names no host, which other nodes need to reach this one")
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q is no port", port)
	}
	return nil
}
