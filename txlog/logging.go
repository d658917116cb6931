package txlog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/lni/dragonboat/v4/logger"
)

// libraryLog is where the library's log goes. The library takes one logger factory a process and panics at a
// second, so this is the one piece of package state here: set up once, pointed at the host opened last.
var libraryLog struct {
	once   sync.Once
	target atomic.Pointer[slog.Logger]
}

func routeLibraryLog(log *slog.Logger) {
	libraryLog.target.Store(log)
	libraryLog.once.Do(func() {
		logger.SetLoggerFactory(func(pkg string) logger.ILogger { return libraryLogger{pkg: pkg} })
	})
}

// libraryLogger is one package's logger of the library. It speaks one level louder than is due: what it warns
// of (a message dropped, a vote lost) is Raft at work.
type libraryLogger struct{ pkg string }

func (libraryLogger) SetLevel(logger.LogLevel) {}

func (l libraryLogger) Debugf(format string, args ...any) { l.log(slog.LevelDebug-4, format, args) }

func (l libraryLogger) Infof(format string, args ...any) { l.log(slog.LevelDebug, format, args) }

func (l libraryLogger) Warningf(format string, args ...any) { l.log(slog.LevelDebug, format, args) }

func (l libraryLogger) Errorf(format string, args ...any) { l.log(slog.LevelInfo, format, args) }

// Panicf has to panic: the library counts on not going on.
func (l libraryLogger) Panicf(format string, args ...any) {
	l.log(slog.LevelError, format, args)
	panic(fmt.Sprintf("raft library ("+l.pkg+"): "+format, args...))
}

func (l libraryLogger) log(level slog.Level, format string, args []any) {
	target := libraryLog.target.Load()
	if target == nil || !target.Enabled(context.Background(), level) {
		return
	}
	target.Log(context.Background(), level, fmt.Sprintf(format, args...), "part", "raft/"+l.pkg)
}
