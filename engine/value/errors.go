package value

import "errors"

// Why a text is not the value that it was taken for. The texts are shown to
// users behind the place of the value in their document, so they read as what
// follows "amount: ".
var (
	// ErrSyntax: the text has not the form of the kind at all.
	ErrSyntax = errors.New("wrong form")
	// ErrFraction: an integer was wanted and the number has a fractional value.
	ErrFraction = errors.New("number with a fractional part where a whole one is wanted")
	// ErrNegative: an unsigned integer was wanted and the number is negative.
	ErrNegative = errors.New("negative number where an unsigned one is wanted")
	// ErrRange: the form is right and the value lies outside the kind's range.
	ErrRange = errors.New("out of range")
)

// Why bytes are not an encoded value. Bytes come from the log or from rows, so
// each of these means damage or a newer writer, never a user's mistake.
var (
	// ErrTruncated: the bytes end within a value.
	ErrTruncated = errors.New("value: encoding is cut short")
	// ErrEncoding: the bytes are no encoding that AppendBinary writes.
	ErrEncoding = errors.New("value: not an encoding of a value")
	// ErrShape: an object stands where the reader expects none, or the other way
	// round, or has another number of fields.
	ErrShape = errors.New("value: object does not have the shape expected")
	// ErrTrailing: bytes are left over after the value.
	ErrTrailing = errors.New("value: bytes left over after the encoding")
)
