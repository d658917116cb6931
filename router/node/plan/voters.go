package plan

import (
	"cmp"
	"slices"
)

// Member is a node's copy of the catalog, as a member of the system group.
type Member struct {
	Replica, Node uint64
	Zone          string
	Votes         bool
	Self          bool // it leads the group
	Available     bool // it answers
	Away          bool // it has not answered for so long that another may vote in its place
	CaughtUp      bool
	Draining      bool
	// Gone says that its node is no part of the cluster any more, or has another replica
	// of the group by now.
	Gone bool
}

// Step is the next change of the system group's members.
type Step struct {
	Kind StepKind
	Member
}

// StepKind is what to do.
type StepKind int

const (
	Nothing  StepKind = iota
	TakeOut           // take the member out
	HandOver          // have another lead, which then goes on
	Promote           // give the member its vote
	Demote            // have its node follow without a vote, as another replica
)

// NextMember finds what to do next for the voters of the system group to be up to most
// nodes that answer, spread over zones, one step at a time; never so that those who
// vote and answer are no majority.
func NextMember(members []Member, most int) Step {
	voters, live := 0, 0
	zones := map[string]int{}
	for _, m := range members {
		if m.Votes {
			voters++
			live += count(m.Available)
			zones[m.Zone]++
		}
	}
	// safe tells whether a voter may be taken out.
	safe := func(m Member) bool { return voters > 1 && 2*(live-count(m.Available)) > voters-1 && 2*live > voters }
	for _, m := range members {
		switch {
		case !m.Gone:
		case !m.Votes, !m.Self && safe(m):
			return Step{TakeOut, m}
		case m.Self:
			return Step{HandOver, m}
		}
	}
	candidate, found := best(members, zones)
	switch {
	case !found:
		return Step{}
	case voters < most:
		return Step{Promote, candidate}
	}
	for _, unfit := range []func(Member) bool{
		func(m Member) bool { return m.Away },
		func(m Member) bool { return m.Draining },
		func(m Member) bool { return zones[m.Zone] >= zones[candidate.Zone]+2 },
	} {
		for _, m := range members {
			if m.Votes && unfit(m) && !m.Self && safe(m) {
				return Step{Demote, m}
			}
		}
	}
	return Step{}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// best is who should get the next vote: one that has caught up, in the zone that has
// the fewest.
func best(members []Member, zones map[string]int) (Member, bool) {
	able := slices.DeleteFunc(slices.Clone(members), func(m Member) bool {
		return m.Votes || m.Gone || !m.Available || !m.CaughtUp || m.Draining
	})
	if len(able) == 0 {
		return Member{}, false
	}
	return slices.MinFunc(able, func(a, b Member) int {
		return cmp.Or(cmp.Compare(zones[a.Zone], zones[b.Zone]), cmp.Compare(a.Replica, b.Replica))
	}), true
}
