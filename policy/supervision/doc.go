// Package supervision tells which nodes are there: it is fed the heartbeats that
// one node hears of the others, and the passing of time, and gives each node's
// status with its reason.
//
// # One idea
//
// A [Watch] is a state machine without a clock: every call brings the time, as a
// monotonic duration since any origin, the same for all calls. It sends nothing
// and waits for nothing. What is to be sent it writes (Beat); what was received
// it is told (Heard, Reached); and Tick says what has changed.
//
// # How it judges
//
// A node that is not heard for a timeout is suspect, for timeout × retries
// unavailable. It is available again only after several heartbeats in a row, and
// after more of them the oftener it has gone (flapping): so what a policy sees
// does not flutter.
//
//	            silent for a timeout            silent for timeout × retries
//	available ------------------------> suspect ----------------------------> unavailable
//	    ^                                  | ^                                     |
//	    +------ heartbeats in a row -------+ +------------- heard again -----------+
//
// What an operator wished (draining, drained) stands before available and suspect,
// not before unavailable: a drained node that dies is unavailable.
//
// # Death, and what looks like it
//
// Every heartbeat carries whom its sender hears and how long ago, and whether
// those hear the receiver. So a failure of the network between two nodes is told
// from a death: a node that others hear, while we do not, is suspect for
// PartialFactor times as long before it is unavailable for this group, and the
// reason says what is broken. The same goes for a node that hears us no longer,
// and for the case that we hear nobody at all: then the fault may be here.
//
// A node that is slow (starved, or stopped and continued) has heartbeats that
// come late: it stays suspect while they do. One that was stopped says so itself
// when it goes on.
//
// Where the watch itself was stopped, or its clock jumped, nobody is judged by
// that time: whatever goes by between two calls beyond what is usual is taken off
// every node's silence.
//
// # A new supervisor
//
// Heartbeats go to every voter, and each keeps its watch whether it leads or not;
// so a new leader is not blind. A node that a watch has never heard is suspect,
// and unavailable only after a full timeout × retries of that watch. Until
// Settled, nothing should be decided.
//
// # What it never does
//
// It reads no clock and knows no network, log or policy. Its memory is bounded by
// the members that it was told; what it hears of others it drops.
package supervision
