// An assembly file, even an empty one, lets the package declare functions without bodies: see logstore.go.
