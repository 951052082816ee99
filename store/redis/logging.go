package redis

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/go-redis/redis/v8"
)

type loggerKey struct{}

// installOnce guards go-redis's logger, which is one for the whole process and must not be set while it is in use.
var installOnce sync.Once

// withLogger is a context that never ends and leads the lines of go-redis to logger.
func withLogger(logger *slog.Logger) context.Context {
	installOnce.Do(func() { redis.SetLogger(contextLogger{}) })
	return context.WithValue(context.Background(), loggerKey{}, logger)
}

// contextLogger hands each line to the logger of its context. Lines without one are rare and belong to no handle.
type contextLogger struct{}

func (contextLogger) Printf(ctx context.Context, format string, args ...any) {
	logger, ok := ctx.Value(loggerKey{}).(*slog.Logger)
	if !ok {
		logger = slog.Default()
	}
	logger.WarnContext(ctx, fmt.Sprintf(format, args...))
}
