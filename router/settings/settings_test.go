package settings_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"lockstep/router/settings"
)

// "given keys change, the rest stay" (interface.md); each is checked with its place,
// and an unknown one refused.
func TestSettingsAreMerged(t *testing.T) {
	var now []byte
	for _, step := range []struct{ change, want, wrong string }{
		{change: `{"heartbeat": "50ms"}`, want: `{"heartbeat":"50ms"}`},
		{change: `{"key_retention": "48h", "last_copy": "serve"}`, want: `{"heartbeat":"50ms","key_retention":"48h","last_copy":"serve"}`},
		{change: `{"heartbeat": null}`, want: `{"key_retention":"48h","last_copy":"serve"}`},
		{change: `{"hartbeat": "1s"}`, wrong: "/hartbeat: there is no such setting; there are last_copy, replace_after, heartbeat,"},
		{change: `{"heartbeat": 100}`, wrong: `/heartbeat: a duration as text is wanted, such as "10ms"`},
		{change: `{"heartbeat": "1s"}`, wrong: "/heartbeat_timeout: heartbeat_timeout is 300ms; it is at least twice the heartbeat of 1s, for one may be late"},
		{change: `{"heartbeat_retries": 0}`, wrong: "/heartbeat_retries: a whole number from 1 to 100 is wanted"},
		{change: `{"last_copy": "go"}`, wrong: "/last_copy: one of stop, serve is wanted"},
		{change: `{"key_retention": "1s"}`, wrong: "/key_retention: a duration from 1m to 744h is wanted"},
		{change: `{"update_windows": [{"deny": "updates", "from": "25:00"}]}`, wrong: `/update_windows/0/from: "25:00": write a time of the day`},
		{change: `{"update_windows": [{"deny": "updates"}]}`, wrong: "/update_windows: together the windows would refuse updates at all times"},
		{change: `[]`, wrong: ": an object of settings is wanted"},
		{change: `{"update_windows": [{"deny": "updates", "from": "22:00", "to": "02:00", "days": "sat"}]}`,
			want: `{"key_retention":"48h","last_copy":"serve","update_windows":[{"deny":"updates","from":"22:00","to":"02:00","days":"sat"}]}`},
	} {
		next, problems := settings.Merge(now, []byte(step.change))
		var texts []string
		for _, p := range problems {
			texts = append(texts, p.Pointer+": "+p.Detail)
		}
		if text := strings.Join(texts, "; "); !strings.HasPrefix(text, step.wrong) || (step.wrong == "") != (problems == nil) {
			t.Errorf("%s: %q, want %q", step.change, text, step.wrong)
		}
		if problems == nil {
			if now = next; string(next) != step.want {
				t.Errorf("%s: %s, want %s", step.change, next, step.want)
			}
		}
	}
	s, _ := settings.Parse(now)
	all, err := json.Marshal(s)
	want := `{"heartbeat":"100ms","heartbeat_retries":3,"heartbeat_timeout":"300ms","key_retention":"48h","last_copy":"serve","replace_after":"1m",` +
		`"update_windows":[{"deny":"updates","from":"22:00","to":"02:00","days":"sat"}]}`
	if err != nil || string(all) != want {
		t.Errorf("shown as %s (%v), want %s", all, err, want)
	}
}

// What a later program wrote is used as far as it is understood.
func TestUnknownSettingsLeaveTheOthers(t *testing.T) {
	s, problems := settings.Parse([]byte(`{"heartbeat": "50ms", "later": 1, "last_copy": "perhaps"}`))
	if len(problems) != 2 || s.Supervision.Interval != 50*time.Millisecond || s.LastCopy != settings.LastCopyStop {
		t.Errorf("%+v, %v", s, problems)
	}
}
