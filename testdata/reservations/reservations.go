// Package reservations is an example application: seats of events, each claimed
// once, held for a while by tx.now, then confirmed, cancelled or let go.
package reservations

import (
	_ "embed" // for Schema
	"fmt"
	"math/rand/v2"
	"time"

	"lockstep/testdata/call"
)

// Schema is the example's schema document, YAML.
//
//go:embed schema.yaml
var Schema string

const (
	seatsInRow = 10
	customers  = 50
	holdFor    = "3s" // of all events of Load
)

// Begin is when the first event begins; the others follow a day apart. Traffic is
// meant to be stamped before it.
var Begin = time.Date(2030, time.June, 1, 19, 30, 0, 0, time.UTC)

// Size is how much there is.
type Size struct {
	Events int
	Rows   int // of each event, of ten seats
}

func event(n int) string { return fmt.Sprintf("event-%03d", n) }

func seat(row, place int) string { return fmt.Sprintf("%c%02d", 'A'+row, place+1) }

// Load gives the transactions that put the events up. Rows are at most 26.
func Load(_ uint64, size Size) []string {
	var documents []string
	for e := range size.Events {
		var seats []call.Params
		for row := range size.Rows {
			for place := range seatsInRow {
				seats = append(seats, call.Params{"seat": seat(row, place), "price": 90_00 - 5_00*row})
			}
		}
		documents = append(documents, call.Procedure("add_event", call.Params{
			"id": event(e), "name": fmt.Sprintf("Concert %d", e), "hold_for": holdFor, "seats": seats,
			"starts": Begin.AddDate(0, 0, e).Format(time.RFC3339),
		}))
	}
	return documents
}

// Traffic makes what customers and the sweeper do. It has to be told what became of
// the holds, by Answer.
type Traffic struct {
	rng   *rand.Rand
	size  Size
	asked int           // holds so far
	made  []reservation // those that were granted
	last  *reservation  // what Next has just asked for
}

type reservation struct{ id, customer string }

// NewTraffic makes the traffic that follows from a seed, for the events of Load.
func NewTraffic(seed uint64, size Size) *Traffic {
	return &Traffic{rng: call.Rand(seed), size: size}
}

// Next is the next transaction. Holds are asked for, confirmed soon or late or
// never, and cancelled; now and then by somebody else.
func (t *Traffic) Next() string {
	t.last = nil
	switch n := t.rng.IntN(100); {
	case n < 45 || len(t.made) == 0:
		return t.hold()
	case n < 70:
		return call.Procedure("confirm", t.recent(10))
	case n < 80:
		return call.Procedure("cancel", t.recent(60))
	case n < 86:
		return call.Procedure("sweep", call.Params{"at_most": 1 + t.rng.IntN(20)})
	case n < 93:
		return call.Procedure("free_seats", call.Params{"event": event(t.rng.IntN(t.size.Events))})
	}
	return call.Procedure("of_customer", call.Params{"customer": t.customer()})
}

func (t *Traffic) customer() string { return fmt.Sprintf("customer-%02d", t.rng.IntN(customers)) }

// hold asks for some seats that are next to each other.
func (t *Traffic) hold() string {
	row, first := t.rng.IntN(t.size.Rows), t.rng.IntN(seatsInRow)
	var seats []string
	for n := range 1 + t.rng.IntN(4) {
		if first+n < seatsInRow {
			seats = append(seats, seat(row, first+n))
		}
	}
	t.asked++
	t.last = &reservation{id: fmt.Sprintf("r-%06d", t.asked), customer: t.customer()}
	return call.Procedure("hold", call.Params{
		"id": t.last.id, "event": event(t.rng.IntN(t.size.Events)), "customer": t.last.customer, "seats": seats,
	})
}

// Answer takes the result of what Next gave last, nil if that was aborted.
func (t *Traffic) Answer(result []byte) {
	if t.last != nil && result != nil {
		t.made = append(t.made, *t.last)
	}
}

// recent names one of the reservations made last, by its customer or, rarely, by
// another.
func (t *Traffic) recent(among int) call.Params {
	r := t.made[len(t.made)-1-t.rng.IntN(min(among, len(t.made)))]
	if t.rng.IntN(20) == 0 {
		r.customer = t.customer()
	}
	return call.Params{"id": r.id, "customer": r.customer}
}
