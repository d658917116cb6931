package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"lockstep/engine/program"
	"lockstep/router"
	"lockstep/router/settings"
)

var _ router.Settings = (*Node)(nil)

// abortSettings is why a change of settings is aborted that was made of others than
// the present ones.
const abortSettings = "changed_meanwhile"

// settingsOf are a group's settings, the defaults where none were given. They were
// checked when they were written.
func (g *groupRow) settingsOf() settings.Settings {
	s, _ := settings.Parse(g.settings)
	return s
}

func (n *Node) groupRow(ctx context.Context, group string) (groupRow, error) {
	// Without a majority it is what is known here.
	_ = n.CatchUp(ctx)
	g, ok := n.catalog.Load().group(group)
	if !ok {
		return g, &router.Problem{Code: "unknown_group", Group: group, Detail: fmt.Sprintf("there is no group %q", group)}
	}
	return g, nil
}

// GroupSettings are all settings of a group.
func (n *Node) GroupSettings(ctx context.Context, group string) (settings.Settings, error) {
	g, err := n.groupRow(ctx, group)
	return g.settingsOf(), err
}

// PutGroupSettings changes some settings of a group in the catalog.
func (n *Node) PutGroupSettings(ctx context.Context, group string, change []byte) (settings.Settings, error) {
	for {
		if err := n.CatchUp(ctx); err != nil {
			return settings.Settings{}, err
		}
		g, err := n.groupRow(ctx, group)
		if err != nil {
			return settings.Settings{}, err
		}
		next, problems := settings.Merge(g.settings, change)
		if problems != nil {
			return settings.Settings{}, settingsProblem(group, problems)
		}
		if string(next) != string(g.settings) && (len(g.settings) > 0 || string(next) != "{}") {
			err = n.writeSettings(ctx, g, next)
		}
		var p *router.Problem
		if errors.As(err, &p) && p.Code == abortSettings && ctx.Err() == nil {
			continue // somebody else changed them: on top of that
		}
		if err != nil {
			return settings.Settings{}, err
		}
		n.refresh()
		n.judgeAnew()
		all, _ := settings.Parse(next)
		return all, nil
	}
}

// writeSettings puts the settings in the group's row, if it is what they were made of.
func (n *Node) writeSettings(ctx context.Context, g groupRow, next []byte) error {
	type step map[string]any
	doc, err := json.Marshal(map[string]any{
		"steps": []step{
			{"get": step{"table": "groups", "key": []string{"params.name"}, "as": "g", "optional": true}},
			{"require": step{"expr": "g != null && g._revision == params.revision", "code": abortSettings}},
			{"update": step{"table": "groups", "key": []string{"params.name"}, "set": step{"settings": "params.settings"}}},
		},
		"params": map[string]any{"name": g.name, "revision": g.revision, "settings": json.RawMessage(next)},
	})
	if err != nil {
		return err
	}
	_, err = n.systemCopy().execute(ctx, doc)
	return err
}

// settingsProblem tells of each key that is wrong.
func settingsProblem(group string, list []settings.Problem) error {
	p := &router.Problem{Code: "invalid", Group: group}
	var texts []string
	for _, one := range list {
		texts = append(texts, strings.TrimPrefix(one.Pointer+": "+one.Detail, ": "))
		p.Errors = append(p.Errors, program.PointerDetail{Pointer: one.Pointer, Detail: one.Detail})
	}
	p.Detail = strings.Join(texts, "; ")
	return p
}

// differs refuses a definition of a group that says something else than the present one:
// other labels, which stay as they were given, or another value of a setting that it
// names. Settings that it does not name may have been given since.
func (g *groupRow) differs(spec router.GroupSpec) error {
	exists := func(what, remedy string) error {
		return &router.Problem{Code: "already_exists", Group: spec.Name, Detail: "the group exists with other " + what + ": " + remedy}
	}
	if !maps.Equal(g.labels, spec.Labels) {
		return exists("labels", "ask for the same, or choose another name")
	}
	if len(spec.Settings) == 0 {
		return nil
	}
	raw, err := json.Marshal(spec.Settings)
	if err != nil {
		return err
	}
	merged, problems := settings.Merge(g.settings, raw)
	if problems != nil {
		return under(settingsProblem(spec.Name, problems), "/settings")
	}
	asked, _ := settings.Parse(merged)
	if other := settings.Differences(g.settingsOf(), asked); len(other) > 0 {
		return exists("settings ("+strings.Join(other, ", ")+")", "lockstep group settings "+spec.Name+" NAME=VALUE changes one")
	}
	return nil
}

// under puts what is wrong with a part of a document in its place in the whole.
func under(err error, pointer string) error {
	var p *router.Problem
	if errors.As(err, &p) {
		for i := range p.Errors {
			p.Errors[i].Pointer = pointer + p.Errors[i].Pointer
		}
		p.Detail = pointer + p.Detail
	}
	return err
}
