package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lockstep/bench"
)

func (a *app) networkCommand() *cobra.Command {
	var (
		c   common
		cfg bench.NetworkConfig
	)
	cmd := &cobra.Command{
		Use:   "network",
		Short: "Network faults between nodes, under load",
		Long: `Start a cluster whose nodes have a network namespace each, spoil the links between
them while transfers go on, one fault after the other, and check: every acknowledged
id committed exactly once, balances equal to the replay of the ledger, copies equal,
and a history of single keys linearizable. Clients reach all nodes all the time.

Faults: ` + strings.Join(bench.NetworkFaults(), ", ") + ` (all of them where none is named).
  partition    the primary and the other nodes hear nothing of each other
  one-way-in   the primary hears no other node
  one-way-out  no other node hears the primary
  partial      the primary and one other node hear nothing of each other
  flap         partition, and not, in turn
  loss         packets between any two nodes are lost by chance
  delay        packets between any two nodes arrive late
  slow-primary packets to and from the primary arrive late

status in the result is what the cluster's status said near the fault's end, asked of
each node; side tells the one that was the primary at its beginning.

It needs Linux, /dev/net/tun, and root or a user namespace. Nothing of it is left
when bench ends, however it ends.`,
		Example: `  bench network --fault partition --time 5s
  bench network --profile wan --fault delay --delay 200ms -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			profile := cfg.Cluster.Profile
			cfg.Cluster, cfg.Seed = c.cluster, c.seed
			cfg.Cluster.Profile = profile
			return a.doing(&c, cfg.Validate, func(progress func(string)) error {
				cfg.Progress = progress
				result, err := bench.RunNetwork(cmd.Context(), cfg)
				if result == nil {
					return err
				}
				return a.show(c.format, result, err)
			})
		},
	}
	c.flags(cmd, false)
	f := cmd.Flags()
	f.StringSliceVar(&cfg.Faults, "fault", nil, "`NAMES` of the faults (default: all, one after the other)")
	f.StringVar(&cfg.Cluster.Profile, "profile", "lan", "raft profile of the nodes: lan or wan")
	f.DurationVar(&cfg.Time, "time", 8*time.Second, "how long each fault lasts")
	f.DurationVar(&cfg.Delay, "delay", 200*time.Millisecond, "of faults delay and slow-primary, each way")
	f.Float64Var(&cfg.Loss, "loss", 0.05, "of fault loss, share of the packets")
	f.DurationVar(&cfg.Flap, "flap", time.Second, "of fault flap: so long cut off, so long not")
	f.IntVar(&cfg.Connections, "connections", 16, "connections, one transfer at a time on each")
	f.IntVar(&cfg.Accounts, "accounts", 1000, "accounts among which transfers go")
	return cmd
}
