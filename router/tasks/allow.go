package tasks

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
)

// Allow is what a node's owner lets tasks do: whoever can write a task can't make
// a node run or call anything else.
type Allow struct {
	// Commands are the programs that may be run, as absolute paths, or NAME=PATH for
	// one that tasks call by another name than its file's.
	Commands []string
	// Hosts may be called by webhooks and health checks: "example.org" (any port),
	// "example.org:8443", "*.example.org".
	Hosts []string
}

// Valid names the first entry that can't work, and the remedy.
func (a *Allow) Valid() error {
	seen := map[string]bool{}
	for _, c := range a.Commands {
		name, path := command(c)
		switch {
		case !filepath.IsAbs(path):
			return fmt.Errorf("tasks.commands has %q: write an absolute path, such as /usr/local/bin/sweep, or NAME=PATH", c)
		case seen[name]:
			return fmt.Errorf("tasks.commands has two commands named %s: give one another name with NAME=PATH", name)
		}
		seen[name] = true
	}
	for _, h := range a.Hosts {
		if h == "" || strings.ContainsAny(h, "/@ ") || strings.Contains(strings.TrimPrefix(h, "*."), "*") {
			return fmt.Errorf("tasks.webhook_hosts has %q: write a host such as example.org, example.org:8443 or *.example.org", h)
		}
	}
	return nil
}

// command takes an entry of Commands apart.
func command(entry string) (name, path string) {
	if name, path, ok := strings.Cut(entry, "="); ok && !strings.Contains(name, "/") {
		return name, path
	}
	return filepath.Base(entry), entry
}

// Program finds the program of a command: by the name that is listed for it or by
// its whole path. The error names the remedy.
func (a *Allow) Program(word string) (path string, err error) {
	for _, c := range a.Commands {
		if name, path := command(c); word == name || word == path {
			return path, nil
		}
	}
	return "", fmt.Errorf("this node's configuration does not list the command %q: add its absolute path to tasks.commands and restart the node, or have a policy choose nodes that list it", word)
}

// Host tells why a URL must not be called.
func (a *Allow) Host(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("%q is no URL", raw)
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	for _, allowed := range a.Hosts {
		allowed = strings.ToLower(allowed)
		if h, p, err := net.SplitHostPort(allowed); err == nil {
			if p != port {
				continue
			}
			allowed = h
		}
		allowed = strings.Trim(allowed, "[]")
		if suffix, any := strings.CutPrefix(allowed, "*"); any && strings.HasSuffix(host, suffix) || host == allowed {
			return nil
		}
	}
	return fmt.Errorf("this node's configuration does not list the host %q: add it to tasks.webhook_hosts and restart the node", u.Host)
}

// Refuse tells why this node can't do what a task says; nil: it can.
func (a *Allow) Refuse(d *Definition) error {
	if len(d.Run) > 0 {
		if _, err := a.Program(d.Run[0]); err != nil {
			return err
		}
	}
	if d.Webhook != "" {
		if err := a.Host(d.Webhook); err != nil {
			return err
		}
	}
	if h := d.Health; h != nil {
		if h.HTTP != "" {
			return a.Host(h.HTTP)
		}
		_, err := a.Program(h.Run[0])
		return err
	}
	return nil
}
