package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The names of what is built in.
const (
	// DefaultPolicy comes last of all: score 0 for every candidate.
	DefaultPolicy = "default"

	// SubscriberPolicy is built in for backup and verify, which are work that the
	// primary had better be spared: a subscriber is chosen where there is one, and
	// keeps the task when it becomes the primary. Any policy of a user goes before
	// it.
	SubscriberPolicy = "default-subscriber"
)

func builtinName(name string) bool { return name == DefaultPolicy || name == SubscriberPolicy }

// builtins are the documents of what is built in.
func builtins() []*Document {
	return []*Document{
		{Name: SubscriberPolicy, Task: "backup", Prefer: []Preference{{"partition.role == 'subscriber'", 1}}, Margin: 2, Count: 1, Enabled: true},
		{Name: DefaultPolicy, Task: "*", Count: 1, Enabled: true},
	}
}

// Set is the policies of a cluster and what is built in, in the order in which
// they decide. It is immutable and safe for concurrent use.
type Set struct {
	policies []*Policy // what is built in included
	compiler *Compiler
}

// NewSet makes a set of compiled policies. Their names must differ.
func (c *Compiler) NewSet(policies ...*Policy) (*Set, error) {
	if len(policies) > MaxPolicies {
		return nil, fmt.Errorf("%d policies; at most %d are taken", len(policies), MaxPolicies)
	}
	s := &Set{compiler: c, policies: slices.Clone(policies)}
	names := map[string]bool{}
	for _, p := range policies {
		if names[p.Name] {
			return nil, fmt.Errorf("there are two policies of the name %s", p.Name)
		}
		names[p.Name] = true
	}
	own, err := c.builtins()
	if err != nil {
		return nil, err
	}
	s.policies = append(s.policies, own...)
	slices.SortStableFunc(s.policies, precedes)
	return s, nil
}

// builtins compiles what is built in: the one for subscribers once for each task.
func (c *Compiler) builtins() (list []*Policy, err error) {
	for _, d := range builtins() {
		for _, task := range []string{d.Task, TaskVerify} {
			if task != d.Task && d.Name != SubscriberPolicy {
				continue
			}
			doc := *d
			doc.Task = task
			p, problem := c.trusted(&doc)
			if problem != nil {
				return nil, fmt.Errorf("the built-in policy %s: %w", d.Name, problem)
			}
			list = append(list, p)
		}
	}
	return list, nil
}

// trusted compiles a document that was not read.
func (c *Compiler) trusted(d *Document) (*Policy, error) {
	text, err := d.MarshalJSON()
	if err != nil {
		return nil, err
	}
	// Its name is reserved: read it under another.
	read, problems := c.Read([]byte(strings.Replace(string(text), `"`+d.Name+`"`, `"builtin"`, 1)))
	if problems != nil {
		return nil, errors.New(problems[0].String())
	}
	read.Name, read.builtin = d.Name, true
	return read, nil
}

// With is the set with a policy added, in the place of one of the same name.
func (s *Set) With(p *Policy) *Set {
	list := slices.DeleteFunc(slices.Clone(s.policies), func(q *Policy) bool { return q.Name == p.Name })
	list = append(list, p)
	slices.SortStableFunc(list, precedes)
	return &Set{policies: list, compiler: s.compiler}
}

// Without is the set without a policy.
func (s *Set) Without(name string) *Set {
	list := slices.DeleteFunc(slices.Clone(s.policies), func(q *Policy) bool { return q.Name == name && !q.builtin })
	return &Set{policies: list, compiler: s.compiler}
}

// Policies are those of users, in the order in which they decide.
func (s *Set) Policies() []*Policy {
	return slices.DeleteFunc(slices.Clone(s.policies), func(p *Policy) bool { return p.builtin })
}

// decides is the policy that decides on a task: the first that matches. What is
// built in matches every task.
func (s *Set) decides(in *Input) *Policy {
	for _, p := range s.policies {
		if _, ok := p.matches(in); ok {
			return p
		}
	}
	return s.policies[len(s.policies)-1]
}

// Deciding is the policy that decides on a task of a group, for its schedule.
func (s *Set) Deciding(in *Input) *Policy { return s.decides(in) }
