package main

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) groupSettings() *cobra.Command {
	var (
		conn connection
		form format
	)
	c := &cobra.Command{
		Use:   "settings GROUP [KEY=VALUE]...",
		Short: "Show a group's settings, or change some of them",
		Long: `Show all settings of a group, or change those that are given and leave the rest. An
empty value takes a setting back to its default. A value that is JSON (a number, a
list) is taken as it is, anything else as text.

  heartbeat, heartbeat_timeout   a node is suspect when it is silent for the timeout,
  heartbeat_retries              and unavailable when it is for so many timeouts
  last_copy, replace_after       serve: copies that stay away give way to witnesses
  key_retention                  for how long clients' keys are kept
  update_windows                 when updates or heavy queries are refused`,
		Example: `  lockstep group settings bank
  lockstep group settings bank heartbeat=50ms heartbeat_retries=5
  lockstep group settings bank 'update_windows=[{"deny": "updates", "days": "sun", "from": "02:00", "to": "04:00"}]'`,
		Args: cobra.MinimumNArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			change, err := settingsOf(args[1:])
			if err != nil {
				return err
			}
			cl, err := conn.client()
			if err != nil {
				return err
			}
			defer cl.Close()
			ctx, cancel := conn.context(cmd)
			defer cancel()
			stop := a.waiting("asking " + conn.first(cl))
			var doc json.RawMessage
			if change == nil {
				doc, err = cl.GroupSettings(ctx, args[0])
			} else {
				doc, err = cl.PutGroupSettings(ctx, args[0], change)
			}
			stop()
			if err != nil {
				return err
			}
			return a.show(form, doc, func(w io.Writer) error { return jsonTable(w, doc) })
		}),
	}
	conn.flags(c)
	form.flag(c)
	return c
}

// settingsOf is the change that arguments ask for; nil: none.
func settingsOf(args []string) (json.RawMessage, error) {
	if len(args) == 0 {
		return nil, nil
	}
	change := map[string]any{}
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok || key == "" {
			return nil, usagef("%q: write KEY=VALUE", arg)
		}
		switch {
		case value == "":
			change[key] = nil
		case json.Valid([]byte(value)):
			change[key] = json.RawMessage(value)
		default:
			change[key] = value
		}
	}
	return json.Marshal(change)
}
