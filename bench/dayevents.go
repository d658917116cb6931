package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"lockstep/router/client"
	"lockstep/testdata/chaos"
)

// dayEvent is something that is done or that happens. do returns when it is done, and
// says what it was.
type dayEvent struct {
	name string
	do   func(context.Context, *day) (string, error)
}

// DayEvents are the names of the events of a day, in their order.
func DayEvents() []string {
	var names []string
	for _, e := range dayEvents() {
		names = append(names, e.name)
	}
	return names
}

func dayEvents() []dayEvent {
	return []dayEvent{
		{"quiet", quietHour},
		{"create", createSecond},
		{"load", loadSecond},
		{"handover", handOverPrimary},
		{"policy", changePolicy},
		{"task", moveTask},
		{"drain", drainNode},
		{"kill", killThePrimary},
		{"return", returnFromDeath},
		{"move", moveCopy},
		{"rededicate", rededicate},
		{"remove", removeCopy},
		{"replace", replaceNode},
		{"upgrade", upgradeAll},
		{"delete", deleteSecond},
		{"night", downToTheLastCopy},
		{"morning", wholeAgain},
	}
}

// secondGroup is made on the last nodes, beside the one that the client works on.
const secondGroup = "evening"

// quietHour is what the others are compared with.
func quietHour(context.Context, *day) (string, error) { return "nothing happens", nil }

func createSecond(ctx context.Context, d *day) (string, error) {
	group := client.Group{Name: secondGroup}
	for _, n := range d.cluster.Nodes()[dayNodes-clusterNodes:] {
		group.Nodes = append(group.Nodes, n.Name)
	}
	c := d.cluster.Client()
	if _, err := c.CreateGroup(ctx, group); err != nil {
		return "", fmt.Errorf("making the group %s: %w", secondGroup, err)
	}
	if _, err := c.PutSchema(ctx, secondGroup, []byte(chaos.Schema), client.SchemaOptions{}); err != nil {
		return "", fmt.Errorf("applying the schema of group %s: %w", secondGroup, err)
	}
	return fmt.Sprintf("group %s made on %v", secondGroup, group.Nodes), nil
}

// loadSecond opens accounts in the second group, as fast as it takes them.
func loadSecond(ctx context.Context, d *day) (string, error) {
	s, err := newServers(d.cluster.Servers(), secondGroup, loadConnections)
	if err != nil {
		return "", err
	}
	defer s.close()
	began := time.Now()
	if err := openAccounts(ctx, newTransfers(d.Seed, d.Rows), s, d.Progress); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d rows into group %s, %.0f a second", d.Rows, secondGroup, float64(d.Rows)/time.Since(began).Seconds()), nil
}

func handOverPrimary(ctx context.Context, d *day) (string, error) {
	s, err := d.cluster.Client().Status(ctx)
	if err != nil {
		return "", fmt.Errorf("asking for the cluster's status: %w", err)
	}
	next, err := successor(s, d.cluster.Group)
	if err != nil {
		return "", err
	}
	answer, err := d.cluster.request(ctx, "POST", "/v1/groups/"+d.cluster.Group+"/primary", map[string]string{"node": next})
	if err != nil {
		return "", err
	}
	var h struct {
		From  string  `json:"from"`
		Pause float64 `json:"pause_ms"`
	}
	if err := json.Unmarshal(answer, &h); err != nil {
		return "", fmt.Errorf("reading the answer to a handover: %w: %.300s", err, answer)
	}
	return fmt.Sprintf("%s handed over to %s, transactions waited %.0f ms", h.From, next, h.Pause), nil
}

func killThePrimary(ctx context.Context, d *day) (string, error) {
	n, err := primaryNode(ctx, d.cluster)
	if err != nil {
		return "", err
	}
	d.away = append(d.away, n)
	d.cluster.Kill(n)
	next, err := d.primary(ctx, n.Name)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s killed (kill -9), %s is the primary", n.Name, next), nil
}

// returnFromDeath starts what was killed; it is brought up to date by the new primary
// (paragraph 66), which comparing the copies shows.
func returnFromDeath(ctx context.Context, d *day) (string, error) {
	var names []string
	for _, n := range d.away {
		names = append(names, n.Name)
		if err := d.cluster.Start(n); err != nil {
			return "", err
		}
	}
	d.away = nil
	began := time.Now()
	if err := d.well(ctx); err != nil {
		return "", err
	}
	took := time.Since(began)
	name, err := d.cluster.Primary(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s ready after %.1f s, %s is the primary", strings.Join(names, ", "), took.Seconds(), name), nil
}

// upgradeAll restarts one node after the other, each when the one before is ready.
func upgradeAll(ctx context.Context, d *day) (string, error) {
	if d.Upgrade != "" {
		d.cluster.binary = d.Upgrade
	}
	for _, n := range d.cluster.Nodes() {
		d.Progress("upgrade: " + n.Name)
		n.stop()
		if err := d.cluster.Start(n); err != nil {
			return "", err
		}
		if err := d.well(ctx); err != nil {
			return "", fmt.Errorf("restarting %s: %w", n.Name, err)
		}
	}
	return fmt.Sprintf("%d nodes restarted one by one", len(d.cluster.Nodes())), nil
}
