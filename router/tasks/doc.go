// Package tasks is what an application's task is, and what a node does for those
// that it holds (interface.md, PUT /v1/tasks; patent, paragraphs 43 and 44).
//
// # One idea
//
// Who holds a task is decided elsewhere and stands in a group's log. A node reads
// there what it holds and under which epoch, and makes what runs on it agree with
// that, again and again. What runs can be late: a node may be cut off, paused or
// slow, and then two nodes run the same task for a while. So nothing here is what
// keeps a task's writes in order; that is the epoch, which a transaction requires
// (expect_task) and the group's log checks. What is done here keeps the time short.
//
// # How data flows
//
//	log ─► Runner.Hold ─► Machine ─► effects ─► processes, webhooks, health checks
//	                         ▲                          │
//	                         └── exits, answers, time ──┘
//
// Machine (machine.go, slot.go, webhook.go) is pure: it is told what happened and
// what time it is, and says what has to be done. Runner does that, and has one
// goroutine which feeds the machine.
//
// # Commands
//
// A task's command is started only if the node's own configuration lists it
// (Allow), never through a shell and never found by PATH. It does not hang on the
// node directly: between the two stands a keeper (Keep), a small process that
// starts the command in a process group of its own, and kills that group when the
// node says so, when the node dies, and when the node has not confirmed for a
// lease's time that it reaches a majority of the group. So a command ends even
// where its node is stopped with SIGSTOP. Where the keeper itself is killed, the
// kernel kills the command (Linux). What leaves the process group on purpose
// (setsid) is out of reach.
//
// A command is started with its reason, epoch, labels and payload in the
// environment. It is stopped with SIGTERM, and after a time with SIGKILL. One that
// ends is started again after a pause that doubles.
//
// # Webhooks
//
// Who holds a task can also be told by HTTP: a POST when the node gets the task
// and one when it loses it, in this order, each repeated until it is answered with
// 2xx. They are signed (X-Lockstep-Signature-256) in the form that GitHub uses, if
// the node has a secret.
//
// # What it never does
//
// It decides nothing about who holds what, knows no log, and never runs what the
// node's owner did not list, whoever writes the task.
package tasks
