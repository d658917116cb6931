package entry

import (
	"encoding/hex"
	"strconv"
)

// ID identifies a transaction within its group: a client's key, or a number
// that a router gave (transactions.md, Exactly once).
type ID struct {
	Session uint64 // the router's session; 0 for a client's key
	Counter uint64 // the router's counter, from 1
	Key     string // the client's key; empty for a router's id
}

// IsZero tells whether no id has been given yet.
func (id ID) IsZero() bool { return id.Key == "" && id.Session == 0 }

const (
	routerPrefix = "ls-"
	sessionHex   = 16
)

// String is the id as users see it: the key itself, or ls-<session>-<counter>
// with the session as 16 hexadecimal digits.
func (id ID) String() string { return string(id.Append(nil)) }

// Append appends the id as users see it.
func (id ID) Append(dst []byte) []byte {
	if id.Key != "" {
		return append(dst, id.Key...)
	}
	const digits = "0123456789abcdef"
	dst = append(dst, routerPrefix...)
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[id.Session>>shift&15])
	}
	dst = append(dst, '-')
	return strconv.AppendUint(dst, id.Counter, 10)
}

// ParseID reads an id as users write it. Text of exactly the form that a router
// gives is that router's id, so that a client that was told the id of an
// unknown outcome can send the document again under it; anything else is a
// client's key.
func ParseID(text string) ID {
	if id, ok := parseRouterID(text); ok {
		return id
	}
	return ID{Key: text}
}

func parseRouterID(text string) (ID, bool) {
	const head = len(routerPrefix) + sessionHex
	if len(text) < head+2 || text[:len(routerPrefix)] != routerPrefix || text[head] != '-' {
		return ID{}, false
	}
	var session [8]byte
	if _, err := hex.Decode(session[:], []byte(text[len(routerPrefix):head])); err != nil {
		return ID{}, false
	}
	counter, err := strconv.ParseUint(text[head+1:], 10, 64)
	if err != nil || counter == 0 {
		return ID{}, false
	}
	id := ID{Counter: counter}
	for _, b := range session {
		id.Session = id.Session<<8 | uint64(b)
	}
	// Only the canonical spelling is the router's: one id has one text.
	if id.Session == 0 || id.String() != text {
		return ID{}, false
	}
	return id, true
}

// CheckKey tells what is wrong with a client's key: it must have 1 to 255
// printable ASCII characters. It returns "" for a good one.
func CheckKey(key string) string {
	if key == "" {
		return "the id is empty; it has 1 to 255 printable characters"
	}
	if len(key) > MaxKeyBytes {
		return "the id has " + strconv.Itoa(len(key)) + " bytes; at most 255 are allowed"
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			return "the id has a character that is not printable ASCII, at byte " + strconv.Itoa(i)
		}
	}
	return ""
}
