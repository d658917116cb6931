package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

// watchTime is how long one question for the next assignment waits.
const watchTime = 20 * time.Second

func (a *app) taskCommand() *cobra.Command {
	return a.family("task", "Define tasks of applications, and see who holds which and why",
		a.taskList(), a.taskGet(), a.taskApply(), a.taskDelete(), a.taskWatch(), a.taskRelease(), a.taskRun(), a.taskLogs())
}

// taskFlags are those of every command about one task.
type taskFlags struct {
	conn  connection
	form  format
	group string
}

func (f *taskFlags) add(cmd *cobra.Command, group string) {
	f.conn.flags(cmd)
	f.form.flag(cmd)
	cmd.Flags().StringVar(&f.group, "group", "", group)
}

const groupUsage = "the `GROUP`, for a task that every group has (primary, verify, backup)"

// talks runs a command that talks to a cluster, bounded by its --timeout.
func (a *app) talks(conn *connection, doing string, f func(ctx context.Context, cl *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return a.runs(func(cmd *cobra.Command, args []string) error {
		cl, err := conn.client()
		if err != nil {
			return err
		}
		defer cl.Close()
		ctx, cancel := conn.context(cmd)
		defer cancel()
		stop := a.waiting(doing)
		defer stop()
		return f(ctx, cl, args)
	})
}

func (a *app) taskList() *cobra.Command {
	var f taskFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List tasks, their holders and what these do",
		Args:  cobra.NoArgs,
		RunE: a.talks(&f.conn, "asking who holds which task", func(ctx context.Context, cl *client.Client, _ []string) error {
			list, raw, err := cl.Tasks(ctx, f.group)
			if err != nil {
				return err
			}
			return a.show(f.form, raw, func(w io.Writer) error { return taskTable(w, list, time.Now()) })
		}),
	}
	f.add(c, "of this `GROUP` only")
	return c
}

func taskTable(w io.Writer, list []client.Task, now time.Time) error {
	t := newTable(w, "TASK", "GROUP", "HOLDER", "EPOCH", "SINCE", "REASON", "STATE")
	for i := range list {
		task := &list[i]
		holders := []string{task.Holder}
		if len(task.Holders) > 0 {
			holders = nil
			for _, h := range task.Holders {
				if h.Holder != "" {
					holders = append(holders, h.Holder)
				}
			}
		}
		since := ""
		if !task.Since.IsZero() {
			since = ago(now.Sub(task.Since))
		}
		t.add(task.Task, task.Group, strings.Join(holders, ", "), task.Epoch, since, task.Reason, taskState(task))
	}
	return t.write(w)
}

// taskState is a task's state in a few words.
func taskState(t *client.Task) string {
	state := t.Status
	if e := t.Execution; e != nil && e.Phase != "watched" {
		state = e.Phase
		switch {
		case e.Health == "unhealthy":
			state += ", unhealthy"
		case e.Phase == "waiting" || e.Phase == "finished":
			state += ", " + e.Exit
		case e.Phase == "refused":
			state += ": " + e.Detail
		}
	}
	if t.Status == "unassigned" && t.Why != "" {
		state += ": " + t.Why
	}
	if t.Stale {
		state += " (as last known: no majority answers)"
	}
	return state
}

// ago is a time in its largest unit.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func (a *app) taskGet() *cobra.Command {
	var f taskFlags
	c := &cobra.Command{
		Use:   "get TASK",
		Short: "Show a task, what its holder does, and who held it before",
		Args:  cobra.ExactArgs(1),
		RunE: a.talks(&f.conn, "asking who holds the task", func(ctx context.Context, cl *client.Client, args []string) error {
			t, err := cl.Task(ctx, f.group, args[0])
			if err != nil {
				return err
			}
			return a.showTask(f.form, t)
		}),
	}
	f.add(c, groupUsage)
	return c
}

func (a *app) showTask(form format, t *client.Task) error {
	return a.show(form, t.Raw, func(w io.Writer) error { return taskSheet(w, t) })
}

// taskSheet is everything about one task.
func taskSheet(w io.Writer, t *client.Task) error {
	head := &table{}
	head.add("task", t.Task)
	head.add("group", t.Group)
	if t.Kind == "application" {
		head.add("does", taskDoes(t))
	}
	head.add("state", taskState(t))
	addHolders(head, t)
	if e := t.Execution; e != nil {
		if e.PID != 0 {
			head.add("process", e.PID)
		}
		if e.Restarts > 0 {
			head.add("restarts", e.Restarts)
		}
		if e.Exit != "" {
			head.add("last end", e.Exit)
		}
		if e.Detail != "" && e.Phase != "refused" {
			head.add("detail", e.Detail)
		}
	}
	for _, name := range sortedNames(t.Labels) {
		head.add("label "+name, t.Labels[name])
	}
	if len(t.Payload) > 0 {
		head.add("payload", cell(t.Payload))
	}
	if t.Kind == "verify" || t.Kind == "backup" {
		schedule := t.Schedule
		if schedule == "" {
			schedule = "on request"
		}
		head.add("schedule", schedule)
	}
	if err := head.write(w); err != nil {
		return err
	}
	if err := runTable(w, t.Runs); err != nil || len(t.History) == 0 {
		return err
	}
	fmt.Fprintln(w)
	history := newTable(w, "EPOCH", "HOLDER", "SINCE", "REASON", "WHY")
	for i := len(t.History) - 1; i >= 0; i-- {
		h := t.History[i]
		holder := h.Holder
		if holder == "" {
			holder = "nobody"
		}
		if h.Slot != "" {
			holder += " (" + h.Slot + ")"
		}
		history.add(h.Epoch, holder, h.Since.UTC().Format(time.RFC3339), h.Reason, h.Why)
	}
	return history.write(w)
}

// addHolders adds a line for each holder.
func addHolders(head *table, t *client.Task) {
	if len(t.Holders) == 0 && t.Holder != "" {
		head.add("holder", fmt.Sprintf("%s, epoch %d", t.Holder, t.Epoch))
	}
	for _, h := range t.Holders {
		switch {
		case h.Holder == "":
			head.add("holder", "nobody ("+h.Slot+")")
		case h.Execution != nil:
			head.add("holder", fmt.Sprintf("%s, epoch %d (%s), %s", h.Holder, h.Epoch, h.Slot, h.Execution.Phase))
		default:
			head.add("holder", fmt.Sprintf("%s, epoch %d (%s)", h.Holder, h.Epoch, h.Slot))
		}
	}
}

func taskDoes(t *client.Task) string {
	switch {
	case len(t.Run) > 0:
		return "runs " + strings.Join(t.Run, " ")
	case t.Webhook != "":
		return "calls " + t.Webhook
	}
	return "nothing: the application watches"
}

func (a *app) taskApply() *cobra.Command {
	var (
		f       taskFlags
		given   taskDocument
		ifMatch string
		wait    bool
	)
	c := &cobra.Command{
		Use:   "apply TASK (FILE | --group GROUP [--label NAME=VALUE] [--payload JSON] [--webhook URL | -- COMMAND ARGUMENT...])",
		Short: "Define a task, or define it anew",
		Long: `Define a task by a document in YAML or JSON (- is standard input), or by flags. Its
holder runs a command, which the nodes' own configuration must list (tasks.commands),
or calls a webhook, or does nothing, where the application watches (lockstep task watch,
or Hold of the Go client).`,
		Example: `  lockstep task apply close --group bank --label team=ops -- close-of-day --verbose
  lockstep task apply close close.yaml --wait`,
		Args: cobra.MinimumNArgs(1),
	}
	c.RunE = a.talks(&f.conn, "defining the task", func(ctx context.Context, cl *client.Client, args []string) error {
		doc, err := a.taskDocument(c, &f, &given, args)
		if err != nil {
			return err
		}
		t, _, err := cl.PutTask(ctx, args[0], doc, client.TaskOptions{IfMatch: ifMatch})
		for err == nil && wait && t.Status != "assigned" {
			t, err = cl.AwaitTask(ctx, t.Group, args[0], t.Epoch)
			if err == nil && ctx.Err() != nil {
				return &exitError{exitUnavailable, fmt.Errorf("the task is defined, and nobody holds it yet: lockstep task get %s", args[0])}
			}
		}
		if err != nil {
			return err
		}
		return a.showTask(f.form, t)
	})
	f.add(c, "the `GROUP` that the task belongs to, where no file says it")
	c.Flags().StringSliceVar(&given.labels, "label", nil, "a label, `NAME=VALUE`; repeat for more")
	c.Flags().StringVar(&given.payload, "payload", "", "the application's own `JSON`")
	c.Flags().StringVar(&given.webhook, "webhook", "", "the `URL` that the holder calls")
	c.Flags().StringVar(&ifMatch, "if-match", "", "only if the task's present version has this `ETAG`")
	c.Flags().BoolVar(&wait, "wait", false, "wait until somebody holds it")
	return c
}

// taskDocument is a task as flags say it.
type taskDocument struct {
	labels           []string
	payload, webhook string
}

// taskDocument reads the document of a task from a file, or makes it of flags.
func (a *app) taskDocument(cmd *cobra.Command, f *taskFlags, given *taskDocument, args []string) ([]byte, error) {
	var words, file []string
	if at := cmd.ArgsLenAtDash(); at >= 0 {
		words, file = args[at:], args[1:at]
	} else {
		file = args[1:]
	}
	if len(file) > 1 {
		return nil, usagef("%q: put -- before a command and its arguments", file[1])
	}
	if len(file) == 1 {
		if f.group != "" || given.payload != "" || given.webhook != "" || len(given.labels) > 0 || len(words) > 0 {
			return nil, usagef("give a file or the flags, not both")
		}
		return a.document("", file[0])
	}
	if f.group == "" {
		return nil, usagef("give the document's file, or --group and what the task does")
	}
	doc := map[string]any{"group": f.group}
	labels, err := parsePairs(given.labels)
	if err != nil {
		return nil, usagef("--label: %w", err)
	}
	if len(labels) > 0 {
		doc["labels"] = labels
	}
	if given.payload != "" {
		if !json.Valid([]byte(given.payload)) {
			return nil, usagef("--payload: %q is not JSON", given.payload)
		}
		doc["payload"] = json.RawMessage(given.payload)
	}
	if given.webhook != "" {
		doc["webhook"] = given.webhook
	}
	if len(words) > 0 {
		doc["run"] = words
	}
	return json.Marshal(doc)
}

func (a *app) taskDelete() *cobra.Command {
	var (
		conn    connection
		ifMatch string
	)
	c := &cobra.Command{
		Use:   "delete TASK",
		Short: "Take a task away, and from its holder",
		Args:  cobra.ExactArgs(1),
		RunE: a.talks(&conn, "deleting the task", func(ctx context.Context, cl *client.Client, args []string) error {
			if err := cl.DeleteTask(ctx, args[0], client.TaskOptions{IfMatch: ifMatch}); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.out, "task %s was deleted\n", plain(args[0]))
			return err
		}),
	}
	conn.flags(c)
	c.Flags().StringVar(&ifMatch, "if-match", "", "only if its present version has this `ETAG`")
	return c
}

func (a *app) taskWatch() *cobra.Command {
	var f taskFlags
	c := &cobra.Command{
		Use:   "watch TASK",
		Short: "Tell each assignment as it is made, a line each, until stopped",
		Args:  cobra.ExactArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			cl, err := f.conn.client()
			if err != nil {
				return err
			}
			defer cl.Close()
			ctx, cancel := untilSignal(cmd.Context())
			defer cancel()
			return a.watchTask(ctx, cl, &f, args[0])
		}),
	}
	f.add(c, groupUsage)
	return c
}

func (a *app) watchTask(ctx context.Context, cl *client.Client, f *taskFlags, name string) error {
	t, err := cl.Task(ctx, f.group, name)
	told := uint64(0)
	for {
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if told == 0 && len(t.History) > 1 {
			told = t.History[len(t.History)-1].Epoch - 1 // the present one first
		}
		for _, h := range t.History {
			if h.Epoch <= told {
				continue
			}
			told = h.Epoch
			if err := a.tellAssignment(f.form, h); err != nil {
				return err
			}
		}
		asking, done := context.WithTimeout(ctx, watchTime)
		t, err = cl.AwaitTask(asking, f.group, name, told)
		done()
	}
}

func (a *app) tellAssignment(form format, h client.TaskAssignment) error {
	raw, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return a.show(form, raw, func(w io.Writer) error {
		holder := h.Holder
		if holder == "" {
			holder = "nobody"
		}
		_, err := fmt.Fprintf(w, "%s  epoch %d  %s  %s  %s\n", h.Since.UTC().Format(time.RFC3339), h.Epoch, plain(holder), h.Reason, plain(h.Why))
		return err
	})
}

func (a *app) taskRelease() *cobra.Command {
	var (
		f     taskFlags
		epoch uint64
		wait  bool
	)
	c := &cobra.Command{
		Use:   "release TASK",
		Short: "Give a task back, so that it is assigned anew",
		Args:  cobra.ExactArgs(1),
		RunE: a.talks(&f.conn, "giving the task back", func(ctx context.Context, cl *client.Client, args []string) error {
			if epoch == 0 {
				t, err := cl.Task(ctx, f.group, args[0])
				if err != nil {
					return err
				}
				if t.Holder == "" {
					return a.showTask(f.form, t)
				}
				epoch = t.Epoch
			}
			t, err := cl.ReleaseTask(ctx, f.group, args[0], epoch)
			for err == nil && wait && t.Status != "assigned" {
				t, err = cl.AwaitTask(ctx, f.group, args[0], t.Epoch)
				if err == nil && ctx.Err() != nil {
					return &exitError{exitUnavailable, fmt.Errorf("the task was given back, and nobody holds it yet: lockstep task get %s", args[0])}
				}
			}
			if err != nil {
				return err
			}
			return a.showTask(f.form, t)
		}),
	}
	f.add(c, groupUsage)
	c.Flags().Uint64Var(&epoch, "epoch", 0, "only if it is held under this `EPOCH` (default: whoever holds it)")
	c.Flags().BoolVar(&wait, "wait", false, "wait until somebody holds it again")
	return c
}

func (a *app) taskLogs() *cobra.Command {
	var f taskFlags
	c := &cobra.Command{
		Use:   "logs TASK",
		Short: "Show the last output of a task's command, at the node that holds it or held it last",
		Long:  "Show the last output of a task's command, at the node that holds it or held it last.\nOf a task with several holders the others' are TASK#2, TASK#3 and so on.",
		Args:  cobra.ExactArgs(1),
		RunE: a.talks(&f.conn, "asking the holder", func(ctx context.Context, cl *client.Client, args []string) error {
			logs, err := cl.TaskLogs(ctx, f.group, args[0])
			if err != nil {
				return err
			}
			return a.show(f.form, logs.Raw, func(w io.Writer) error {
				for _, l := range logs.Lines {
					if _, err := fmt.Fprintf(w, "%s  %s\n", l.Time.UTC().Format("15:04:05.000"), plain(l.Text)); err != nil {
						return err
					}
				}
				return nil
			})
		}),
	}
	f.add(c, groupUsage)
	return c
}
