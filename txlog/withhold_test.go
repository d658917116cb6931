package txlog

import (
	"testing"
	"time"

	"github.com/lni/dragonboat/v4/raftpb"
)

// withhold.go: a witness is told of an entry when it is on this host's disk, and the copies that keep up have it;
// one that does not is waited for once.
func TestWhatIsForAWitnessWaitsForTheDiskAndForCopies(t *testing.T) {
	const grace = 50 * time.Millisecond
	w := newWithholding(grace)
	start := time.Now()
	var queue []heldBack
	replicate := func(at time.Duration, index uint64) {
		entry := raftpb.Entry{Index: index, Term: 4, Type: raftpb.ApplicationEntry}
		w.sent(&raftpb.Message{Type: raftpb.Replicate, ShardID: 1, From: 1, To: 2, Term: 4, Entries: []raftpb.Entry{entry}})
		entry.Type = raftpb.MetadataEntry
		m := raftpb.Message{Type: raftpb.Replicate, ShardID: 1, From: 1, To: 3, Term: 4, Entries: []raftpb.Entry{entry}}
		if !w.forWitness(&m) {
			t.Fatal("not taken for a witness's")
		}
		queue = append(queue, heldBack{message: m, since: start.Add(at)})
	}
	write := func(index uint64) {
		w.wrote([]raftpb.Update{{ShardID: 1, ReplicaID: 1, EntriesToSave: []raftpb.Entry{{Index: index, Term: 4}}}})
	}
	hear := func(index uint64) {
		w.heard([]raftpb.Message{{Type: raftpb.ReplicateResp, ShardID: 1, From: 2, To: 1, Term: 4, LogIndex: index}})
	}
	expect := func(at time.Duration, what string, want int) {
		t.Helper()
		ready, rest, _, _ := w.take(queue, start.Add(at))
		if queue = rest; len(ready) != want {
			t.Fatalf("%s: %d may go, not %d", what, len(ready), want)
		}
	}
	config := raftpb.Message{Type: raftpb.Replicate, ShardID: 1, From: 1, To: 2, Term: 4, Entries: []raftpb.Entry{{Index: 9, Term: 4, Type: raftpb.ConfigChangeEntry}}}
	replicate(0, 10)
	if w.forWitness(&config) {
		t.Fatal("a change of members is kept from a copy")
	}
	hear(10)
	expect(grace*2, "not on disk, whoever else has it", 0)
	write(10)
	expect(grace*2, "on disk and with the copy", 1)

	replicate(0, 11)
	write(11)
	expect(grace/2, "on disk, not with the copy", 0)
	expect(grace, "the copy takes too long", 1)
	replicate(grace, 12)
	write(12)
	expect(grace, "and is not waited for again", 1)
	hear(12)
	replicate(grace, 13)
	write(13)
	expect(grace, "until it has caught up", 0)
	hear(13)
	expect(grace, "and has this one as well", 1)

	write(12) // another leader's entry in the place of 12
	replicate(0, 13)
	hear(13)
	expect(0, "what was on disk is not any more", 0)
	expect(2*w.limit, "what waits too long is Raft's to send again", 0)
	if len(queue) != 0 {
		t.Fatal("it still waits")
	}
}

// withhold.go: "those that take longer than an election are not waited for again": in each profile a dead copy is
// given up before what waits for it is dropped, for what is sent again waits anew.
func TestADeadCopyIsGivenUpInEachProfile(t *testing.T) {
	for _, profile := range []Profile{LAN(), WAN()} {
		election := time.Duration(profile.ElectionTicks) * profile.Tick
		w := newWithholding((&Host{cfg: Config{Profile: profile}}).ticks(profile.ElectionTicks))
		entry := raftpb.Entry{Index: 10, Term: 4, Type: raftpb.ApplicationEntry}
		w.sent(&raftpb.Message{Type: raftpb.Replicate, ShardID: 1, From: 1, To: 2, Term: 4, Entries: []raftpb.Entry{entry}})
		w.wrote([]raftpb.Update{{ShardID: 1, ReplicaID: 1, EntriesToSave: []raftpb.Entry{entry}}})
		entry.Type = raftpb.MetadataEntry
		m := raftpb.Message{Type: raftpb.Replicate, ShardID: 1, From: 1, To: 3, Term: 4, Entries: []raftpb.Entry{entry}}
		start := time.Now()
		queue := []heldBack{{message: m, since: start}}
		for at := time.Duration(0); ; at += profile.Tick {
			ready, rest, _, _ := w.take(queue, start.Add(at))
			if len(ready) == 1 && at >= election {
				break
			}
			if len(rest) != 1 || at > election {
				t.Fatalf("%s: after %v %d may go and %d wait", profile.Name, at, len(ready), len(rest))
			}
		}
	}
}
