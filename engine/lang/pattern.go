package lang

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"lockstep/engine/value"
)

// pattern is a regular expression of bounded size. Its time on a text is at
// most the text's length times its program's, which is what it costs.
type pattern struct {
	re   *regexp.Regexp
	size uint64 // instructions
}

// perl is the syntax of RE2 without Unicode classes, whose content changes with
// the release of Go.
const perl = syntax.Perl &^ syntax.UnicodeGroups

// newPattern compiles a regular expression, or says why it can't be used.
func newPattern(source string) (pattern, string) {
	if len(source) > MaxPatternBytes {
		return pattern{}, "the pattern is too long"
	}
	if reason := foreign(source); reason != "" {
		return pattern{}, reason
	}
	parsed, err := syntax.Parse(source, perl)
	if err != nil {
		return pattern{}, "the pattern is no regular expression of RE2 (Unicode classes are left out)"
	}
	size := instructions(parsed)
	if size > MaxPatternProgram {
		return pattern{}, "the pattern is too large"
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return pattern{}, "the pattern is no regular expression of RE2"
	}
	return pattern{re: re, size: uint64(size)}, ""
}

// foreign finds what depends on tables of characters, or hides it from view.
func foreign(source string) string {
	for i := 0; i+1 < len(source); i++ {
		switch {
		case source[i] == '\\':
			if source[i+1] == 'Q' {
				return `\Q can't be used in a pattern`
			}
			i++
		case source[i] == '(' && source[i+1] == '?':
			flags, _, _ := strings.Cut(source[i+2:], ")")
			flags, _, _ = strings.Cut(flags, ":")
			if flags != "" && flags[0] != 'P' && flags[0] != '<' && strings.Contains(flags, "i") {
				return "a pattern can't ignore case: use lowerAscii()"
			}
		}
	}
	return ""
}

// instructions bounds the size of the program of a parsed pattern. It stops
// counting over the limit.
func instructions(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n = min(n+instructions(sub), MaxPatternProgram+1)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(1, re.Min, re.Max)
	}
	return min(n+1, MaxPatternProgram+1)
}

// match looks for the pattern anywhere in the text.
func (p pattern) match(f *Frame, text string) (value.Value, *Fault) {
	if ft := f.Meter.Charge(1 + uint64(len(text))*p.size/matchSteps); ft != nil {
		return value.Value{}, ft
	}
	return value.OfBool(p.re.MatchString(text)), nil
}

// buildMatches compiles text.matches(pattern). A pattern that is a literal is
// compiled once; another one each time, and costs accordingly.
func buildMatches(c *compiler, id int64, args []node, t Type) (node, *Problem) {
	text, source := args[0].eval, args[1].eval
	if !args[1].lit || args[1].val.Kind() != value.String {
		return node{typ: t, eval: func(f *Frame) (value.Value, *Fault) {
			a, ft := text(f)
			if ft != nil {
				return a, ft
			}
			b, ft := source(f)
			if ft != nil {
				return b, ft
			}
			return matches(f, a, b)
		}}, nil
	}
	p, reason := newPattern(args[1].val.Str())
	if reason != "" {
		return node{}, c.callProblem(id, "matches", reason, "")
	}
	return node{typ: t, eval: func(f *Frame) (value.Value, *Fault) {
		a, ft := text(f)
		if ft != nil {
			return a, ft
		}
		if a.Kind() != value.String {
			return noOperation("matches", a)
		}
		return p.match(f, a.Str())
	}}, nil
}

// matches is a match whose pattern is known at run time only.
func matches(f *Frame, a, b value.Value) (value.Value, *Fault) {
	if a.Kind() != value.String || b.Kind() != value.String {
		return noOperation("matches", a, b)
	}
	source := b.Str()
	if ft := f.Meter.Charge(patternUnitsPerByte * uint64(min(len(source), MaxPatternBytes)+1)); ft != nil {
		return value.Value{}, ft
	}
	p, reason := newPattern(source)
	if reason != "" {
		return value.Value{}, fault2(FaultPattern, source, "")
	}
	return p.match(f, a.Str())
}
