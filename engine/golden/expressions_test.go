package golden

// expressions use every function, operator and macro of the language (a test compares
// what ran with the language's own table), for operands of every type: names of params begin with the letter of their type (typesOf).
var expressions = []string{
	// Numbers.
	"i1 + i2", "i1 - i2", "i1 * i2", "i1 / i2", "i1 % i2", "-i1", "u1 + u2", "u1 - u2", "u1 * u2", "u1 / u2", "u1 % u2",
	"x1 + x2", "x1 - x2", "x1 * x2", "x1 / x2", "-x1", "x1 * x2 + x3", "x1 - x2 * x3", "x1 * x2 - x3 * x1", "(x1 + x2) * x3 / x1",
	"i1 < i2", "i1 <= u1", "u1 > x1", "x1 >= i1", "i1 == x1", "u1 != i1", "x1 == x2", "[i1, i2, 3] == [i2, i1, 3]",
	"math.abs(i1)", "math.abs(x1)", "math.abs(u1)", "math.sign(i1)", "math.sign(x1)", "math.sign(u1)",
	"[math.ceil(x1), math.floor(x1), math.round(x1), math.trunc(x1)]", "muldiv(i1, i2, i3)", "muldiv(u1, u2, u3)",
	"sum(l1)", "sum(m1)", "sum(v1)", "min(l1)", "max(m1)", "min(v1)", "avg(l1)", "avg(m1)", "avg(v1)", "sum(m1.map(e, e * x1))",
	"int(x1)", "int(u1)", "int(s1)", "int(t1)", "uint(i1)", "uint(x1)", "uint(s1)", "double(i1)", "double(u1)", "double(s1)",
	"string(x1)", "string(i1)", "string(u1)", "string(b1)", "string(y1)", "string(t1)", "string(d1)", "bool(s1)",
	"double(i1) * 0.1 + double(i2) / 3.0", "[x1, x2, x3].map(e, e * e + e)", "m1.filter(e, e > x1).map(e, e / x1)", "m1.all(e, e * x1 + x2 < x3)",
	"[math.least(i1, i2), math.least(i1, i2, i3), math.least(i1, i2, i3, i4), math.least(l1 + [i1])]", "[math.least(u1, u2), math.least([u1, u2, u3])]",
	"[math.least(x1, x2), math.least(x1, x2, x3), math.least(m1 + [x1])]", "[math.greatest(i1, i2), math.greatest(i1, i2, i3), math.greatest(i1, i2, i3, i4)]",
	"math.greatest(l1)", "math.greatest(v1)", "math.greatest(m1)", "math.greatest(u1, u2, u3, u4)", "math.greatest(x1, x2, x3, x4)", "math.least(j1, i1)",
	"math.sqrt(x1)", "math.sqrt(i1)", "math.sqrt(u1)", "math.sqrt(math.abs(x1)) * math.sqrt(math.abs(x2)) + x3", "[0.5, 2.0, 3.0, 1e300, 1e-320].map(e, math.sqrt(e))",
	"[math.bitAnd(i1, i2), math.bitOr(i1, i2), math.bitXor(i1, i2), math.bitNot(i1)]", "[math.bitAnd(u1, u2), math.bitOr(u1, u2), math.bitXor(u1, u2), math.bitNot(u1)]",
	"math.bitShiftLeft(i1, i2)", "math.bitShiftRight(i1, i2)", "math.bitShiftLeft(u1, i1)", "math.bitShiftRight(u1, i1)", "math.bitAnd(j1, i1)",
	"[0, 1, 31, 63, 64, 65].map(e, [math.bitShiftLeft(i1, e), math.bitShiftRight(i1, e)])", "[0, 1, 31, 63, 64, 65].map(e, [math.bitShiftLeft(u1, e), math.bitShiftRight(u1, e)])",
	// Logic and null.
	"b1 && b2", "b1 || 1 / 0 > 0", "!b1", "b1 ? i1 : i2", "i1 > 0 && i2 / (i1 - i1) > 0", "i2 / (i1 - i1) > 0 || b1", "coalesce(when(b1, i1), i2)", "when(b1, s1)",
	"coalesce(j1, 'nothing')", "when(b1, i1) + 1", "when(b1, s1) + s2", "when(b1, x1) == null",
	// Text and bytes.
	"s1 + s2", "s1 < s2", "s1.size()", "size(y1)", "s1.contains(s2)", "s1.startsWith(s2)", "s1.endsWith(s2)", "s1.lowerAscii()", "s1.upperAscii()",
	"s1.trim()", "s1.charAt(i1)", "s1.substring(i1)", "s1.substring(0, i1)", "s1.indexOf(s2)", "s1.indexOf(s2, i1)", "s1.lastIndexOf(s2)",
	"s1.lastIndexOf(s2, i1)", "s1.replace(s2, s3)", "s1.replace(s2, s3, i1)", "s1.split(s2)", "s1.split(s2, i1)", "n1.join()", "n1.join(s1)",
	"s1.matches(s2)", "s1.matches('^[a-c]+$')", "s1.matches('(' + s2)", "bytes(s1)", "y1 + y2", "y1 < y2", "sha256(s1)", "sha256(y1)", "sha512(s1)", "sha512(y1)", "s1.reverse()", "hex(y1)", "fromHex(s1)", "[fromHex(hex(y1)), fromBase64(base64(y1))]", "[bool(string(b1)), b1]", "duration(string(d1))", "timestamp(string(t1))", "base64(y1)",
	"fromBase64(s1)", "n1.map(e, e + s1)", "n1.exists(e, e == s1)", "n1.exists_one(e, e.size() == 1)", "l1.existsOne(e, e > 0)", "s1 in n1", "s1 in ['a', 'abc']",
	// Time.
	"t1 + d1", "t1 - d1", "d1 + t1", "t1 - t2", "d1 + d2", "d1 - d2", "-d1", "t1 < t2", "d1 < d2", "timestamp(s1)", "timestamp(i1)", "duration(s1)",
	"[t1.getFullYear(), t1.getMonth(), t1.getDate(), t1.getDayOfMonth(), t1.getDayOfYear(), t1.getDayOfWeek(), t1.getHours(), t1.getMinutes(), t1.getSeconds(), t1.getMilliseconds()]",
	"[d1.getHours(), d1.getMinutes(), d1.getSeconds(), d1.getMilliseconds()]", "tx.now - t1", "string(tx.now) + string(t1 - duration('1ms'))",
	// Lists and maps.
	"l1 + l2", "l1[i1]", "l1.map(e, e > 0, e % 7)", "size(l1)", "i1 in l1", "l1.all(e, 10 / e > 0)", "l1.exists(e, 10 / e > 0)", "l1 == l2",
	"{'b': i1, 'a': s1}.map(k, k)", "{s1: 1, s2: 2}", "{i1: 'i', u1: 'u', b1: 'b', s1: 's'}", "{i1: 1, i2: 2}[i3]", "s1 in {'a': 1, 'abc': 2}",
	"{'n': {'m': [i1, {'o': x1}]}}.n.m", "has({'a': j1}.a)", "[[i1], [i2, i3]].map(l, l.map(e, e))", "{'z': 1, 'y': j1, 'é': 3}.filter(k, k < s1)",
	"lists.range(i1)", "lists.range(100)", "lists.range(99999).size()", "lists.range(100000)", "l1.slice(i1, i2)", "n1.slice(0, i1)", "(l1 + l2).slice(0, size(l1))",
	"[l1, l2].flatten()", "[n1, [s1], []].flatten()", "(l1 + l2).distinct()", "(n1 + [s1, s2, s1]).distinct()", "m1.distinct()", "[[i1], [i2], [i1]].distinct()",
	"l1.reverse()", "n1.reverse()", "l1.sort()", "m1.sort()", "n1.sort()", "v1.sort()", "[b1, b2, true].sort()", "[y1, y2, y3].sort()", "[t1, t2, t3].sort()", "[d1, d2, d3].sort()",
	"[l1.isSorted(), m1.isSorted(), n1.isSorted(), v1.isSorted(), l1.sort().isSorted()]", "[[t1, t2].isSorted(), [d1, d2].isSorted(), [y1, y2].isSorted(), [b1, b2].isSorted()]",
	"[l1.indexOf(i1), l1.lastIndexOf(i1)]", "[n1.indexOf(s1), (n1 + n1).lastIndexOf(s1)]", "[m1.indexOf(x1), [x1, x2, x1].lastIndexOf(x1)]",
	"[sets.contains(l1, l2), sets.intersects(l1, l2), sets.equivalent(l1, l2)]", "[sets.contains(n1, [s1]), sets.intersects(n1, [s1, s2]), sets.equivalent(n1 + n1, n1)]",
	"[sets.contains(m1, [x1]), sets.intersects(m1, [x1, x2]), sets.equivalent(m1.reverse(), m1)]",
	// JSON, whose types show when it runs.
	"j1 + j2", "j1 - j2", "j1 * j2", "j1 / j2", "j1 == j2", "j1 < j2", "j1[i1]", "j1['a']", "j1.a", "j1.a.b", "has(j1.a)", "j1.map(e, e)", "j1.all(e, e)",
	"j1 in j2", "{j1: 1}", "{j1: 1, 'a': 2}", "j1 && b1", "!j1", "-j1", "j1 ? 1 : 2", "size(j1)", "string(j1)", "int(j1)", "double(j1) * 1.5 + 0.25",
	"sum([j1, j2])", "max([j1, j2])", "sha256(j1)", "j1.startsWith('a')", "[j1, j2, [j1]]", "dyn(i1) + dyn(x1)", "dyn(s1) == dyn(i1)", "j1 == {'a': j2}",
	"j1.sort()", "j1.isSorted()", "j1.distinct()", "j1.reverse()", "j1.flatten()", "[[j1], [j2]].flatten()", "j1.slice(0, i1)", "j1.indexOf(j2)", "[j1, j2].sort()",
	"[j1, j2, i1, x1].distinct()", "sets.contains(j1, [j2])", "sets.equivalent([j1, i1], [x1, j2])",
	// The transaction.
	"[tx.uuid(0), tx.uuid(i1)]", "tx.random(i1)", "tx.random(0) * 100.0 + tx.random(1)", "int(tx.random(2) * 1000.0)", "tx.id", "tx.revision + i1",
	"{'id': tx.id, 'at': tx.now, 'dice': [1, 2, 3].map(n, int(tx.random(n) * 6.0) + 1)}",
}
