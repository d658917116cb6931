package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

func (a *app) queryCommand() *cobra.Command {
	var (
		conn  connection
		form  format
		file  string
		o     client.QueryOptions
		fresh = &o.ReadOptions
	)
	c := &cobra.Command{
		Use:   "query GROUP [DOCUMENT | PROCEDURE [NAME=TEXT | NAME:=JSON]…]",
		Short: "Read at one consistent revision",
		Long: `Run read-only steps on a group's state at one revision and show what they return.
The document is a transaction's without an id; a procedure that only reads may be
called by name.

--consistency says how fresh the answer is: linearizable (the default) reflects
everything acknowledged before; session has at least --min-revision; bounded is no
older than --max-lag; local is whatever the nearest copy has, at once.

--limit gives the rows of the query's scan a page at a time: what the answer names
as next is for --after, with the same document. --explain tells how the query went:
what each step read, by which key or index, and what it cost.`,
		Example: `  lockstep query bank '{"steps": [{"get": {"table": "accounts", "key": ["params.id"], "as": "a"}}],
                        "params": {"id": "alice"}, "return": "a.balance"}'
  lockstep query bank balance id=alice
  lockstep query bank --file report.json --consistency local -o json
  lockstep query bank --file report.json --explain`,
		Args: cobra.MinimumNArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			doc, err := a.transaction(args[1:], file)
			if err != nil {
				return err
			}
			return a.query(cmd, &conn, form, args[0], doc, o)
		}),
	}
	conn.flags(c)
	form.flag(c)
	c.Flags().StringVarP(&file, "file", "f", "", "read the document from `FILE`; - is standard input")
	c.Flags().StringVar(&fresh.Consistency, "consistency", "", "linearizable, session, bounded or local")
	c.Flags().Uint64Var(&fresh.MinRevision, "min-revision", 0, "with session: the `REVISION` to wait for")
	c.Flags().DurationVar(&fresh.MaxLag, "max-lag", 0, "with bounded: how old the answer may be")
	c.Flags().IntVar(&o.Limit, "limit", 0, "at most so many `ROWS` of the query's scan")
	c.Flags().StringVar(&o.After, "after", "", "go on after the page that named this `NEXT`")
	c.Flags().BoolVar(&o.Explain, "explain", false, "tell how the query went")
	return c
}

func (a *app) query(cmd *cobra.Command, conn *connection, form format, group string, doc []byte, o client.QueryOptions) error {
	if o.MaxLag < 0 || o.MaxLag%time.Millisecond != 0 {
		return usagef("--max-lag: must be whole milliseconds, for example 500ms")
	}
	if o.Limit < 0 || o.After != "" && o.Limit == 0 {
		return usagef("--limit: must be above 0, and is given for each page")
	}
	cl, err := conn.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := conn.context(cmd)
	defer cancel()
	stop := a.waiting("waiting for the answer")
	r, err := cl.QueryWith(ctx, group, doc, o)
	stop()
	if err != nil {
		return a.showAbort(form, err)
	}
	return a.show(form, r.Raw, func(w io.Writer) error { return queryTable(w, r) })
}
