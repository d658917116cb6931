// Package bank is the example that everything begins with: accounts and transfers
// between them. Its schema is what lockstep dev applies and what tests run on.
package bank

import _ "embed" // for Schema

// Schema is the example's schema document, YAML.
//
//go:embed schema.yaml
var Schema string
