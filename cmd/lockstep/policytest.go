package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/cmd/lockstep/policytest"
	"lockstep/cmd/lockstep/testfile"
)

const policyTestHelp = `Run tests of policies, here, without a cluster: a status of nodes, and whom the
policies choose. A folder stands for all its files *.test.yaml and tests.yaml, those
in folders below included. A file of tests is YAML:

  policies:                          # paths beside this file, or documents
    - near-users.yaml
  status:                            # what is there before each test
    group: orders                    # or {name, labels, size, available, zones}
    task: primary                    # or {name, labels}
    now: 2026-01-01T08:00:00Z
    holder: n1                       # or holders: [n1, {node: n2, held: 5m}]
    held: 1h
    nodes:                           # status (available), labels, cpu, ..., partition
      n1: {labels: {zone: eu-1}}
      n2: {labels: {zone: us-1}, cpu: 0.2, partition: {lag: 3}}
      n3: {partition: none}          # no copy of the group there
  tests:
    - name: Europe leads in the morning
      expect: {choice: n1}
    - name: America takes over when its day begins
      status: {now: 2026-01-01T17:00:00Z}    # over the file's, field by field
      expect: {choice: n2, policy: near-users, cause: normal}
    - name: a failure waits for nothing
      steps:                         # what was decided is done before the next
        - change: {n1: {status: unavailable}}
          expect: {choice: n2, cause: recovery}
        - change: {n1: {status: available}}
          after: 10s
          expect: {choice: n2}       # no fail-back within hold

In expect may stand choice, choices, best, holder, policy, reason, cause; candidates
by node with eligible, score, reason, require and prefer by expression with the value
or the error; and not_used by policy with the reason. What is not named is not
compared. An empty "expect:" is filled in by --update.

Exit codes: 0 all passed, 1 a test failed, 2 a file or a policy is malformed.`

func (a *app) policyTest() *cobra.Command {
	var (
		form          format
		pattern, file string
		option        policytest.Options
		verbose       bool
	)
	c := &cobra.Command{
		Use:   "test [FILE|FOLDER]...",
		Short: "Run tests of policies, without a cluster",
		Long:  policyTestHelp,
		Example: `  lockstep policy test
  lockstep policy test policies/near-users.test.yaml -v`,
		RunE: a.runs(func(_ *cobra.Command, args []string) error {
			if pattern != "" {
				re, err := regexp.Compile(pattern)
				if err != nil {
					return usagef("--run: %w", err)
				}
				option.Run = re
			}
			report, err := testPolicies(option, args)
			if err != nil {
				return err
			}
			if err := writeJUnit(file, report); err != nil {
				return err
			}
			doc, err := json.Marshal(report)
			if err != nil {
				return fmt.Errorf("writing the report: %w", err)
			}
			err = a.show(form, doc, func(w io.Writer) error {
				report.Text(w, verbose)
				return nil
			})
			if err == nil {
				err = failures(report)
			}
			return err
		}),
	}
	form.flag(c)
	c.Flags().StringVar(&pattern, "run", "", "only tests whose name matches this `REGEX`")
	c.Flags().BoolVar(&option.Update, "update", false, "write what came into the files, in the place of what was expected")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "name the tests that passed too")
	c.Flags().StringVar(&file, "junit", "", "also write the report to this `FILE` in JUnit's form")
	return c
}

// testPolicies runs all files, so that one run tells all that is wrong.
func testPolicies(option policytest.Options, args []string) (*testfile.Report, error) {
	suite, err := policytest.NewSuite(option)
	if err != nil {
		return nil, err
	}
	files, bad := policyTestFiles(args)
	for _, path := range files {
		var malformed *testfile.BadFile
		err := suite.Add(path)
		switch {
		case errors.As(err, &malformed), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
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

// policyTestFiles are the files that arguments mean, in their order.
func policyTestFiles(args []string) (files []string, bad []error) {
	if len(args) == 0 {
		args = []string{"."}
	}
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		before := len(files)
		err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && (d.Name() == "tests.yaml" || strings.HasSuffix(d.Name(), ".test.yaml")) {
				files = append(files, path)
			}
			return err
		})
		if err == nil && len(files) == before {
			err = fmt.Errorf("%s has no file *.test.yaml or tests.yaml", arg)
		}
		if err != nil {
			bad = append(bad, err)
		}
	}
	return files, bad
}

// failures is the error that a report with failed tests ends the program with.
func failures(r *testfile.Report) error {
	switch {
	case r.Failed == 1:
		return &exitError{exitRefused, errors.New("a test failed")}
	case r.Failed > 0:
		return &exitError{exitRefused, fmt.Errorf("%d tests failed", r.Failed)}
	}
	return nil
}
