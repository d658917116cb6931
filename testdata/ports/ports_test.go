package ports_test

import (
	"net"
	"testing"

	"lockstep/testdata/ports"
)

// A port that is in use is passed over, and one that was given comes again late.
func TestPortsAreFreeAndDiffer(t *testing.T) {
	port, err := ports.Take(1, 100)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", ports.Address(port+1))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	seen := map[int]bool{port: true, port + 1: true}
	for range 100 {
		next, err := ports.Take()
		if err != nil {
			t.Fatal(err)
		}
		if seen[next] {
			t.Fatalf("port %d was given twice, or is in use", next)
		}
		seen[next] = true
	}
}
