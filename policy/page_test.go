package policy

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	policiesPage = "POLICIES.md"
	examples     = "../testdata/policies"
)

var generated = regexp.MustCompile(`(?s)<!-- generated: ([a-z]+) ?([a-z-]*) -->\n.*?<!-- end -->`)

// The parts of the users' page that the code knows are what the code says. With
// -rewrite it writes them.
func TestPoliciesPage(t *testing.T) {
	have, err := os.ReadFile(policiesPage)
	if err != nil {
		t.Fatal(err)
	}
	text := generated.ReplaceAllStringFunc(string(have), func(block string) string {
		m := generated.FindStringSubmatch(block)
		return strings.TrimRight(fmt.Sprintf("<!-- generated: %s %s", m[1], m[2]), " ") + " -->\n" + part(t, m[1], m[2]) + "<!-- end -->"
	})
	if f := flag.Lookup("rewrite"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(policiesPage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(have) != text {
		t.Errorf("%s is not what the code says; write it with go test ./policy -run PoliciesPage -rewrite, and read the difference", policiesPage)
	}
}

func part(t *testing.T, name, arg string) string {
	switch name {
	case "example":
		return "```yaml\n" + file(t, arg+".yaml") + "```\n"
	case "test":
		return "```yaml\n" + file(t, arg+".test.yaml") + "```\n"
	case "variables":
		return variablesTable()
	case "expressions":
		return expressionsTable(t)
	case "builtin":
		return builtinTable()
	case "examples":
		return examplesList(t)
	case "bounds":
		return boundsTable()
	}
	t.Fatalf("%s: unknown part %s", policiesPage, name)
	return ""
}

func file(t *testing.T, name string) string {
	src, err := os.ReadFile(filepath.Join(examples, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

func variablesTable() string {
	var b strings.Builder
	b.WriteString("\n| name | type | |\n|---|---|---|\n")
	for _, v := range Variables() {
		doc := v.Doc
		if v.Values != nil {
			doc = strings.TrimPrefix(doc+": `"+strings.Join(v.Values, "`, `")+"`", ": ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, strings.NewReplacer("{string: string}", "map of text", "{string: int}", "map of int", "string", "text").Replace(v.Type.String()), doc)
	}
	return b.String() + "\n"
}

// expressionsTable has expressions that people ask for, each compiled.
func expressionsTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("\n| | |\n|---|---|\n")
	c := newStory(t).compiler
	for _, e := range [][2]string{
		{"node.labels.zone == 'eu-1'", "a label"},
		{"node.labels['example.com/rack'] in ['r1', 'r2']", "a label whose name has signs; one of several"},
		{"has(node.labels.ssd)", "a label that is there, whatever it says"},
		{"now.getHours() >= 22 || now.getHours() < 6", "at night, in UTC"},
		{"now.getDayOfWeek() in [0, 6]", "on Sunday or Saturday"},
		{"partition.lag_time < duration('2s')", "hardly behind"},
		{"partition.role == 'subscriber'", "not the primary's node"},
		{"1.0 - node.cpu", "the idler the better"},
		{"1.0 / double(1 + node.tasks)", "the fewer tasks the better"},
		{"1.0 / double(1 + group.zones[node.labels.zone])", "the fewer copies in its zone the better"},
		{"node.name == task.holder", "who holds it now"},
		{"group.labels.tier == 'gold' ? node.labels.tier == 'gold' : true", "a condition for some groups"},
		{"node.version.matches('^1[.][4-9]')", "a version by a pattern"},
	} {
		if _, problems := c.Read([]byte(fmt.Sprintf("{\"policy\": \"p\", \"task\": \"backup\", \"prefer\": [{\"expr\": %q}]}", e[0]))); problems != nil {
			t.Error(e[0], problems)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(e[0], "|", `\|`), e[1])
	}
	return b.String() + "\n"
}

func builtinTable() string {
	var b strings.Builder
	b.WriteString("\n| name | for | prefers | margin |\n|---|---|---|---|\n")
	for _, d := range builtins() {
		task, prefers := "every task; `reader` has as many holders as there are candidates", "nothing: score 0 for every candidate"
		if d.Name == SubscriberPolicy {
			task = "`backup`, `verify`"
		}
		for _, p := range d.Prefer {
			prefers = fmt.Sprintf("`%s`, weight %g", p.Expr, p.Weight)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %g |\n", d.Name, task, prefers, d.Margin)
	}
	return b.String() + "\n"
}

// examplesList tells each example by the comment that it begins with.
func examplesList(t *testing.T) string {
	files, err := filepath.Glob(examples + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var b strings.Builder
	b.WriteString("\n")
	for _, path := range files {
		name := filepath.Base(path)
		if strings.HasSuffix(name, ".test.yaml") {
			continue
		}
		var says []string
		for line := range strings.Lines(file(t, name)) {
			text, comment := strings.CutPrefix(line, "# ")
			if !comment {
				break
			}
			says = append(says, strings.TrimSpace(text))
		}
		if says == nil {
			t.Errorf("%s does not say what it is for", name)
		}
		fmt.Fprintf(&b, "- [%s](%s/%s): %s\n", strings.TrimSuffix(name, ".yaml"), examples, name, strings.Join(says, " "))
	}
	return b.String() + "\n"
}

func boundsTable() string {
	var b strings.Builder
	b.WriteString("\n| | |\n|---|---|\n")
	for _, l := range []struct {
		what string
		most any
	}{
		{"bytes of a document", MaxDocumentBytes}, {"bytes of an expression", MaxExpressionBytes}, {"expressions in `require`, and in `prefer`", MaxExpressions},
		{"cost of all expressions for one candidate, in units of the language", MaxCandidateCost}, {"weight and margin", int(MaxWeight)},
		{"priority, above and below 0", MaxPriority}, {"holders of a task", MaxCount}, {"hold", MaxHold}, {"policies", MaxPolicies}, {"candidates", MaxCandidates},
	} {
		fmt.Fprintf(&b, "| %s | %v |\n", l.what, l.most)
	}
	return b.String() + "\n"
}
