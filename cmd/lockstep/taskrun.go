package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

// runLook is how often is looked how far a run is.
const runLook = time.Second

func (a *app) taskRun() *cobra.Command {
	var (
		f    taskFlags
		wait bool
	)
	c := &cobra.Command{
		Use:   "run (verify|backup) --group GROUP",
		Short: "Compare a group's copies, or back one up, now",
		Long: `Have the node that holds the task compare the copies of a group (verify), or write a
recording of its copy into its backup folder (backup). A task that runs already is joined.

Exit codes: 0 done, 1 failed or found to differ, 3 not ended within --timeout: the run
goes on, and lockstep task get shows what comes of it.`,
		Example: `  lockstep task run verify --group bank
  lockstep task run backup --group bank --wait=false`,
		Args: cobra.ExactArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			if f.group == "" {
				return usagef("--group is missing: every group has its own verify and backup")
			}
			cl, err := f.conn.client()
			if err != nil {
				return err
			}
			defer cl.Close()
			ctx, cancel := f.conn.context(cmd)
			defer cancel()
			run, err := a.runTask(ctx, cl, &f, args[0], wait)
			if err != nil {
				return err
			}
			if err := a.show(f.form, run.Raw, func(w io.Writer) error { return runSheet(w, run) }); err != nil {
				return err
			}
			return runVerdict(run, wait)
		}),
	}
	f.add(c, "the `GROUP`")
	c.Flags().BoolVar(&wait, "wait", true, "wait until it has ended")
	return c
}

// runTask begins a run and, while it is waited for, shows how far it is.
func (a *app) runTask(ctx context.Context, cl *client.Client, f *taskFlags, name string, wait bool) (*client.TaskRun, error) {
	if !wait {
		return cl.RunTask(ctx, f.group, name, false)
	}
	looking, stop := context.WithCancel(ctx)
	defer stop()
	far := make(chan string, 1)
	go lookAtRun(looking, cl, f.group, name, far)
	text := name + " of " + f.group
	told := text
	defer a.progress(func() string {
		select {
		case detail := <-far:
			told = text + ": " + detail
		default:
		}
		return told
	})()
	return cl.RunTask(ctx, f.group, name, true)
}

// lookAtRun tells again and again how far the last run is.
func lookAtRun(ctx context.Context, cl *client.Client, group, name string, far chan<- string) {
	tick := time.NewTicker(runLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		t, err := cl.Task(ctx, group, name)
		if err != nil || len(t.Runs) == 0 || t.Runs[0].Detail == "" {
			continue
		}
		select {
		case far <- t.Runs[0].Detail:
		default:
		}
	}
}

// runVerdict turns a run into an exit code.
func runVerdict(r *client.TaskRun, wait bool) error {
	switch {
	case r.Status == "running" && wait:
		return &exitError{exitUnavailable, fmt.Errorf("the run has not ended yet: lockstep task get %s --group %s", r.Task, r.Group)}
	case r.Status == "failed" || r.Status == "interrupted":
		return &exitError{exitRefused, fmt.Errorf("%s of %s: %s", r.Task, r.Group, r.Detail)}
	}
	return nil
}

func runSheet(w io.Writer, r *client.TaskRun) error {
	t := &table{}
	t.add("task", r.Task)
	t.add("group", r.Group)
	t.add("node", r.Node)
	t.add("status", r.Status)
	t.add("started", r.Started.UTC().Format(time.RFC3339))
	if !r.Ended.IsZero() {
		t.add("took", r.Ended.Sub(r.Started).Round(time.Millisecond))
	}
	if r.Detail != "" {
		t.add("detail", r.Detail)
	}
	names, values := members(r.Result)
	for i, name := range names {
		t.add(name, cell(values[i]))
	}
	return t.write(w)
}

// runTable shows the last runs, the newest first.
func runTable(w io.Writer, runs []client.TaskRun) error {
	if len(runs) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := newTable(w, "RUN", "NODE", "BY", "STARTED", "TOOK", "STATUS", "DETAIL")
	for _, r := range runs {
		took := ""
		if !r.Ended.IsZero() {
			took = r.Ended.Sub(r.Started).Round(time.Millisecond).String()
		}
		t.add(r.ID, r.Node, r.By, r.Started.UTC().Format(time.RFC3339), took, r.Status, r.Detail)
	}
	return t.write(w)
}
