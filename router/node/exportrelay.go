package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"lockstep/router"
	"lockstep/txlog"
	"lockstep/txlog/peer"
)

// exportQuestion asks a node for a recording of its copy, on a connection of its
// own. The answer is frames: the first says whether there will be one, then pieces
// of it, then how it ended. Frames begin with their kind.
type exportQuestion struct {
	Group   string        `json:"group"`
	From    string        `json:"from"`
	Follow  time.Duration `json:"follow"`
	Timeout time.Duration `json:"timeout"` // for the first frame
}

const (
	exportBegun   byte = 1 // nothing more in it
	exportRefused byte = 2 // a refusal as JSON
	exportPiece   byte = 3
	exportEnded   byte = 4 // the reason, empty: all went well
)

// refusal is a *router.Problem on its way between nodes.
type refusal struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// relayedExport begins a recording of another node's copy.
func (n *Node) relayedExport(ctx context.Context, group string, o router.ExportOptions) (router.Recording, error) {
	q := exportQuestion{Group: group, From: o.From, Follow: o.Follow, Timeout: defaultWait}
	if at, ok := ctx.Deadline(); ok {
		q.Timeout = time.Until(at)
	}
	raw, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	last := errors.New("no node that has a copy of the group is known")
	for _, id := range n.servers(n.catalog.Load(), group) {
		var r *relayedRecording
		if r, err = n.askExport(ctx, id, raw, q.Timeout); err == nil {
			return r, nil
		}
		var p *router.Problem
		if errors.As(err, &p) && p.Code != "starting" && p.Code != "overloaded" {
			return nil, err
		}
		last = err
	}
	var p *router.Problem
	if errors.As(last, &p) {
		return nil, last
	}
	return nil, &router.Problem{Code: "no_primary", Group: group, Detail: "no node with a copy of the group could be reached: " + last.Error()}
}

func (n *Node) askExport(ctx context.Context, id txlog.NodeID, question []byte, wait time.Duration) (*relayedRecording, error) {
	conn, err := n.peers.Dial(ctx, uint64(id), serviceExport)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	err = conn.Send(question)
	var first []byte
	if err == nil {
		first, err = conn.ReadFrame()
	}
	if err == nil && (len(first) == 0 || first[0] != exportBegun) {
		err = refusedExport(first)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &relayedRecording{conn: conn}, nil
}

func refusedExport(frame []byte) error {
	var r refusal
	if len(frame) == 0 || frame[0] != exportRefused || json.Unmarshal(frame[1:], &r) != nil {
		return errors.New("the node's answer can't be read")
	}
	return &router.Problem{Code: r.Code, Detail: r.Detail}
}

// relayedRecording passes on what another node writes.
type relayedRecording struct{ conn *peer.Conn }

// Close ends the connection, and with it the other node's work.
func (r *relayedRecording) Close() { _ = r.conn.Close() }

// Write passes pieces on as they come. What can't be passed on is not read, and
// the other node waits, for as long as a peer may make it wait.
func (r *relayedRecording) Write(ctx context.Context, w io.Writer) error {
	stop := context.AfterFunc(ctx, r.Close)
	defer stop()
	var buf []byte
	for {
		// The other node says something at least every exportSilence.
		_ = r.conn.SetReadDeadline(time.Now().Add(2*exportSilence + defaultWait))
		frame, err := r.conn.ReadFrameInto(buf)
		if err != nil {
			return fmt.Errorf("read the recording from the node that has a copy: %w", err)
		}
		buf = frame
		switch {
		case len(frame) > 0 && frame[0] == exportPiece:
			if _, err := w.Write(frame[1:]); err != nil {
				return err
			}
		case len(frame) == 1 && frame[0] == exportEnded:
			return nil
		case len(frame) > 1 && frame[0] == exportEnded:
			return errors.New(string(frame[1:]))
		default:
			return errors.New("read the recording from the node that has a copy: it sent what is none")
		}
	}
}

// serveExport answers an exportQuestion.
func (n *Node) serveExport(_ uint64, conn *peer.Conn) {
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(defaultWait))
	frame, err := conn.ReadFrame()
	var q exportQuestion
	if err != nil || json.Unmarshal(frame, &q) != nil || q.Follow < 0 || q.Follow > router.MaxExportFollow {
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, min(max(q.Timeout, 0), defaultWait))
	rec, err := n.exportHere(ctx, q)
	cancel()
	if err != nil {
		_ = conn.Send(append([]byte{exportRefused}, refusalOf(err)...))
		return
	}
	defer rec.Close()
	if conn.Send([]byte{exportBegun}) != nil {
		return
	}
	ctx, cancel = context.WithCancel(n.ctx)
	defer cancel()
	// The asker sends nothing more: when reading ends, it is gone.
	_ = conn.SetReadDeadline(time.Time{})
	var watching sync.WaitGroup
	watching.Go(func() {
		_, _ = conn.ReadFrame()
		cancel()
	})
	end := []byte{exportEnded}
	if err := rec.Write(ctx, pieces{conn}); err != nil {
		end = append(end, err.Error()...)
	}
	_ = conn.Send(end)
	_ = conn.Close()
	watching.Wait()
}

// exportHere begins a recording of this node's own copy: what was relayed once is
// relayed no further.
func (n *Node) exportHere(ctx context.Context, q exportQuestion) (router.Recording, error) {
	c := n.copy(q.Group)
	if c == nil || q.Group == systemGroup {
		return nil, &router.Problem{Code: "starting", Detail: "this node has no copy of the group"}
	}
	return n.ownExport(ctx, c, router.ExportOptions{From: q.From, Follow: q.Follow})
}

func refusalOf(err error) []byte {
	r := refusal{Code: "starting", Detail: err.Error()}
	var p *router.Problem
	if errors.As(err, &p) {
		r = refusal{Code: p.Code, Detail: p.Detail}
	}
	raw, _ := json.Marshal(r) // two texts can always be written
	return raw
}

// pieces sends what is written to it as frames.
type pieces struct{ conn *peer.Conn }

func (p pieces) Write(b []byte) (int, error) {
	for at := 0; at < len(b); at += exportFrame {
		end := min(at+exportFrame, len(b))
		if err := p.conn.WriteParts([]byte{exportPiece}, b[at:end]); err != nil {
			return at, err
		}
	}
	return len(b), p.conn.Flush()
}
