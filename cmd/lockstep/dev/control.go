package dev

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// control is where a running dev takes requests of dev restart.
type control struct {
	listener net.Listener
	server   *http.Server
	token    string
}

// maxControlBytes bounds a request and its answer.
const maxControlBytes = 64 << 10

// listen takes the first free port from the given one on; nothing is answered
// before serve.
func listen(port int) (*control, error) {
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("making the control listener's token: %w", err)
	}
	var err error
	for i := range controlTries {
		var l net.Listener
		if l, err = net.Listen("tcp", address(port+i)); err == nil {
			return &control{listener: l, token: hex.EncodeToString(secret)}, nil
		}
	}
	return nil, fmt.Errorf("no free port for the control listener from %d on: %w", port, err)
}

func (s *control) address() string { return s.listener.Addr().String() }

type restartRequest struct {
	Node string `json:"node"`
}

type controlError struct {
	Error string `json:"error"`
}

// serve answers requests until close.
func (s *control) serve(c *Cluster) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /restart", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+s.token)) != 1 {
			answer(w, http.StatusUnauthorized, controlError{"the token is not this cluster's"})
			return
		}
		var req restartRequest
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBytes)).Decode(&req); err != nil {
			answer(w, http.StatusBadRequest, controlError{err.Error()})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), restartTime)
		defer cancel()
		n, err := c.restart(ctx, req.Node)
		if err != nil {
			answer(w, http.StatusInternalServerError, controlError{err.Error()})
			return
		}
		answer(w, http.StatusOK, n)
	})
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: requestTime}
	go s.server.Serve(s.listener) // ends with close
}

// answer writes a document; a client that has gone is no matter.
func answer(w http.ResponseWriter, status int, doc any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(doc)
}

// close ends requests under way.
func (s *control) close() {
	s.listener.Close()
	if s.server != nil {
		s.server.Close()
	}
}

// ErrNotRunning is what AskRestart returns where no dev runs on the folder.
var ErrNotRunning = errors.New("no lockstep dev is running on this folder")

// AskRestart asks the dev that runs on a folder to start a node again, and returns
// when the node is ready.
func AskRestart(ctx context.Context, dir, node string) (Node, error) {
	rec, err := readRecord(dir)
	if errors.Is(err, os.ErrNotExist) {
		return Node{}, fmt.Errorf("%s holds no cluster of lockstep dev: name its folder with --data", dir)
	}
	if err != nil {
		return Node{}, err
	}
	if rec.Control == "" {
		return Node{}, fmt.Errorf("%s: %w: start it with lockstep dev --data %s", dir, ErrNotRunning, dir)
	}
	body, err := json.Marshal(restartRequest{Node: node})
	if err != nil {
		return Node{}, fmt.Errorf("writing the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+rec.Control+"/restart", bytes.NewReader(body))
	if err != nil {
		return Node{}, fmt.Errorf("making the request to %s: %w", rec.Control, err)
	}
	req.Header.Set("Authorization", "Bearer "+rec.Token)
	cl := &http.Client{Timeout: restartTime + stopTime + time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := cl.Do(req)
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return Node{}, fmt.Errorf("%s: %w: start it with lockstep dev --data %s (%v)", dir, ErrNotRunning, dir, dial)
	}
	if err != nil {
		return Node{}, fmt.Errorf("asking lockstep dev: %w", err)
	}
	defer resp.Body.Close()
	return readAnswer(resp)
}

func readAnswer(resp *http.Response) (Node, error) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxControlBytes))
	if err != nil {
		return Node{}, fmt.Errorf("reading lockstep dev's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var refusal controlError
		if json.Unmarshal(text, &refusal) != nil || refusal.Error == "" {
			refusal.Error = resp.Status
		}
		return Node{}, errors.New(refusal.Error)
	}
	var n Node
	if err := json.Unmarshal(text, &n); err != nil {
		return Node{}, fmt.Errorf("reading lockstep dev's answer: %w", err)
	}
	return n, nil
}
