package node

import (
	"encoding/json"
	"fmt"

	"lockstep/router"
)

// maxGroupTasks is how many tasks of applications a group can have: half of what
// its log remembers, for a task may have several holders.
const maxGroupTasks = 512

// Why a transaction on tasks is aborted; taskRefusal has the words for it.
const (
	abortNoGroup      = "no_such_group"
	abortNoTask       = "no_such_task"
	abortOtherVersion = "other_version"
	abortOtherGroup   = "other_group"
	abortManyTasks    = "many_tasks"
)

// matches is the step that checks If-Match against the row t.
func matches(m router.TaskMatch) (string, int64) {
	if m.Any {
		return "t != null", 0
	}
	return "params.match == 0 || (t != null && t.version == params.match)", int64(m.Version)
}

// putTask is the transaction that defines a task.
func putTask(name, group, definition string, m router.TaskMatch) ([]byte, error) {
	type step map[string]any
	expr, version := matches(m)
	steps := []step{
		{"get": step{"table": "groups", "key": []string{"params.group"}, "as": "g", "optional": true}},
		{"require": step{"expr": "g != null", "code": abortNoGroup}},
		{"get": step{"table": "tasks", "key": []string{"params.name"}, "as": "t", "optional": true}},
		{"require": step{"expr": expr, "code": abortOtherVersion}},
		{"require": step{"expr": "t == null || t.group == params.group", "code": abortOtherGroup, "message": "t.group"}},
		{"scan": step{"table": "tasks", "index": "by_group", "prefix": []string{"params.group"}, "count": true, "as": "tasks_of_group", "limit": maxGroupTasks + 1}},
		{"require": step{"expr": fmt.Sprintf("t != null || tasks_of_group < %d", maxGroupTasks), "code": abortManyTasks}},
		{"if": step{
			"expr": "t == null || t.definition != params.definition",
			"then": []step{{"upsert": step{"table": "tasks", "row": step{
				"name": "params.name", "group": "params.group", "definition": "params.definition", "version": "tx.revision",
			}}}},
		}},
	}
	return json.Marshal(map[string]any{
		"steps":  steps,
		"params": map[string]any{"name": name, "group": group, "definition": definition, "match": version},
		"return": "{'created': t == null}",
	})
}

// deleteTask is the transaction that takes a task away.
func deleteTask(name string, m router.TaskMatch) ([]byte, error) {
	type step map[string]any
	expr, version := matches(m)
	return json.Marshal(map[string]any{
		"steps": []step{
			{"get": step{"table": "tasks", "key": []string{"params.name"}, "as": "t", "optional": true}},
			{"require": step{"expr": "t != null", "code": abortNoTask}},
			{"require": step{"expr": expr, "code": abortOtherVersion}},
			{"delete": step{"table": "tasks", "key": []string{"params.name"}}},
		},
		"params": map[string]any{"name": name, "match": version},
	})
}
