package txlog_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"lockstep/txlog/txlogtest"
)

// childDir tells this test's own program to be the process that is killed.
const childDir = "LOCKSTEP_TXLOG_TEST_DIR"

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// The process that is killed: three nodes that commit entries and say so.
func TestProcessThatIsKilled(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		return // it is a part of the test below
	}
	c := txlogtest.Start(t, 3, txlogtest.Options{Dir: dir, Host: snapshotOften})
	start := c.Machine(c.Leader()).Len()
	for i := start; ; i++ {
		c.Propose(fmt.Sprintf("%s-%d", os.Getenv(childDir+"_ROUND"), i))
		fmt.Printf("committed %s-%d\n", os.Getenv(childDir+"_ROUND"), i)
	}
}

// doc.go: what was committed is there afterwards, when all nodes are killed at once, again and again: with
// entries whose commit index was held back, and with snapshots and a shortened log.
func TestWhatWasCommittedOutlivesKills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var committed []string
	for round := range 3 {
		committed = append(committed, runAndKill(t, dir, round, 60)...)
	}
	c := txlogtest.Start(t, 3, txlogtest.Options{Dir: dir, Host: snapshotOften})
	c.Propose("the end") // when it is applied, everything before it is
	for i := range 3 {
		c.Eventually("the last entry everywhere", func() bool { return slices.Contains(c.Machine(i).Entries(), "the end") })
		have := map[string]int{}
		for _, e := range c.Machine(i).Entries() {
			have[e]++
		}
		for _, e := range committed {
			if have[e] == 0 {
				t.Errorf("node %d lost %s", i, e)
			}
		}
	}
}

// runAndKill lets the other process commit so many entries, kills it, and answers what it said was committed.
func runAndKill(t *testing.T, dir string, round, enough int) []string {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestProcessThatIsKilled$", "-test.v")
	child.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s_ROUND=%d", childDir, round))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var committed, said []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said = append(said, lines.Text())
		if text, ok := strings.CutPrefix(lines.Text(), "committed "); ok {
			committed = append(committed, text)
			if len(committed) == enough {
				_ = child.Process.Kill()
			}
		}
	}
	_ = child.Wait()
	if len(committed) < enough {
		t.Fatalf("round %d committed %d entries and ended:\n%s", round, len(committed), strings.Join(said, "\n"))
	}
	return committed
}
