package client

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Config says which servers to use and how patiently. Only Servers is needed.
type Config struct {
	// Servers are nodes' HTTP addresses, "host:port" or a whole URL, tried in
	// turn. Any node takes any request, so one is enough while it lives.
	Servers []string

	// Timeout bounds each call whose context has no deadline; 0 means
	// DefaultTimeout.
	Timeout time.Duration

	// AttemptTimeout bounds one attempt where there is another server to go
	// to; 0 means DefaultAttemptTimeout.
	AttemptTimeout time.Duration

	// DialPatience is how long to go on when no server can be connected to
	// and nothing can have been applied; 0 means DefaultDialPatience, a
	// negative value until the call's deadline.
	DialPatience time.Duration

	// Transport carries the requests; nil means one of the client's own, with
	// connections kept open.
	Transport http.RoundTripper

	// UserAgent names the program; empty means "lockstep-client".
	UserAgent string

	// OnRetry, if set, is told of each attempt that failed and will be followed
	// by another: for logs and progress. It must not block.
	OnRetry func(server string, err error)
}

// Client talks to one cluster. It is safe for concurrent use; Close releases its
// idle connections.
type Client struct {
	cfg     Config
	servers []string // base URLs without a trailing slash
	http    *http.Client
	current atomic.Int64 // index of the server that answered last
}

// New checks the configuration and connects to nothing yet.
func New(cfg Config) (*Client, error) {
	if len(cfg.Servers) == 0 {
		return nil, errors.New("client: no servers given: name at least one node's HTTP address")
	}
	c := &Client{cfg: cfg}
	for _, s := range cfg.Servers {
		base, err := BaseURL(s)
		if err != nil {
			return nil, err
		}
		c.servers = append(c.servers, base)
	}
	setDefault(&c.cfg.Timeout, DefaultTimeout)
	setDefault(&c.cfg.AttemptTimeout, DefaultAttemptTimeout)
	setDefault(&c.cfg.DialPatience, DefaultDialPatience)
	if c.cfg.UserAgent == "" {
		c.cfg.UserAgent = "lockstep-client"
	}
	if c.cfg.Transport == nil {
		c.cfg.Transport = newTransport()
	}
	c.http = &http.Client{
		Transport:     c.cfg.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: dialTimeout,
		DisableCompression:  true,
	}
}

// BaseURL gives the URL that a server's address stands for: "host:port" means
// http, a whole URL keeps its scheme; a path, query or user is refused.
func BaseURL(server string) (string, error) {
	text := strings.TrimSpace(server)
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("client: server %q is no address: write host:port, for example 127.0.0.1:7400", server)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("client: server %q: scheme %q is not supported, only http and https", server, u.Scheme)
	case u.Hostname() == "":
		return "", fmt.Errorf("client: server %q names no host: write host:port, for example 127.0.0.1:7400", server)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil:
		return "", fmt.Errorf("client: server %q: give only host and port, for example 127.0.0.1:7400", server)
	}
	return u.Scheme + "://" + u.Host, nil
}

// Servers gives the base URLs that the client uses, in the order given.
func (c *Client) Servers() []string { return append([]string(nil), c.servers...) }

// Close releases idle connections. Calls under way are not disturbed.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// NewID makes an id that no other call will make: 128 random bits.
func NewID() string {
	var b [16]byte
	rand.Read(b[:]) // documented never to fail
	return "c-" + base64.RawURLEncoding.EncodeToString(b[:])
}

// jitter gives a duration between half of d and d, spread evenly.
func jitter(d time.Duration) time.Duration {
	if d < 2 {
		return d
	}
	return d/2 + mathrand.N(d/2)
}
