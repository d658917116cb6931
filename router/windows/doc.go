// Package windows is a group's setting update_windows: times of the week at which the
// group refuses updates, or heavy queries (patent, paragraph 59).
//
// # One idea
//
// The setting is a list of windows, and all of them are weekly and in UTC. So what
// they come to is worked out once, when the setting is read: for each kind of
// request the parts of the week in which it is refused. Whether one is refused now,
// and when it will not be any more, is then a look into a short list.
//
//	[{"deny": "updates", "days": "mon-fri", "from": "08:00", "to": "18:00", "name": "trading"},
//	 {"allow": "heavy_queries", "days": "sat,sun"}]
//
// A window names what it denies or allows (updates, heavy_queries), and when: days,
// a list of weekdays and ranges of them (every day where it is left out), and from
// and to, times of the day (the whole day where both are left out). A window whose to
// is not after its from ends on the next day. What is denied by any window is
// refused; so is, where windows allow it, what none of them allows at that time.
//
// # What it never does
//
// It reads no clock, and knows nothing of zones: times are UTC, for a group's copies
// stand in many, and twice a year a zone skips or repeats an hour. It takes no
// setting under which a kind of request would be refused for ever.
package windows
