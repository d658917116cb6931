package lang

// The bounds of the language. Each is part of the language version, since a
// document refused by one copy must be refused by all.
const (
	// MaxSourceBytes bounds one expression, so that compiling it stays well
	// below a few milliseconds.
	MaxSourceBytes = 8 << 10

	// MaxDepth bounds nesting, in levels of the grammar, so that neither
	// compiling nor evaluating can exhaust the stack.
	MaxDepth = 64

	// MaxExprNodes bounds the tree of one expression, macros expanded.
	MaxExprNodes = 10_000

	// MaxContainerDepth bounds lists, maps and comprehensions inside each other:
	// the checker's time grows with the cube of it.
	MaxContainerDepth = 16

	// MaxCheckWork bounds nodes times type variables, which the checker's time is
	// proportional to: some 20 ms at most.
	MaxCheckWork = 200_000

	// MaxNameBytes bounds the names of tables, columns and variables.
	MaxNameBytes = 64

	// MaxPatternBytes bounds the text of a regular expression.
	MaxPatternBytes = 512

	// MaxPatternProgram bounds a regular expression's compiled size, in
	// instructions: the time of a match is the text's length times this.
	MaxPatternProgram = 1_000

	// MaxOperandBytes is what a fault keeps of an operand's text.
	MaxOperandBytes = 64

	// bytesPerUnit is how much text is read or copied for one unit of cost.
	bytesPerUnit = 16

	// hashUnits is what one SHA-256 block costs more than reading its bytes.
	hashUnits = 32

	// patternUnitsPerByte is what compiling a byte of a regular expression costs.
	patternUnitsPerByte = 64

	// keyUnits is what one key of a map costs beyond its value: it is compared
	// while it is sorted.
	keyUnits = 4

	// matchSteps is how many instruction-bytes of a match cost one unit.
	matchSteps = 4

	// compareUnits is what one node costs in an equality of lists or maps.
	compareUnits = 1
)
