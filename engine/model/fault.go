package model

// Abort is the end of a transaction without effect. Inside the model it travels
// as a panic, the naive way to get out of a tree.
type Abort struct {
	Code, Step, Message string
	null                bool // a null was met, which a check passes on
}

func (a *Abort) Error() string { return a.Code + " at " + a.Step + ": " + a.Message }

func fail(code, message string) { panic(&Abort{Code: code, Message: message}) }

func failNull(message string) {
	panic(&Abort{Code: "evaluation_error", Message: message, null: true})
}

// try runs a function and gives the abort that ended it.
func try[T any](fn func() T) (v T, a *Abort) {
	defer func() {
		if r := recover(); r != nil {
			var ok bool
			if a, ok = r.(*Abort); !ok {
				panic(r)
			}
		}
	}()
	return fn(), nil
}

// noOperation fails for operands that an operation is not defined for.
func noOperation(op string, args ...any) any {
	kinds := ""
	for i, a := range args {
		if a == nil {
			failNull(op + " of null")
		}
		if i > 0 {
			kinds += ", "
		}
		kinds += kindName(a)
	}
	fail("evaluation_error", op+" is not defined for "+kinds)
	return nil
}
