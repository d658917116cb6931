package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lockstep/router/client"
)

// defaultServer is the first node of lockstep dev.
const defaultServer = "127.0.0.1:7400"

// maxDocumentBytes bounds what is read from a file or standard input for one
// request: well above the server's own limit, which names itself when it is met.
const maxDocumentBytes = 64 << 20

// connection holds the flags of every command that talks to a cluster.
type connection struct {
	servers string
	timeout time.Duration
}

func (c *connection) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.servers, "server", "", "nodes to ask, `ADDR[,ADDR...]`, tried in turn (LOCKSTEP_SERVER; default "+defaultServer+")")
	cmd.Flags().DurationVar(&c.timeout, "timeout", client.DefaultTimeout, "how long to wait for an answer")
}

// client makes the client that the flags and the environment ask for.
func (c *connection) client() (*client.Client, error) {
	if c.timeout <= 0 {
		return nil, usagef("--timeout: must be longer than nothing, for example 30s")
	}
	source, servers := "--server", c.servers
	if servers == "" {
		source, servers = "LOCKSTEP_SERVER", os.Getenv("LOCKSTEP_SERVER")
	}
	if servers == "" {
		servers = defaultServer
	}
	cl, err := client.New(client.Config{
		Servers:   splitList(servers),
		Timeout:   c.timeout,
		UserAgent: "lockstep",
	})
	if err != nil {
		return nil, usagef("%s: %w", source, err)
	}
	return cl, nil
}

// context bounds a command by its --timeout.
func (c *connection) context(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return context.WithTimeout(cmd.Context(), c.timeout)
}

// splitList takes a list apart at its commas and drops what is empty.
func splitList(text string) []string {
	var list []string
	for _, s := range strings.Split(text, ",") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// document reads a request's document: given on the command line, or in a file,
// where "-" is standard input.
func (a *app) document(given, file string) ([]byte, error) {
	switch {
	case given != "" && file != "":
		return nil, usagef("give the document or --file, not both")
	case given == "" && file == "":
		return nil, usagef("no document: give one as an argument or with --file (- is standard input)")
	case given == "-":
		file = "-"
	case given != "":
		return []byte(given), nil
	}
	in, err := a.openFile(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	doc, err := io.ReadAll(io.LimitReader(in, maxDocumentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	if len(doc) > maxDocumentBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes", file, maxDocumentBytes)
	}
	return doc, nil
}

func (a *app) openFile(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(a.in), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, usagef("%w", err)
	}
	return f, nil
}
