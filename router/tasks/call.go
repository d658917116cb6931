package tasks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// notice is the document that a webhook gets.
type notice struct {
	Event   string             `json:"event"` // assigned or released
	Task    string             `json:"task"`
	Slot    string             `json:"slot"` // the task's name in expect_task
	Group   string             `json:"group"`
	Epoch   uint64             `json:"epoch"`
	Reason  string             `json:"reason"`
	Node    string             `json:"node"`
	Server  string             `json:"server"` // the node's HTTP address
	Time    time.Time          `json:"time"`
	Labels  map[string]string  `json:"labels"`
	Payload stdjson.RawMessage `json:"payload"`
}

// newHTTP makes the client of webhooks and health checks: it follows no redirects,
// which would lead it to hosts that nobody listed, and uses no proxy.
func newHTTP() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxIdleConnsPerHost = 2
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// callWebhook makes one call; the text is empty where it was answered with 2xx.
func (r *Runner) callWebhook(ctx context.Context, c *Call) string {
	d := c.Held.Definition
	if err := r.cfg.Allow.Host(d.Webhook); err != nil {
		return err.Error()
	}
	labels := d.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	body, err := stdjson.Marshal(notice{
		Event: c.Event, Task: SlotOf(c.Held.Task), Slot: c.Held.Task, Group: c.Held.Group, Epoch: c.Held.Epoch, Reason: c.Reason,
		Node: r.cfg.Node, Server: r.cfg.Server, Time: time.Now().UTC().Truncate(time.Millisecond),
		Labels: labels, Payload: stdjson.RawMessage(compact(d.Payload)),
	})
	if err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, webhookTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Webhook, bytes.NewReader(body))
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "lockstep")
	req.Header.Set("X-Lockstep-Event", c.Event)
	// The same in each attempt, so that who was told twice can know it.
	req.Header.Set("X-Lockstep-Delivery", c.Held.Group+"/"+c.Held.Task+"/"+strconv.FormatUint(c.Held.Epoch, 10)+"/"+c.Event)
	if len(r.cfg.Secret) > 0 {
		req.Header.Set("X-Lockstep-Signature-256", Sign(r.cfg.Secret, body))
	}
	return r.ask(req, 200, 299)
}

// Sign gives the signature of a webhook's body, in the form of GitHub's
// X-Hub-Signature-256: "sha256=" and the HMAC-SHA-256 in hexadecimal.
func Sign(secret, body []byte) string {
	h := hmac.New(sha256.New, secret)
	h.Write(body)
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}

// ask sends a request and says what was wrong; empty where the answer's status is
// within bounds.
func (r *Runner) ask(req *http.Request, least, most int) string {
	resp, err := r.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Sprintf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if resp.StatusCode < least || resp.StatusCode > most {
		return oneLine(fmt.Sprintf("%s %s: answered %s %s", req.Method, req.URL, resp.Status, text))
	}
	return ""
}

// checkURL makes one health check by HTTP.
func (r *Runner) checkURL(ctx context.Context, address string) string {
	if err := r.cfg.Allow.Host(address); err != nil {
		return err.Error()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err.Error()
	}
	req.Header.Set("User-Agent", "lockstep")
	return r.ask(req, 200, 399)
}
