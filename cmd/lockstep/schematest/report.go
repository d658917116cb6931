package schematest

import (
	"fmt"

	"lockstep/cmd/lockstep/testfile"
)

// Report is what came of all tests, and what they covered.
type Report struct {
	testfile.Report
	Coverage []*Coverage `json:"coverage"`
}

// Percent is the coverage of all schemas together.
func (r *Report) Percent() float64 {
	done, all := 0, 0
	for _, c := range r.Coverage {
		for _, p := range c.Procedures {
			d, a := p.covered()
			done, all = done+d, all+a
		}
	}
	return percent(done, all)
}

// Rows gives the coverage table: procedure, calls and percentage, or with steps
// procedure, step, how often it ran and ended the transaction, and percentage.
func (c *Coverage) Rows(steps bool) (rows [][]string) {
	for _, p := range c.Procedures {
		done, all := p.covered()
		covered := fmt.Sprintf("%.1f%%", percent(done, all))
		if !steps {
			rows = append(rows, []string{p.Name, count(p.Calls), covered})
			continue
		}
		rows = append(rows, []string{p.Name, "", count(p.Calls), "", covered})
		for _, s := range p.Steps {
			rows = append(rows, []string{"", s.Place + " " + s.what(), count(s.Executed), count(s.Aborted), ""})
			for _, b := range p.Branches {
				if b.of == s {
					rows = append(rows, []string{"", s.Place + "." + b.Way, count(b.Taken), "", ""})
				}
			}
		}
	}
	return rows
}

func count(n int) string {
	if n == 0 {
		return "never"
	}
	return fmt.Sprint(n)
}

// Missing tells what was never tried, a line each, with its place.
func (c *Coverage) Missing() (list []string) {
	for _, p := range c.Procedures {
		for _, m := range p.missing() {
			list = append(list, c.Schema+":"+m)
		}
	}
	return list
}
