package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lockstep/bench/wire"
)

// networkFault spoils links between nodes; those to the clients are left alone.
type networkFault struct {
	name string
	// loses tells whether packets must have gone missing.
	loses bool
	// impose has it begin. stop ends what goes on by itself; the links stay as they
	// are.
	impose func(net links, primary int, cfg *NetworkConfig) (stop func())
}

// links are those between nodes, numbered from 1: a wire's.
type links interface {
	Hosts() int
	Set(from, to int, c wire.Condition)
}

// NetworkFaults are the names of the faults that RunNetwork knows, in the order in
// which it makes them where none is named.
func NetworkFaults() []string {
	var names []string
	for _, f := range networkFaults() {
		names = append(names, f.name)
	}
	return names
}

func networkFaults() []networkFault {
	return []networkFault{
		{"partition", true, func(net links, primary int, _ *NetworkConfig) func() {
			apart(net, primary, wire.Condition{Cut: true}, true, true)
			return nil
		}},
		{"one-way-in", true, func(net links, primary int, _ *NetworkConfig) func() {
			apart(net, primary, wire.Condition{Cut: true}, true, false)
			return nil
		}},
		{"one-way-out", true, func(net links, primary int, _ *NetworkConfig) func() {
			apart(net, primary, wire.Condition{Cut: true}, false, true)
			return nil
		}},
		{"partial", true, func(net links, primary int, _ *NetworkConfig) func() {
			other := primary%net.Hosts() + 1
			net.Set(primary, other, wire.Condition{Cut: true})
			net.Set(other, primary, wire.Condition{Cut: true})
			return nil
		}},
		{"flap", true, flap},
		{"loss", true, func(net links, _ int, cfg *NetworkConfig) func() {
			everywhere(net, wire.Condition{Loss: cfg.Loss})
			return nil
		}},
		{"delay", false, func(net links, _ int, cfg *NetworkConfig) func() {
			everywhere(net, wire.Condition{Delay: cfg.Delay})
			return nil
		}},
		{"slow-primary", false, func(net links, primary int, cfg *NetworkConfig) func() {
			apart(net, primary, wire.Condition{Delay: cfg.Delay}, true, true)
			return nil
		}},
	}
}

// findNetworkFault gives a fault by its name, or says which there are.
func findNetworkFault(name string) (networkFault, error) {
	all := networkFaults()
	if i := slices.IndexFunc(all, func(f networkFault) bool { return f.name == name }); i >= 0 {
		return all[i], nil
	}
	return networkFault{}, fmt.Errorf("fault %q: there are %s", name, strings.Join(NetworkFaults(), ", "))
}

// apart sets the links between one node and each other: those that it hears by, those
// that it is heard by, or both.
func apart(net links, node int, c wire.Condition, in, out bool) {
	for other := 1; other <= net.Hosts(); other++ {
		if other == node {
			continue
		}
		if in {
			net.Set(other, node, c)
		}
		if out {
			net.Set(node, other, c)
		}
	}
}

// everywhere sets all links between nodes.
func everywhere(net links, c wire.Condition) {
	for node := 1; node <= net.Hosts(); node++ {
		apart(net, node, c, true, true)
	}
}

// flap cuts a node off and lets it back, again and again.
func flap(net links, primary int, cfg *NetworkConfig) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(cfg.Flap)
		defer tick.Stop()
		for cut := true; ; cut = !cut {
			apart(net, primary, wire.Condition{Cut: cut}, true, true)
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(over); <-ended }
}

// missing is how many packets between nodes did not arrive since the wire was made.
func missing(net *wire.Net) (n int64) {
	for from := 1; from <= net.Hosts(); from++ {
		for to := 1; to <= net.Hosts(); to++ {
			if from != to {
				c := net.Counts(from, to)
				n += c.Cut + c.Lost
			}
		}
	}
	return n
}
