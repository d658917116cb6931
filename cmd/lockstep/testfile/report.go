package testfile

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// Report is what came of all tests.
type Report struct {
	Passed  int          `json:"passed"`
	Failed  int          `json:"failed"`
	Updated int          `json:"updated"`
	Files   []FileReport `json:"files"`
}

// FileReport is what came of one file's tests.
type FileReport struct {
	File  string       `json:"file"`
	Tests []TestReport `json:"tests"`
}

// TestReport is what came of one test.
type TestReport struct {
	Name     string    `json:"name"`
	Line     int       `json:"line"`
	OK       bool      `json:"ok"`
	Updated  bool      `json:"updated"` // what it expects was rewritten
	Failures []Failure `json:"failures,omitempty"`
}

func (r *Report) Add(f FileReport) {
	for _, t := range f.Tests {
		switch {
		case !t.OK:
			r.Failed++
		case t.Updated:
			r.Updated++
		}
		if t.OK {
			r.Passed++
		}
	}
	r.Files = append(r.Files, f)
}

// Text writes the report for people: what failed, and a line for each file; all
// tests where names is true.
func (r *Report) Text(w io.Writer, names bool) {
	for _, f := range r.Files {
		failed := 0
		for _, t := range f.Tests {
			switch {
			case !t.OK:
				failed++
				fmt.Fprintf(w, "FAIL  %s (%s:%d)\n", t.Name, f.File, t.Line)
				for _, d := range t.Failures {
					fmt.Fprintf(w, "      %s:%d: %s\n", f.File, d.Line, d.Place)
					fmt.Fprintf(w, "        expected  %s\n", d.Expected)
					fmt.Fprintf(w, "        got       %s\n", d.Got)
				}
			case t.Updated:
				fmt.Fprintf(w, "wrote %s (%s:%d)\n", t.Name, f.File, t.Line)
			case names:
				fmt.Fprintf(w, "ok    %s (%s:%d)\n", t.Name, f.File, t.Line)
			}
		}
		word := "ok    "
		if failed > 0 {
			word = "FAIL  "
		}
		fmt.Fprintf(w, "%s%s: %s\n", word, f.File, summary(len(f.Tests), failed))
	}
}

func summary(tests, failed int) string {
	text := fmt.Sprintf("%d tests", tests)
	if tests == 1 {
		text = "1 test"
	}
	if failed > 0 {
		return fmt.Sprintf("%s, %d failed", text, failed)
	}
	return text + " passed"
}

// The elements of a report in JUnit's form, as far as readers of it agree.
type (
	suitesXML struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suites  []suiteXML `xml:"testsuite"`
	}
	suiteXML struct {
		Name     string    `xml:"name,attr"`
		Tests    int       `xml:"tests,attr"`
		Failures int       `xml:"failures,attr"`
		Cases    []caseXML `xml:"testcase"`
	}
	caseXML struct {
		Class   string      `xml:"classname,attr"`
		Name    string      `xml:"name,attr"`
		Line    int         `xml:"line,attr"`
		Failure *failureXML `xml:"failure"`
	}
	failureXML struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes the report in the form that build servers read.
func (r *Report) JUnit(w io.Writer) error {
	var all suitesXML
	for _, f := range r.Files {
		suite := suiteXML{Name: f.File, Tests: len(f.Tests)}
		for _, t := range f.Tests {
			c := caseXML{Class: f.File, Name: t.Name, Line: t.Line}
			if !t.OK {
				suite.Failures++
				var b strings.Builder
				for _, d := range t.Failures {
					fmt.Fprintf(&b, "%s:%d: %s\n  expected  %s\n  got       %s\n", f.File, d.Line, d.Place, d.Expected, d.Got)
				}
				c.Failure = &failureXML{Message: t.Failures[0].Place, Text: b.String()}
			}
			suite.Cases = append(suite.Cases, c)
		}
		all.Suites = append(all.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
