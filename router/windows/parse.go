package windows

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is what is wrong with a setting, and where.
type Problem struct {
	Pointer string // RFC 6901, within the setting; empty: the whole
	Detail  string
}

func (p Problem) Error() string {
	if p.Pointer == "" {
		return p.Detail
	}
	return p.Pointer + ": " + p.Detail
}

// MaxWindows bounds a setting: each is looked at when the setting is read, and a
// week has no use for more.
const MaxWindows = 64

// maxName is the longest name of a window, in bytes: it stands in refusals.
const maxName = 100

var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Parse reads the setting's value, JSON: a list of windows, or null for none. All
// that is wrong is told at once.
func Parse(raw []byte) (*Windows, []Problem) {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, []Problem{{"", `write a list of windows, such as [{"deny": "updates", "days": "mon-fri", "from": "08:00", "to": "18:00"}]`}}
	}
	if len(list) > MaxWindows {
		return nil, []Problem{{"", fmt.Sprintf("there are %d windows, and may be %d at most", len(list), MaxWindows)}}
	}
	w := &Windows{}
	var problems []Problem
	for i, one := range list {
		v, wrong := parseWindow(one)
		for _, p := range wrong {
			problems = append(problems, Problem{"/" + strconv.Itoa(i) + p.Pointer, p.Detail})
		}
		w.list = append(w.list, v)
	}
	if problems != nil {
		return nil, problems
	}
	for k := range kinds {
		w.compile(k)
		if always(w.closed[k]) {
			problems = append(problems, Problem{"", "together the windows would refuse " + k.String() + " at all times: leave some of the week open"})
		}
	}
	if problems != nil {
		return nil, problems
	}
	return w, nil
}

// parseWindow reads one window.
func parseWindow(raw []byte) (v Window, problems []Problem) {
	wrong := func(pointer, format string, args ...any) {
		problems = append(problems, Problem{pointer, fmt.Sprintf(format, args...)})
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		return v, []Problem{{"", `write an object, such as {"deny": "updates", "days": "mon-fri", "from": "08:00", "to": "18:00"}`}}
	}
	texts := map[string]string{}
	for _, name := range sortedNames(fields) {
		text, ok := fields[name].(string)
		switch {
		case !slices.Contains([]string{"deny", "allow", "days", "from", "to", "name"}, name):
			wrong("/"+escape(name), "unknown field: there are deny, allow, days, from, to and name")
		case !ok:
			wrong("/"+name, "write a text")
		default:
			texts[name] = text
		}
	}
	if problems != nil {
		return v, problems
	}
	v.Name = texts["name"]
	if len(v.Name) > maxName {
		wrong("/name", "it has %d bytes, and may have %d at most", len(v.Name), maxName)
	}
	_, denies := texts["deny"]
	what, allows := texts["allow"]
	v.Allow = allows
	switch verb := "allow"; {
	case denies == allows:
		wrong("", "say what the window is about by one of deny and allow: updates or heavy_queries")
	default:
		if denies {
			what, verb = texts["deny"], "deny"
		}
		kind := slices.Index(kindNames[:], what)
		if kind < 0 {
			wrong("/"+verb, "%q: there are updates and heavy_queries", what)
			break
		}
		v.Kind = Kind(kind)
	}
	var detail string
	if v.days, detail = parseDays(texts["days"], has(texts, "days")); detail != "" {
		wrong("/days", "%s", detail)
	}
	v.from, v.to = 0, dayMinutes
	if text, ok := texts["from"]; ok {
		if v.from, detail = parseClock(text); detail != "" || v.from == dayMinutes {
			wrong("/from", "%q: write a time of the day, hours and minutes from 00:00 to 23:59, in UTC", text)
		}
	}
	if text, ok := texts["to"]; ok {
		if v.to, detail = parseClock(text); detail != "" {
			wrong("/to", "%q: %s", text, detail)
		}
	}
	if problems != nil {
		return v, problems
	}
	if v.to == v.from {
		wrong("/to", "it begins and ends at %s: for the whole day leave out from and to", clock(v.from))
	}
	if v.to < v.from {
		v.to += dayMinutes // on the next day
	}
	return v, problems
}

func has(texts map[string]string, name string) bool {
	_, ok := texts[name]
	return ok
}

func sortedNames(fields map[string]any) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// escape is a name as a part of a JSON pointer.
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// parseClock reads "08:30"; 24:00 is the end of the day.
func parseClock(text string) (minutes int, wrong string) {
	const how = "write a time of the day, hours and minutes from 00:00 to 24:00, in UTC"
	if len(text) != 5 || text[2] != ':' {
		return 0, how
	}
	for _, i := range [4]int{0, 1, 3, 4} {
		if text[i] < '0' || text[i] > '9' {
			return 0, how
		}
	}
	hours := int(text[0]-'0')*10 + int(text[1]-'0')
	minutes = int(text[3]-'0')*10 + int(text[4]-'0')
	if minutes > 59 || hours*60+minutes > dayMinutes {
		return 0, how
	}
	return hours*60 + minutes, ""
}

// parseDays reads "mon-fri", "sat,sun", "fri-mon", "daily".
func parseDays(text string, given bool) (days [7]bool, wrong string) {
	if !given || text == "daily" {
		return [7]bool{true, true, true, true, true, true, true}, ""
	}
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		from := slices.Index(dayNames[:], strings.TrimSpace(first))
		to := from
		if isRange {
			to = slices.Index(dayNames[:], strings.TrimSpace(last))
		}
		if from < 0 || to < 0 {
			return days, fmt.Sprintf("%q: write days as mon, tue, wed, thu, fri, sat, sun, ranges such as mon-fri, a list of these with commas, or daily", text)
		}
		for day := from; ; day = (day + 1) % 7 {
			days[day] = true
			if day == to {
				break
			}
		}
	}
	return days, ""
}
