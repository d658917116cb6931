package main

import "testing"

// "A value that is JSON is taken as it is, anything else as text. An empty value takes
// a setting back to its default." (lockstep group settings --help)
func TestSettingsFromArguments(t *testing.T) {
	got, err := settingsOf([]string{"heartbeat=50ms", "heartbeat_retries=5", "key_retention=", `update_windows=[{"deny": "updates"}]`})
	want := `{"heartbeat":"50ms","heartbeat_retries":5,"key_retention":null,"update_windows":[{"deny":"updates"}]}`
	if err != nil || string(got) != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
	if got, err := settingsOf(nil); got != nil || err != nil {
		t.Errorf("nothing asked for: %s, %v", got, err)
	}
	for _, bad := range []string{"heartbeat", "=50ms"} {
		if _, err := settingsOf([]string{bad}); exitCode(err) != 2 {
			t.Errorf("%q is taken: %v", bad, err)
		}
	}
}
