package golden

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

// "whatever its operating system, processor, time zone, locale, core count": the same
// test in processes of its own, for what a process takes from its environment it takes
// when it starts. Other processors have "make golden-arm64".
func TestReplayElsewhere(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range [][]string{
		{"GOMAXPROCS=1", "TZ=Asia/Kathmandu", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "GOGC=20"},
		{"GOMAXPROCS=13", "TZ=:nowhere", "LANG=C", "LC_ALL=ar_EG.ISO-8859-6", "LC_NUMERIC=de_DE", "GOGC=off"},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		cmd := exec.CommandContext(ctx, self, "-test.run", "^TestReplay$", "-ways", "1")
		cmd.Env = append(os.Environ(), place...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%.2000s", place, err, out)
		}
		cancel()
	}
}
