package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lockstep/engine/entry"
	"lockstep/engine/schema"
	"lockstep/router"
	"lockstep/router/order"
)

// switchLanguage has the group go on in another version of the language, with the
// schema that it has: one thing at a time, so that it happens or does not. It is
// refused while a node with a copy runs a program that does not know the version,
// or is not heard: such a copy would stop at the switch.
func (c *copyOf) switchLanguage(ctx context.Context, put router.SchemaPut) (router.SchemaResult, error) {
	none := router.SchemaResult{}
	invalid := func(detail string) error { return &router.Problem{Code: "invalid", Group: c.name, Detail: detail} }
	if _, err := c.log.ReadIndex(ctx); err != nil {
		return none, &router.Problem{Code: "no_quorum", Group: c.name, Detail: "no majority of the group's copies answers"}
	}
	doc, problems := schema.Parse(put.Document)
	present, at := c.part.Compiled(), c.part.Position()
	switch {
	case problems != nil:
		return none, c.wrong(problems)
	case put.IfMatch != 0 && put.IfMatch != at.Schema:
		return none, c.another(put.IfMatch, at.Schema)
	case present == nil || string(doc.Canonical()) != string(present.Doc.Canonical()):
		return none, invalid("language: the document is not the group's present schema; switch the language with the schema as it is, and change it afterwards")
	case at.Language == put.Language:
		return router.SchemaResult{Version: present.Version}, nil
	}
	if err := c.speaks(put.Language); err != nil {
		return none, invalid(err.Error())
	}
	for {
		v, err := c.order(ctx, &order.Request{Language: &entry.Language{Version: put.Language, IfMatch: present.Version}})
		switch {
		case errors.Is(err, order.ErrOutcomeUnknown) && ctx.Err() == nil:
			continue // switching twice is switching once
		case err != nil:
			return none, err
		case !v.Outcome.Committed:
			return none, c.refused(&v.Outcome)
		}
		return router.SchemaResult{Version: v.Outcome.Revision, Changed: true}, c.part.WaitRevision(ctx, v.Outcome.Revision)
	}
}

// speaks tells whether every copy's program knows a version of the language.
func (n *Node) speaks(group string, version uint32) error {
	if _, err := n.env.At(version); err != nil {
		return err
	}
	cat := n.catalog.Load()
	var not []string
	for _, p := range cat.withData(group) {
		if r, ok := n.reportOf(p.node); !ok || !slices.Contains(r.Languages, version) {
			not = append(not, cat.nodeName(p.node))
		}
	}
	if len(not) > 0 {
		return fmt.Errorf("the group can't go on in language version %d: %s did not say that they know it; upgrade and start them first", version, strings.Join(not, ", "))
	}
	return nil
}
