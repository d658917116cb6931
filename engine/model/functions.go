package model

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"time"

	"github.com/google/cel-go/common/ast"
)

// apply calls a function whose arguments are evaluated.
func (x *evaluator) apply(name string, args []any, _ []ast.Expr) any {
	if isOperator(name) {
		return operator(name, args)
	}
	if name == "math.least" || name == "math.greatest" {
		if len(args) == 1 {
			return aggregate(name, args[0], nil)
		}
		return extreme(name, args)
	}
	for i := range args {
		args[i] = plain(args[i])
	}
	for _, group := range []func(string, []any) (any, bool){
		x.ofTx, conversions, texts, positions, numbers, bits, lists, parts, encodings,
	} {
		if v, ok := group(name, args); ok {
			return v
		}
	}
	return noOperation(name, args...)
}

func (x *evaluator) ofTx(name string, args []any) (any, bool) {
	n, ok := args[0].(int64)
	switch {
	case ok && name == "tx.uuid":
		return x.tx.uuid(n), true
	case ok && name == "tx.random":
		return x.tx.random(n), true
	}
	return nil, false
}

func unconvertible(to string, v any) any {
	fail("evaluation_error", show(v)+" is no "+to)
	return nil
}

func conversions(name string, args []any) (any, bool) {
	a := args[0]
	if a == nil || len(args) != 1 {
		return nil, false
	}
	switch name {
	case "int":
		return toWhole("int", a)
	case "uint":
		return toWhole("uint", a)
	case "double":
		return toDouble(a)
	case "bool":
		switch a := a.(type) {
		case bool:
			return a, true
		case string:
			if b, err := strconv.ParseBool(a); err == nil {
				return b, true
			}
			return unconvertible("bool", a), true
		}
	case "string":
		switch a := a.(type) {
		case List, *Map, *Object:
			return nil, false
		case Bytes:
			if !validText(a) {
				fail("evaluation_error", "string of bytes that are no UTF-8 text")
			}
			return string(a), true
		}
		return text(a), true
	case "bytes":
		switch a := a.(type) {
		case Bytes:
			return a, true
		case string:
			return Bytes(a), true
		}
	case "timestamp":
		return toTimestamp(a)
	case "duration":
		switch a := a.(type) {
		case time.Duration:
			return a, true
		case string:
			d, err := time.ParseDuration(a)
			if err != nil {
				return unconvertible("duration", a), true
			}
			return d, true
		}
	}
	return nil, false
}

func toWhole(kind string, a any) (any, bool) {
	var n *big.Int
	switch a := a.(type) {
	case int64:
		n = big.NewInt(a)
	case uint64:
		n = new(big.Int).SetUint64(a)
	case float64:
		if kind == "uint" && a < 0 || a <= math.MinInt64 { // as in CEL, the least int is out too
			return unconvertible(kind, a), true
		}
		n, _ = big.NewFloat(a).Int(nil) // towards zero
	case string:
		var ok bool
		if n, ok = new(big.Int).SetString(a, 10); !ok {
			return unconvertible(kind, a), true
		}
	case time.Time:
		if kind == "uint" {
			return nil, false
		}
		return a.Unix(), true
	default:
		return nil, false
	}
	switch {
	case kind == "int" && n.IsInt64():
		return n.Int64(), true
	case kind == "uint" && n.IsUint64():
		return n.Uint64(), true
	}
	return unconvertible(kind, a), true
}

var decimal = regexp.MustCompile(`^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$`)

func toDouble(a any) (any, bool) {
	switch a := a.(type) {
	case float64:
		return a, true
	case int64:
		return float64(a), true
	case uint64:
		return float64(a), true
	case string:
		f, err := strconv.ParseFloat(a, 64)
		if err != nil || !decimal.MatchString(a) {
			return unconvertible("double", a), true
		}
		return unsigned(f), true
	}
	return nil, false
}

func toTimestamp(a any) (any, bool) {
	switch a := a.(type) {
	case time.Time:
		return a, true
	case int64:
		if a < -62135596800 || a > 253402300799 {
			return unconvertible("timestamp", a), true
		}
		return time.Unix(a, 0).UTC(), true
	case string:
		if at, ok := parseTime(a); ok {
			return at, true
		}
		return unconvertible("timestamp", a), true
	}
	return nil, false
}

// aggregate is a function of a list of numbers; of says what an empty list would
// hold.
func aggregate(name string, v any, of func() string) any {
	l, ok := v.(List)
	if !ok {
		return noOperation(name, v)
	}
	total := new(big.Int)
	double := 0.0
	kind := ""
	var least, most any
	for i, e := range l {
		switch e := plain(e).(type) {
		case int64:
			total.Add(total, big.NewInt(e))
		case uint64:
			total.Add(total, new(big.Int).SetUint64(e))
		case float64:
			double += e
		default:
			return noOperation(name, e)
		}
		if i == 0 {
			kind, least, most = kindName(e), e, e
		}
		if kindName(e) != kind {
			return noOperation(name, l[0], e)
		}
		if o, _ := compareNumbers(plain(e), plain(least)); o < 0 {
			least = e
		}
		if o, _ := compareNumbers(plain(e), plain(most)); o > 0 {
			most = e
		}
	}
	if len(l) == 0 {
		if name != "sum" {
			fail("evaluation_error", name+" of an empty list")
		}
		kind = of()
	}
	switch name {
	case "min", "math.least":
		return least
	case "max", "math.greatest":
		return most
	}
	if kind == "double" {
		sum := finite(name, double)
		if name == "avg" {
			return finite(name, sum.(float64)/float64(len(l)))
		}
		return sum
	}
	sum := whole(name, total, kind == "uint")
	if name == "sum" {
		return sum
	}
	d, _ := toDouble(sum)
	return finite(name, d.(float64)/float64(len(l)))
}

func numbers(name string, args []any) (any, bool) {
	switch name {
	case "muldiv":
		return muldiv(args)
	case "math.sqrt":
		return squareRoot(args[0])
	case "math.abs":
		switch a := args[0].(type) {
		case int64:
			return whole(name, new(big.Int).Abs(big.NewInt(a)), false), true
		case uint64:
			return a, true
		case float64:
			return math.Abs(a), true
		}
	case "math.sign":
		switch a := args[0].(type) {
		case int64:
			return int64(big.NewInt(a).Sign()), true
		case uint64:
			return uint64(new(big.Int).SetUint64(a).Sign()), true
		case float64:
			return float64(big.NewFloat(a).Sign()), true
		}
	case "math.ceil", "math.floor", "math.round", "math.trunc":
		a, ok := args[0].(float64)
		if !ok {
			return nil, false
		}
		fn := map[string]func(float64) float64{"math.ceil": math.Ceil, "math.floor": math.Floor,
			"math.round": math.Round, "math.trunc": math.Trunc}[name]
		return finite(name, fn(a)), true
	}
	return nil, false
}

// muldiv is a·b/c, rounded half to even.
func muldiv(args []any) (any, bool) {
	var n [3]*big.Int
	for i, a := range args {
		if kindName(a) != kindName(args[0]) {
			return nil, false
		}
		switch a := a.(type) {
		case int64:
			n[i] = big.NewInt(a)
		case uint64:
			n[i] = new(big.Int).SetUint64(a)
		default:
			return nil, false
		}
	}
	if n[2].Sign() == 0 {
		fail("evaluation_error", "division by zero in muldiv")
	}
	r := new(big.Rat).SetFrac(new(big.Int).Mul(n[0], n[1]), n[2])
	// The floor of twice the quotient tells which half it lies in.
	floor := new(big.Int).Div(r.Num(), r.Denom())
	rest := new(big.Rat).Sub(r, new(big.Rat).SetInt(floor))
	half := rest.Cmp(big.NewRat(1, 2))
	if half > 0 || half == 0 && floor.Bit(0) == 1 {
		floor.Add(floor, big.NewInt(1))
	}
	_, isUint := args[0].(uint64)
	return whole("muldiv", floor, isUint), true
}

func encodings(name string, args []any) (any, bool) {
	switch a := args[0].(type) {
	case string:
		switch name {
		case "sha256":
			d := sha256.Sum256([]byte(a))
			return Bytes(d[:]), true
		case "sha512":
			d := sha512.Sum512([]byte(a))
			return Bytes(d[:]), true
		case "fromHex":
			b, err := hex.DecodeString(a)
			if err != nil {
				return unconvertible("hex", a), true
			}
			return Bytes(b), true
		case "fromBase64":
			b, err := base64.StdEncoding.DecodeString(a)
			if err != nil {
				return unconvertible("base64", a), true
			}
			return Bytes(b), true
		}
	case Bytes:
		switch name {
		case "sha256":
			d := sha256.Sum256([]byte(a))
			return Bytes(d[:]), true
		case "sha512":
			d := sha512.Sum512([]byte(a))
			return Bytes(d[:]), true
		case "hex":
			return hex.EncodeToString([]byte(a)), true
		case "base64":
			return text(a), true
		}
	}
	return nil, false
}

// parts are those of instants and spans.
func parts(name string, args []any) (any, bool) {
	var n int
	switch a := args[0].(type) {
	case time.Time:
		switch name {
		case "getFullYear":
			n = a.Year()
		case "getMonth":
			n = int(a.Month()) - 1
		case "getDate":
			n = a.Day()
		case "getDayOfMonth":
			n = a.Day() - 1
		case "getDayOfYear":
			n = a.YearDay() - 1
		case "getDayOfWeek":
			n = int(a.Weekday())
		case "getHours":
			n = a.Hour()
		case "getMinutes":
			n = a.Minute()
		case "getSeconds":
			n = a.Second()
		case "getMilliseconds":
			n = a.Nanosecond() / 1e6
		default:
			return nil, false
		}
		return int64(n), true
	case time.Duration:
		unit := map[string]time.Duration{"getHours": time.Hour, "getMinutes": time.Minute,
			"getSeconds": time.Second, "getMilliseconds": time.Millisecond}[name]
		if unit != 0 {
			return int64(a / unit), true
		}
	}
	return nil, false
}
