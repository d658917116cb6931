package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// testTime bounds what should take no time.
const testTime = 20 * time.Second

// open makes a network, or shows that the refusal says why and what to do, which is
// then all that can be shown here: not ok.
func open(t *testing.T, hosts int) (n *Net, ok bool) {
	t.Helper()
	n, err := Open(hosts, 1)
	if errors.Is(err, ErrUnavailable) {
		if !strings.Contains(err.Error(), "run it") && !strings.Contains(err.Error(), "/dev/net/tun") {
			t.Errorf("the refusal names no remedy: %v", err)
		}
		t.Logf("only the refusal was looked at: %v", err)
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n, true
}

// echo answers every connection to a host with what it sends.
func echo(t *testing.T, n *Net, host int) (address string) {
	t.Helper()
	var l net.Listener
	address = net.JoinHostPort(n.Address(host), "7000")
	err := n.Within(host, func() (err error) {
		l, err = net.Listen("tcp4", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }() // until the dialler goes
		}
	}()
	return address
}

// dial connects from a host.
func dial(t *testing.T, n *Net, host int, address string) net.Conn {
	t.Helper()
	var c net.Conn
	dialled := func() (err error) {
		c, err = net.DialTimeout("tcp4", address, testTime)
		return err
	}
	var err error
	if host == Outside {
		err = dialled()
	} else {
		err = n.Within(host, dialled)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a byte and waits for its echo.
func ask(c net.Conn, limit time.Duration) (time.Duration, error) {
	began := time.Now()
	if err := c.SetDeadline(began.Add(limit)); err != nil {
		return 0, err
	}
	if _, err := c.Write([]byte("x")); err != nil {
		return 0, err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return time.Since(began), err
}

// Hosts reach each other and the outside by real connections; a cut between two of
// them leaves the outside alone, and after it what was sent arrives.
func TestHostsAreJoinedAndCutOff(t *testing.T) {
	n, ok := open(t, 2)
	if !ok {
		return
	}
	address := echo(t, n, 1)
	inside, outside := dial(t, n, 2, address), dial(t, n, Outside, address)
	for _, c := range []net.Conn{inside, outside} {
		if _, err := ask(c, testTime); err != nil {
			t.Fatal(err)
		}
	}
	n.Between(1, 2, Condition{Cut: true})
	if _, err := ask(inside, 300*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("across a cut link: %v", err)
	}
	if _, err := ask(outside, testTime); err != nil {
		t.Errorf("the outside is cut off too: %v", err)
	}
	n.Heal()
	if err := inside.SetDeadline(time.Now().Add(testTime)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(inside, make([]byte, 1)); err != nil {
		t.Errorf("what was sent across the cut does not arrive after it: %v", err)
	}
	n.Between(1, 2, Condition{Delay: 100 * time.Millisecond})
	if took, err := ask(inside, testTime); err != nil || took < 200*time.Millisecond {
		t.Errorf("there and back took %v with 100 ms each way, %v", took, err)
	}
}

// "Everything made is removed again": a process that is killed leaves no device, and
// its namespaces go with it.
func TestNothingIsLeftOfAKilledProcess(t *testing.T) {
	if os.Getenv("LOCKSTEP_WIRE_CHILD") != "" {
		n, err := Open(2, 1)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("address %s\n", n.Address(Outside))
		select {}
	}
	if _, ok := open(t, 1); !ok {
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "LOCKSTEP_WIRE_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ours := strings.CutPrefix(strings.TrimSpace(line), "address ")
	if err != nil || !ours || !hasAddress(t, address) {
		t.Errorf("the child says %q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	for limit := time.Now().Add(testTime); hasAddress(t, address); rest(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("the device with %s is still there", address)
		}
	}
}

// hasAddress tells whether a device here has an address.
func hasAddress(t *testing.T, address string) bool {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if strings.HasPrefix(a.String(), address+"/") {
			return true
		}
	}
	return false
}
