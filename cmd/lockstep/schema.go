package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/router/client"
)

func (a *app) schemaCommand() *cobra.Command {
	return a.family("schema", "Show, check, test and apply a group's schema",
		a.schemaGet(), a.schemaApply(), a.schemaCheck(), a.schemaTest())
}

func (a *app) schemaGet() *cobra.Command {
	var (
		conn  connection
		form  format
		types bool
	)
	c := &cobra.Command{
		Use:     "get GROUP",
		Aliases: []string{"show"},
		Short:   "Show a group's schema",
		Long: `Show a group's schema: its tables, and its procedures with the types of their
params and results. With -o yaml or json it is the document, as it can be changed
and applied again; --types adds the member "derived" with the types, which
applying passes over.`,
		Example: "  lockstep schema get bank -o yaml > schema.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			cl, err := conn.client()
			if err != nil {
				return err
			}
			defer cl.Close()
			ctx, cancel := conn.context(cmd)
			defer cancel()
			read := cl.Schema
			if types || form == formatTable {
				read = cl.TypedSchema
			}
			stop := a.waiting("asking for the schema")
			s, err := read(ctx, args[0])
			stop()
			if err != nil {
				return err
			}
			return a.show(form, s.Document, func(w io.Writer) error { return schemaTable(w, s) })
		}),
	}
	conn.flags(c)
	form.flag(c)
	c.Flags().BoolVar(&types, "types", false, "with -o yaml or json: add the types of procedures")
	return c
}

func (a *app) schemaApply() *cobra.Command {
	var (
		conn   connection
		form   format
		option client.SchemaOptions
	)
	c := &cobra.Command{
		Use:   "apply GROUP FILE",
		Short: "Replace a group's schema and wait until it holds",
		Long: `Replace a group's schema by the YAML or JSON document in FILE (- is standard
input) and wait until every copy will execute by it. Tables and columns that the
document no longer has are dropped, rows and all: look first with --dry-run.

New indexes and checks look at every row of their table, some at a time, while
the group works on by the schema that it has. Where that takes longer than
--timeout it goes on; the same command again waits for the same change.`,
		Example: "  lockstep schema apply bank schema.yaml",
		Args:    cobra.ExactArgs(2),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			return a.putSchema(cmd, &conn, form, args[0], args[1], option)
		}),
	}
	conn.flags(c)
	form.flag(c)
	c.Flags().BoolVar(&option.DryRun, "dry-run", false, "check against the present schema and change nothing")
	c.Flags().StringVar(&option.IfMatch, "if-match", "", "only if the present schema has this `ETAG`")
	c.Flags().Uint32Var(&option.Language, "language", 0, "with the schema as it is: go on in this `VERSION` of the language, which every copy's program must know")
	return c
}

func (a *app) schemaCheck() *cobra.Command {
	var (
		conn connection
		form format
	)
	c := &cobra.Command{
		Use:   "check [GROUP] FILE",
		Short: "Check a schema and change nothing",
		Long: `Check a schema document: everything is compiled and type-checked as it would be
when applied. With a group it is also checked as a change of the group's present
schema, and on the rows that new indexes and checks will look at: what it would
add, change and drop is told, and the rows that break it. Without a group no
server is asked.`,
		Example: `  lockstep schema check schema.yaml
  lockstep schema check bank schema.yaml`,
		Args: cobra.RangeArgs(1, 2),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.checkSchema(args[0])
			}
			return a.putSchema(cmd, &conn, form, args[0], args[1], client.SchemaOptions{DryRun: true})
		}),
	}
	conn.flags(c)
	form.flag(c)
	return c
}

func (a *app) putSchema(cmd *cobra.Command, conn *connection, form format, group, file string, o client.SchemaOptions) error {
	doc, err := a.document("", file)
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
	stop := a.progress(changeProgress(ctx, cl, group, o.DryRun))
	answer, err := cl.PutSchema(ctx, group, doc, o)
	stop()
	if err != nil {
		return err
	}
	return a.show(form, answer, func(w io.Writer) error {
		return schemaText(w, group, answer, o.DryRun)
	})
}

// changeProgress tells how far the change is that is waited for.
func changeProgress(ctx context.Context, cl *client.Client, group string, dry bool) func() string {
	if dry {
		return func() string { return "looking at the rows" }
	}
	return func() string {
		const what = "applying the schema"
		ctx, cancel := context.WithTimeout(ctx, progressEvery)
		defer cancel()
		s, err := cl.Status(ctx)
		if err != nil {
			return what
		}
		for _, g := range s.Groups {
			if g.Name == group && g.SchemaChange != nil {
				return what + ": " + g.SchemaChange.String()
			}
		}
		return what
	}
}

// schemaAnswer is what a server says of a document.
type schemaAnswer struct {
	Changed bool `json:"changed"`
	Plan    struct {
		Adds    []string `json:"adds"`
		Changes []string `json:"changes"`
		Drops   []string `json:"drops"`
		Passes  []struct {
			Table string   `json:"table"`
			For   []string `json:"for"`
			Rows  uint64   `json:"rows"`
			All   bool     `json:"all"`
		} `json:"passes"`
	} `json:"plan"`
}

// schemaText says what a document did, or would do.
func schemaText(w io.Writer, group string, answer json.RawMessage, dry bool) error {
	var result schemaAnswer
	if err := json.Unmarshal(answer, &result); err != nil {
		return fmt.Errorf("the server's answer can't be read: %w", err)
	}
	done := "applied"
	switch {
	case dry && result.Changed:
		done = "correct, nothing was changed"
	case !result.Changed:
		done = "this is the schema that the group has"
	}
	lines := []string{group + ": " + done}
	for _, part := range []struct {
		what, after string
		names       []string
	}{
		{"adds", "", result.Plan.Adds},
		{"changes", "", result.Plan.Changes},
		{"drops", ", with all its data", result.Plan.Drops},
	} {
		for _, name := range part.names {
			after := part.after
			if strings.Contains(name, ".indexes.") || strings.Contains(name, ".checks[") || strings.HasPrefix(name, "procedures.") {
				after = ""
			}
			lines = append(lines, fmt.Sprintf("  %-8s %s%s", part.what, name, after))
		}
	}
	for _, p := range result.Plan.Passes {
		rows := fmt.Sprintf("the %d rows", p.Rows)
		if !p.All {
			rows = fmt.Sprintf("more than %d rows", p.Rows)
		}
		lines = append(lines, fmt.Sprintf("  %-8s %s of tables.%s, for %s", "looks at", rows, p.Table, strings.Join(p.For, ", ")))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// checkSchema compiles a document here.
func (a *app) checkSchema(file string) error {
	src, err := a.document("", file)
	if err != nil {
		return err
	}
	problems, err := compileSchema(src)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		_, err := fmt.Fprintf(a.out, "%s: correct\n", file)
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %d problems", file, len(problems))
	if len(problems) == 1 {
		b.Reset()
		fmt.Fprintf(&b, "%s has a problem", file)
	}
	for _, p := range problems {
		fmt.Fprintf(&b, "\n  %s:%d:%d: %s: %s", file, p.Line, p.Column, p.Pointer, strings.ReplaceAll(p.Detail, "\n", "\n    "))
	}
	return &exitError{exitRefused, fmt.Errorf("%s", b.String())}
}

func compileSchema(src []byte) ([]schema.Problem, error) {
	doc, problems := schema.Parse(src)
	if len(problems) > 0 {
		return problems, nil
	}
	env, err := lang.NewEnv()
	if err != nil {
		return nil, fmt.Errorf("making the language's environment: %w", err)
	}
	_, _, problems = program.Build(nil, doc, env)
	return problems, nil
}
