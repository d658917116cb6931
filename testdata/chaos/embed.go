// Package chaos holds the schema of bench chaos: a bank that writes down each
// transfer as it makes it, so that the rows alone show how often each happened.
package chaos

import _ "embed" // for Schema

// Schema is the schema document, YAML.
//
//go:embed schema.yaml
var Schema string
