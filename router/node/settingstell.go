package node

import (
	"context"

	"lockstep/engine/entry"
	"lockstep/router/order"
)

// tellSettings copies what execution needs of a group's settings from the catalog into
// the group's log, where it differs there: execution reads nothing that did not come
// through its own log (architecture.md, The catalog). What a leader with an older
// catalog orders is passed over by its version.
func (n *Node) tellSettings(c *copyOf) {
	cat := n.catalog.Load()
	row, ok := cat.group(c.name)
	if !ok || row.shard != c.shard {
		return
	}
	has, kept := c.part.Position(), row.settingsOf().KeyRetention.Milliseconds()
	if has.KeyRetentionMillis == kept || has.Settings >= cat.revision || !c.supervisor.telling.CompareAndSwap(false, true) {
		return
	}
	n.work.Go(func() {
		defer c.supervisor.telling.Store(false)
		ctx, cancel := context.WithTimeout(n.ctx, assignWait)
		defer cancel()
		_, err := c.order(ctx, &order.Request{Settings: &entry.Settings{Version: cat.revision, KeyRetentionMillis: kept}})
		if err != nil && n.ctx.Err() == nil {
			n.cfg.Log.Debug("the group's settings are not in its log yet; trying again", "group", c.name, "reason", err)
		}
	})
}
