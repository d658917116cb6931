package model

import (
	"math"
	"math/big"
	"time"

	"github.com/google/cel-go/common/operators"
)

var signs = map[string]string{
	operators.Add: "+", operators.Subtract: "-", operators.Multiply: "*", operators.Divide: "/", operators.Modulo: "%",
	operators.Negate: "-", operators.LogicalNot: "!", operators.Less: "<", operators.LessEquals: "<=",
	operators.Greater: ">", operators.GreaterEquals: ">=",
}

// isOperator tells the operators that evaluate all of their operands.
func isOperator(name string) bool {
	return signs[name] != "" || name == operators.Index || name == operators.In
}

func operator(name string, args []any) any {
	for i := range args {
		args[i] = plain(args[i])
	}
	switch name {
	case operators.Index:
		return index(args[0], args[1])
	case operators.In:
		return in(args[0], args[1])
	case operators.LogicalNot:
		if b, ok := args[0].(bool); ok {
			return !b
		}
		return noOperation("!", args[0])
	case operators.Negate:
		return negate(args[0])
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		o, ok := compare(args[0], args[1])
		if !ok {
			return noOperation(signs[name], args...)
		}
		switch name {
		case operators.Less:
			return o < 0
		case operators.LessEquals:
			return o <= 0
		case operators.Greater:
			return o > 0
		}
		return o >= 0
	}
	return arithmetic(signs[name], args[0], args[1])
}

func negate(a any) any {
	switch a := a.(type) {
	case int64:
		return whole("-", new(big.Int).Neg(big.NewInt(a)), false)
	case float64:
		return unsigned(-a)
	case time.Duration:
		return time.Duration(whole("-", new(big.Int).Neg(big.NewInt(int64(a))), false).(int64))
	}
	return noOperation("-", a)
}

// whole is a result as int or uint, if it is one.
func whole(op string, n *big.Int, isUint bool) any {
	switch {
	case isUint && n.IsUint64():
		return n.Uint64()
	case !isUint && n.IsInt64():
		return n.Int64()
	}
	fail("evaluation_error", "overflow in "+op)
	return nil
}

// finite is a result as double, if it is a number.
func finite(op string, f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		fail("evaluation_error", "the result of "+op+" is no finite number")
	}
	return unsigned(f)
}

func arithmetic(op string, a, b any) any {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(int64); ok {
			return wholes(op, big.NewInt(x), big.NewInt(y), false)
		}
	case uint64:
		if y, ok := b.(uint64); ok {
			return wholes(op, new(big.Int).SetUint64(x), new(big.Int).SetUint64(y), true)
		}
	case float64:
		if y, ok := b.(float64); ok && op != "%" {
			return doubles(op, x, y)
		}
	case time.Time:
		if v, ok := fromInstant(op, x, b); ok {
			return v
		}
	case time.Duration:
		switch y := b.(type) {
		case time.Duration:
			if op == "+" || op == "-" {
				return time.Duration(wholes(op, big.NewInt(int64(x)), big.NewInt(int64(y)), false).(int64))
			}
		case time.Time:
			if op == "+" {
				return moved(op, y, x)
			}
		}
	default:
		if v, ok := joined(op, a, b); ok {
			return v
		}
	}
	return noOperation(op, a, b)
}

func wholes(op string, a, b *big.Int, isUint bool) any {
	n := new(big.Int)
	switch op {
	case "+":
		n.Add(a, b)
	case "-":
		n.Sub(a, b)
	case "*":
		n.Mul(a, b)
	case "/", "%":
		if b.Sign() == 0 {
			fail("evaluation_error", "division by zero in "+op)
		}
		n.Quo(a, b)
		whole(op, n, isUint) // the least int over -1 overflows, and so does what is left of it
		if op == "%" {
			n.Rem(a, b)
		}
	}
	return whole(op, n, isUint)
}

func doubles(op string, a, b float64) any {
	switch op {
	case "+":
		return finite(op, a+b)
	case "-":
		return finite(op, a-b)
	case "*":
		return finite(op, a*b)
	}
	if b == 0 {
		fail("evaluation_error", "division by zero in /")
	}
	return finite(op, a/b)
}

func fromInstant(op string, x time.Time, b any) (any, bool) {
	switch y := b.(type) {
	case time.Duration:
		switch op {
		case "+":
			return moved(op, x, y), true
		case "-":
			// As in CEL, the span is turned round first, which the longest can't be.
			n := whole(op, new(big.Int).Neg(big.NewInt(int64(y))), false)
			return moved(op, x, time.Duration(n.(int64))), true
		}
	case time.Time:
		if op == "-" {
			n := new(big.Int).Mul(big.NewInt(x.Unix()-y.Unix()), big.NewInt(1e9))
			n.Add(n, big.NewInt(int64(x.Nanosecond()-y.Nanosecond())))
			return time.Duration(whole(op, n, false).(int64)), true
		}
	}
	return nil, false
}

func moved(op string, at time.Time, by time.Duration) any {
	at = at.Add(by)
	if !inRange(at) {
		fail("evaluation_error", "the result of "+op+" is outside the years 1 to 9999")
	}
	return at
}

// joined is + of text, bytes and lists.
func joined(op string, a, b any) (any, bool) {
	if op != "+" {
		return nil, false
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return sized(x + y), true
		}
	case Bytes:
		if y, ok := b.(Bytes); ok {
			return sized(x + y), true
		}
	case List:
		if y, ok := b.(List); ok {
			return append(append(List{}, x...), y...), true
		}
	}
	return nil, false
}

// maxText is the most bytes that a value may have.
const maxText = 1 << 20

func sized[T ~string](s T) T {
	if len(s) > maxText {
		fail("cost_exceeded", "a value is larger than 1048576 bytes or 100000 nodes")
	}
	return s
}
