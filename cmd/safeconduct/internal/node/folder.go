package node

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
)

// developmentMark is a file that marks a folder as made by the dev command.
const developmentMark = "DEVELOPMENT"

const developmentText = `This folder was made by ` + "`safeconduct dev`" + `. It holds a demo user and a demo client.
No other command starts a server on it. Delete the folder to start over.
`

// makeFolder makes the data directory, for its owner alone.
func makeFolder(path string, log *slog.Logger) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	if mode := info.Mode(); mode.Perm()&0o022 != 0 {
		log.Warn("others can write into the data directory and replace what is in it", "folder", path, "fix", "chmod 700 "+path)
	}
	return nil
}

// MarkDevelopment marks a folder as one of the dev command before anything is in it. A folder that holds the data of a
// real server is refused.
func MarkDevelopment(path, dataFile string, log *slog.Logger) error {
	if err := makeFolder(path, log); err != nil {
		return err
	}
	if err := ownFolder(path); err != nil {
		return err
	}
	if IsDevelopment(path) {
		return nil
	}
	if _, err := os.Stat(dataFile); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s holds data that `safeconduct dev` did not make: choose another folder with --data-dir", path)
	}
	if err := os.WriteFile(filepath.Join(path, developmentMark), []byte(developmentText), 0o600); err != nil {
		return fmt.Errorf("mark data directory: %w", err)
	}
	return nil
}

// ownFolder refuses a folder that somebody else has prepared: a shell reads the file of variables in it.
func ownFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != os.Geteuid() && os.Geteuid() != 0 || info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("%s belongs to another user, or everybody can write into it: choose another folder with --data-dir", path)
	}
	return nil
}

// IsDevelopment reports whether a folder was made by the dev command.
func IsDevelopment(path string) bool {
	_, err := os.Stat(filepath.Join(path, developmentMark))
	return err == nil
}
