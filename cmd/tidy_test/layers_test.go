package tidy

import (
	"slices"
	"strings"
	"testing"
)

// layers are the module's packages from the top down; "x/..." means x and all
// below it. A package imports only packages of later lines (architecture.md,
// Layers: imports go down only, and a test says so).
var layers = []string{
	"cmd/...",
	"cmd/lockstep/testfile",
	"bench/...",
	"router/node", // the composition root
	"router/node/chronicle",
	"router/node/lastcopy",
	"router/node/plan",
	"router",
	"router/order",
	"router/jobs",
	"router/tasks",
	"router/spread",
	"router/client",
	"policy/history",
	"router/placement",
	"router/heartbeat",
	"router/measure",
	"router/settings",
	"router/windows",
	"policy",
	"policy/supervision",
	"txlog/txlogtest",
	"txlog",
	"txlog/peer",
	"engine/replay",
	"engine/golden", // tests alone
	"engine/partition",
	"engine/model",
	"engine",
	"engine/program",
	"engine/schema",
	"engine/lang",
	"engine/schema/tree",
	"engine/recording",
	"engine/rows",
	"engine/outcome",
	"engine/entry",
	"engine/keys",
	"engine/value",
	"engine/store",
	"testdata/...",
	"testdata/call",
	"testdata/ports",
}

// strangers are packages that do not know each other although the list would let
// them: the router declares the log that it needs, and the log, the policies and
// the client stand alone.
var strangers = map[string][]string{
	"router/...":       {"txlog/..."},
	"router/order":     {"engine/partition", "engine/store"},
	"policy/...":       {"txlog/...", "engine", "engine/program", "engine/store", "engine/entry"}, // of the engine it uses the language
	"router/client":    {"engine/...", "policy/..."},
	"router/jobs":      {"engine/...", "policy/..."},
	"router/tasks":     {"engine/...", "policy/..."},
	"txlog/peer":       {"engine/..."},
	"engine/store":     {"engine/..."},
	"engine/model":     {"engine/..."}, // written apart, to be compared with them
	"engine/partition": {"testdata/..."},
}

// exempt is the package that may know strangers: it introduces them.
const exempt = "router/node"

// seenBy says which packages see a foreign library; no other does
// (architecture.md: Dragonboat is seen nowhere else, Pebble, seen nowhere else).
var seenBy = map[string][]string{
	"github.com/lni/dragonboat/v4":      {"txlog/..."},
	"github.com/cockroachdb/pebble/v2":  {"engine/store"},
	"github.com/google/cel-go":          {"engine/lang", "engine/model"},
	"github.com/valyala/fasthttp":       {"router", "bench/..."},
	"github.com/hashicorp/cronexpr":     {"policy"},
	"github.com/klauspost/compress":     {"engine/recording"},
	"github.com/spf13/cobra":            {"cmd/..."},
	"github.com/prometheus":             {"router/...", "bench/..."},
	"github.com/shirou/gopsutil":        {"router/measure"},
	"github.com/HdrHistogram":           {"bench/..."},
	"github.com/anishathalye/porcupine": {"bench/..."},
}

// impure is what the engine must not import: no clock, randomness, network or
// operating system (architecture.md, Layers).
var impure = []string{
	"time", "math/rand", "math/rand/v2", "crypto/rand", "os", "os/...", "net", "net/...",
	"log", "log/...", "syscall", "io/fs", "path/filepath", "runtime/debug", "plugin",
}

// besidesPure are the engine's packages that stand beside its pure part: one keeps
// rows on disk, one joins the parts to what a log wants, one does so for a recording,
// one is a model of the engine that serves tests alone.
var besidesPure = []string{"engine/store", "engine/partition", "engine/replay", "engine/model"}

// matches says whether a path is what a pattern names.
func matches(pattern, path string) bool {
	if prefix, all := strings.CutSuffix(pattern, "/..."); all {
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	}
	return path == pattern
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// place gives a package's line in the list: an exact one before a pattern.
func place(pkg string) int {
	if i := slices.Index(layers, pkg); i >= 0 {
		return i
	}
	return slices.IndexFunc(layers, func(l string) bool { return matches(l, pkg) })
}

func TestImportsGoDownOnly(t *testing.T) {
	for _, s := range sources(t) {
		own := place(s.dir)
		if own < 0 {
			t.Errorf("%s: package %s has no place in the list of layers: give it one", s.name, s.dir)
			continue
		}
		if s.test {
			continue // tests may look down on whatever they test with
		}
		for _, path := range s.imports() {
			other, ours := strings.CutPrefix(path, module+"/")
			if !ours {
				continue
			}
			family := own == place(other) && strings.HasSuffix(layers[own], "/...") && strings.HasPrefix(other, s.dir+"/")
			if place(other) <= own && !family {
				t.Errorf("%s imports %s, which is not below it", s.name, other)
			}
			for who, whom := range strangers {
				if s.dir != exempt && matches(who, s.dir) && matchesAny(whom, other) {
					t.Errorf("%s imports %s: %s does not know it", s.name, other, who)
				}
			}
		}
	}
}

func TestForeignLibrariesAreSeenInOnePlace(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, path := range s.imports() {
			for library, by := range seenBy {
				if matches(library+"/...", path) && !matchesAny(by, s.dir) {
					t.Errorf("%s imports %s, which is seen by %s alone", s.name, path, strings.Join(by, ", "))
				}
			}
		}
	}
}

func TestTheEngineIsPure(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !matches("engine/...", s.dir) || matchesAny(besidesPure, s.dir) {
			continue
		}
		for _, path := range s.imports() {
			if matchesAny(impure, path) {
				t.Errorf("%s imports %s: the engine has no clock, randomness, network or operating system", s.name, path)
			}
		}
	}
}
