package node

import (
	"encoding/json"
	"fmt"

	"lockstep/policy"
	"lockstep/router"
)

// policyCatalog is the first version of the catalog's schema that has policies.
const policyCatalog = 5

// Why a transaction on policies is aborted; policyRefusal has the words for it.
const (
	abortNoPolicy     = "no_such_policy"
	abortManyPolicies = "many_policies"
)

// putPolicy is the transaction that stores a policy.
func putPolicy(name, document string, m router.TaskMatch) ([]byte, error) {
	type step map[string]any
	expr, version := matches(m)
	return json.Marshal(map[string]any{
		"steps": []step{
			{"get": step{"table": "policies", "key": []string{"params.name"}, "as": "t", "optional": true}},
			{"require": step{"expr": expr, "code": abortOtherVersion}},
			{"scan": step{"table": "policies", "count": true, "as": "policies_there", "limit": policy.MaxPolicies + 1}},
			{"require": step{"expr": fmt.Sprintf("t != null || policies_there < %d", policy.MaxPolicies), "code": abortManyPolicies}},
			{"if": step{
				"expr": "t == null || t.document != params.document",
				"then": []step{{"upsert": step{"table": "policies", "row": step{
					"name": "params.name", "document": "params.document", "version": "tx.revision",
				}}}},
			}},
		},
		"params": map[string]any{"name": name, "document": document, "match": version},
		"return": "{'created': t == null, 'changed': t == null || t.document != params.document}",
	})
}

// deletePolicy is the transaction that takes a policy away.
func deletePolicy(name string, m router.TaskMatch) ([]byte, error) {
	type step map[string]any
	expr, version := matches(m)
	return json.Marshal(map[string]any{
		"steps": []step{
			{"get": step{"table": "policies", "key": []string{"params.name"}, "as": "t", "optional": true}},
			{"require": step{"expr": "t != null", "code": abortNoPolicy}},
			{"require": step{"expr": expr, "code": abortOtherVersion}},
			{"delete": step{"table": "policies", "key": []string{"params.name"}}},
		},
		"params": map[string]any{"name": name, "match": version},
	})
}
