package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

// txFlags are the flags of lockstep tx.
type txFlags struct {
	connection
	format  format
	file    string
	id      string
	outcome string
	stream  bool
	ordered bool
	quiet   bool
}

func (a *app) txCommand() *cobra.Command {
	f := &txFlags{}
	c := &cobra.Command{
		Use:   "tx GROUP [DOCUMENT | PROCEDURE [NAME=TEXT | NAME:=JSON]…]",
		Short: "Send transactions and show their outcomes",
		Long: `Send a transaction to a group and wait for its outcome: a procedure with its
params, a JSON document as it is, or a file. It is sent under one id, made here
unless --id or the document gives one, so it is executed once however often it
has to be sent; sending the same document under the same id again is safe and
gives the recorded outcome.

With --stream each line of the file is a transaction and each line of the output
the answer to one, in the order of the lines.

Exit codes: 0 committed, 1 aborted or refused, 3 unavailable or unknown.`,
		Example: `  lockstep tx bank transfer from=alice to=bob amount:=30
  lockstep tx bank '{"procedure": "transfer", "params": {"from": "alice", "to": "bob", "amount": 30}}'
  lockstep tx bank --file transaction.json --id order-1042
  lockstep tx bank --stream --file transfers.ndjson > answers.ndjson
  lockstep tx bank --outcome order-1042`,
		Args: cobra.MinimumNArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error { return a.tx(cmd, f, args[0], args[1:]) }),
	}
	f.connection.flags(c)
	f.format.flag(c)
	c.Flags().StringVarP(&f.file, "file", "f", "", "read the document or the lines from `FILE`; - is standard input")
	c.Flags().StringVar(&f.id, "id", "", "the transaction's id, 1 to 255 printable characters (default: a new one)")
	c.Flags().StringVar(&f.outcome, "outcome", "", "send nothing, ask for the outcome of the transaction `ID`")
	c.Flags().BoolVar(&f.stream, "stream", false, "send each line of --file (default standard input) as a transaction")
	c.Flags().BoolVar(&f.ordered, "ordered", false, "with --stream: one after another, ending at the first refusal")
	c.Flags().BoolVar(&f.quiet, "quiet", false, "with --stream: show only what did not commit")
	return c
}

func (a *app) tx(cmd *cobra.Command, f *txFlags, group string, args []string) error {
	switch {
	case f.outcome != "" && (len(args) > 0 || f.file != "" || f.id != "" || f.stream):
		return usagef("--outcome sends nothing: leave out the document, --file, --id and --stream")
	case f.stream && (len(args) > 0 || f.id != ""):
		return usagef("--stream takes its lines from --file or standard input: leave out the document and --id")
	case !f.stream && (f.ordered || f.quiet):
		return usagef("--ordered and --quiet belong to --stream")
	}
	cl, err := f.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if f.stream {
		return a.streamTx(cmd.Context(), cl, f, group)
	}
	ctx, cancel := f.context(cmd)
	defer cancel()
	if f.outcome != "" {
		o, err := cl.Outcome(ctx, group, f.outcome)
		if err != nil {
			return err
		}
		return a.showOutcome(f.format, o)
	}
	doc, err := a.transaction(args, f.file)
	if err != nil {
		return err
	}
	stop := a.waiting("waiting for the outcome")
	o, err := cl.Transact(ctx, group, doc, f.id)
	stop()
	if err != nil {
		return a.showAbort(f.format, err)
	}
	return a.showOutcome(f.format, o)
}

// transaction makes the document: given whole, from a file, or a procedure's
// name and its params.
func (a *app) transaction(args []string, file string) ([]byte, error) {
	if len(args) == 0 {
		return a.document("", file)
	}
	first := strings.TrimSpace(args[0])
	if first == "-" || strings.HasPrefix(first, "{") {
		if len(args) > 1 {
			return nil, usagef("params belong into the document, or give a procedure's name in its place")
		}
		return a.document(first, file)
	}
	if file != "" {
		return nil, usagef("give a procedure or --file, not both")
	}
	params, err := parseParams(args[1:])
	if err != nil {
		return nil, err
	}
	doc, err := json.Marshal(map[string]any{"procedure": first, "params": params})
	if err != nil {
		return nil, fmt.Errorf("writing the document: %w", err)
	}
	return doc, nil
}

// parseParams reads NAME=TEXT and NAME:=JSON.
func parseParams(args []string) (map[string]any, error) {
	params := map[string]any{}
	for _, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, usagef("%q is no param: write NAME=TEXT, or NAME:=JSON for a number, true, false, null, a list or an object", arg)
		}
		name, raw := strings.CutSuffix(name, ":")
		if _, twice := params[name]; twice || name == "" {
			return nil, usagef("%q: a param wants a name, and a name stands once", arg)
		}
		params[name] = text
		if raw {
			if !json.Valid([]byte(text)) {
				return nil, usagef("%q: what follows := must be JSON; write %s=… for text", arg, name)
			}
			params[name] = json.RawMessage(text)
		}
	}
	return params, nil
}

func (a *app) showOutcome(f format, o *client.Outcome) error {
	return a.show(f, o.Raw, func(w io.Writer) error {
		t := newTable(w)
		t.rows = nil
		t.add("status", o.Status)
		t.add("id", o.ID)
		if o.Revision > 0 {
			t.add("revision", o.Revision)
		}
		if o.Code != "" {
			t.add("code", o.Code)
			t.add("step", o.Step)
			t.add("message", o.Message)
		}
		if len(o.Result) > 0 {
			t.add("result", cell(o.Result))
		}
		return t.write(w)
	})
}

// showAbort shows a refusal where a program reads the output, and passes it on.
func (a *app) showAbort(f format, err error) error {
	var p *client.Problem
	if f == formatTable || !errors.As(err, &p) || len(p.Raw) == 0 {
		return err
	}
	if e := a.show(f, p.Raw, nil); e != nil {
		return e
	}
	return &exitError{code: exitCode(err)}
}

// streamTotals counts the answers of a stream.
type streamTotals struct {
	sent, committed, aborted, refused int
}

func (t streamTotals) String() string {
	return fmt.Sprintf("%d sent, %d committed, %d aborted, %d refused", t.sent, t.committed, t.aborted, t.refused)
}

// streamTx sends lines while it shows answers.
func (a *app) streamTx(ctx context.Context, cl *client.Client, f *txFlags, group string) error {
	if f.file == "" {
		f.file = "-"
	}
	in, err := a.openFile(f.file)
	if err != nil {
		return err
	}
	defer in.Close()
	s := cl.Stream(ctx, group, client.StreamOptions{Ordered: f.ordered})
	defer s.Close()
	w := &streamWork{in: in, out: a.out, name: f.file, quiet: f.quiet}
	stop := a.progress(w.text)
	err = w.run(s)
	stop()
	totals := w.snapshot()
	if err == nil && totals.committed == totals.sent {
		return nil
	}
	fmt.Fprintln(a.err, "lockstep:", totals.String())
	if err != nil {
		return err
	}
	return &exitError{code: exitRefused}
}
