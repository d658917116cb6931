package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lockstep/bench"
)

func (a *app) throughputCommand() *cobra.Command {
	var (
		c       common
		cfg     bench.ThroughputConfig
		certify bench.CertifyConfig
	)
	cmd := &cobra.Command{
		Use:   "throughput",
		Short: "Transactions a second and their latency, closed loop",
		Long: `Measure committed transactions a second, and the latency of a request (with --batch,
of all its lines together). Each connection sends its next request when the one
before is answered; connections are spread over the nodes. yardstick_per_second is
what an empty HTTP handler answers to as many connections in the same run.

With --workload certify each connection is a client that reads one of a few rows,
computes, and writes with an expectation, again until it does so without a
conflict: how many attempts that takes, how they are shared out, and that no
update is lost.`,
		Example: `  bench throughput --connections 64
  bench throughput --connections 64 --batch 100 --duration 30s -o json
  bench throughput --workload certify --connections 64 --accounts 10 --backoff none
  bench throughput --server 10.0.0.1:7400,10.0.0.2:7400,10.0.0.3:7400`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.Workload == "certify" {
				return a.certify(cmd, &c, cfg, certify)
			}
			cfg.Cluster, cfg.Seed = c.cluster, c.seed
			return a.doing(&c, cfg.Validate, func(progress func(string)) error {
				cfg.Progress = progress
				result, err := bench.RunThroughput(cmd.Context(), cfg)
				if result == nil {
					return err
				}
				return a.show(c.format, result, err)
			})
		},
	}
	c.flags(cmd, true)
	f := cmd.Flags()
	f.StringVar(&cfg.Workload, "workload", "transfer", "what is done: transfer or certify")
	f.IntVar(&cfg.Connections, "connections", 256, "connections, one request at a time on each")
	f.IntVar(&cfg.Batch, "batch", 1, "transactions a request; above 1 as lines of NDJSON")
	f.IntVar(&cfg.Accounts, "accounts", 100_000, "accounts among which transfers go; rows of certify (default then 10)")
	f.StringVar(&certify.Backoff, "backoff", "advised", "of certify, after a conflict: "+strings.Join(bench.Backoffs(), ", "))
	f.StringVar(&certify.Consistency, "consistency", "linearizable", "of certify's reads: linearizable, session, bounded or local")
	f.DurationVar(&cfg.Warmup, "warmup", 2*time.Second, "work before the measured time")
	f.DurationVar(&cfg.Duration, "duration", 10*time.Second, "measured time")
	return cmd
}

// certify runs the workload of that name, which has a result of its own.
func (a *app) certify(cmd *cobra.Command, c *common, of bench.ThroughputConfig, cfg bench.CertifyConfig) error {
	cfg.Cluster, cfg.Seed = c.cluster, c.seed
	cfg.Connections, cfg.Warmup, cfg.Duration = of.Connections, of.Warmup, of.Duration
	if cfg.Rows = of.Accounts; !cmd.Flags().Changed("accounts") {
		cfg.Rows = 10
	}
	validate := func() error {
		if of.Batch != 1 {
			return fmt.Errorf("batch %d: certify sends one transaction a request", of.Batch)
		}
		return cfg.Validate()
	}
	return a.doing(c, validate, func(progress func(string)) error {
		cfg.Progress = progress
		result, err := bench.RunCertify(cmd.Context(), cfg)
		if result == nil {
			return err
		}
		return a.show(c.format, result, err)
	})
}

func (a *app) failoverCommand() *cobra.Command {
	var (
		c   common
		cfg bench.FailoverConfig
	)
	cmd := &cobra.Command{
		Use:   "failover",
		Short: "The longest gap between two commits that any client sees at a fault",
		Long: `Make a fault several times under load, and measure the longest time between two
successive commits seen by any client.

Faults: ` + strings.Join(bench.Faults(), ", ") + `.
kill, pause, partition and restart-all need bench's own cluster, and partition a system
that gives network namespaces. none is the longest gap when nothing happens, on this
machine at this hour: compare the others with it.`,
		Example: `  bench failover --fault kill --repeat 5
  bench failover --fault restart-all --connections 64 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Cluster, cfg.Seed = c.cluster, c.seed
			return a.doing(&c, cfg.Validate, func(progress func(string)) error {
				cfg.Progress = progress
				result, err := bench.RunFailover(cmd.Context(), cfg)
				if result == nil {
					return err
				}
				return a.show(c.format, result, err)
			})
		},
	}
	c.flags(cmd, true)
	f := cmd.Flags()
	f.StringVar(&cfg.Fault, "fault", "kill", "`NAME` of the fault")
	f.IntVar(&cfg.Repeat, "repeat", 5, "how many times")
	f.IntVar(&cfg.Connections, "connections", 16, "connections, one transfer at a time on each")
	f.IntVar(&cfg.Accounts, "accounts", 10_000, "accounts among which transfers go")
	return cmd
}

func (a *app) schemaCommand() *cobra.Command {
	var (
		c   common
		cfg bench.SchemaChangeConfig
	)
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "A schema change that must look at every row, under writes",
		Long: `Add two indexes and a check to a table of many rows while transfers go on, and
measure how long it takes until the change holds, and the longest time between two
successive commits seen by any client meanwhile.`,
		Example: `  bench schema --rows 1000000 --connections 64
  bench schema --rows 100000 --kill -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Cluster, cfg.Seed = c.cluster, c.seed
			return a.doing(&c, cfg.Validate, func(progress func(string)) error {
				cfg.Progress = progress
				result, err := bench.RunSchemaChange(cmd.Context(), cfg)
				if result == nil {
					return err
				}
				return a.show(c.format, result, err)
			})
		},
	}
	c.flags(cmd, true)
	f := cmd.Flags()
	f.IntVar(&cfg.Rows, "rows", 1_000_000, "accounts that the change must look at")
	f.IntVar(&cfg.Connections, "connections", 64, "connections, one transfer at a time on each")
	f.BoolVar(&cfg.Kill, "kill", false, "kill the primary in the middle of the change")
	return cmd
}

func (a *app) chaosCommand() *cobra.Command {
	var (
		c   common
		cfg bench.ChaosConfig
	)
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Transfers while processes are killed, and everything checked",
		Long: `Send transfers in NDJSON, each under an id of its own and again under the same id
where its outcome is unknown, while processes are killed (one, the primary, two,
all three) and started again. Then check: every acknowledged id committed exactly
once, by a ledger that each transfer writes to; balances equal to the replay of
the ledger; money conserved; copies equal; and a history of single keys
linearizable.`,
		Example: `  bench chaos --transfers 100000
  bench chaos --transfers 1000000 --kill-every 2s --seed 7 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Cluster, cfg.Seed = c.cluster, c.seed
			return a.doing(&c, cfg.Validate, func(progress func(string)) error {
				cfg.Progress = progress
				result, err := bench.RunChaos(cmd.Context(), cfg)
				if result == nil {
					return err
				}
				return a.show(c.format, result, err)
			})
		},
	}
	c.flags(cmd, false)
	f := cmd.Flags()
	f.IntVar(&cfg.Transfers, "transfers", 1_000_000, "how many")
	f.IntVar(&cfg.Connections, "connections", 8, "streams at a time, spread over the nodes")
	f.IntVar(&cfg.Batch, "batch", 200, "transfers a request")
	f.IntVar(&cfg.Accounts, "accounts", 1000, "accounts among which transfers go")
	f.DurationVar(&cfg.KillEvery, "kill-every", 2*time.Second, "between two strikes, on average")
	return cmd
}
