package main

import "github.com/spf13/cobra"

func (a *app) policyCommand() *cobra.Command {
	c := a.family("policy", "Placement policies: which node holds which task",
		a.policyList(), a.policyGet(), a.policyApply(), a.policyDelete(), a.policyExplain(), a.policyCheck(), a.policyTest(), a.policyBacktest())
	c.Long = `A policy says which node is to hold a task: what a candidate must fulfil, what is
preferred and by how much, and how reluctantly the task moves. policy/POLICIES.md
tells of the document and of all that its expressions can look at.`
	return c
}
