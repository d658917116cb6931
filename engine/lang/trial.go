package lang

import "lockstep/engine/value"

// TrialVersion is a version that no program has: tests switch to it.
const TrialVersion = Version + 1000

// NewTrialEnv is NewEnv by a program that knows one version more, in which
// expressions cost more and there is one more function, trial(int). It is how
// tests show two versions side by side, and the switch from one to the other.
func NewTrialEnv() (*Env, error) {
	e, err := NewEnv()
	if err != nil {
		return nil, err
	}
	next, err := newEnv(TrialVersion, append(functions(), function{"trial", unaryOf(func(_ *Frame, a value.Value) (value.Value, *Fault) {
		return value.OfInt(a.Int()), nil
	}), []string{"int -> int"}}))
	if err != nil {
		return nil, err
	}
	next.extra = 1
	e.versions[TrialVersion], next.versions = next, e.versions
	return e, nil
}
