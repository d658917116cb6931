package router

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// export.go: what can be refused is refused before the first byte, and what the
// recording holds is let go of however it ends.
func TestRecordings(t *testing.T) {
	cluster := &fakeCluster{groups: map[string]*fakeGroup{"bank": newBank(t)}}
	_, address := startLoopback(t, cluster)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for query, want := range map[string]struct {
		status int
		text   string
	}{
		"":                      {200, "recording of bank for 0s"},
		"?from=now&follow=1.5s": {200, "recording of bank for 1.5s"},
		"?follow=30&timeout=1":  {200, "recording of bank for 30s"},
		"?from=start":           {410, `"code":"compacted"`},
		"?from=yesterday":       {400, "from: write start"},
		"?follow=-1s":           {400, "follow: write for how long"},
		"?follow=1000h":         {400, "at most 24h0m0s"},
		"?follow=" + "NaN":      {400, "follow: write for how long"},
	} {
		resp, err := client.Get("http://" + address + "/v1/groups/bank/export" + query)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want.status || !strings.Contains(string(body), want.text) {
			t.Errorf("%q: %d %s, %v", query, resp.StatusCode, body, err)
		}
		if want.status == 200 && (resp.Header.Get("Content-Type") != "application/vnd.lockstep.recording" || resp.Header.Get("Content-Disposition") != `attachment; filename="bank.lockstep"`) {
			t.Errorf("%q: %v", query, resp.Header)
		}
	}
	before := cluster.closed.Load()
	resp, err := client.Head("http://" + address + "/v1/groups/bank/export")
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("HEAD: %v, %v", resp, err)
	}
	if cluster.closed.Load() == before {
		t.Error("what HEAD began is held")
	}
	if n := cluster.closed.Load(); n < 3 {
		t.Errorf("%d recordings were let go of", n)
	}
}

// limits.go: a client that takes less than exportRate on the average is let go; what
// there was nothing to send in does not count.
func TestASlowReaderOfARecordingIsLetGo(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	defer ours.Close()
	out := &pacedWriter{w: ours, conn: ours, spent: exportPatience + 20*time.Millisecond}
	if _, err := out.Write(make([]byte, 10)); err == nil || !isTimeout(err) {
		t.Errorf("a client that takes nothing: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	out = &pacedWriter{w: ours, conn: ours}
	if n, err := out.Write(make([]byte, 1<<20)); err != nil || n != 1<<20 {
		t.Errorf("a client that takes it: %v", err)
	}
}
