package main

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

// workTime bounds a command that moves data, unless --timeout says otherwise.
const workTime = time.Hour

// asking is what commands have in common that ask a cluster for one document and
// show it.
type asking struct {
	// what says what is being done, for the line of progress.
	what func(args []string) string
	do   func(ctx context.Context, cl *client.Client, args []string) (json.RawMessage, error)
	// table shows the document for people; nil: as names and values.
	table func(w io.Writer, doc json.RawMessage) error
}

// asks makes a command of it.
func (a *app) asks(c *cobra.Command, q asking) *cobra.Command {
	var (
		conn connection
		form format
	)
	c.RunE = a.runs(func(cmd *cobra.Command, args []string) error {
		cl, err := conn.client()
		if err != nil {
			return err
		}
		defer cl.Close()
		ctx, cancel := conn.context(cmd)
		defer cancel()
		stop := a.waiting(q.what(args))
		doc, err := q.do(ctx, cl, args)
		stop()
		if err != nil {
			return err
		}
		return a.show(form, doc, q.tableOf(doc))
	})
	conn.flags(c)
	form.flag(c)
	return c
}

func (q *asking) tableOf(doc json.RawMessage) func(w io.Writer) error {
	return func(w io.Writer) error {
		if q.table != nil {
			return q.table(w, doc)
		}
		return jsonTable(w, doc)
	}
}

// working is what commands have in common that change the cluster and may take a
// while: they can be repeated, show how far they are, and wait unless told not to.
type working struct {
	asking
	work func(ctx context.Context, cl *client.Client, args []string, wait bool) (json.RawMessage, error)
	// far says how far it is, asked every so often; nil: nothing is known.
	far func(ctx context.Context, cl *client.Client, args []string) string
	// before is asked before anything is done; nil: nothing.
	before func(args []string) error
	// gone are codes of refusals that say that there is nothing left to do.
	gone []string
}

// works makes a command of it.
func (a *app) works(c *cobra.Command, w working) *cobra.Command {
	var (
		conn connection
		form format
		wait bool
	)
	c.RunE = a.runs(func(cmd *cobra.Command, args []string) error {
		if w.before != nil {
			if err := w.before(args); err != nil {
				return err
			}
		}
		if wait && !cmd.Flags().Changed("timeout") {
			conn.timeout = workTime
		}
		cl, err := conn.client()
		if err != nil {
			return err
		}
		defer cl.Close()
		ctx, cancel := conn.context(cmd)
		defer cancel()
		doc, err := a.follow(ctx, cl, args, w, wait)
		for _, code := range w.gone {
			if client.HasCode(err, code) {
				_, err = io.WriteString(a.err, "lockstep: nothing to do: "+err.Error()+"\n")
				return err
			}
		}
		if err != nil {
			return err
		}
		return a.show(form, doc, w.tableOf(doc))
	})
	conn.flags(c)
	form.flag(c)
	c.Flags().BoolVar(&wait, "wait", true, "wait until it is done; --wait=false answers at once, and it goes on")
	return c
}

// follow does the work, again while it goes on beyond what one request may take, and
// shows how far it is.
func (a *app) follow(ctx context.Context, cl *client.Client, args []string, w working, wait bool) (json.RawMessage, error) {
	what := w.what(args)
	far := newLatest(what)
	looking, end := context.WithCancel(ctx)
	defer end()
	if w.far != nil && wait {
		go far.look(looking, func(ctx context.Context) string { return w.far(ctx, cl, args) })
	}
	stop := a.progress(far.text)
	defer stop()
	for {
		doc, err := w.work(ctx, cl, args, wait)
		if !wait || !client.HasCode(err, "outcome_unknown") || ctx.Err() != nil {
			return doc, err
		}
	}
}
