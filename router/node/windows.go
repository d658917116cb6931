package node

import (
	"sync/atomic"

	"lockstep/engine/value"
	"lockstep/router/windows"
)

// timetable keeps a group's update windows, read once for each revision of the
// catalog.
type timetable struct {
	node  *Node
	group string
	last  atomic.Pointer[windowsAt]
}

// windowsAt is what one revision of the catalog has.
type windowsAt struct {
	catalog *catalog
	windows *windows.Windows
}

// Windows are the times at which the group refuses updates or heavy queries.
func (c *copyOf) Windows() *windows.Windows { return c.times.present() }

func (t *timetable) present() *windows.Windows {
	cat := t.node.catalog.Load()
	at := t.last.Load()
	if at != nil && at.catalog == cat {
		return at.windows
	}
	w, err := t.node.readWindows(t.group)
	if err != nil { // the catalog's copy is being closed
		if at != nil {
			return at.windows
		}
		return nil
	}
	t.last.Store(&windowsAt{catalog: cat, windows: w})
	return w
}

// readWindows reads the group's setting from this node's copy of the catalog; nil
// where it has none.
func (n *Node) readWindows(group string) (*windows.Windows, error) {
	sys := n.systemCopy()
	if sys == nil || group == systemGroup || sys.part.Compiled() == nil {
		return nil, nil
	}
	v, err := sys.part.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	row, err := v.Row("groups", []string{group})
	if err != nil || row.IsNull() {
		return nil, err
	}
	setting := member(field(row, "settings"), "update_windows")
	if setting.IsNull() {
		return nil, nil
	}
	w, problems := windows.Parse(value.AppendJSON(nil, setting))
	if problems != nil {
		// They were checked when they were set; what is not understood refuses nobody.
		n.cfg.Log.Error("the update windows of a group are not understood, and refuse nothing", "group", group, "error", problems[0])
		return nil, nil
	}
	if len(w.All()) == 0 {
		return nil, nil
	}
	return w, nil
}

// member is a member of a JSON object; null where there is none.
func member(v value.Value, name string) value.Value {
	if v.Kind() != value.Map {
		return value.Value{}
	}
	for i, key := range v.Keys() {
		if key.Str() == name {
			return v.At(i)
		}
	}
	return value.Value{}
}
