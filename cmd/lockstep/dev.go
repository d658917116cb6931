package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"lockstep/cmd/lockstep/dev"
	"lockstep/testdata/bank"
)

func (a *app) devCommand() *cobra.Command {
	var (
		o      dev.Options
		schema string
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run a cluster of real processes on this machine, ready for curl",
		Long: `Start a cluster of lockstep serve processes on 127.0.0.1, make a group with the
bank example (or --schema) on it, print addresses and requests to paste, and keep
it running until Ctrl-C. Started again with the same folder, it finds its data.

Nodes serve HTTP on --port and the ports after it; their own traffic is on the
ports from --port + 100 on. A node that ends stays ended, so that failures can be
tried: lockstep dev restart NODE starts it again.`,
		Example: `  lockstep dev
  lockstep dev --nodes 5 --copies 3 --port 8400 --data /tmp/cluster --schema schema.yaml
  lockstep dev restart n2 --data /tmp/cluster`,
		Args: cobra.NoArgs,
		RunE: a.runs(func(cmd *cobra.Command, _ []string) error {
			if err := devOptions(&o, cmd, schema); err != nil {
				return err
			}
			o.Notice = a.notices()
			return a.dev(cmd.Context(), o, asJSON)
		}),
	}
	f := c.Flags()
	f.IntVar(&o.Nodes, "nodes", dev.DefaultNodes, "how many nodes")
	f.IntVar(&o.Copies, "copies", 3, "how many copies of the group, on the first nodes; the others are control nodes")
	f.IntVar(&o.Port, "port", dev.DefaultPort, "HTTP port of the first node")
	f.StringVar(&o.Data, "data", "", "the cluster's `DIR` (default: one under your cache folder, by the port)")
	f.StringVar(&o.Group, "group", dev.DefaultGroup, "the group that is made")
	f.StringVar(&schema, "schema", "", "schema `FILE` of the group (default: the bank example)")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON when all is ready, and nothing else")
	f.BoolVar(&o.Restart, "restart", false, "start nodes again that end")
	c.AddCommand(a.devRestart())
	return c
}

// devOptions leaves what was not given to the cluster in the folder, and reads the
// schema.
func devOptions(o *dev.Options, cmd *cobra.Command, schema string) (err error) {
	for name, field := range map[string]*int{"nodes": &o.Nodes, "copies": &o.Copies, "port": &o.Port} {
		if !cmd.Flags().Changed(name) {
			*field = 0
		} else if *field <= 0 {
			return usagef("--%s: must be at least 1", name)
		}
	}
	if !cmd.Flags().Changed("group") {
		o.Group = ""
	}
	o.Schema = []byte(bank.Schema)
	if schema != "" {
		if o.Schema, err = os.ReadFile(schema); err != nil {
			return usagef("--schema: %w", err)
		}
	}
	o.Executable, err = os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program's own file: %w", err)
	}
	return nil
}

// notices writes lines to standard error, one at a time.
func (a *app) notices() func(string) {
	var mu sync.Mutex
	return func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(a.err, "lockstep dev:", line)
	}
}

func (a *app) dev(ctx context.Context, o dev.Options, asJSON bool) error {
	ctx, cancel := untilSignal(ctx)
	defer cancel()
	began := time.Now()
	stop := a.waiting("starting the cluster")
	c, err := dev.Start(ctx, o)
	stop()
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		if c != nil {
			return c.Stop()
		}
		return nil
	}
	var option *dev.OptionError
	if errors.As(err, &option) {
		return usagef("%w", err)
	}
	if err != nil {
		return err
	}
	if err := a.announce(c, asJSON, o, time.Since(began)); err != nil {
		return errors.Join(err, c.Stop())
	}
	<-ctx.Done()
	if !asJSON {
		o.Notice("stopping the nodes; a second Ctrl-C kills them")
	}
	return c.Stop()
}

func (a *app) announce(c *dev.Cluster, asJSON bool, o dev.Options, took time.Duration) error {
	info := c.Info()
	if !asJSON {
		return printCluster(a.out, c, isBank(o.Schema), took)
	}
	line, err := json.Marshal(info)
	if err != nil {
		return fmt.Errorf("writing the cluster's line: %w", err)
	}
	_, err = a.out.Write(append(line, '\n'))
	return err
}

func isBank(schema []byte) bool { return string(schema) == bank.Schema }

func (a *app) devRestart() *cobra.Command {
	var (
		data    string
		asJSON  bool
		timeout time.Duration
	)
	c := &cobra.Command{
		Use:   "restart NODE",
		Short: "Have the running dev start a node again, and wait until it is ready",
		Args:  cobra.ExactArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			dir, err := devFolder(data)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			stop := a.waiting("starting " + args[0])
			n, err := dev.AskRestart(ctx, dir, args[0])
			stop()
			if errors.Is(err, dev.ErrNotRunning) || ctx.Err() != nil {
				return &exitError{exitUnavailable, err}
			}
			if err != nil {
				return err
			}
			return a.printNode(n, asJSON)
		}),
	}
	c.Flags().StringVar(&data, "data", "", "the cluster's `DIR` (default: the one that dev uses by default)")
	c.Flags().BoolVar(&asJSON, "json", false, "print the node's line as JSON")
	c.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "how long to wait until it is ready")
	return c
}

func devFolder(data string) (string, error) {
	if data == "" {
		return dev.DataFolder(dev.DefaultPort)
	}
	dir, err := filepath.Abs(data)
	if err != nil {
		return "", usagef("--data: %w", err)
	}
	return dir, nil
}

func (a *app) printNode(n dev.Node, asJSON bool) error {
	if asJSON {
		line, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("writing the node's line: %w", err)
		}
		_, err = a.out.Write(append(line, '\n'))
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s  http://%s  process %d\n", n.Name, n.HTTP, n.PID)
	return err
}

// printCluster tells a person what runs and what to try.
func printCluster(w io.Writer, c *dev.Cluster, withBank bool, took time.Duration) error {
	info := c.Info()
	what := "is running again, with its data"
	if c.Fresh() {
		what = "is ready"
	}
	fmt.Fprintf(w, "The cluster %s (%.1f s).\n\n", what, took.Seconds())
	t := newTable(w, "NODE", "ADDRESS", "PROCESS", "LOG")
	for _, n := range info.Nodes {
		t.add(n.Name, "http://"+n.HTTP, n.PID, filepath.Join(info.Data, n.Name+".log"))
	}
	if err := t.write(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nData folder: %s (kept; remove it to begin anew)\n", info.Data)
	if withBank {
		fmt.Fprint(w, bankRequests(info))
	}
	_, err := fmt.Fprint(w, "\nCtrl-C stops it.\n")
	return err
}
