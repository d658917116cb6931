package program_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"lockstep/engine/program"
)

// LANGUAGE.md is the page of the language for users: "Every outcome on this page
// came from running what stands above it." With -rewrite the outcomes are
// written, as those of transcripts are.
func TestLanguagePage(t *testing.T) {
	const path = "LANGUAGE.md"
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out, ran := runPage(t, string(src))
	if ran < 10 {
		t.Errorf("only %d blocks of the page were run", ran)
	}
	if out == string(src) {
		return
	}
	if f := flag.Lookup("rewrite"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s tells other outcomes than there are; see the difference after go test ./engine/program -run LanguagePage -rewrite", path)
}

// runPage runs the fenced blocks of a page and puts what came of each into the
// block of text that follows it.
func runPage(t *testing.T, src string) (page string, ran int) {
	s := &story{t: t, env: newEnv(t), state: newMemory()}
	var out strings.Builder
	kind, block, came := "", "", ""
	for line := range strings.Lines(src) {
		fence, fenced := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "```")
		switch {
		case fenced && kind == "":
			kind, block = fence, ""
		case fenced:
			if kind == "text" {
				out.WriteString(came)
				came = ""
			} else {
				came = s.block(kind, block)
				ran++
			}
			kind = ""
		case kind == "text":
			continue // written anew
		case kind != "":
			block += line
		}
		out.WriteString(line)
	}
	if came != "" {
		t.Error("the page ends without telling what came of its last block")
	}
	return out.String(), ran
}

// block runs one block: a schema, transactions or queries, each of which begins
// with a brace at the beginning of a line.
func (s *story) block(kind, text string) string {
	var out strings.Builder
	one := s.query
	switch kind {
	case "yaml":
		return s.schema(text)
	case "json tx":
		one = func(doc string) string { return s.told(doc) }
	case "json query":
	default:
		s.t.Fatalf("a block of kind %q can't be run", kind)
	}
	for _, doc := range strings.SplitAfter(strings.ReplaceAll(text, "\n{", "\n\x00{"), "\n\x00") {
		out.WriteString(one(strings.TrimSuffix(doc, "\x00")))
	}
	return out.String()
}

// told is the outcome of a transaction, and what it emitted.
func (s *story) told(doc string) string {
	before := len(s.state.emitted)
	out := s.tx(doc, program.CostLimit)
	for _, message := range s.state.emitted[before:] {
		out += fmt.Sprintf("  emitted %s\n", message)
	}
	return out
}
