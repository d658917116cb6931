package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Handover is how a planned handover went.
type Handover struct {
	Group   string  `json:"name"`
	Primary string  `json:"primary"`  // now
	From    string  `json:"from"`     // the primary before
	Changed bool    `json:"changed"`  // false: it was so already
	Pause   float64 `json:"pause_ms"` // for how long transactions waited, milliseconds

	// Raw is the document as received: the group's, with these members.
	Raw json.RawMessage `json:"-"`
}

// HandOver makes the copy on a node the group's primary, and returns when it is so.
// No request is refused or lost by it. Asking for what is so already changes nothing.
func (c *Client) HandOver(ctx context.Context, group, node string) (*Handover, error) {
	body, err := json.Marshal(map[string]string{"node": node})
	if err != nil {
		return nil, fmt.Errorf("client: writing the wish: %w", err)
	}
	a, err := c.do(ctx, &call{
		method: http.MethodPost, path: groupPath(group, "primary"),
		body: body, contentType: typeJSON, write: true, long: true,
	})
	if err != nil {
		return nil, err
	}
	h := &Handover{Raw: a.body}
	return h, a.decode(h)
}
