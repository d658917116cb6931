package supervision

import (
	"fmt"
	"time"
)

// Config is a group's settings for supervision (interface.md, settings).
type Config struct {
	// Interval between two heartbeats of a node (heartbeat).
	Interval time.Duration

	// Timeout is the silence after which a node is suspect (heartbeat_timeout).
	// It must hold some heartbeats, for one may be late.
	Timeout time.Duration

	// Retries is how many timeouts in a row make a node unavailable
	// (heartbeat_retries).
	Retries int
}

// Defaults are the settings of a group that names none: a death is noticed within
// a second, and a node that is stopped for two heartbeats is not noticed at all.
func Defaults() Config {
	return Config{Interval: 100 * time.Millisecond, Timeout: 300 * time.Millisecond, Retries: 3}
}

// Validate names the setting that can't be used, and the remedy.
func (c Config) Validate() error {
	switch {
	case c.Interval < MinInterval || c.Interval > MaxInterval:
		return fmt.Errorf("heartbeat is %s; it is from %s to %s", c.Interval, MinInterval, MaxInterval)
	case c.Timeout < 2*c.Interval:
		return fmt.Errorf("heartbeat_timeout is %s; it is at least twice the heartbeat of %s, for one may be late", c.Timeout, c.Interval)
	case c.Timeout > MaxTimeout:
		return fmt.Errorf("heartbeat_timeout is %s; it is at most %s", c.Timeout, MaxTimeout)
	case c.Retries < 1 || c.Retries > MaxRetries:
		return fmt.Errorf("heartbeat_retries is %d; it is from 1 to %d", c.Retries, MaxRetries)
	}
	return nil
}

// limit is the silence after which a node is unavailable.
func (c Config) limit() time.Duration { return c.Timeout * time.Duration(c.Retries) }
