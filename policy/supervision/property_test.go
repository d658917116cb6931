package supervision

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A node whose heartbeats come in time is never held against it what else happens:
// others that die, lie about whom they hear, or the watch that is stopped.
func TestWhoSpeaksIsNotUnavailable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Defaults()
		names := []string{"n1", "n2", "n3", "n4"}
		w, err := New(cfg, "n1", names, 0)
		if err != nil {
			t.Fatal(err)
		}
		now, seq := time.Duration(0), uint64(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now += cfg.Interval
			if rapid.IntRange(0, 19).Draw(t, "stall") == 0 {
				now += time.Duration(rapid.IntRange(0, 10_000).Draw(t, "ms")) * time.Millisecond
			}
			seq++
			good := Beat{From: "n2", Boot: 1, Sequence: seq, Hears: []Hearing{{Node: "n1", Age: cfg.Interval}}}
			w.Heard(now, &good)
			for _, name := range names[2:] {
				if rapid.Bool().Draw(t, "speaks") {
					w.Heard(now, &Beat{From: name, Boot: 1, Sequence: seq, Hears: anyHears(t)})
				}
			}
			for _, c := range w.Tick(now) {
				if c.Node == "n2" && c.To != Available {
					t.Fatalf("n2 speaks, and becomes %s: %s", c.To, c.Text)
				}
				if c.Text == "" || c.Code == "" {
					t.Fatalf("%+v tells no reason", c)
				}
			}
		}
	})
}

func anyHears(t *rapid.T) (list []Hearing) {
	for range rapid.IntRange(0, 5).Draw(t, "hears") {
		list = append(list, Hearing{
			Node:     fmt.Sprintf("n%d", rapid.IntRange(1, 9).Draw(t, "whom")),
			Age:      time.Duration(rapid.Int64Range(-1e10, 1e12).Draw(t, "age")),
			HearsYou: rapid.Bool().Draw(t, "hears us"),
		})
	}
	return list
}

// A node that says nothing more is unavailable in the end, whatever others say of
// it, if only the watch is not stopped itself; and not before timeout × retries.
func TestWhoIsSilentIsUnavailableInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Interval: 100 * time.Millisecond, Timeout: time.Duration(rapid.IntRange(200, 1000).Draw(t, "timeout")) * time.Millisecond,
			Retries: rapid.IntRange(1, 5).Draw(t, "retries")}
		w, err := New(cfg, "n1", []string{"n1", "n2", "n3"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		spoke := rapid.IntRange(0, 20).Draw(t, "spoke")
		var now, last time.Duration
		for i := range 20 + int(PartialFactor*cfg.limit()/cfg.Interval) + 2 {
			now += cfg.Interval
			if i < spoke {
				w.Heard(now, &Beat{From: "n2", Boot: 7, Sequence: uint64(i + 1)})
				last = now
			}
			if rapid.Bool().Draw(t, "n3 speaks") {
				w.Heard(now, &Beat{From: "n3", Boot: 7, Sequence: uint64(i + 1), Hears: anyHears(t)})
			}
			for _, c := range w.Tick(now) {
				if c.Node == "n2" && c.To == Unavailable && now-last < cfg.limit() && i >= spoke {
					t.Fatalf("unavailable after %s, before %s", now-last, cfg.limit())
				}
			}
		}
		if s := w.Status(now)[1]; s.State != Unavailable {
			t.Fatalf("after %s it is %s: %s", s.Age, s.State, s.Text)
		}
		if !w.Settled(now) {
			t.Fatal("not settled")
		}
	})
}

// What is heard of strangers is dropped, and memory stays that of the members.
func TestStrangersAreDropped(t *testing.T) {
	w, err := New(Defaults(), "n1", []string{"n1", "n2"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		name := fmt.Sprintf("x%d", i)
		w.Heard(time.Duration(i)*time.Millisecond, &Beat{From: name, Sequence: 1})
		w.Heard(time.Duration(i)*time.Millisecond, &Beat{From: "n2", Sequence: uint64(i + 1), Hears: []Hearing{{Node: name}}})
		w.Wish(time.Duration(i)*time.Millisecond, name, Drained)
	}
	if len(w.members) != 2 || len(w.members["n2"].says) > 1 {
		t.Fatalf("%d members, n2 says %d", len(w.members), len(w.members["n2"].says))
	}
	if err := w.SetMembers(time.Second, make([]string, MaxNodes+1)); err == nil {
		t.Fatal("too many members are taken")
	}
}

// A Config that can't be used names the setting and the remedy.
func TestConfig(t *testing.T) {
	for _, c := range []Config{{}, {Interval: time.Second}, {Interval: time.Second, Timeout: time.Second, Retries: 1},
		{Interval: time.Second, Timeout: 2 * time.Second}, {Interval: time.Second, Timeout: 2 * time.Hour, Retries: 3}} {
		if _, err := New(c, "n1", nil, 0); err == nil {
			t.Errorf("%+v is taken", c)
		} else {
			t.Log(err)
		}
	}
}
