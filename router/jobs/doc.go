// Package jobs runs what every group has done now and then, verify and backup, at
// the node that holds the task.
//
// # One idea
//
// Who holds the task is decided in the group's log; when it is time is found out by
// the holder alone, from a schedule and the start of the last run, whichever node that
// was on. A time that came while nobody could run is made up for once, not as often as
// it came.
//
// # How data flows
//
//	assignments, schedules ─► Runner.Hold ─► it is time ─► Config.Do ─► result
//	request ───────────────► Runner.Start ──┘       └─► Config.Record ─► history
//
// A job runs once at a time here; who asks for one that runs joins it. A run is
// recorded when it begins and when it ends, so that one whose node has died can be
// told. When a task is lost, a run that its schedule began is broken off; one that
// somebody asked for goes on.
//
// Folder (folder.go) is where backups are kept: a file appears under its name when it
// is whole and on disk, and is named after its group, its time, the epoch under
// which it was made and its run, so that two nodes never write the same one.
//
// # What it never does
//
// It knows no log, and what a job does is passed in.
package jobs
