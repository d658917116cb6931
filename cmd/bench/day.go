package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lockstep/bench"
)

func (a *app) dayCommand() *cobra.Command {
	var (
		c   common
		cfg bench.DayConfig
	)
	cmd := &cobra.Command{
		Use:   "day",
		Short: "A day in the life of a cluster, with a client that works throughout",
		Long: `Start five nodes and a group of three copies, have one thing after the other happen
to them while transfers go on, and check: every acknowledged id committed exactly
once, balances equal to the replay of the ledger, a history of single keys
linearizable, and copies equal after each event.

Events: ` + strings.Join(bench.DayEvents(), ", ") + `.

For each there is the longest time between two successive commits seen by any
client, from its beginning until all is well again, and the rate meanwhile.`,
		Example: `  bench day
  bench day --pace 10s --connections 64 --upgrade ./lockstep-new -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Cluster, cfg.Seed = c.cluster, c.seed
			return a.showing(&c, cfg.Validate, func(p *progress) error {
				cfg.Progress = p.tell
				cfg.Told = func(e bench.DayEvent) {
					p.keep(fmt.Sprintf("%-10s  gap %5.0f ms  %6.0f tx/s  %s", e.Event, e.Gap, e.PerSecond, e.What))
				}
				result, err := bench.RunDay(cmd.Context(), cfg)
				if result == nil {
					return err
				}
				return a.show(c.format, result, err)
			})
		},
	}
	c.flags(cmd, false)
	f := cmd.Flags()
	f.StringVar(&cfg.Upgrade, "upgrade", "", "`FILE` of the program that nodes are restarted with (default: the same)")
	f.DurationVar(&cfg.Pace, "pace", 5*time.Second, "the least that each event lasts")
	f.DurationVar(&cfg.ReplaceAfter, "replace-after", 15*time.Second, "after how long a copy that is away is replaced by a witness")
	f.IntVar(&cfg.Rows, "rows", 100_000, "that are loaded into a second group")
	f.IntVar(&cfg.Connections, "connections", 16, "connections, one transfer at a time on each")
	f.IntVar(&cfg.Accounts, "accounts", 1000, "accounts among which transfers go")
	return cmd
}
