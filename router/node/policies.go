package node

import (
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"lockstep/engine/value"
	"lockstep/policy"
)

// policyRow is a user's policy, as the catalog has it.
type policyRow struct {
	name     string
	version  uint64 // the revision that wrote it
	document string // canonical JSON
}

func (c *catalog) addPolicy(row value.Value) error {
	c.policies = append(c.policies, policyRow{name: text(row, "name"), version: uint64(number(row, "version")), document: text(row, "document")})
	return nil
}

// policy finds a user's policy; the policies are in the order of their names.
func (c *catalog) policy(name string) (policyRow, bool) {
	i, ok := slices.BinarySearchFunc(c.policies, name, func(p policyRow, name string) int { return strings.Compare(p.name, name) })
	if !ok {
		return policyRow{}, false
	}
	return c.policies[i], true
}

// policies are the catalog's, compiled once each.
type policies struct {
	mu       sync.Mutex
	compiler *policy.Compiler
	rows     []policyRow // of which set was made
	compiled []*compiled // parallel to rows
	set      *policy.Set

	failures *prometheus.CounterVec // of expressions, by policy, group and task
}

// compiled is a policy as this program understands it: one that a later program
// stored may be nothing that this one can compile.
type compiled struct {
	*policy.Policy
	problem string // why there is none
}

// startPolicies begins with what is built in.
func (n *Node) startPolicies() (err error) {
	n.policies.failures = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lockstep_policy_failures_total",
		Help: "Expressions of placement policies that failed when this node decided by them. A require that fails excludes the candidate, a prefer counts 0; POST /v1/placements/explain has the reasons."}, []string{"policy", "group", "task"})
	n.policies.compiler = policy.NewCompilerIn(n.env)
	n.policies.set, err = n.policies.compiler.NewSet()
	return err
}

// count notes that expressions of a policy failed.
func (p *policies) count(policy, group, task string, failures int) {
	if failures > 0 {
		p.failures.WithLabelValues(policy, group, task).Add(float64(failures))
	}
}

// policySet is the set of policies that decides now. It is another one only where a
// policy is. What this program can't compile is left out; compiledPolicies has why.
func (n *Node) policySet() *policy.Set {
	set, _, _ := n.compiledPolicies()
	return set
}

// compiledPolicies are the set with the policies that it was made of, in the order of
// their names.
func (n *Node) compiledPolicies() (*policy.Set, []policyRow, []*compiled) {
	p, rows := &n.policies, n.catalog.Load().policies
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Equal(p.rows, rows) {
		return p.set, p.rows, p.compiled
	}
	list := make([]*compiled, len(rows))
	for i, row := range rows {
		if list[i] = p.known(row); list[i] == nil {
			list[i] = n.compilePolicy(row)
		}
	}
	p.rows, p.compiled, p.set = rows, list, n.setOf(list)
	return p.set, p.rows, p.compiled
}

// known is a policy that was compiled before.
func (p *policies) known(row policyRow) *compiled {
	if i := slices.Index(p.rows, row); i >= 0 {
		return p.compiled[i]
	}
	return nil
}

// compilePolicy compiles a stored document.
func (n *Node) compilePolicy(row policyRow) *compiled {
	got, problems := n.policies.compiler.Read([]byte(row.document))
	switch {
	case len(problems) > 0:
		n.cfg.Log.Error("a policy can't be understood by this program, and is left out", "policy", row.name, "reason", problems[0].String())
		return &compiled{problem: problems[0].String()}
	case got.Name != row.name:
		return &compiled{problem: "the document is of the policy " + got.Name}
	}
	return &compiled{Policy: got}
}

// setOf is the set of what could be compiled. More than a set takes were never
// stored; if they are, the first by name decide.
func (n *Node) setOf(list []*compiled) *policy.Set {
	var take []*policy.Policy
	for _, c := range list {
		if c.Policy != nil && len(take) < policy.MaxPolicies {
			take = append(take, c.Policy)
		}
	}
	set, err := n.policies.compiler.NewSet(take...)
	if err != nil {
		n.cfg.Log.Error("the policies can't be put together: those before them go on deciding", "error", err)
		return n.policies.set
	}
	return set
}
