package windows

import (
	"slices"
	"strings"
	"time"
)

// Kind is a kind of request that windows are about.
type Kind uint8

// The kinds.
const (
	// Updates are clients' transactions. Administration is not affected.
	Updates Kind = iota
	// HeavyQueries are queries that use more than a transaction may.
	HeavyQueries
	kinds
)

var kindNames = [kinds]string{"updates", "heavy_queries"}

func (k Kind) String() string { return kindNames[k] }

// Window is one window of the setting.
type Window struct {
	Kind  Kind
	Allow bool   // else it denies
	Name  string // for people; may be empty
	days  [7]bool
	// from and to are minutes of the day; to above a day's is on the next.
	from, to int
}

const (
	dayMinutes  = 24 * 60
	weekMinutes = 7 * dayMinutes
	week        = weekMinutes * time.Minute
)

// Windows is a whole setting. It never changes.
type Windows struct {
	list   []Window
	closed [kinds][]span // when each kind is refused: in order, apart
}

// span is a part of the week, in minutes since Sunday 00:00 UTC; to is exclusive and
// may lie in the next week.
type span struct{ from, to int }

// Closure is why a request is refused at a time.
type Closure struct {
	// Window says which window it is, for people.
	Window string
	// Opens is when such requests are taken again.
	Opens time.Time
}

// All lists the windows in the order of the setting.
func (w *Windows) All() []Window {
	if w == nil {
		return nil
	}
	return slices.Clone(w.list)
}

// Closed tells whether requests of a kind are refused at a time.
func (w *Windows) Closed(kind Kind, now time.Time) (Closure, bool) {
	if w == nil || len(w.closed[kind]) == 0 {
		return Closure{}, false
	}
	start := weekStart(now)
	// The last span may have begun in the week before.
	for _, begin := range [2]time.Time{start, start.Add(-week)} {
		for _, s := range w.closed[kind] {
			opens := begin.Add(time.Duration(s.to) * time.Minute)
			if !now.Before(begin.Add(time.Duration(s.from)*time.Minute)) && now.Before(opens) {
				return Closure{Window: w.reason(kind, now.Sub(start)), Opens: opens}, true
			}
		}
	}
	return Closure{}, false
}

// weekStart is the Sunday 00:00 UTC at or before a time.
func weekStart(now time.Time) time.Time {
	now = now.UTC()
	day := now.Truncate(24 * time.Hour) // days of UTC are all as long
	return day.AddDate(0, 0, -int(day.Weekday()))
}

// reason names the window that refuses at a time of the week.
func (w *Windows) reason(kind Kind, at time.Duration) string {
	minute := int(at / time.Minute)
	var allowed []string
	for i := range w.list {
		v := &w.list[i]
		switch {
		case v.Kind != kind:
		case v.Allow:
			allowed = append(allowed, v.Times())
		case slices.ContainsFunc(v.spans(), func(s span) bool {
			return s.from <= minute && minute < s.to || s.from <= minute+weekMinutes && minute+weekMinutes < s.to
		}):
			return named(v.Name, kind.String()+" are denied "+v.Times())
		}
	}
	return kind.String() + " are allowed " + strings.Join(allowed, ", and ") + " only"
}

func named(name, text string) string {
	if name == "" {
		return text
	}
	return name + ": " + text
}

// Times is when the window is, for people.
func (v *Window) Times() string {
	days := v.dayText()
	if v.from == 0 && v.to == dayMinutes {
		return days + " UTC"
	}
	return days + " " + clock(v.from) + "-" + clock(v.to) + " UTC"
}

// String is the window for people.
func (v *Window) String() string {
	verb := "denied"
	if v.Allow {
		verb = "allowed"
	}
	return named(v.Name, v.Kind.String()+" "+verb+" "+v.Times())
}

func clock(minutes int) string {
	if minutes > dayMinutes {
		minutes -= dayMinutes
	}
	return string([]byte{
		'0' + byte(minutes/600), '0' + byte(minutes/60%10), ':',
		'0' + byte(minutes%60/10), '0' + byte(minutes%10),
	})
}

// dayText lists days, three and more in a row as a range, a week from Monday on.
func (v *Window) dayText() string {
	var parts []string
	for i := 0; i < 7; {
		if !v.days[monday(i)] {
			i++
			continue
		}
		last := i
		for last+1 < 7 && v.days[monday(last+1)] {
			last++
		}
		switch {
		case last-i == 6:
			return "daily"
		case last-i >= 2:
			parts = append(parts, dayNames[monday(i)]+"-"+dayNames[monday(last)])
		default:
			for ; i <= last; i++ {
				parts = append(parts, dayNames[monday(i)])
			}
		}
		i = last + 1
	}
	return strings.Join(parts, ",")
}

// monday is the weekday i days after a Monday.
func monday(i int) int { return (i + 1) % 7 }

// spans are the parts of the week that a window covers.
func (v *Window) spans() []span {
	var out []span
	for day, is := range v.days {
		if is {
			out = append(out, span{day*dayMinutes + v.from, day*dayMinutes + v.to})
		}
	}
	return out
}

// compile works out when a kind is refused.
func (w *Windows) compile(kind Kind) {
	var denied, allowed []span
	allows := false
	for i := range w.list {
		switch v := &w.list[i]; {
		case v.Kind != kind:
		case v.Allow:
			allows = true
			allowed = append(allowed, v.spans()...)
		default:
			denied = append(denied, v.spans()...)
		}
	}
	if allows {
		denied = append(denied, rest(merge(allowed))...)
	}
	w.closed[kind] = merge(denied)
}

// merge orders spans and joins those that touch; what goes beyond the end of the
// week is at its beginning too, and joined there.
func merge(spans []span) []span {
	var flat []span
	for _, s := range spans {
		if s.to > weekMinutes {
			flat = append(flat, span{s.from, weekMinutes}, span{0, s.to - weekMinutes})
			continue
		}
		flat = append(flat, s)
	}
	slices.SortFunc(flat, func(a, b span) int { return a.from - b.from })
	var out []span
	for _, s := range flat {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	if n := len(out); n > 1 && out[0].from == 0 && out[n-1].to == weekMinutes {
		out[n-1].to += out[0].to
		out = out[1:]
	}
	return out
}

// rest is the week without some merged spans.
func rest(spans []span) []span {
	var out []span
	at := 0
	for _, s := range spans {
		if s.to > weekMinutes { // the last one
			at = max(at, s.to-weekMinutes)
		}
	}
	for _, s := range spans {
		if s.from > at {
			out = append(out, span{at, s.from})
		}
		at = max(at, s.to)
	}
	if at < weekMinutes {
		out = append(out, span{at, weekMinutes})
	}
	return out
}

// always tells whether merged spans are the whole week.
func always(spans []span) bool {
	return len(spans) == 1 && spans[0].to-spans[0].from >= weekMinutes
}
