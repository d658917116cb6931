package main

import (
	"errors"
	"fmt"
	"net/http"

	"lockstep/router/client"
)

// Exit codes (interface.md, Command line).
const (
	exitDone        = 0
	exitRefused     = 1 // refused, aborted, or found to differ
	exitUsage       = 2 // the command line or the configuration is wrong
	exitUnavailable = 3 // nobody answered, or not now: trying again may help
)

// exitError gives an error an exit code of its own. An empty text says nothing
// on standard error, for what there is to say has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usagef is an error of the command line or the configuration.
func usagef(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// exitCode gives the code that err stands for.
func exitCode(err error) int {
	var own *exitError
	var problem *client.Problem
	var unavailable *client.Unavailable
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &problem):
		return problemCode(problem)
	case errors.As(err, &unavailable):
		return exitUnavailable
	}
	return exitRefused
}

// problemCode: what may be otherwise in a while is unavailable, everything else
// refused.
func problemCode(p *client.Problem) int {
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout, http.StatusInsufficientStorage:
		return exitUnavailable
	}
	return exitRefused
}
