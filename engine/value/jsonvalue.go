package value

import "encoding/base64"

// AsJSON is the value as a json column holds it, made of what FromJSON makes:
// objects become maps, keys of maps become text, bytes, instants and spans become
// the strings that they are written as, a uint becomes an int, and integers are
// marked to stay numbers (OfJSONInt). It is not ok where a uint is larger than
// every int, or where the value is nested over MaxJSONDepth. What is JSON already
// comes back as it is, without an allocation.
func AsJSON(v Value) (Value, bool) {
	if v.Size().Depth > MaxJSONDepth {
		return Value{}, false
	}
	if isJSON(v) {
		return v, true
	}
	return asJSON(v)
}

// isJSON tells whether FromJSON could have made the value.
func isJSON(v Value) bool {
	switch v.Kind() {
	case Null, Bool, Double, String:
		return true
	case Int:
		return v.fromJSON() == OfJSONInt(v.Int()).fromJSON()
	case List, Map:
	default:
		return false
	}
	for _, k := range v.Keys() {
		if k.Kind() != String {
			return false
		}
	}
	for _, e := range v.Elems() {
		if !isJSON(e) {
			return false
		}
	}
	return true
}

func asJSON(v Value) (Value, bool) {
	switch v.Kind() {
	case Int:
		return OfJSONInt(v.Int()), true
	case Uint:
		if int64(v.bits) < 0 {
			return Value{}, false
		}
		return OfJSONInt(v.Int()), true
	case Bytes:
		return OfString(base64.StdEncoding.EncodeToString([]byte(v.Str()))), true
	case Timestamp:
		return OfString(string(AppendTimestamp(nil, v))), true
	case Duration:
		return OfString(string(AppendDuration(nil, v.Duration()))), true
	case List, Map, Object:
		return compositeAsJSON(v)
	}
	return v, true
}

// compositeAsJSON converts a list, a map or an object with all that it holds.
func compositeAsJSON(v Value) (Value, bool) {
	c := v.Comp()
	elems := make([]Value, len(c.elems))
	for i, e := range c.elems {
		var ok bool
		if elems[i], ok = asJSON(e); !ok {
			return Value{}, false
		}
	}
	if v.Kind() == List {
		return OfList(elems), true
	}
	keys := make([]Value, len(elems))
	for i := range keys {
		if v.Kind() == Object {
			keys[i] = OfString(c.shape.Fields[i])
		} else {
			keys[i] = OfString(string(appendKeyText(nil, c.keys[i])))
		}
	}
	return OfMap(keys, elems)
}
