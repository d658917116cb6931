package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"time"

	"lockstep/router"
)

// tokenCounter tells whether nodes need a token to join: 1, or 0; without a row it was
// never decided.
const tokenCounter = "join_token"

// tokenRow is a token by which nodes join. Only its hash is kept.
type tokenRow struct {
	id, hash string
	made     time.Time
	expires  int64 // Unix milliseconds; 0: never
}

// over tells whether a token's time is over. Only the node that lets others in asks its
// clock.
func (t *tokenRow) over(now time.Time) bool { return t.expires != 0 && now.UnixMilli() >= t.expires }

// hashToken is what is kept of a token, and its id: a name by which it can be taken
// away, that does not help to guess it.
func hashToken(token string) (id, hash string) {
	sum := sha256.Sum256([]byte("lockstep join token\n" + token))
	hash = hex.EncodeToString(sum[:])
	return hash[:tokenIDLetters], hash
}

// mayJoin tells why a node that is new to the cluster may not join it; empty: it may.
func (c *catalog) mayJoin(ask *joinRequest, now time.Time) (refused string) {
	if !c.tokenRequired {
		return ""
	}
	const remedy = "lockstep node token create at any member makes one; start the node with --join-token TOKEN"
	if ask.Token == "" {
		return "this cluster lets nodes in that have a join token: " + remedy
	}
	_, hash := hashToken(ask.Token)
	expired := false
	for i := range c.tokens {
		if subtle.ConstantTimeCompare([]byte(hash), []byte(c.tokens[i].hash)) == 1 {
			if !c.tokens[i].over(now) {
				return ""
			}
			expired = true
		}
	}
	if expired {
		return "the time of the join token is over: " + remedy
	}
	return "the join token is not one of this cluster's: " + remedy
}

// decideToken has the node that began the cluster say, once, whether others need a token
// to join: they do if it was given one.
func (n *Node) decideToken(ctx context.Context, sys *copyOf) error {
	n.refresh()
	cat := n.catalog.Load()
	if !n.folder.id.First || cat.tokenDecided || cat.version < lifecycleVersion {
		return nil
	}
	if n.cfg.JoinToken == "" {
		return n.run(ctx, sys, call("require_token", map[string]any{"required": 0}))
	}
	id, hash := hashToken(n.cfg.JoinToken)
	return n.run(ctx, sys, call("add_token", map[string]any{"id": id, "hash": hash, "expires": 0}))
}

// Tokens lists the join tokens, by what may be told of them.
func (n *Node) Tokens() router.TokenList {
	cat := n.catalog.Load()
	list := router.TokenList{Required: cat.tokenRequired, Tokens: []router.TokenStatus{}}
	for i := range cat.tokens {
		t := &cat.tokens[i]
		s := router.TokenStatus{ID: t.id, Made: t.made}
		if t.expires != 0 {
			at := time.UnixMilli(t.expires).UTC()
			s.Expires, s.Expired = &at, t.over(time.Now())
		}
		list.Tokens = append(list.Tokens, s)
	}
	return list
}

// CreateToken makes a join token, which is told once.
func (n *Node) CreateToken(ctx context.Context, ttl time.Duration) (router.Token, error) {
	var raw [tokenBytes]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	token := hex.EncodeToString(raw[:])
	id, hash := hashToken(token)
	expires := int64(0)
	t := router.Token{Token: token}
	t.ID, t.Made = id, time.Now().UTC()
	if ttl > 0 {
		at := t.Made.Add(ttl)
		expires, t.Expires = at.UnixMilli(), &at
	}
	_, err := n.change(ctx, func(cat *catalog) (map[string]any, error) {
		if len(cat.tokens) >= maxTokens {
			return nil, &router.Problem{Code: "invalid", Detail: fmt.Sprintf("the cluster has %d join tokens, which is the most: lockstep node token delete ID takes one away", maxTokens)}
		}
		return call("add_token", map[string]any{"id": id, "hash": hash, "expires": expires}), nil
	})
	return t, err
}

// DeleteToken takes a token away: nobody joins by it any more. Nodes that did stay.
func (n *Node) DeleteToken(ctx context.Context, id string) error {
	_, err := n.change(ctx, func(cat *catalog) (map[string]any, error) {
		for i := range cat.tokens {
			if cat.tokens[i].id == id {
				return call("delete_token", map[string]any{"id": id}), nil
			}
		}
		return nil, &router.Problem{Code: "not_found", Detail: "there is no join token " + id}
	})
	return err
}

// RequireToken says whether nodes need a token to join.
func (n *Node) RequireToken(ctx context.Context, required bool) error {
	_, err := n.change(ctx, func(cat *catalog) (map[string]any, error) {
		if cat.tokenDecided && cat.tokenRequired == required {
			return nil, nil
		}
		value := 0
		if required {
			value = 1
		}
		return call("require_token", map[string]any{"required": value}), nil
	})
	return err
}
