package node_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// policyStory sends a story's requests to nodes, and writes versions as v1, v2 …
type policyStory struct {
	nodes    []*member
	versions []string
}

var written = regexp.MustCompile(`"version":[1-9][0-9]*`)

// version is a version of the catalog in the story's own count.
func (s *policyStory) version(text string) string {
	i := slices.Index(s.versions, text)
	if i < 0 {
		i, s.versions = len(s.versions), append(s.versions, text)
	}
	return fmt.Sprintf("v%d", i+1)
}

// request sends what a story has: a line, headers, an empty line and a body.
func (s *policyStory) request(t *testing.T, at, input string) string {
	head, body, _ := strings.Cut(input, "\n\n")
	lines := strings.Split(head, "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	i := slices.IndexFunc(s.nodes, func(m *member) bool { return m.cfg.Name == at })
	rq, err := http.NewRequest(method, "http://"+s.nodes[i].cfg.HTTP+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ": ")
		if v, ok := strings.CutPrefix(value, "v"); ok && name == "If-Match" {
			value = `"` + s.versions[v[0]-'1'] + `"`
		}
		rq.Header.Set(name, value)
	}
	rs, err := http.DefaultClient.Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Body.Close()
	text, err := io.ReadAll(rs.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fmt.Fprintln(&out, rs.StatusCode)
	if tag := rs.Header.Get("ETag"); tag != "" {
		fmt.Fprintln(&out, "ETag:", s.version(strings.Trim(tag, `"`)))
	}
	shown := written.ReplaceAllStringFunc(string(text), func(v string) string { return `"version":` + s.version(v[len(`"version":`):]) })
	var indented bytes.Buffer
	if strings.Contains(path, "explain") && json.Indent(&indented, []byte(shown), "", "  ") == nil {
		shown = indented.String()
	}
	lined := bufio.NewScanner(strings.NewReader(shown))
	for lined.Scan() {
		fmt.Fprintln(&out, lined.Text())
	}
	return out.String()
}

// zoned is a cluster of three with the bank, n1 its primary, in two zones.
func zoned(t *testing.T) []*member {
	n1 := newMember(t, "n1")
	nodes := []*member{n1, newMember(t, "n2", n1.cfg.Raft), newMember(t, "n3", n1.cfg.Raft)}
	for i, zone := range []string{"eu", "eu", "us"} {
		nodes[i].cfg.Labels = map[string]string{"zone": zone}
		nodes[i].start()
	}
	for _, m := range nodes {
		<-m.Ready()
	}
	n1.must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n1", "n2", "n3"]}`)
	for limit := time.Now().Add(patience); ; wait(t) {
		if strings.Contains(n1.must("GET", "/v1/groups/bank", ""), `"primary":"n1"`) && everyWhere(nodes) {
			return nodes
		}
		_ = n1.Lead(t.Context(), "bank")
		if time.Now().After(limit) {
			t.Fatal("n1 never leads the bank")
		}
	}
}

// everyWhere tells whether every node knows that n1 leads and that all are there.
func everyWhere(nodes []*member) bool {
	for _, m := range nodes {
		_, _, text := m.ask("GET", "/v1/groups/bank", "", nil)
		if !strings.Contains(text, `"primary":"n1"`) || strings.Count(text, `"status":"available"`) < len(nodes) {
			return false
		}
	}
	return true
}

// "GET /v1/policies, GET, PUT, DELETE /v1/policies/{policy}: placement policies;
// ?dry_run=true" and "POST /v1/placements/explain: for a task: each candidate, each
// expression's value, the score, the choice" (interface.md), at any node alike.
func TestPolicyStories(t *testing.T) {
	nodes := zoned(t)
	datadriven.Walk(t, "testdata/policies", func(t *testing.T, path string) {
		s := &policyStory{nodes: nodes}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return s.request(t, d.Cmd, d.Input)
		})
	})
}

// "The policy's choice is a wish" that the group is asked to follow: a policy that is
// applied moves the primary, and the log says why; one that is taken away moves nothing.
func TestAPolicyMovesThePrimary(t *testing.T) {
	nodes := zoned(t)
	n1, n2, n3 := nodes[0], nodes[1], nodes[2]
	n2.must("PUT", "/v1/policies/near", `{"policy": "near", "task": "primary", "prefer": [{"expr": "node.labels.zone == 'us'", "weight": 10}]}`)
	holder := func(name, reason string) {
		t.Helper()
		for limit := time.Now().Add(patience); ; wait(t) {
			s := n1.task("/v1/tasks/primary?group=bank")
			if s.Holder == name {
				if last := s.History[len(s.History)-1]; last.Why != reason || last.Reason != "normal" {
					t.Errorf("%+v", last)
				}
				return
			}
			if time.Now().After(limit) {
				t.Fatalf("%s never leads: %+v", name, s)
			}
		}
	}
	holder("n3", "n3 scores 10, n1 0")
	n3.must("DELETE", "/v1/policies/near", "")
	if text := n1.must("POST", "/v1/placements/explain", `{"group": "bank", "task": "primary"}`); !strings.Contains(text, `"choice":"n3"`) || !strings.Contains(text, `"policy":"default"`) {
		t.Errorf("without the policy: %s", text)
	}
}
