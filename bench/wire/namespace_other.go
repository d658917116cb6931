//go:build !linux

package wire

import "fmt"

// namespace: there is none.
type namespace struct{}

func (namespace) close() error { return nil }

// Open refuses: network namespaces are Linux's.
func Open(int, uint64) (*Net, error) {
	return nil, fmt.Errorf("%w: they are Linux's: run it there", ErrUnavailable)
}

// Within refuses.
func (n *Net) Within(int, func() error) error { return ErrUnavailable }
