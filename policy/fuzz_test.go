package policy

import (
	"encoding/json"
	"testing"
	"time"
)

// Whatever a document holds, reading it ends with a policy or with its problems;
// and a policy that is written is read again as the same, and decides something
// within a bounded time.
func FuzzPolicy(f *testing.F) {
	for _, doc := range []string{
		"policy: p\ntask: primary\n",
		"policy: p\ntask: '*'\nrequire: [\"node.labels.all(k, node.labels[k].matches('a+'))\"]\nprefer: [{expr: \"1.0 - node.cpu\", weight: 10}]\nhold: 30s\nmargin: 5\ncount: 3\n",
		"policy: p\ntask: backup\nschedule: '0 3 * * MON-FRI'\ngroups: \"group.name in ['a']\"\n",
		`{"policy": "p", "task": "mailer", "require": ["lists.range(1000).all(x, lists.range(1000).all(y, x + y > int(now)))"]}`,
		`{"policy": "p", "task": "copy", "prefer": [{"expr": "group.zones[node.labels.zone]", "weight": -1}]}`,
	} {
		f.Add([]byte(doc))
	}
	s := newStory(f)
	in, problems := ParseInput([]byte("task: mailer\nholder: n1\nnodes: {n1: {}, n2: {labels: {a: b}, cpu: 0.5}, n3: {status: unavailable}}"))
	if problems != nil {
		f.Fatal(problems)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		p, problems := s.compiler.Read(src)
		if problems != nil {
			return
		}
		text, err := json.Marshal(&p.Document)
		if err != nil {
			t.Fatal(err)
		}
		again, problems := s.compiler.Read(text)
		if problems != nil {
			t.Fatalf("%s is not read again: %v", text, problems)
		}
		if twice, _ := json.Marshal(&again.Document); string(twice) != string(text) {
			t.Fatalf("%s\nbecomes\n%s", text, twice)
		}
		set := s.set.With(p)
		start := time.Now()
		for _, task := range []string{"mailer", "primary", TaskCopy, p.Task} {
			other := *in
			other.Task.Name = task
			set.Explain(&other)
			set.Decide(&other)
		}
		if took := time.Since(start); took > 5*time.Second { // 24 candidates at some 20,000 units
			t.Fatalf("it takes %s to decide by %s", took, text)
		}
	})
}

// An expression that would run on is stopped by its budget, and fails as any other.
func TestBudget(t *testing.T) {
	s := newStory(t)
	p, problems := s.compiler.Read([]byte(`{"policy": "p", "task": "mailer", "require": ["lists.range(1000).all(x, lists.range(1000).all(y, x + y >= node.tasks))"]}`))
	if problems != nil {
		t.Fatal(problems)
	}
	in, _ := ParseInput([]byte("task: mailer\nnodes: {n1: {}}"))
	d, e := s.set.With(p).Explain(in)
	if c := e.Candidates[0]; c.Eligible || c.Require[0].Error == "" || d.Failures != 1 {
		t.Errorf("%+v", c)
	}
}

func BenchmarkDecide(b *testing.B) {
	s := newStory(b)
	in, _ := ParseInput([]byte("task: primary\nholder: n1\nnodes: {n1: {labels: {zone: eu-1}}, n2: {labels: {zone: eu-1}, cpu: 0.5}, n3: {labels: {zone: us-1}}}"))
	p, problems := s.compiler.Read([]byte(`{"policy": "p", "task": "primary", "require": ["node.status == 'available'", "partition.lag_time < duration('2s')"],
		"prefer": [{"expr": "node.labels.zone == (now.getHours() < 16 ? 'eu-1' : 'us-1')", "weight": 100}, {"expr": "1.0 - node.cpu", "weight": 10}], "hold": "30s", "margin": 5}`))
	if problems != nil {
		b.Fatal(problems)
	}
	for name, set := range map[string]*Set{"default": s.set, "policy": s.set.With(p)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.Decide(in)
			}
		})
		b.Run(name+"/again", func(b *testing.B) {
			b.ReportAllocs()
			var d Decider
			for b.Loop() {
				d.Decide(set, in)
			}
		})
	}
}
