package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"lockstep/policy"
	"lockstep/policy/history"
)

const policyBacktestHelp = `Play a recorded history back against policies: what they would have done. For each
task the recorded holders and those that the policies would have chosen stand side by
side: how often the task would have moved, how long it would have been without a
holder, how long on each node, and every time in which the two differ, with the
reason. Nothing is changed.

The policies of the files are all there are: where none of them matches, what is built
in decides. A history has a JSON object a line; package policy/history tells the form.
Load follows the tasks, which a back-test can't know: a node that it gives a task has
the load that was recorded without it.

Exit codes: 0 done, 2 a policy or the history is malformed.`

func (a *app) policyBacktest() *cobra.Command {
	var (
		conn  connection
		form  format
		from  string
		group string
		since time.Duration
		tasks []string
		quiet bool
	)
	c := &cobra.Command{
		Use:   "backtest FILE... (--group GROUP | --history FILE)",
		Short: "Play a recorded history back against policies",
		Long:  policyBacktestHelp,
		Example: `  lockstep policy backtest near-users.yaml --group orders --since 24h
  lockstep policy backtest near-users.yaml --history orders.ndjson`,
		Args: cobra.MinimumNArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			if (from == "") == (group == "") {
				return usagef("give --group, to try what the cluster has recorded, or --history, a file")
			}
			set, warnings, err := readPolicies(args)
			if err != nil {
				return err
			}
			if !quiet {
				for _, w := range warnings {
					fmt.Fprintln(a.err, "lockstep: warning:", w)
				}
			}
			in, err := a.recorded(cmd, &conn, group, since, from)
			if err != nil {
				return err
			}
			defer in.Close()
			report, err := a.backtest(set, in, cmp.Or(from, "the recorded history of "+group), tasks)
			if err != nil {
				return err
			}
			doc, err := json.Marshal(report)
			if err != nil {
				return fmt.Errorf("writing the report: %w", err)
			}
			return a.show(form, doc, func(w io.Writer) error { return report.Text(w, tableOf) })
		}),
	}
	conn.flags(c)
	form.flag(c)
	c.Flags().StringVar(&group, "group", "", "the `GROUP` whose history the cluster has recorded")
	c.Flags().DurationVar(&since, "since", 0, "with --group, how far back (default: all that is kept)")
	c.Flags().StringVar(&from, "history", "", "the recorded history, a `FILE`; - for standard input")
	c.Flags().StringSliceVar(&tasks, "task", nil, "only this `TASK`, recorded or not; may be repeated")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "leave warnings out")
	return c
}

// readPolicies compiles the policies of files into a set.
func readPolicies(files []string) (set *policy.Set, warnings []string, err error) {
	compiler, err := policy.NewCompiler()
	if err != nil {
		return nil, nil, err
	}
	var list []*policy.Policy
	var bad []error
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		p, problems := compiler.Read(src)
		for _, x := range problems {
			bad = append(bad, fmt.Errorf("%s: %s", path, x))
		}
		if p != nil {
			list = append(list, p)
			for _, w := range p.Warnings {
				warnings = append(warnings, path+": "+w)
			}
		}
	}
	if bad == nil {
		if set, err = compiler.NewSet(list...); err != nil {
			bad = append(bad, err)
		}
	}
	if bad != nil {
		return nil, nil, &exitError{exitUsage, errors.Join(bad...)}
	}
	return set, warnings, nil
}

// recorded opens a history: a file, standard input, or what the cluster recorded.
func (a *app) recorded(cmd *cobra.Command, conn *connection, group string, since time.Duration, from string) (io.ReadCloser, error) {
	switch {
	case from == "-":
		return io.NopCloser(a.in), nil
	case from != "":
		f, err := os.Open(from)
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		return f, nil
	}
	cl, err := conn.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ctx, cancel := conn.context(cmd)
	defer cancel()
	stop := a.waiting("asking for what was recorded")
	defer stop()
	var at time.Time
	if since > 0 {
		at = time.Now().Add(-since)
	}
	h, err := cl.History(ctx, group, at)
	if err != nil {
		return nil, err
	}
	for _, node := range h.Missing {
		fmt.Fprintf(a.err, "lockstep: note: the node %s did not answer: what it recorded is left out\n", node)
	}
	return io.NopCloser(bytes.NewReader(h.Lines)), nil
}

func (a *app) backtest(set *policy.Set, in io.Reader, from string, tasks []string) (*history.Report, error) {
	recording, err := history.Read(in)
	if err != nil {
		return nil, usagef("%s: %w", from, err)
	}
	report, err := history.Backtest(recording, set, tasks)
	if err != nil {
		return nil, usagef("%s: %w", from, err)
	}
	return report, nil
}

// tableOf lines rows up; the first is the head.
func tableOf(w io.Writer, rows [][]string) error {
	t := newTable(w, rows[0]...)
	for _, row := range rows[1:] {
		cells := make([]any, len(row))
		for i := range row {
			cells[i] = row[i]
		}
		t.add(cells...)
	}
	return t.write(w)
}
