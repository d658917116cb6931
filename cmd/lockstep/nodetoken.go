package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

func (a *app) nodeToken() *cobra.Command {
	return a.family("token", "Make and list the tokens by which nodes join", a.tokenCreate(), a.tokenList(), a.tokenDelete(), a.tokenRequire())
}

func (a *app) tokenCreate() *cobra.Command {
	var ttl time.Duration
	c := a.asks(&cobra.Command{
		Use:   "create [--ttl DURATION]",
		Short: "Make a join token, and print it",
		Long: `Make a token by which nodes join: lockstep serve … --join ADDR --join-token TOKEN. The
cluster keeps its hash alone, so it is shown this once. From the first token on nodes need
one to join.`,
		Args: cobra.NoArgs,
	}, asking{
		what: func([]string) string { return "making a join token" },
		do: func(ctx context.Context, cl *client.Client, _ []string) (json.RawMessage, error) {
			return cl.CreateToken(ctx, ttl)
		},
		table: func(w io.Writer, doc json.RawMessage) error {
			var t struct{ Token string }
			if err := json.Unmarshal(doc, &t); err != nil {
				return fmt.Errorf("the answer is no token: %w", err)
			}
			_, err := fmt.Fprintln(w, t.Token)
			return err
		},
	})
	c.Flags().DurationVar(&ttl, "ttl", 24*time.Hour, "for how long nodes may join by it; 0: for ever")
	return c
}

func (a *app) tokenList() *cobra.Command {
	return a.asks(&cobra.Command{
		Use:   "list",
		Short: "List the join tokens by their ids",
		Args:  cobra.NoArgs,
	}, asking{
		what: func([]string) string { return "asking for the join tokens" },
		do: func(ctx context.Context, cl *client.Client, _ []string) (json.RawMessage, error) {
			return cl.Tokens(ctx)
		},
		table: tokenTable,
	})
}

func tokenTable(w io.Writer, doc json.RawMessage) error {
	var list struct {
		Required bool
		Tokens   []struct {
			ID      string
			Made    time.Time
			Expires *time.Time
			Expired bool
		}
	}
	if err := json.Unmarshal(doc, &list); err != nil {
		return fmt.Errorf("the answer is no list of tokens: %w", err)
	}
	t := newTable(w, "TOKEN", "MADE", "EXPIRES")
	for _, one := range list.Tokens {
		until := "never"
		if one.Expires != nil {
			until = one.Expires.Format(time.RFC3339)
		}
		if one.Expired {
			until += " (over)"
		}
		t.add(one.ID, one.Made.Format(time.RFC3339), until)
	}
	if len(list.Tokens) > 0 {
		if err := t.write(w); err != nil {
			return err
		}
	}
	text := "Nodes need no token to join."
	if list.Required {
		text = "Nodes need a token to join."
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func (a *app) tokenDelete() *cobra.Command {
	return a.asks(&cobra.Command{
		Use:   "delete ID",
		Short: "Take a join token away; nodes that joined by it stay",
		Args:  cobra.ExactArgs(1),
	}, asking{
		what: func(args []string) string { return "taking the join token " + args[0] + " away" },
		do: func(ctx context.Context, cl *client.Client, args []string) (json.RawMessage, error) {
			return cl.DeleteToken(ctx, args[0])
		},
	})
}

func (a *app) tokenRequire() *cobra.Command {
	return a.asks(&cobra.Command{
		Use:       "require yes|no",
		Short:     "Say whether nodes need a token to join",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"yes", "no"},
	}, asking{
		what: func([]string) string { return "saying whether nodes need a token" },
		do: func(ctx context.Context, cl *client.Client, args []string) (json.RawMessage, error) {
			return cl.RequireToken(ctx, args[0] == "yes")
		},
		table: tokenTable,
	})
}
