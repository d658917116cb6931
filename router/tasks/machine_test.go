package tasks

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestTranscripts tells stories of tasks at their holder, seconds in place of time.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		s := &story{now: time.Unix(0, 0)}
		allow := Allow{Commands: []string{"/bin/sweep", "/bin/check"}, Hosts: []string{"hooks.example.org"}}
		s.machine = NewMachine(Times{Lease: 3 * time.Second, LeaseStop: time.Second}, allow.Refuse)
		datadriven.RunTest(t, path, s.command)
	})
}

type story struct {
	now     time.Time
	machine *Machine
	held    []Held
}

func (s *story) at(seconds string) time.Time {
	f, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		panic(err)
	}
	return time.Unix(0, 0).Add(time.Duration(f * float64(time.Second)))
}

func (s *story) command(t *testing.T, d *datadriven.TestData) string {
	var number uint64
	var text string
	d.MaybeScanArgs(t, "id", &number)
	d.MaybeScanArgs(t, "how", &text)
	text = strings.ReplaceAll(text, "_", " ")
	group := "bank"
	d.MaybeScanArgs(t, "group", &group)
	var seconds string
	if d.MaybeScanArgs(t, "at", &seconds); seconds != "" {
		s.now = s.at(seconds)
	}
	switch d.Cmd {
	case "hold": // hold task=NAME epoch=N [reason=] [version=], the definition below
		s.hold(t, d)
	case "lose":
		var reason string
		d.ScanArgs(t, "reason", &reason)
		lost := map[Key]string{}
		for _, h := range s.held {
			lost[h.Key] = reason
		}
		s.held = nil
		s.machine.Hold(s.now, nil, lost)
	case "reach":
		s.machine.Confirmed(s.now, s.now, group)
	case "exited":
		s.machine.Exited(s.now, number, text)
	case "probed":
		s.machine.Probed(s.now, number, text)
	case "called":
		s.machine.Called(s.now, number, text)
	case "until": // time passes, a majority in reach or not
		return s.until(t, d)
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	return s.show()
}

func (s *story) hold(t *testing.T, d *datadriven.TestData) {
	h := Held{Key: Key{Group: "bank"}, Reason: "normal", Version: 1}
	d.ScanArgs(t, "task", &h.Task)
	d.ScanArgs(t, "epoch", &h.Epoch)
	d.MaybeScanArgs(t, "reason", &h.Reason)
	d.MaybeScanArgs(t, "version", &h.Version)
	def, err := Parse([]byte(d.Input))
	if err != nil {
		t.Fatal(err)
	}
	h.Definition = def
	s.held = []Held{h}
	s.machine.Hold(s.now, s.held, nil)
}

func (s *story) until(t *testing.T, d *datadriven.TestData) string {
	var seconds string
	d.ScanArgs(t, "time", &seconds)
	end := s.at(seconds)
	var out strings.Builder
	for {
		next := s.machine.Next(s.now)
		if d.HasArg("reached") {
			if tick := s.now.Add(time.Second); next.IsZero() || tick.Before(next) {
				next = tick
			}
		}
		if next.IsZero() || next.After(end) {
			s.now = end
			break
		}
		s.now = next
		s.machine.Tick(s.now)
		if d.HasArg("reached") {
			s.machine.Confirmed(s.now, s.now, "bank")
		}
		s.effects(&out)
	}
	out.WriteString(s.show())
	return out.String()
}

func (s *story) clock(t time.Time) string {
	return strconv.FormatFloat(t.Sub(time.Unix(0, 0)).Seconds(), 'f', -1, 64) + "s"
}

func (s *story) effects(out *strings.Builder) {
	for _, e := range s.machine.Effects() {
		switch {
		case e.Start != nil:
			fmt.Fprintf(out, "%s start %d: %s, epoch %d, %s\n", s.clock(s.now), e.Start.Run, strings.Join(e.Start.Held.Definition.Run, " "), e.Start.Held.Epoch, e.Start.Held.Reason)
		case e.Signal != nil && e.Signal.Kill:
			fmt.Fprintf(out, "%s kill %d\n", s.clock(s.now), e.Signal.Run)
		case e.Signal != nil:
			fmt.Fprintf(out, "%s terminate %d\n", s.clock(s.now), e.Signal.Run)
		case e.Probe != nil:
			fmt.Fprintf(out, "%s probe %d within %v\n", s.clock(s.now), e.Probe.Run, e.Probe.Timeout)
		case e.Call != nil:
			fmt.Fprintf(out, "%s call %d: %s, epoch %d, %s\n", s.clock(s.now), e.Call.Call, e.Call.Event, e.Call.Held.Epoch, e.Call.Reason)
		}
	}
}

func (s *story) show() string {
	var out strings.Builder
	s.effects(&out)
	for _, st := range s.machine.States() {
		fmt.Fprintf(&out, "%s %s", st.Task, st.Phase)
		if st.Epoch != 0 {
			fmt.Fprintf(&out, " epoch %d", st.Epoch)
		}
		if st.Restarts > 0 {
			fmt.Fprintf(&out, ", restarts %d", st.Restarts)
		}
		if st.Exit != "" {
			fmt.Fprintf(&out, ", last: %s", st.Exit)
		}
		if st.Health != "" {
			fmt.Fprintf(&out, ", %s", st.Health)
		}
		if !st.Next.IsZero() {
			fmt.Fprintf(&out, ", next %s", s.clock(st.Next))
		}
		if st.Detail != "" {
			fmt.Fprintf(&out, " (%s)", st.Detail)
		}
		out.WriteByte('\n')
	}
	if s.machine.Idle() {
		out.WriteString("nothing\n")
	}
	return out.String()
}
