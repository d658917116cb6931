package lastcopy

import (
	"fmt"
	"time"
)

// DefaultReplaceAfter is long enough for a node to be restarted, or a switch.
const DefaultReplaceAfter = time.Minute

// MinReplaceAfter keeps a slow moment from costing a copy its place: it has to be sent
// the whole state afterwards.
const MinReplaceAfter = time.Second

// Settings are a group's settings that matter here.
type Settings struct {
	Serve        bool
	ReplaceAfter time.Duration
}

// ParseSettings reads last_copy and replace_after; what is not given is the default.
func ParseSettings(lastCopy, replaceAfter string) (Settings, error) {
	s := Settings{ReplaceAfter: DefaultReplaceAfter}
	switch lastCopy {
	case "", "stop":
	case "serve":
		s.Serve = true
	default:
		return s, fmt.Errorf("last_copy is %q: it is stop, or serve", lastCopy)
	}
	if replaceAfter == "" {
		return s, nil
	}
	d, err := time.ParseDuration(replaceAfter)
	if err != nil || d < MinReplaceAfter {
		return s, fmt.Errorf("replace_after is %q: it is a duration of at least %s, such as 60s", replaceAfter, MinReplaceAfter)
	}
	s.ReplaceAfter = d
	return s, nil
}
