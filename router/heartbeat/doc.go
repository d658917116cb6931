// Package heartbeat keeps the nodes of a cluster aware of each other: it sends
// this node's heartbeats, takes in the others', and judges by them who is there
// (patent, paragraph 40).
//
// # One idea
//
// A node sends one frame to each other node, for all groups together, as often as
// the most impatient group that both have a copy of wants it. Judging is apart from
// sending: for each group a supervision.Watch, by that group's settings, and one
// for all nodes; all are told every heartbeat.
//
// # How data flows
//
//	Report, Watch.Beat ─► frame ─► a connection to each peer ═► Serve ─► Watch.Heard of each group
//	                                                                └──► Report, to whoever reads it
//	a tick ─► Watch.Tick ─► changes, to whoever listens
//
// What a node says of itself (Config.Report) is bytes to this package. They are sent
// again only when they have changed, so that an idle group costs its peers nothing.
//
// A connection that breaks is dialled anew with the next heartbeat; what dialling
// shows is told to the watches, for it tells a process that ended from a machine
// that is away.
//
// # What it never does
//
// It knows no log, catalog or policy, decides nothing, and keeps nothing on disk.
// Its bounds stand in limits.go; its memory is bounded by the nodes that it was told.
package heartbeat
