package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"lockstep/cmd/lockstep/schematest"
	"lockstep/cmd/lockstep/testfile"
)

const schemaTestHelp = `Run tests of procedures against the real engine, here, without a cluster. Every
test begins from a fresh state. A file of tests is YAML:

  schema: schema.yaml             # a path beside this file, or the document itself
  time: 2026-01-01T00:00:00Z      # tx.now at first (this is the default)
  seed: any text                  # what tx.uuid and tx.random are drawn from
  given:                          # rows that are there before each test, by table
    accounts:
      - {id: alice, owner: Alice, balance: 100}
  tests:
    - name: a transfer moves money
      given: {accounts: [{id: bob, owner: Bob, balance: 0}]}   # more rows; also time, seed
      transactions:               # in order
        - procedure: transfer     # or steps:, return:, types:
          params: {from: alice, to: bob, amount: 30}
          expect: {result: {from: 70, to: 30}}
        - procedure: transfer
          after: 5m               # tx.now goes on by this much first
          id: again               # tx.id; else t1, t2, ...
          params: {from: alice, to: bob, amount: 300}
          expect: {code: insufficient_funds, step: "steps[3]"}
        - query: {procedure: balance, params: {id: bob}}
          expect: {result: 30}
      rows:                       # what is there at the end
        accounts:                 # a list: these rows and no others
          - {id: alice, balance: 70}
          - {id: bob, balance: 30}
        holds: {has: [{id: 7}], lacks: [{id: 8}]}   # only these are looked at

What is not named is not compared: a field of expect, a column of a row. In expect
may stand status (committed, aborted, refused; of a query answered, aborted,
refused), result, code, step, message, emitted (a list of {topic, value}), and rows
as above, right after it. Without expect a transaction has to commit; an empty
"expect:" is filled in by --update. In place of a transaction "assign: TASK" assigns
a task, under epochs 1, 2, and so on, for procedures with expect_task.

Coverage is of all steps of the schema's procedures, and of both ways of each if.

Exit codes: 0 all passed, 1 a test failed or coverage is too low, 2 a file or its
schema is malformed.`

func (a *app) schemaTest() *cobra.Command {
	var (
		form          format
		pattern, file string
		least         float64
		option        schematest.Options
		show          struct{ names, steps bool }
	)
	c := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run tests of procedures, without a cluster",
		Long:  schemaTestHelp,
		Example: `  lockstep schema test bank.test.yaml
  lockstep schema test --coverage --min-coverage 90 *.test.yaml`,
		Args: cobra.MinimumNArgs(1),
		RunE: a.runs(func(_ *cobra.Command, args []string) error {
			if pattern != "" {
				re, err := regexp.Compile(pattern)
				if err != nil {
					return usagef("--run: %w", err)
				}
				option.Run = re
			}
			if least < 0 || least > 100 {
				return usagef("--min-coverage is a percentage, from 0 to 100")
			}
			report, err := testSchemas(option, args)
			if err != nil {
				return err
			}
			if err := writeJUnit(file, &report.Report); err != nil {
				return err
			}
			if err := a.showReport(form, report, show.names, show.steps); err != nil {
				return err
			}
			return verdictOn(report, least)
		}),
	}
	form.flag(c)
	c.Flags().StringVar(&pattern, "run", "", "only tests whose name matches this `REGEX`")
	c.Flags().BoolVar(&option.Update, "update", false, "write what came into the files, in the place of what was expected")
	c.Flags().BoolVarP(&show.names, "verbose", "v", false, "name the tests that passed too")
	c.Flags().BoolVar(&show.steps, "coverage", false, "show each step, and what was never tried")
	c.Flags().Float64Var(&least, "min-coverage", 0, "fail if less than this `PERCENT` is covered")
	c.Flags().StringVar(&file, "junit", "", "also write the report to this `FILE` in JUnit's form")
	return c
}

// testSchemas runs all files, so that one run tells all that is wrong.
func testSchemas(option schematest.Options, files []string) (*schematest.Report, error) {
	suite, err := schematest.NewSuite(option)
	if err != nil {
		return nil, err
	}
	var bad []error
	for _, path := range files {
		var malformed *testfile.BadFile
		err := suite.Add(path)
		switch {
		case errors.As(err, &malformed), errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
			bad = append(bad, err)
		case err != nil:
			return nil, err
		}
	}
	if bad != nil {
		return nil, &exitError{exitUsage, errors.Join(bad...)}
	}
	report := suite.Report()
	if option.Run != nil && report.Passed+report.Failed+report.Updated == 0 {
		return nil, usagef("--run: no test's name matches %s", option.Run)
	}
	return report, nil
}

func writeJUnit(path string, report *testfile.Report) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(report.JUnit(f), f.Close())
}

func (a *app) showReport(form format, report *schematest.Report, names, steps bool) error {
	doc, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return a.show(form, doc, func(w io.Writer) error {
		report.Text(w, names)
		for _, c := range report.Coverage {
			if err := coverageTable(w, c, steps); err != nil {
				return err
			}
		}
		return nil
	})
}

func coverageTable(w io.Writer, c *schematest.Coverage, steps bool) error {
	fmt.Fprintf(w, "\n%s: %.1f%% covered\n\n", c.Schema, c.Percent)
	table := newTable(w, "PROCEDURE", "CALLS", "COVERED")
	if steps {
		table = newTable(w, "PROCEDURE", "STEP", "RUN", "ABORTED", "COVERED")
	}
	for _, row := range c.Rows(steps) {
		cells := make([]any, len(row))
		for i := range row {
			cells[i] = row[i]
		}
		table.add(cells...)
	}
	if err := table.write(w); err != nil {
		return err
	}
	if missing := c.Missing(); steps && len(missing) > 0 {
		fmt.Fprintln(w)
		for _, line := range missing {
			fmt.Fprintln(w, line)
		}
	}
	return nil
}

// verdictOn is the error that a report ends the program with.
func verdictOn(r *schematest.Report, least float64) error {
	switch covered := r.Percent(); {
	case r.Failed == 1:
		return &exitError{exitRefused, errors.New("a test failed")}
	case r.Failed > 0:
		return &exitError{exitRefused, fmt.Errorf("%d tests failed", r.Failed)}
	case covered < least:
		return &exitError{exitRefused, fmt.Errorf("%.1f%% is covered, less than the %.1f%% of --min-coverage; --coverage tells what is not", covered, least)}
	}
	return nil
}
