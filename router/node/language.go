package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lockstep/engine/entry"
	"lockstep/router"
	"lockstep/router/order"
)

// switchLanguage has the group go on in another version of the language. It is
// refused while a node with a copy runs a program that does not know it, or is
// not heard: such a copy would stop at the switch.
func (c *copyOf) switchLanguage(ctx context.Context, version uint32) error {
	if c.part.Position().Language == version {
		return nil
	}
	if err := c.speaks(version); err != nil {
		return &router.Problem{Code: "invalid", Group: c.name, Detail: err.Error()}
	}
	for {
		v, err := c.order(ctx, &order.Request{Language: &entry.Language{Version: version}})
		switch {
		case errors.Is(err, order.ErrOutcomeUnknown) && ctx.Err() == nil:
			continue // switching twice is switching once
		case err != nil:
			return err
		case !v.Outcome.Committed:
			return c.refused(&v.Outcome)
		}
		return c.part.WaitRevision(ctx, v.Outcome.Revision)
	}
}

// speaks tells whether every copy's program knows a version of the language.
func (n *Node) speaks(group string, version uint32) error {
	if _, err := n.env.At(version); err != nil {
		return err
	}
	cat := n.catalog.Load()
	var not []string
	for _, p := range cat.copies(group) {
		if r, ok := n.reportOf(p.node); !ok || !slices.Contains(r.Languages, version) {
			not = append(not, cat.nodeName(p.node))
		}
	}
	if len(not) > 0 {
		return fmt.Errorf("the group can't go on in language version %d: %s did not say that they know it; upgrade and start them first", version, strings.Join(not, ", "))
	}
	return nil
}
