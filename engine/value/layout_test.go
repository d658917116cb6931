package value_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"lockstep/engine/value"

	"pgregory.net/rapid"
)

// A Value of more than four words would be copied through memory at every call.
func TestValueIsThreeWords(t *testing.T) {
	if got := unsafe.Sizeof(value.Value{}); got > 24 {
		t.Errorf("a Value takes %d bytes", got)
	}
}

// What a Value points to is text or a body, and only its kind tells which:
// asking for the other finds nothing, and never takes one for the other.
func TestAccessorsOfOtherKindsFindNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(anyValue(2), orders()).Draw(t, "v")
		isText := v.Kind() == value.String || v.Kind() == value.Bytes
		isBody := v.Kind() >= value.List
		if !isText && v.Str() != "" {
			t.Errorf("%s has the text %q", v.Kind(), v.Str())
		}
		if (v.Comp() != nil) != isBody {
			t.Errorf("%s has the body %p", v.Kind(), v.Comp())
		}
		if (isText || isBody) && (v.Bool() || v.Int() != 0 || v.Uint() != 0 || v.Double() != 0 || v.Seconds() != 0 || v.Duration() != 0) {
			t.Errorf("%s has a number", v.Kind())
		}
	})
}

func TestTextHasNoElements(t *testing.T) {
	long := value.OfString(strings.Repeat("text", 100)) // longer than a body is
	for name, f := range map[string]func(){
		"an element": func() { long.At(0) },
		"a field":    func() { long.Field(0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("text has %s", name)
				}
			}()
			f()
		}()
	}
}

// Text that only values still refer to stays what it was while memory around it
// is used again.
func TestTextOutlivesItsSource(t *testing.T) {
	const n = 1000
	text := func(i int) string { return fmt.Sprintf("account-%06d", i) }
	var held []value.Value
	for i := range n {
		source := strings.Repeat(" ", i%7) + text(i) + strings.Repeat("!", i%5)
		cut := value.OfString(source[i%7 : i%7+len(text(i))])
		list, _, err := value.DecodeBinary(value.AppendBinary(nil, value.OfList([]value.Value{cut, value.OfString("")})))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, cut, list.At(0))
		if i%100 == 0 {
			runtime.GC()
		}
	}
	for i, v := range held {
		if v.Str() != text(i/2) {
			t.Fatalf("%q became %q", text(i/2), v.Str())
		}
	}
}

// Same is identity where Equal is equality; text is the same wherever it lies.
func TestSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(2).Draw(t, "v")
		again, _, err := value.DecodeBinary(value.AppendBinary(nil, v))
		if err != nil {
			t.Fatal(err)
		}
		if !value.Same(v, v) {
			t.Errorf("%#v is not the same as itself", v)
		}
		if scalar := v.Comp() == nil; value.Same(v, again) != scalar {
			t.Errorf("%#v is the same as its copy: %v", v, !scalar)
		}
		other := scalars().Draw(t, "other")
		if value.Same(v, other) && string(value.AppendBinary(nil, v)) != string(value.AppendBinary(nil, other)) {
			t.Errorf("%#v is the same as %#v", v, other)
		}
	})
	if marked := value.OfJSONInt(1 << 60); value.Same(marked, value.OfInt(1<<60)) || !value.Equal(marked, value.OfInt(1<<60)) {
		t.Error("an int out of json equals any other like it, and is not the same")
	}
}
