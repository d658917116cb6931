package order

import (
	"fmt"
	"sync"
)

// Switch hands the connections that peers open to the Orderer of the group that
// they name. A node has one for all its groups.
type Switch struct {
	mu     sync.Mutex
	groups map[string]*Orderer
}

// NewSwitch makes one without groups.
func NewSwitch() *Switch { return &Switch{groups: make(map[string]*Orderer)} }

// Add lets peers reach o under its group's name.
func (s *Switch) Add(o *Orderer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[o.cfg.Group] = o
}

// Remove ends that for new connections.
func (s *Switch) Remove(o *Orderer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups[o.cfg.Group] == o {
		delete(s.groups, o.cfg.Group)
	}
}

// Serve reads what a peer asks over conn, on the caller's goroutine, until the
// connection ends. It closes conn and says why it ended.
func (s *Switch) Serve(from uint64, conn Conn) error {
	defer conn.Close()
	hello, err := conn.ReadFrame()
	if err != nil {
		return fmt.Errorf("read a peer's greeting: %w", err)
	}
	if len(hello) < 2 || hello[0] != wireVersion {
		return goodbye(conn, fmt.Errorf("%w: greeting", errFrame))
	}
	s.mu.Lock()
	o := s.groups[string(hello[1:])]
	s.mu.Unlock()
	if o == nil {
		return goodbye(conn, fmt.Errorf("group %.100q has no copy here", hello[1:]))
	}
	in := o.newInbound(from, conn)
	if in == nil {
		return goodbye(conn, ErrDraining)
	}
	return in.run()
}

// goodbye tells the peer why its connection ends.
func goodbye(conn Conn, reason error) error {
	if conn.WriteFrame(append([]byte{frameGoodbye}, reason.Error()...)) == nil {
		_ = conn.Flush()
	}
	return reason
}
