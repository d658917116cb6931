package router

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"
)

// route names what a path is for; metrics are labelled by it.
type route int

const (
	routeUnknown route = iota
	routeHealth
	routeReady
	routeMetrics
	routeStatus
	routeGroups
	routeGroup
	routeTransactions
	routeTransaction
	routeQuery
	routeRows
	routeSchema
	routeVerify
	routeExport
	routeTrust
	routeRecover
	routePrimary
	routePartitions
	routePartition
	routeTasks
	routeTask
	routeTaskRelease
	routeTaskLogs
	routeTaskRun
	routeSettings
	routePolicies
	routePolicy
	routeExplain
	routeHistory
	routeNodes
	routeNode
	routeNodeDrain
	routeNodeUndrain
	routeNodeReplace
	routeTokens
	routeToken
	routeCount
)

// methods is a set of the methods that a route takes.
type methods uint8

const (
	get methods = 1 << iota
	post
	put
	del
	patch
)

// routeSpec is a route's name in metrics and the methods it takes; the place in
// the table is the route.
type routeSpec struct {
	name  string
	takes methods
}

// routeTable is never written to.
var routeTable = [routeCount]routeSpec{
	routeUnknown:      {"unknown", 0},
	routeHealth:       {"healthz", get},
	routeReady:        {"readyz", get},
	routeMetrics:      {"metrics", get},
	routeStatus:       {"status", get},
	routeGroups:       {"groups", get | post},
	routeGroup:        {"group", get | del},
	routeTransactions: {"transactions", post},
	routeTransaction:  {"transaction", get},
	routeQuery:        {"query", post},
	routeRows:         {"rows", get},
	routeSchema:       {"schema", get | put},
	routeVerify:       {"verify", post},
	routeExport:       {"export", get},
	routeTrust:        {"trust", post},
	routeRecover:      {"recover", get | post},
	routePrimary:      {"primary", post},
	routePartitions:   {"partitions", get | post},
	routePartition:    {"partition", get | del},
	routeTasks:        {"tasks", get},
	routeTask:         {"task", get | put | del},
	routeTaskRelease:  {"task_release", post},
	routeTaskLogs:     {"task_logs", get},
	routeTaskRun:      {"task_run", post},
	routeSettings:     {"settings", get | put},
	routePolicies:     {"policies", get},
	routePolicy:       {"policy", get | put | del},
	routeExplain:      {"explain", post},
	routeHistory:      {"history", get},
	routeNodes:        {"nodes", get},
	routeNode:         {"node", get | del | patch},
	routeNodeDrain:    {"node_drain", post},
	routeNodeUndrain:  {"node_undrain", post},
	routeNodeReplace:  {"node_replace", post},
	routeTokens:       {"tokens", get | post | put},
	routeToken:        {"token", del},
}

// target is where a request goes.
type target struct {
	route route
	group string
	arg   string // a transaction's id, a table's, a node's or a task's name
}

// locate finds the target of a path as it was sent: segments are taken apart
// before they are unescaped, so that an id may hold a slash.
func locate(path []byte) target {
	switch string(path) {
	case "/healthz":
		return target{route: routeHealth}
	case "/readyz":
		return target{route: routeReady}
	case "/metrics":
		return target{route: routeMetrics}
	case "/v1/status":
		return target{route: routeStatus}
	case "/v1/groups":
		return target{route: routeGroups}
	case "/v1/tasks":
		return target{route: routeTasks}
	case "/v1/policies":
		return target{route: routePolicies}
	case "/v1/placements/explain":
		return target{route: routeExplain}
	}
	if policy, ok := strings.CutPrefix(string(path), "/v1/policies/"); ok {
		return locatePolicy(policy)
	}
	if task, ok := strings.CutPrefix(string(path), "/v1/tasks/"); ok {
		return locateTask(task)
	}
	const prefix = "/v1/groups/"
	rest, ok := bytes.CutPrefix(path, []byte(prefix))
	if !ok {
		return locateNode(path)
	}
	segments, n, ok := split(rest)
	if !ok {
		return target{}
	}
	return target{route: routeWithin(segments[1:n]), group: segments[0], arg: segments[2]}
}

// split takes the rest of a path apart, and unescapes what it finds.
func split(path []byte) (segments [4]string, n int, ok bool) {
	rest := string(path)
	for more := true; more; n++ {
		if n == len(segments) {
			return segments, n, false
		}
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segments[n], ok = unescape(segment); !ok || segments[n] == "" {
			return segments, n, false
		}
	}
	return segments, n, true
}

// locateNode finds what is about the nodes of the cluster.
func locateNode(path []byte) target {
	switch string(path) {
	case "/v1/nodes":
		return target{route: routeNodes}
	case "/v1/tokens":
		return target{route: routeTokens}
	}
	if rest, ok := bytes.CutPrefix(path, []byte("/v1/tokens/")); ok {
		if segments, n, ok := split(rest); ok && n == 1 {
			return target{route: routeToken, arg: segments[0]}
		}
		return target{}
	}
	rest, ok := bytes.CutPrefix(path, []byte("/v1/nodes/"))
	segments, n, whole := split(rest)
	if !ok || !whole || n > 2 {
		return target{}
	}
	to := target{route: routeNode, arg: segments[0]}
	if n == 2 {
		switch segments[1] {
		case "drain":
			to.route = routeNodeDrain
		case "undrain":
			to.route = routeNodeUndrain
		case "replace":
			to.route = routeNodeReplace
		default:
			return target{}
		}
	}
	return to
}

// routeWithin finds the route below a group.
func routeWithin(segments []string) route {
	switch len(segments) {
	case 0:
		return routeGroup
	case 1:
		switch segments[0] {
		case "transactions":
			return routeTransactions
		case "query":
			return routeQuery
		case "schema":
			return routeSchema
		case "verify":
			return routeVerify
		case "export":
			return routeExport
		case "history":
			return routeHistory
		case "trust":
			return routeTrust
		case "recover":
			return routeRecover
		case "primary":
			return routePrimary
		case "partitions":
			return routePartitions
		case "settings":
			return routeSettings
		}
	case 2:
		switch segments[0] {
		case "transactions":
			return routeTransaction
		case "partitions":
			return routePartition
		}
	case 3:
		if segments[0] == "tables" && segments[2] == "rows" {
			return routeRows
		}
	}
	return routeUnknown
}

// unescape undoes percent-encoding; ok is false where it is broken.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		high, low := unhex(s[i+1]), unhex(s[i+2])
		if high > 15 || low > 15 {
			return "", false
		}
		b = append(b, high<<4|low)
		i += 2
	}
	return string(b), true
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// methodOf is the method as a member of the sets above; HEAD is a GET without
// its body, which the server leaves out by itself.
func methodOf(h *fasthttp.RequestHeader) methods {
	switch string(h.Method()) {
	case fasthttp.MethodGet, fasthttp.MethodHead:
		return get
	case fasthttp.MethodPost:
		return post
	case fasthttp.MethodPut:
		return put
	case fasthttp.MethodDelete:
		return del
	case fasthttp.MethodPatch:
		return patch
	}
	return 0
}

// allow lists the methods of a route for the Allow header.
func (m methods) allow() string {
	var names []string
	if m&get != 0 {
		names = append(names, fasthttp.MethodGet, fasthttp.MethodHead)
	}
	if m&post != 0 {
		names = append(names, fasthttp.MethodPost)
	}
	if m&put != 0 {
		names = append(names, fasthttp.MethodPut)
	}
	if m&del != 0 {
		names = append(names, fasthttp.MethodDelete)
	}
	if m&patch != 0 {
		names = append(names, fasthttp.MethodPatch)
	}
	return strings.Join(names, ", ")
}
