package bench

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"lockstep/bench/wire"
)

// "Network faults in namespaces of your own: partition of the primary, one-way loss"
// in short form; bench network is the long one. Clients reach both sides of the cut
// all the time, and nothing is lost or done twice. "nodes that cannot reach a
// majority serve no linearizable reads and acknowledge nothing": the history would
// have no order.
func TestNetworkFaultsLoseNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	result, err := RunNetwork(ctx, NetworkConfig{
		Cluster: ClusterConfig{Binary: build(t), Dir: t.TempDir(), Group: "chaos"},
		Faults:  []string{"partition", "one-way-in"}, Time: 3 * time.Second, Delay: time.Second, Loss: 0.05, Flap: time.Second,
		Connections: 6, Accounts: 100, Seed: 1,
	})
	if errors.Is(err, wire.ErrUnavailable) {
		if !strings.Contains(err.Error(), "run it as root") && !strings.Contains(err.Error(), "/dev/net/tun") {
			t.Errorf("the refusal names no remedy: %v", err)
		}
		t.Logf("only the refusal was looked at: %v", err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", doc)
	if len(result.Faults) != 2 || len(result.Sightings) != 6 || result.Operations == 0 || result.Unknown != result.Resolved {
		t.Fatalf("%d faults, %d sightings, %d operations of the history, %d of %d in doubt resolved",
			len(result.Faults), len(result.Sightings), result.Operations, result.Resolved, result.Unknown)
	}
	for _, e := range result.Faults {
		// An election takes a fifth of a second, on a busy machine more.
		if e.Gap >= 3000 || e.PerSecond == 0 {
			t.Errorf("%s: the others did not go on without the primary: %+v", e.Fault, e)
		}
		another := false
		for _, s := range result.Sightings {
			switch {
			case s.Fault != e.Fault:
			case s.Side == "primary" && s.Primary == s.Asked:
				t.Errorf("%s: who can't reach the others still calls itself primary: %+v", s.Fault, s)
			case s.Side == "other":
				another = another || s.Primary != "" && s.Primary != e.Primary
			}
		}
		if !another {
			t.Errorf("%s: no other node names another primary than %s: %+v", e.Fault, e.Primary, result.Sightings)
		}
	}
}

// What can't be is refused before anything starts.
func TestNetworkRefusals(t *testing.T) {
	good := NetworkConfig{Time: 2 * time.Second, Delay: time.Millisecond, Loss: 0.1, Flap: time.Second, Connections: 1, Accounts: 2}
	with := func(change func(*NetworkConfig)) error {
		c := good
		change(&c)
		return c.Validate()
	}
	for want, err := range map[string]error{
		`fault "flood": there are partition`: with(func(c *NetworkConfig) { c.Faults = []string{"loss", "flood"} }),
		"time 500ms":                         with(func(c *NetworkConfig) { c.Time = time.Second / 2 }),
		"delay 1m0s":                         with(func(c *NetworkConfig) { c.Delay = time.Minute }),
		"loss 5":                             with(func(c *NetworkConfig) { c.Loss = 5 }),
		"flap 3s":                            with(func(c *NetworkConfig) { c.Flap = 3 * time.Second }),
		"connections 0":                      with(func(c *NetworkConfig) { c.Connections = 0 }),
		"leave the servers out":              with(func(c *NetworkConfig) { c.Cluster.Servers = []string{"127.0.0.1:1"} }),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, and not: %s", err, want)
		}
	}
	if err := with(func(c *NetworkConfig) { c.Faults = NetworkFaults() }); err != nil {
		t.Error(err)
	}
}

// spoilt is what the links of three hosts are under a fault, from and to.
func spoilt(t *testing.T, name string) (pairs []string) {
	t.Helper()
	f, err := findNetworkFault(name)
	if err != nil {
		t.Fatal(err)
	}
	net := &recordedNet{hosts: 3, now: map[[2]int]wire.Condition{}}
	if stop := f.impose(net, 2, &NetworkConfig{Delay: time.Second, Loss: 0.5, Flap: time.Hour}); stop != nil {
		stop()
	}
	for pair, c := range net.now {
		if c != (wire.Condition{}) {
			pairs = append(pairs, string(rune('0'+pair[0]))+string(rune('0'+pair[1])))
		}
	}
	slices.Sort(pairs)
	return pairs
}

// recordedNet keeps what is set.
type recordedNet struct {
	hosts int
	now   map[[2]int]wire.Condition
}

func (n *recordedNet) Hosts() int                         { return n.hosts }
func (n *recordedNet) Set(from, to int, c wire.Condition) { n.now[[2]int{from, to}] = c }

// Each fault spoils the links that its name says, and none to the clients.
func TestFaultsSpoilTheirLinks(t *testing.T) {
	for name, want := range map[string]string{
		"partition":    "12 21 23 32",
		"one-way-in":   "12 32",
		"one-way-out":  "21 23",
		"partial":      "23 32",
		"flap":         "12 21 23 32",
		"loss":         "12 13 21 23 31 32",
		"delay":        "12 13 21 23 31 32",
		"slow-primary": "12 21 23 32",
	} {
		if got := strings.Join(spoilt(t, name), " "); got != want {
			t.Errorf("%s spoils %s, not %s", name, got, want)
		}
	}
}
