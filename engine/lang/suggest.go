package lang

import "strings"

// didYouMean names the candidate that is nearest to a name, if one is near.
func didYouMean(name string, candidates []string) string {
	best, bestDistance := "", min(len(name), max(1, len(name)/3)+1)
	for _, c := range candidates {
		if strings.HasSuffix(c, "."+name) {
			return "did you mean " + c + "?"
		}
		if len(c) > MaxNameBytes || len(name) > MaxNameBytes {
			continue
		}
		if d := distance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best == "" || best == name {
		return ""
	}
	return "did you mean " + best + "?"
}

// suggestion is didYouMean as the end of a sentence.
func suggestion(name string, candidates []string) string {
	if s := didYouMean(name, candidates); s != "" {
		return "; " + s
	}
	return ""
}

// distance is how many bytes must be put in, taken out or changed to turn one
// name into another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// usage says how a function is called.
func (e *Env) usage(name string) string {
	var forms []string
	for _, s := range e.signatures[name] {
		in, _, _ := strings.Cut(s, " -> ")
		in = strings.NewReplacer("list(", "[", "map(A, B)", "map", ")", "]", "A", "any").Replace(in)
		args := strings.Split(strings.TrimPrefix(in, "."), ", ")
		if strings.HasPrefix(in, ".") {
			forms = append(forms, args[0]+"."+name+"("+strings.Join(args[1:], ", ")+")")
		} else {
			forms = append(forms, name+"("+strings.Join(args, ", ")+")")
		}
		if len(forms) == 4 {
			break
		}
	}
	if len(forms) == 0 {
		return ""
	}
	return "it is " + strings.Join(forms, " or ")
}
