// Package node is the composition root: it wires one node out of the layers
// below, and is the one place that does. serve, dev, tests and bench all start
// nodes through Start.
//
// # How a node is put together
//
//	data folder    identity and lock: one folder, one node, one cluster
//	peer.Network   one listener for everything between nodes
//	txlog.Host     the logs of all groups
//	copies         per group: partition (state), txlog group (order), orderer (waiters)
//	catalog        what there should be: nodes, groups, copies; rows of the system group
//	router.Server  HTTP, before all of it
//
// # The catalog
//
// Nodes, groups and copies are rows of the system group, a group like any other
// with a built-in schema (catalog.yaml), of which every node has a copy. A node
// reads its own copy and makes what it runs agree with it, again and again;
// every step can be repeated, so that a crash in the middle leads on. What is
// wished stands in the catalog; what is, in a group's log and membership.
//
// A catalog that a node's program can't read, for a later one wrote it, wishes nothing:
// copies that are open go on, none is opened or ended, and the node says why. Nothing is
// wiped but by a catalog that has all that was acknowledged and knows the node. A task or
// a policy that can't be read is left aside by itself.
//
// A program that knows a later catalog gives the cluster its schema when a node of it
// leads the system group (catalogVersion); nodes of earlier programs go on with it.
//
// # Copies and nodes come and go
//
// Each change is judged first, from what is known of the cluster (package plan), then
// made a row of the catalog by one transaction (partitions.go, nodes.go), and from there
// on carried out by whoever is in charge, step by step:
//
//	a group's primary            lets in, promotes, takes out; notes it in the rows (tend.go)
//	the system group's leader    the catalog's voters (members.go); nodes that drain (drain.go)
//	each node                    starts, stops and wipes its copies (reconcile.go, wipe.go),
//	                             hands over what it leads while it drains (drain.go)
//
// A copy that leaves votes until it is taken out; then its row goes, and with that its
// node wipes it: log, evidence, data. A copy in another's place lets that one leave when
// it votes itself. A node that goes for good loses its copies, then its row, then its
// place in the system group; it learns so from any peer that it asks (told), and never
// uses that folder again. What is on disk is wiped, and what is not there is begun, only
// by a catalog that has caught up: after a start the one here may be of the past.
// Evidence, and data put aside, of a replica that was replaced stay as long as the node
// has a copy of that group.
//
// # Schema changes
//
// A change that must look at rows goes in steps (package engine). How far it is
// stands in the group's state; here is who drives it (change.go): the node that is
// primary proposes the next step, waits until it is applied, leaves the group to
// others for as long as that took, and goes on. A new primary finds the state and
// does the same. Whoever asked for the change waits, at any node, for its own copy
// to know how it ended; a document that is asked for again joins.
//
// # Handovers
//
// A primary that is moved by plan (handover.go), or stops, looks whether the other
// copy can lead, proposes nothing more, waits for the outcome of what is in flight,
// and has the other elected. What comes meanwhile waits at the routers and goes to
// the new primary at once.
//
// # Readers
//
// Which copies may serve reads, a node works out again and again from what it has heard
// (readers.go), and from the policies for the task reader (readerpolicy.go); nothing of
// that is logged. The router chooses among them by what it sees itself.
//
// # Heartbeats and supervision
//
// Nodes push heartbeats to each other (heartbeats.go, package router/heartbeat), which
// carry what a node says of itself (status.go). What is heard of a group's nodes is
// judged by the group's settings, everywhere; and each leader lays it before the
// policies (supervisor.go, candidates.go, package router/placement): it orders the
// assignments that change, and hands the group over where another is wanted as primary.
// Without a supervisor placement stands still, and transactions go on. Who leads records
// itself as the holder of primary with the first entry of its term (primary.go).
//
// # Recordings
//
// A recording (export.go) is a frozen state, then the log's entries, read beside
// Raft up to where the copy is, then the digests that the copy has there. It takes
// part in nothing: what is compacted or replaced meanwhile ends it with a reason.
// A node without a copy has it relayed on a connection of its own (exportrelay.go).
//
// # Copies that differ
//
// The primary of a group orders checkpoints, asks every voter's copy for its
// digests, and orders the verdict when a majority has the same (check.go). Running
// digests are compared every few seconds; whole contents, by a paced scrub beside
// that, once a day. The system group is left out.
//
// A copy that finds itself in the minority is condemned (rebuild.go): it is taken
// from the router, its evidence is written and synced before anything else (where
// the disk does not take it, its log stands still until it does), it hands over what
// it leads, and its replica stops. From then on that replica is
// never opened again. The catalog names a new replica in its place; the old data is
// moved aside; the primary takes the old member out and lets the new one in, without
// a vote until it has caught up (tend.go). Each step is found missing and taken
// after a crash.
//
// Where no majority agrees, the verdict says so: every router refuses changes until
// one does, or until an operator chooses a copy (Trust). Replicas that an operator
// gave up go on voting until each is replaced, one after the other.
//
//	checks/S-R.diverged.json   evidence against replica R of shard S
//	checks/S-R.data            its data, the last one of a group
//	checks/S-R.equal.json      at which revisions its digests were right
//
// # Tasks
//
// What an application's task is stands in the catalog (table tasks); who holds it,
// under which epoch and why, in its group's log. A node tells of both (tasks.go), from
// its own copy or by asking one that has one (taskask.go). What its copies' logs say
// that it holds, it gives to its runner (taskrun.go, package router/tasks), which runs
// commands and calls webhooks, if the node's configuration lists them. A group's
// leader takes back what was deleted; a node that stops ends what runs on it and gives
// it back, before it hands its groups over.
//
// # Policies
//
// The policies of users stand in the catalog (table policies). A node compiles each
// once (policies.go) and keeps them as a set, which is another one only where a
// policy is; what it can't compile, for a later program wrote it, it leaves out. One
// that would leave a task without any candidate though all nodes were there is refused
// when it is written (policyput.go). Whoever asks why a task is where it is, at whatever
// node, is answered by the group's primary, for it decides (policyexplain.go). What the
// policies had to decide by, and who held what, a group's leader records (statushistory.go,
// package policy/history), so that another policy can be tried on the past.
//
//	history/S.ndjson           status and assignments of shard S while this node led it
//
// # Down to the last copy
//
// A group whose settings say last_copy: serve goes on as its copies fail one after
// another (paragraphs 35 and 36). Package lastcopy decides, and says what is promised;
// witness.go takes its steps. The group's primary notes since when nodes with copies
// are silent. When one has been for replace_after, the catalog is told that the copy is
// away and that a witness on a free node has its place; then the member is taken out,
// and the witness let in, in this order (tend.go). A witness is a member of the group's
// log and has no copy: it serves nothing, is never primary, and is left out wherever
// copies are compared or asked. When the node is back, the catalog names a new replica;
// the old data is moved aside (one of each group is kept), the new replica joins like
// any copy, and when it votes the witness leaves. Status says durability: N copies
// meanwhile. Every step is a transaction of the catalog or of the group's members, and
// is found missing and taken again after a crash.
//
//	aside/S-R                  data of replica R of shard S, which was replaced while it was away; wiped when its group is deleted
//	groups/S-R                 empty where R is a witness: its absence would be a loss
//
// # A new copy
//
// A copy that joins its group with nothing is not asked until it has been brought up to
// date once (feed in copy.go): the node forwards until then, as if it had none.
//
// # A group that lost its majority
//
// Reads go on at any copy that is asked for what it has (consistency=local), marked
// with Lockstep-Majority: none. An operator may have the group rebuilt (recover.go):
// every node says what it has of it; the plan names the copy that an election would
// choose, and what is known to be on copies that are away; its token, given back, has
// it carried out, and the catalog's table recoveries keeps who decided what. The group
// goes on under a shard of its own, which begins with that copy's state, and with what
// its log has beyond (beginanew.go): what is left of the old shard, however it comes
// back, can't be taken for a part of it. The library's import of snapshots would keep
// the shard, and wants every other group of the node to stand still. Revisions and
// epochs skip a million. The other copies join as new ones; a node that comes back
// waits for all of the catalog before it opens its copies, puts the old data aside, and
// joins. Where the catalog has no majority it waits for a few seconds only, for groups go
// on without the catalog: nodes that have not heard of a recovery could then make up a
// majority of the old group. One that has heard notes it (formers.go), and never opens
// the old shard again. The catalog itself can't be recovered so: it needs the majority of its voters.
//
// # Life
//
// The first node begins a cluster (Bootstrap). Others ask any member to join
// (Join), by a token where the cluster wants one (tokens.go): they are entered in the
// catalog and follow the system group without a vote. Up to five nodes have one, spread
// over zones; in place of one that stays away another gets it, and that one follows as
// another replica when it is back. On SIGTERM a node hands its
// groups over, lets what is under way finish, and leaves.
//
// # What it never does
//
// It never decides an outcome, and it never uses a folder that is not its own:
// another node's, another cluster's, or one in use is refused by name.
package node
