// Package settings is what a group's settings are: their names, values, bounds and
// defaults, and what follows from them at a time (interface.md, GET and PUT
// /v1/groups/{group}/settings).
//
// A group's row in the catalog has the settings that were given, as one object; the
// others have their defaults. Parse reads such an object and names the place of what
// is wrong; Merge changes some of its keys and leaves the rest; both are pure, and
// time is passed in where a window is asked for.
//
//	heartbeat, heartbeat_timeout, heartbeat_retries   supervision, read by each node
//	last_copy, replace_after                          what becomes of copies that stay away
//	key_retention                                     copied into the group's log, for apply needs it
//	update_windows                                    times in which routers refuse updates or heavy queries (package windows)
//
// It never reads a clock, and knows neither catalog nor log.
package settings
