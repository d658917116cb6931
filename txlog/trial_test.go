package txlog_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/testdata/ports"
)

var (
	trialRounds = flag.Int("trial.rounds", 1, "how often copies die down to the last one, and come back")
	trialKills  = flag.Int("trial.kills", 4, "how often each round kills while one copy is left")
	trialSeed   = flag.Uint64("trial.seed", 0, "which run of the trial; 0: one that was not seen before")
)

// doc.go, Witnesses: three copies and two spare hosts, each a process; copies are killed one by one and replaced
// by witnesses; witnesses and the last copy are killed again and again; new copies join from the last one. What
// was acknowledged is there afterwards, on every copy, once.
func TestWhatWasAcknowledgedOutlivesCopiesDownToTheLast(t *testing.T) {
	seed := *trialSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-trial.seed %d", seed)
	tr := &trial{t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(seed, 0)), next: 4}
	t.Cleanup(tr.close)
	for range 5 {
		addr, err := ports.TakeAddress()
		if err != nil {
			t.Fatal(err)
		}
		tr.addrs = append(tr.addrs, addr)
	}
	for i := range tr.addrs {
		n := &trialProcess{trial: tr, node: i}
		if i < 3 {
			n.replica = uint64(i + 1)
		}
		tr.nodes = append(tr.nodes, n)
		n.start()
	}
	for round := range *trialRounds {
		tr.round()
		if round%10 == 9 || round == *trialRounds-1 {
			t.Logf("round %d: %d entries acknowledged", round+1, tr.check())
		}
	}
}

type trial struct {
	t     *testing.T
	dir   string
	addrs []string
	nodes []*trialProcess
	rng   *rand.Rand
	next  uint64 // replica

	mu        sync.Mutex
	committed []string
}

// round takes the group down to its last copy and back.
func (tr *trial) round() {
	var data, spare []*trialProcess
	for _, n := range tr.nodes {
		if n.replica != 0 {
			data = append(data, n)
		} else {
			spare = append(spare, n)
		}
	}
	tr.rng.Shuffle(len(data), func(i, j int) { data[i], data[j] = data[j], data[i] })
	last := data[2]
	for i := range 2 {
		tr.progress(20)
		gone, witness := data[i], spare[i]
		gone.kill()
		tr.order(trialOrder{Do: "remove", Replica: gone.replica})
		former := gone.replica
		gone.replica = 0
		witness.kill()
		witness.replica, witness.witness, witness.join = tr.take(), true, true
		tr.order(trialOrder{Do: "witness", Replica: witness.replica, Node: witness.node})
		if tr.rng.IntN(2) == 0 {
			tr.progress(20) // while the witness has not been started yet
		}
		witness.start()
		if tr.rng.IntN(2) == 0 { // it comes back, and does not know that it was replaced
			gone.replica = former
			gone.start()
			tr.progress(50)
			gone.kill()
			gone.replica = 0
		}
	}
	for range *trialKills {
		tr.progress(tr.rng.IntN(150))
		victims := []*trialProcess{spare[0], spare[1], last}
		tr.rng.Shuffle(3, func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
		victims = victims[:1+tr.rng.IntN(3)]
		for _, v := range victims {
			v.kill()
		}
		for _, v := range victims {
			v.start()
		}
	}
	for i := range 2 {
		back, witness := data[i], spare[i]
		back.replica, back.witness, back.join = tr.take(), false, true
		tr.order(trialOrder{Do: "follow", Replica: back.replica, Node: back.node})
		back.start()
		if tr.rng.IntN(2) == 0 {
			last.kill()
			last.start()
		}
		tr.progress(20)
		tr.order(trialOrder{Do: "promote", Replica: back.replica, Node: back.node})
		if tr.rng.IntN(2) == 0 {
			witness.kill()
		}
		tr.order(trialOrder{Do: "remove", Replica: witness.replica})
		witness.kill()
		witness.replica = 0
		witness.start()
		tr.progress(20)
	}
}

func (tr *trial) take() uint64 {
	tr.next++
	return tr.next - 1
}

// progress waits until so many more entries were acknowledged.
func (tr *trial) progress(n int) {
	tr.t.Helper()
	begun := tr.acknowledged()
	tr.eventually(fmt.Sprintf("%d more entries to be committed", n), func() bool { return tr.acknowledged() >= begun+n })
}

func (tr *trial) acknowledged() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return len(tr.committed)
}

func (tr *trial) eventually(what string, ok func() bool) {
	tr.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(limit) {
			for _, n := range tr.nodes {
				tr.t.Logf("node %d: replica %d, witness %v, running %v", n.node, n.replica, n.witness, n.process != nil)
			}
			tr.t.Fatalf("waited in vain for %s; the logs are kept in %s", what, tr.keep())
		}
	}
}

// order has whoever leads do something, until it is done. Sometimes that one is killed in the middle of it.
func (tr *trial) order(o trialOrder) {
	tr.t.Helper()
	interrupted := tr.rng.IntN(3) > 0
	tr.eventually(fmt.Sprintf("%+v", o), func() bool {
		for _, n := range tr.nodes {
			a, ok := n.ask(trialOrder{Do: "leads"})
			if !ok || !a.Leads {
				continue
			}
			if !interrupted {
				interrupted = true
				n.send(o)
				<-time.After(time.Duration(tr.rng.IntN(5000)) * time.Microsecond) // anywhere in the middle
				n.kill()
				n.start()
				return false
			}
			a, ok = n.ask(o)
			return ok && a.Err == ""
		}
		return false
	})
}

// check compares what the copies have with what was acknowledged.
func (tr *trial) check() int {
	tr.t.Helper()
	tr.mu.Lock()
	committed := slices.Clone(tr.committed)
	tr.mu.Unlock()
	for _, n := range tr.nodes {
		if n.replica == 0 {
			continue
		}
		var got trialAnswer
		tr.eventually("the entries of a copy", func() bool {
			a, ok := n.ask(trialOrder{Do: "entries"})
			got = a
			return ok && a.Err == ""
		})
		have := map[string]int{}
		for _, e := range got.Entries {
			if have[e]++; have[e] == 2 {
				tr.t.Errorf("node %d has %s twice", n.node, e)
			}
		}
		for _, e := range committed {
			if have[e] == 0 {
				tr.t.Errorf("node %d lost %s", n.node, e)
			}
		}
	}
	if tr.t.Failed() {
		tr.t.Fatalf("the logs are kept in %s", tr.keep())
	}
	return len(committed)
}

// keep copies the processes' logs to where they outlive the test.
func (tr *trial) keep() string {
	kept, err := os.MkdirTemp("", "trial")
	if err != nil {
		return err.Error()
	}
	logs, _ := filepath.Glob(filepath.Join(tr.dir, "*", "log-*.txt"))
	for _, l := range logs {
		raw, _ := os.ReadFile(l)
		_ = os.WriteFile(filepath.Join(kept, filepath.Base(filepath.Dir(l))+"-"+filepath.Base(l)), raw, 0o644)
	}
	return kept
}

func (tr *trial) close() {
	for _, n := range tr.nodes {
		n.kill()
	}
}

// trialProcess is one node of the trial: a folder that stays, and a process that comes and goes.
type trialProcess struct {
	trial   *trial
	node    int
	life    int
	replica uint64
	witness bool
	join    bool

	process *exec.Cmd
	orders  io.WriteCloser
	answers chan trialAnswer
	ended   chan struct{}
}

func (n *trialProcess) start() {
	t := n.trial.t
	t.Helper()
	if n.process != nil {
		return
	}
	dir := filepath.Join(n.trial.dir, fmt.Sprint("node", n.node))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cfg, err := json.Marshal(trialConfig{
		Node: n.node, Life: n.life, Dir: dir, Addrs: n.trial.addrs, Replica: n.replica, Witness: n.witness, Join: n.join,
	})
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := os.Create(filepath.Join(dir, fmt.Sprintf("log-%05d.txt", n.life)))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	_ = os.Remove(filepath.Join(dir, fmt.Sprintf("log-%05d.txt", n.life-5)))
	n.life++
	n.process = exec.Command(os.Args[0], "-test.run=^TestNodeOfTheTrial$", "-test.timeout=0")
	n.process.Env = append(os.Environ(), trialNode+"="+string(cfg), childDir+"="+dir)
	n.process.Stderr = stderr
	out, err := n.process.StdoutPipe()
	if err == nil {
		n.orders, err = n.process.StdinPipe()
	}
	if err == nil {
		err = n.process.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	n.answers, n.ended = make(chan trialAnswer, 1), make(chan struct{})
	go n.listen(out, ready, n.answers, n.ended)
	select {
	case <-ready:
	case <-n.ended:
		t.Fatalf("node %d ended as it started; the logs are kept in %s", n.node, n.trial.keep())
	case <-time.After(30 * time.Second):
		t.Fatalf("node %d did not start; the logs are kept in %s", n.node, n.trial.keep())
	}
}

// listen takes what the process says.
func (n *trialProcess) listen(out io.Reader, ready chan struct{}, answers chan trialAnswer, ended chan struct{}) {
	defer close(ended)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return // the last line may be half
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "ready" {
			close(ready)
		} else if e, ok := strings.CutPrefix(line, "committed "); ok {
			n.trial.mu.Lock()
			n.trial.committed = append(n.trial.committed, e)
			n.trial.mu.Unlock()
		} else if raw, ok := strings.CutPrefix(line, "answer "); ok {
			var a trialAnswer
			if json.Unmarshal([]byte(raw), &a) == nil {
				answers <- a
			}
		}
	}
}

// ask is not ok where the process has ended.
func (n *trialProcess) ask(o trialOrder) (trialAnswer, bool) {
	if n.process == nil || n.replica == 0 || n.witness {
		return trialAnswer{}, false
	}
	n.send(o)
	select {
	case a := <-n.answers:
		return a, true
	case <-n.ended:
		n.died()
	}
	return trialAnswer{}, false
}

func (n *trialProcess) send(o trialOrder) {
	raw, err := json.Marshal(o)
	if err == nil {
		_, err = fmt.Fprintf(n.orders, "%s\n", raw)
	}
	if err != nil {
		n.died()
	}
}

// died is for a process that ended by itself, which none should.
func (n *trialProcess) died() {
	n.trial.t.Fatalf("node %d ended by itself; the logs are kept in %s", n.node, n.trial.keep())
}

// kill is kill -9.
func (n *trialProcess) kill() {
	if n.process == nil {
		return
	}
	if over(n.ended) {
		n.died()
	}
	_ = n.process.Process.Kill()
	<-n.ended
	_ = n.process.Wait()
	n.process = nil
}

func over(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
