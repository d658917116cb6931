package policy

import (
	"testing"
	"time"
)

// "schedule: backup and verify: when (UTC)", in cron's five fields.
func TestNextRun(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	for _, tt := range []struct{ schedule, after, want string }{
		{"0 3 * * *", "2026-01-01T02:59:59Z", "2026-01-01T03:00:00Z"},
		{"0 3 * * *", "2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z"},
		{"*/15 * * * *", "2026-01-01T00:07:30Z", "2026-01-01T00:15:00Z"},
		{"30 2 * * SUN", "2026-01-01T00:00:00Z", "2026-01-04T02:30:00Z"},
		{"0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"0 0 13 * 5", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"}, // the 13th or a Friday, as crontab has it
		{"0 0 31 2 *", "2026-01-01T00:00:00Z", ""},
		{"0 3 * *", "2026-01-01T00:00:00Z", ""},
		{"0 0 3 * * *", "2026-01-01T00:00:00Z", ""}, // with seconds: no crontab
		{"", "2026-01-01T00:00:00Z", ""},
	} {
		after, err := time.Parse(time.RFC3339, tt.after)
		if err != nil {
			t.Fatal(err)
		}
		next, ok := NextRun(tt.schedule, after.In(berlin))
		got := ""
		if ok {
			got = next.Format(time.RFC3339)
		}
		if got != tt.want {
			t.Errorf("%s after %s: %s, want %s", tt.schedule, tt.after, got, tt.want)
		}
	}
}
