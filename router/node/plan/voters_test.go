package plan_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"lockstep/router/node/plan"
)

func member(replica int, zone string, votes bool) plan.Member {
	return plan.Member{Replica: uint64(replica), Node: uint64(replica), Zone: zone, Votes: votes, Available: true, CaughtUp: true}
}

// "up to five voters, the rest non-voting, chosen and replaced by itself as nodes come
// and go".
func TestNextMember(t *testing.T) {
	five := func(change func(m []plan.Member)) []plan.Member {
		var m []plan.Member
		for i := range 6 {
			m = append(m, member(i+1, "", i < 5))
		}
		m[0].Self = true
		change(m)
		return m
	}
	for _, c := range []struct {
		name    string
		members []plan.Member
		want    string
	}{
		{"one alone", []plan.Member{member(1, "", true)}, "0 0"},
		{"one that joined", []plan.Member{member(1, "", true), member(2, "", false)}, "3 2"},
		{"five vote", five(func([]plan.Member) {}), "0 0"},
		{"one is away for a moment", five(func(m []plan.Member) { m[3].Available = false }), "0 0"},
		{"one stays away", five(func(m []plan.Member) { m[3].Available, m[3].Away = false, true }), "4 4"},
		{"one stays away, and nobody is there in its place", five(func(m []plan.Member) {
			m[3].Available, m[3].Away, m[5].Available = false, true, false
		}), "0 0"},
		{"one that stays away is another replica by now", five(func(m []plan.Member) { m[3].Available, m[3].Gone = false, true }), "1 4"},
		{"three are away", five(func(m []plan.Member) {
			for i := 2; i < 5; i++ {
				m[i].Available, m[i].Away = false, true
			}
		}), "0 0"},
		{"its place is free", five(func(m []plan.Member) { m[3].Votes, m[3].Available = false, false }), "3 6"},
		{"one drains", five(func(m []plan.Member) { m[2].Draining = true }), "4 3"},
		{"the leader leaves", five(func(m []plan.Member) { m[0].Gone = true }), "2 1"},
		{"two leave two", []plan.Member{member(1, "", true), {Replica: 2, Votes: true, Gone: true, Available: true}}, "1 2"},
		{"a zone has too many", []plan.Member{member(1, "a", true), member(2, "a", true), member(3, "a", true), member(4, "b", true),
			member(5, "b", true), member(6, "c", false)}, "4 1"},
		{"a zone has one too many", []plan.Member{member(1, "a", true), member(2, "a", true), member(3, "b", true), member(4, "b", true),
			member(5, "c", true), member(6, "c", false)}, "0 0"},
		{"a zone has far too many", []plan.Member{member(1, "a", true), member(2, "a", true), member(3, "a", true), member(4, "a", true),
			member(5, "b", true), member(6, "b", false)}, "4 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plan.NextMember(c.members, 5)
			if got := fmt.Sprint(int(s.Kind), s.Replica); got != c.want {
				t.Errorf("step %s, want %s", got, c.want)
			}
		})
	}
}

// "Never below a majority of live voters", and it comes to an end: whoever is there,
// whatever is done next, step by step.
func TestVotersComeToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var members []plan.Member
		for i := range rapid.IntRange(1, 9).Draw(t, "members") {
			m := member(i+1, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "zone"), i == 0 || rapid.Bool().Draw(t, "votes"))
			m.Available, m.Gone, m.Draining = rapid.Float64().Draw(t, "up") < 0.8, rapid.Float64().Draw(t, "gone") < 0.2, rapid.Float64().Draw(t, "draining") < 0.2
			m.Away = !m.Available
			members = append(members, m)
		}
		leader := -1
		for i, m := range members {
			if m.Votes && m.Available {
				leader = i
				members[i].Self = true
				break
			}
		}
		if leader < 0 {
			return
		}
		next := uint64(100)
		for range 100 {
			s := plan.NextMember(members, 5)
			if s.Kind == plan.Nothing {
				return
			}
			voters, live := 0, 0
			at := -1
			for i, m := range members {
				if m.Replica == s.Replica {
					at = i
				}
				if m.Votes && m.Replica != s.Replica {
					voters++
					if m.Available {
						live++
					}
				}
			}
			switch s.Kind {
			case plan.TakeOut:
				if s.Votes && 2*live <= voters {
					t.Fatalf("taking out %d leaves %d of %d", s.Replica, live, voters)
				}
				members = append(members[:at:at], members[at+1:]...)
			case plan.Demote:
				// The node follows again under another id, once the old one is out.
				if 2*live <= voters {
					t.Fatalf("demoting %d leaves %d of %d", s.Replica, live, voters)
				}
				members[at].Replica, members[at].Votes = next, false
				next++
			case plan.Promote:
				members[at].Votes = true
			case plan.HandOver:
				for i, m := range members {
					if m.Votes && m.Available && !m.Gone && i != at {
						members[at].Self, members[i].Self = false, true
						break
					}
				}
				if members[at].Self {
					return // nobody to hand over to
				}
			}
		}
		t.Fatalf("it never comes to rest: %+v", members)
	})
}
