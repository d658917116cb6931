package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"lockstep/router/client"
)

func lines(text string) string {
	var out []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(out, "\n")
}

// A list of tasks says at a glance who holds what, why, and what is wrong.
func TestTasksAreATable(t *testing.T) {
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	list := []client.Task{
		{Task: "primary", Group: "bank", Status: "assigned", Holder: "n1", Epoch: 4, Since: at.Add(-3 * time.Hour), Reason: "normal"},
		{Task: "close", Group: "bank", Status: "assigned", Holder: "n2", Epoch: 7, Since: at.Add(-9 * time.Second), Reason: "recovery",
			Execution: &client.TaskExecution{Phase: "running", Health: "unhealthy"}},
		{Task: "send", Group: "bank", Status: "assigned", Holder: "n3", Epoch: 9, Since: at.Add(-90 * time.Second), Reason: "maintenance",
			Execution: &client.TaskExecution{Phase: "refused", Detail: "add it to tasks.commands"}},
		{Task: "sweep", Group: "bank", Status: "unassigned", Stale: true},
		{Task: "work", Group: "bank", Status: "assigned", Holder: "n1", Epoch: 11, Since: at, Reason: "normal",
			Holders: []client.TaskHolder{{Slot: "work", Holder: "n1"}, {Slot: "work#2", Holder: "n3"}}},
	}
	var out bytes.Buffer
	if err := taskTable(&out, list, at); err != nil {
		t.Fatal(err)
	}
	want := `TASK GROUP HOLDER EPOCH SINCE REASON STATE
primary bank n1 4 3 h normal assigned
close bank n2 7 9 s recovery running, unhealthy
send bank n3 9 1 min maintenance refused: add it to tasks.commands
sweep bank 0 unassigned (as last known: no majority answers)
work bank n1, n3 11 0 s normal assigned`
	if got := lines(out.String()); got != want {
		t.Errorf("it is\n%s\nnot\n%s", got, want)
	}
}

// One task is shown with what its holder does, and with the history of its
// assignments and the reason of each, the last one first.
func TestATaskIsASheet(t *testing.T) {
	var task client.Task
	doc := `{"task": "close", "group": "bank", "kind": "application", "status": "assigned", "holder": "n2", "epoch": 7,
		"run": ["close-of-day", "--verbose"], "labels": {"team": "ops"}, "payload": {"hour": 22},
		"execution": {"phase": "waiting", "exit": "exit code 3", "restarts": 2},
		"history": [
			{"holder": "n1", "epoch": 5, "since": "2026-01-02T10:00:00Z", "reason": "normal", "why": "best of 3"},
			{"holder": "", "epoch": 6, "since": "2026-01-02T11:00:00Z", "reason": "normal", "why": "given back by its holder"},
			{"holder": "n2", "epoch": 7, "since": "2026-01-02T11:00:01Z", "reason": "normal", "why": "best of 3"}]}`
	if err := json.Unmarshal([]byte(doc), &task); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := taskSheet(&out, &task); err != nil {
		t.Fatal(err)
	}
	want := `task close
group bank
does runs close-of-day --verbose
state waiting, exit code 3
holder n2, epoch 7
restarts 2
last end exit code 3
label team ops
payload {"hour":22}

EPOCH HOLDER SINCE REASON WHY
7 n2 2026-01-02T11:00:01Z normal best of 3
6 nobody 2026-01-02T11:00:00Z normal given back by its holder
5 n1 2026-01-02T10:00:00Z normal best of 3`
	if got := lines(out.String()); got != want {
		t.Errorf("it is\n%s\nnot\n%s", got, want)
	}
}

// The sheet of verify and backup shows when they run, and the last runs.
func TestRunsAreATable(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	task := client.Task{Task: "verify", Kind: "verify", Group: "bank", Status: "assigned", Holder: "n2", Epoch: 3, Schedule: "0 3 * * *", Runs: []client.TaskRun{
		{ID: 9, Node: "n2", By: "request", Started: at.Add(time.Hour), Status: "running", Detail: "comparing 3 copies"},
		{ID: 7, Node: "n3", By: "schedule", Started: at, Ended: at.Add(1500 * time.Millisecond), Status: "failed", Detail: "the copies differ at revision 8"},
	}}
	var out bytes.Buffer
	if err := taskSheet(&out, &task); err != nil {
		t.Fatal(err)
	}
	want := `task verify
group bank
state assigned
holder n2, epoch 3
schedule 0 3 * * *

RUN NODE BY STARTED TOOK STATUS DETAIL
9 n2 request 2026-01-02T04:00:00Z running comparing 3 copies
7 n3 schedule 2026-01-02T03:00:00Z 1.5s failed the copies differ at revision 8`
	if got := lines(out.String()); got != want {
		t.Errorf("it is\n%s\nnot\n%s", got, want)
	}
	if err := runVerdict(&task.Runs[0], true); exitCode(err) != exitUnavailable {
		t.Error(err)
	}
	if err := runVerdict(&task.Runs[1], true); exitCode(err) != exitRefused {
		t.Error(err)
	}
}
