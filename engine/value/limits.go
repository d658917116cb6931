package value

// The limits on values, with the reason for each figure.
const (
	// MaxNodes is how many values a value may hold, itself included. Walking
	// that many (comparing, printing, storing) takes about 10 ms, the longest
	// that one transaction may hold up the others at failover.
	MaxNodes = 100_000

	// MaxBytes is how many bytes of text and binary data a value may hold: 1 MiB,
	// a quarter of the largest request.
	MaxBytes = 1 << 20

	// MaxDepth is how deep a value may nest; a scalar has depth 0, an empty list 1.
	// It bounds the stack of everything that walks a value. Twice MaxJSONDepth, so
	// that json values can stand inside lists and objects.
	MaxDepth = 128

	// MaxJSONDepth is how deep a json value may nest, as input and in a column, so
	// that what was read can always be sent back.
	MaxJSONDepth = 64

	// MaxDocumentDepth is how deep a request may nest: its own shape, steps within
	// steps included, and json values inside that.
	MaxDocumentDepth = 256

	// MaxSafeInt is 2^53-1, the largest integer that every reader of JSON keeps
	// exactly.
	MaxSafeInt = 1<<53 - 1

	// sizeCap is where deep sizes stop growing: far above every limit, far below
	// overflow, for shared parts count as often as they are reached and so a size
	// can double with each constructor.
	sizeCap = 1 << 40
)
