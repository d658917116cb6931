package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/cronexpr"

	"lockstep/engine/schema/tree"
)

// readSchedule reads cron's five fields. Its library takes more (seconds, years,
// words for fields); what a crontab has not is refused here.
func readSchedule(f tree.Cursor, task string) string {
	text, ok := f.Text()
	if !ok {
		return ""
	}
	if !matchesTask(task, TaskBackup) && !matchesTask(task, TaskVerify) {
		f.Fail(tree.Invalid, "only backup and verify run on a schedule, not %s", task)
		return text
	}
	if err := checkSchedule(text); err != nil {
		f.Fail(tree.Invalid, "%s", err)
	}
	return text
}

const scheduleForm = "five fields are wanted, minute, hour, day of month, month and day of week, as \"0 3 * * *\" (03:00 UTC)"

func checkSchedule(text string) error {
	s, err := parseSchedule(text)
	if err != nil {
		return err
	}
	// Four years from here have every day that there is.
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return errors.New("this time never comes")
	}
	return nil
}

func parseSchedule(text string) (*cronexpr.Expression, error) {
	if len(text) > MaxNameBytes || len(strings.Fields(text)) != 5 || strings.ContainsAny(text, "\n\r@") {
		return nil, errors.New("not a schedule: " + scheduleForm)
	}
	s, err := cronexpr.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("not a schedule: %w; %s", err, scheduleForm)
	}
	return s, nil
}

// NextRun is the first time after an instant that a schedule names, in UTC;
// false where it never comes.
func NextRun(schedule string, after time.Time) (time.Time, bool) {
	s, err := parseSchedule(schedule)
	if err != nil {
		return time.Time{}, false
	}
	next := s.Next(after.UTC())
	return next, !next.IsZero()
}
