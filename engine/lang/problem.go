package lang

import (
	"strings"
	"unicode/utf8"
)

// Problem is why an expression is refused before it ever runs.
type Problem struct {
	Line, Column int    // from 1, in characters
	Message      string // what is wrong
	Hint         string // what to write instead; may be empty
	Snippet      string // the source line and, below it, a caret
}

// Error makes a Problem usable as an error of Go.
func (p *Problem) Error() string {
	if p.Hint == "" {
		return p.Message
	}
	return p.Message + ": " + p.Hint
}

// snippetWidth is how much of a long line a snippet shows, in characters.
const snippetWidth = 100

// problemAt makes a problem with the place and its snippet.
func problemAt(src string, line, column int, message, hint string) *Problem {
	if line < 1 || column < 1 {
		line, column = 1, 1
	}
	return &Problem{Line: line, Column: column, Message: message, Hint: hint, Snippet: snippet(src, line, column)}
}

// snippet is the line with a caret below the column.
func snippet(src string, line, column int) string {
	lines := strings.Split(src, "\n")
	if line > len(lines) {
		return ""
	}
	text := []rune(strings.TrimRight(strings.ReplaceAll(lines[line-1], "\t", " "), "\r"))
	if column > len(text)+1 {
		column = len(text) + 1
	}
	start := 0
	if column > snippetWidth {
		start = column - snippetWidth
	}
	text = text[start:]
	if len(text) > snippetWidth+snippetWidth/2 {
		text = text[:snippetWidth+snippetWidth/2]
	}
	return string(text) + "\n" + strings.Repeat(" ", column-1-start) + "^"
}

// problem is a problem at a node of the tree.
func (c *compiler) problem(id int64, message, hint string) *Problem {
	loc := c.ast.SourceInfo().GetStartLocation(id)
	return problemAt(c.src, loc.Line(), loc.Column()+1, message, hint)
}

// callProblem is a problem of a call: its place is where the name begins, while
// the parser gives the bracket after it.
func (c *compiler) callProblem(id int64, name, message, hint string) *Problem {
	p := c.problem(id, message, hint)
	if strings.HasSuffix(textBefore(c.src, p.Line, p.Column), name) {
		return problemAt(c.src, p.Line, p.Column-len(name), message, hint)
	}
	return p
}

// textBefore is the source before a place, on its line.
func textBefore(src string, line, column int) string {
	lines := strings.Split(src, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	text := lines[line-1]
	for i := 1; i < column; i++ {
		_, n := utf8.DecodeRuneInString(text)
		if n == 0 {
			break
		}
		text = text[n:]
	}
	return lines[line-1][:len(lines[line-1])-len(text)]
}
