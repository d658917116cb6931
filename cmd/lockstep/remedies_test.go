package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// "Every refusal names reason and remedy": a command that a message names exists, with
// its flags and as many arguments.
func TestRemediesNameCommandsThatExist(t *testing.T) {
	root := (&app{}).root()
	found := 0
	for _, folder := range []string{"router", "policy", "engine", "txlog", "cmd/lockstep"} {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(lit.Value)
				if err != nil || slices.ContainsFunc(notCommands, func(other string) bool { return strings.HasPrefix(text, other) }) {
					return true
				}
				for _, at := range named.FindAllStringIndex(text, -1) {
					found++
					if wrong := wrongCommand(root, text[at[0]:]); wrong != "" {
						t.Errorf("%s: %q: %s", files.Position(lit.Pos()), text, wrong)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 50 {
		t.Errorf("only %d commands were found in messages", found)
	}
	for text, want := range map[string]string{
		"lockstep node undrain %s, or":            "",
		"lockstep node set %s --dedicated '', or": "",
		"lockstep node revive %s":                 "there is no such command",
		"lockstep frobnicate":                     "there is no such command",
		"lockstep node drain %s --copies":         "there is no flag --copies",
		"lockstep partition add %s: or":           "arg",
		"lockstep node undrain. Its copies":       "",
		"lockstep partition add ":                 "", // the rest is put behind it
	} {
		if got := wrongCommand(root, text); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// named finds commands in messages.
var named = regexp.MustCompile(`\blockstep [a-z]+`)

// both are commands that hold others and do something themselves.
var both = []string{"dev", "replay"}

// notCommands begin like one.
var notCommands = []string{"lockstep join token\n", "reading lockstep dev's answer"}

// wrongCommand tells what is wrong with the command that a text begins with.
func wrongCommand(root *cobra.Command, text string) string {
	ended := strings.HasSuffix(text, " ") // what follows is put together elsewhere
	if end := strings.IndexAny(text, ":;,)\n|`\""); end >= 0 {
		text, ended = text[:end], false
	}
	text, _, _ = strings.Cut(text, ". ")
	words := strings.Fields(strings.TrimSuffix(text, "."))
	c, i := root, 1
	for ; i < len(words); i++ {
		var next *cobra.Command
		name, _, _ := strings.Cut(words[i], "%") // "dev%s"
		for _, sub := range c.Commands() {
			if sub.Name() == name || sub.HasAlias(name) {
				next = sub
			}
		}
		if next == nil {
			break
		}
		c = next
	}
	if c == root || c.HasSubCommands() && !slices.Contains(both, c.Name()) && i < len(words) {
		return "there is no such command"
	}
	var args []string
	for ; i < len(words); i++ {
		word := words[i]
		switch name, value, given := strings.Cut(strings.TrimPrefix(word, "--"), "="); {
		case strings.HasPrefix(word, "--"):
			flag := c.Flag(name)
			if flag == nil && name != "help" {
				return "there is no flag --" + name
			}
			if flag != nil && !given && value == "" && flag.NoOptDefVal == "" {
				i++
			}
		case prose(word) || strings.HasPrefix(word, "(") || word == "-":
			i = len(words) // prose follows
		default:
			args = append(args, word)
		}
	}
	if ended || len(args) == 0 { // or it is called by its name alone
		return ""
	}
	if err := c.ValidateArgs(args); err != nil {
		return err.Error()
	}
	return ""
}

// prose tells whether a word is neither a value nor a place for one.
func prose(word string) bool {
	return word == strings.ToLower(word) && !strings.ContainsAny(word, "%'.=-")
}
