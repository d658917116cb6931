package lang

import "github.com/google/cel-go/common/operators"

// libraryPreface is the head of the page; the number is the language version.
const libraryPreface = `# The standard library of the transaction language

This page is written by a test from the table of functions (` + "`go test ./engine/lang -run StandardLibrary -rewrite`" + `); every
result and every cost on it was computed by the engine. It is of language version %d.

Expressions are [CEL](https://cel.dev). They stand in the steps of transactions, in defaults and in checks; the steps
themselves are described in [program](../program/doc.go), how expressions are compiled in [doc.go](doc.go).

**Types** are bool, int (64 bits, signed), uint, double, string, bytes, timestamp, duration, list, map, and json for what
is known at run time only (` + "`dyn(x)`" + ` makes anything of that type). Comparisons between int, uint and double are allowed and
exact; arithmetic wants one type, and the refusal names the cast.

**Null.** A type that ends in ` + "`?`" + ` takes null, and so does json. Null can be compared with ` + "`==`" + ` and ` + "`!=`" + `; computing with it is
an ` + "`evaluation_error`" + `, which ` + "`coalesce(a, b)`" + ` prevents. In a table's checks, a comparison with a null column is unknown and the
check passes, as in SQL. The column *of null* tells what a function does if its first argument is null.

**Errors.** Every function gives a value or a fault, and a fault aborts the transaction with ` + "`evaluation_error`" + ` and the step's
name: overflow, division by zero, a double that is not finite, a position outside. Two faults abort with ` + "`cost_exceeded`" + `: the
budget is used up, or a value is too large. Faults are outcomes, the same on every copy.
`

// libraryCosts has the rules of cost; the numbers are the constants of limits.go.
const libraryCosts = `
**Cost** is counted in units of some tens of nanoseconds; a transaction has 1,000,000. Each operator, call, name and literal
costs one, %[2]d more for each key of a map that is written out. What looks at or makes a value of some size costs one more
for each %[1]d bytes of text, each element of a list, each node of a comparison. A comprehension costs its body once for each
element, a hash %[3]d for each block, a pattern %[4]d for each of its bytes (once, where it is a literal) and then the text's
length times its size (%[5]d instructions at most). The column *cost* is that of the whole example.
`

func librarySections() []librarySection {
	return []librarySection{
		{"Operators", "", []libraryEntry{
			{operators.Add, "sum; also puts texts, bytes and lists together", "[1, 2] + [3]"},
			{operators.Subtract, "difference; of two timestamps a duration", "timestamp('2026-03-01T00:00:00Z') - timestamp('2026-02-01T00:00:00Z')"},
			{operators.Multiply, "product", "6 * 7"},
			{operators.Divide, "quotient, of integers towards zero", "-7 / 2"},
			{operators.Modulo, "remainder, with the sign of the dividend", "-7 % 2"},
			{operators.Negate, "the opposite", "-(2 - 3)"},
			{operators.Equals, "equality, of lists and maps too; numbers by value", "1 == 1.0"},
			{operators.NotEquals, "its opposite", "'a' != 'b'"},
			{operators.Less, "order: false before true, numbers by value, text and bytes by bytes, times by time", "'Z' < 'a'"},
			{operators.LessEquals, "likewise", "1u <= 1.5"},
			{operators.Greater, "likewise", "duration('90s') > duration('1m')"},
			{operators.GreaterEquals, "likewise", "2 >= 2"},
			{operators.LogicalAnd, "and; false decides, even where the other side is a fault", "1 / 0 > 1 && false"},
			{operators.LogicalOr, "or; true decides likewise", "true || 1 / 0 > 1"},
			{operators.LogicalNot, "not", "!(1 > 2)"},
			{operators.Conditional, "one of two; the other is not evaluated", "2 > 1 ? 'yes' : 'no'"},
			{operators.In, "is it an element of a list, or a key of a map", "'b' in ['a', 'b']"},
			{operators.Index, "an element of a list, from 0, or the value under a map's key", "{'a': 1}['a']"},
		}},
		{"Macros", "The element is named by the first argument. Over a map they visit its keys in ascending order.\n", []libraryEntry{
			{"=has(m.field)", "is the field there; one that is null is not", "has({'a': 1}.b)"},
			{"=all", "does every element satisfy it", "[1, 2, 3].all(x, x > 0)"},
			{"=exists", "does any", "[1, 2, 3].exists(x, x > 2)"},
			{"=exists_one", "does exactly one; also existsOne", "[1, 2, 3].exists_one(x, x > 2)"},
			{"=map", "a list of values, with three arguments of those elements that satisfy the second", "[1, 2, 3].map(x, x > 1, x * x)"},
			{"=filter", "the elements that satisfy it", "{'b': 2, 'a': 1}.filter(k, k != 'b')"},
		}},
		{"Null and conversions", "", []libraryEntry{
			{"coalesce", "the first, or the second where that is null", "coalesce(when(false, 1), 0)"},
			{"when", "the value, or null where the condition is false", "when(1 > 2, 'big')"},
			{"dyn", "the same value, its type looked at when it is used", "dyn(1) == dyn('a')"},
			{"bool", "of 'true', 'false' and their like", "bool('true')"},
			{"int", "towards zero; of text decimal digits, of a timestamp seconds since 1970", "int(-2.9)"},
			{"uint", "likewise", "uint('7')"},
			{"double", "the nearest double", "double('2.5')"},
			{"string", "as outcomes write it; of bytes that are UTF-8 their text", "string(timestamp(0))"},
			{"bytes", "the text's UTF-8", "bytes('é')"},
			{"timestamp", "of RFC 3339 text, or of seconds since 1970; the years 1 to 9999", "timestamp('2026-05-01T12:00:00+02:00')"},
			{"duration", "of h, m, s, ms, us and ns", "duration('1h30m')"},
		}},
		{"Text", "Positions count characters (Unicode code points), from 0. Case and white space are those of ASCII, since Unicode's tables\nchange. A pattern is one of RE2 that matches anywhere in the text, without Unicode classes and without ignoring case.\n", []libraryEntry{
			{"size", "the number of characters, bytes, elements or entries", "size('né')"},
			{"contains", "does the text stand in it", "'transfer'.contains('sf')"},
			{"startsWith", "does it begin so", "'transfer'.startsWith('tr')"},
			{"endsWith", "does it end so", "'transfer'.endsWith('er')"},
			{"matches", "does the pattern match anywhere in it", "'a-17'.matches('^[a-z]-[0-9]+$')"},
			{"lowerAscii", "A to Z as a to z, all else as it is", "'Ärger'.lowerAscii()"},
			{"upperAscii", "the other way round", "'abc'.upperAscii()"},
			{"trim", "without white space at its ends", "' a '.trim()"},
			{"charAt", "the character at a position; '' just after the last", "'abc'.charAt(1)"},
			{"substring", "from a position up to another one or the end", "'transfer'.substring(1, 4)"},
			{"indexOf", "where it first occurs, from a position on; -1 where it does not; also of a list's element", "'banana'.indexOf('an', 2)"},
			{"lastIndexOf", "where it last occurs", "'banana'.lastIndexOf('an')"},
			{"replace", "each occurrence, or the first n", "'banana'.replace('a', 'o', 2)"},
			{"split", "the parts between a separator, at most n", "'a,b,c'.split(',', 2)"},
			{"join", "the texts of a list, with a separator between them", "['a', 'b'].join('-')"},
			{"reverse", "backwards, character by character or element by element", "'abc'.reverse()"},
		}},
		{"Numbers", "There are no functions whose last bit depends on the processor, and products are never fused with sums: a double is the\nsame on every copy. -0 is 0, and a double that would not be finite is a fault.\n", []libraryEntry{
			{"math.abs", "without its sign", "math.abs(-5)"},
			{"math.sign", "-1, 0 or 1", "math.sign(-2.5)"},
			{"math.ceil", "up to a whole number", "math.ceil(1.2)"},
			{"math.floor", "down to one", "math.floor(-1.2)"},
			{"math.round", "to the nearest, half away from zero", "math.round(2.5)"},
			{"math.trunc", "towards zero", "math.trunc(-1.7)"},
			{"math.sqrt", "the square root, rounded correctly (IEEE 754); of a negative number a fault", "math.sqrt(2)"},
			{"math.least", "the least of two to four numbers of one type, or of a list", "math.least(3, 1, 2)"},
			{"math.greatest", "the greatest", "math.greatest([1.5, 2.5])"},
			{"math.bitAnd", "bit by bit", "math.bitAnd(12, 10)"},
			{"math.bitOr", "bit by bit", "math.bitOr(12, 10)"},
			{"math.bitXor", "bit by bit", "math.bitXor(12u, 10u)"},
			{"math.bitNot", "every bit turned round", "math.bitNot(0)"},
			{"math.bitShiftLeft", "moved by some places, zeros coming in", "math.bitShiftLeft(1, 10)"},
			{"math.bitShiftRight", "likewise; the sign of an int is moved as any other bit", "math.bitShiftRight(1024, 3)"},
			{"muldiv", "a·b/c rounded half to even, with no overflow in between", "muldiv(1999, 19, 119)"},
			{"sum", "of a list; 0 if it is empty", "sum([1, 2, 3])"},
			{"min", "the least of a list; of an empty one a fault", "min([3, 1, 2])"},
			{"max", "the greatest", "max([3, 1, 2])"},
			{"avg", "the mean, a double", "avg([1, 2])"},
		}},
		{"Lists", "", []libraryEntry{
			{"lists.range", "the numbers from 0 up to but not including n", "lists.range(4)"},
			{"slice", "the elements from one position up to another", "[1, 2, 3, 4].slice(1, 3)"},
			{"flatten", "the elements of a list's lists, one level deep", "[[1, 2], [3]].flatten()"},
			{"distinct", "without what equals an earlier element", "[2, 1, 2, 3, 1].distinct()"},
			{"sort", "ascending", "['b', 'a', 'C'].sort()"},
			{"isSorted", "is it ascending already", "[1, 2, 2].isSorted()"},
			{"sets.contains", "are all elements of the second list in the first", "sets.contains([1, 2, 3], [3, 1])"},
			{"sets.intersects", "have they an element in common", "sets.intersects([1, 2], [2, 3])"},
			{"sets.equivalent", "has each all elements of the other", "sets.equivalent([1, 2, 2], [2, 1])"},
		}},
		{"Time", timeText, []libraryEntry{
			{"getFullYear", "the year", "tx.now.getFullYear()"},
			{"getMonth", "the month, from 0", "tx.now.getMonth()"},
			{"getDate", "the day of the month, from 1", "tx.now.getDate()"},
			{"getDayOfMonth", "the day of the month, from 0", "tx.now.getDayOfMonth()"},
			{"getDayOfYear", "the day of the year, from 0", "tx.now.getDayOfYear()"},
			{"getDayOfWeek", "the day of the week, Sunday 0", "tx.now.getDayOfWeek()"},
			{"getHours", "the hour of the day; of a duration, all of it in whole hours", "duration('90m').getHours()"},
			{"getMinutes", "the minute of the hour; of a duration, all of it", "duration('90m').getMinutes()"},
			{"getSeconds", "likewise", "tx.now.getSeconds()"},
			{"getMilliseconds", "likewise", "tx.now.getMilliseconds()"},
		}},
		{"The transaction, ids and chance", txText, []libraryEntry{
			{"=tx.id", "the transaction's id", "tx.id"},
			{"=tx.revision", "its revision: the next one of its group", "tx.revision"},
			{"=tx.now", "its time", "tx.now"},
			{"tx.uuid", "the n-th UUID of this transaction (version 8 of RFC 9562)", "tx.uuid(0)"},
			{"tx.random", "the n-th double of this transaction, from 0 up to but not including 1", "tx.random(0)"},
		}},
		{"Hashes and encodings", "Results are bytes; JSON shows those as base64.\n", []libraryEntry{
			{"sha256", "SHA-256 of bytes, or of a text's UTF-8", "hex(sha256('abc'))"},
			{"sha512", "SHA-512", "size(sha512('abc'))"},
			{"hex", "lower-case hexadecimal digits", "hex(b'\\xca\\xfe')"},
			{"fromHex", "the bytes of them", "fromHex('cafe')"},
			{"base64", "base64 with padding (RFC 4648)", "base64(b'abc')"},
			{"fromBase64", "the bytes of it", "string(fromBase64('YWJj'))"},
		}},
		{"Money", moneyText, nil},
	}
}

const timeText = "`tx.now` is the time that the group's primary stamped into the log entry, in milliseconds. It is the same on every copy, now and\n" +
	"at every replay, and never goes back within a group; all transactions of one entry share it. No function reads a clock. In\n" +
	"defaults and transactions it is the entry's, in a query the snapshot's. All parts are in UTC: time zones are left out.\n\n" +
	"Of what expires, keep the instant and compare: `tx.now - row.leased > duration('5m')`. The beginning of a day is\n" +
	"`timestamp(int(t) - int(t) % 86400)`:\n\n" +
	"> timestamp(int(tx.now) - int(tx.now) % 86400)\n"

const txText = "What is drawn is a hash (SHA-256) of the entry's seed, the transaction's id and n: the same on every copy, another one in\n" +
	"every transaction, and not to be guessed before the entry is ordered. The same n gives the same value again. An inline\n" +
	"query has neither `tx.id` nor these two. In `each`, use the index as n:\n\n" +
	"> lists.range(2).map(i, tx.uuid(i).substring(0, 8))\n\n" +
	"A number from 1 to 6 and one of a list:\n\n" +
	"> [1 + int(tx.random(0) * 6.0), ['red', 'green', 'blue'][int(tx.random(1) * 3.0)]]\n"

const moneyText = "Keep money in an `int` of the smallest unit (cents), and its currency in a column beside it. A double can't hold 0.1, and\n" +
	"sums of doubles drift; an int is exact up to 9.2 · 10^18 cents, and an overflow is a fault, never a wrong balance.\n\n" +
	"Apply rates with `muldiv`, which multiplies before it divides and rounds once, half to even. 19 % tax contained in 19.99,\n" +
	"and 4.25 % interest for 30 of 360 days on 1,000,000.00 (rates in units of 0.01 %):\n\n" +
	"> [muldiv(1999, 19, 119), muldiv(100000000, 425 * 30, 10000 * 360)]\n\n" +
	"Round one total, not its parts: the sum of rounded parts is another number. To share an amount so that not a cent is lost\n" +
	"or made, give each the difference of two rounded running sums (here 100.00 by the weights 1, 1 and 1), or the whole part\n" +
	"and the first ones a cent more:\n\n" +
	"> lists.range(3).map(i, muldiv(10000, sum([1, 1, 1].slice(0, i + 1)), 3) - muldiv(10000, sum([1, 1, 1].slice(0, i)), 3))\n\n" +
	"> lists.range(3).map(i, 10000 / 3 + (i < 10000 % 3 ? 1 : 0))\n\n" +
	"For people, write it where it is shown; in a message:\n\n" +
	"> string(190005 / 100) + (190005 % 100 < 10 ? '.0' : '.') + string(190005 % 100)\n\n" +
	"And let a check of the table say what no transaction may do: `row.balance >= 0`.\n"

type left struct{ example, why string }

func leftOut() []left {
	return []left{
		{"type(1)", "types are known when a schema is applied; what is json is looked at by using it"},
		{"tx.now.getHours('Europe/Berlin')", "what a zone's name means depends on the host's tables, which change"},
		{"'a'.matches('(?i)A')", "case folding and Unicode classes change with the tables; use lowerAscii()"},
		{`'a'.matches('\\pL')`, "likewise"},
		{"'%d'.format([1])", "its text of a double and its size are not bounded as other functions' are; put text together with +"},
		{"'a1'.find('[0-9]')", "a match is a question; cut text with split, indexOf and substring"},
		{"{'a': 1}.?a", "optional syntax: null does the same, with coalesce, when and has"},
		{"cel.bind(x, 1, x + x)", "a let step names a value, and its cost is paid once"},
		{"[1, 2].all(i, v, v > i)", "comprehensions of two variables: use lists.range, or an each step with index"},
		{"[3, 1].sortBy(x, -x)", "sort the keys, or scan by an index"},
		{"math.log(2.0)", "logarithms, powers and angles differ in the last bit between processors"},
		{"math.isNaN(1.0)", "no double is ever anything but finite"},
		{"now()", "a clock differs between copies; tx.now does not"},
		{"google.protobuf.Int64Value{value: 1}", "objects by name: an object is written as a map"},
		{"md5('a')", "md5 and sha1 are broken; use sha256"},
		{"ip('10.0.0.1')", "Kubernetes' network types, quantities and versions: text with a check by pattern"},
		{"'x'.quote()", "quoting depends on who reads it"},
		{"[1].first()", "use [0] where it is known to be there"},
	}
}
