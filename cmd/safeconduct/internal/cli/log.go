package cli

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"

	"github.com/safeconduct/safeconduct/cmd/safeconduct/internal/config"
	"github.com/safeconduct/safeconduct/server"
)

// levelOf is the level that was configured.
func levelOf(c config.Log) slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // the configuration was checked
	return level
}

// newLogger makes the server's log: JSON for machines, coloured text on a terminal. flush must be called at the end.
func newLogger(c config.Log, level slog.Leveler, w io.Writer, noColor bool) (log *slog.Logger, flush func()) {
	file, isFile := w.(*os.File)
	terminal := isFile && isatty.IsTerminal(file.Fd())
	if c.Format == "json" || c.Format == "auto" && !terminal {
		buffer := server.NewLogBuffer(w)
		return slog.New(buffer.Handler(level)), buffer.Flush
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !terminal || noColor})), func() {}
}
