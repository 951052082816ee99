package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
)

// The file holds who may do what: nobody but the owner reads it.
func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "made", "here")
	s := open(t, filepath.Join(folder, "data.db"), bolt.Options{})
	if s.Path() != filepath.Join(folder, "data.db") {
		t.Errorf("Path() = %q", s.Path())
	}
	for path, want := range map[string]os.FileMode{
		filepath.Dir(folder):                  0o700 | os.ModeDir,
		folder:                                0o700 | os.ModeDir,
		filepath.Join(folder, "data.db"):      0o600,
		filepath.Join(folder, "data.db.lock"): 0o600,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
}

// A file of no length is what `touch` and many installers make.
func TestFileOfNoLengthIsNew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	write(t, path, nil)
	if s := open(t, path, bolt.Options{}); !s.Empty() {
		t.Error("a new file is not Empty")
	}
}

// A draft is what is left of a first start that was interrupted. It never counted.
func TestDraftOfAFileIsIgnored(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	write(t, path+".new", []byte("half a draft"))
	if s := open(t, path, bolt.Options{}); !s.Empty() {
		t.Error("a new file is not Empty")
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the draft is still there: %v", err)
	}
}

func TestFolderInPlaceOfAFileIsRefused(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	_, err := bolt.Open(path, bolt.Options{})
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a folder: %v, want an error that names it", err)
	}
}

// Only a store that was never written to may be given new system secrets: what was issued under others would end.
func TestEmptyMeansNeverWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	for range 2 {
		s := open(t, path, bolt.Options{})
		if !s.Empty() {
			t.Error("a file that nothing was written to is not Empty")
		}
		if _, err := s.Get(context.Background(), "k"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get: %v", err)
		}
		if err := s.Delete(context.Background(), "k"); err != nil {
			t.Errorf("Delete: %v", err)
		}
		s.Close()
	}
	s := open(t, path, bolt.Options{})
	if err := s.Set(context.Background(), "k", nil, store.Forever); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(context.Background(), "k"); err != nil {
		t.Fatal(err)
	}
	if s.Empty() {
		t.Error("Empty after a write")
	}
	s.Close()
	if s := open(t, path, bolt.Options{}); s.Empty() {
		t.Error("Empty after a write and a restart")
	}
}

// Writes to a file that was deleted under a running server would be lost at its end, so it must not look ready.
func TestPingNoticesThatTheFileIsGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	s := open(t, path, bolt.Options{})
	if err := s.Ping(context.Background()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(context.Background()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ping without the file: %v, want %v", err, store.ErrUnavailable)
	}
	write(t, path, []byte("another"))
	if err := s.Ping(context.Background()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ping with another file in place: %v, want %v", err, store.ErrUnavailable)
	}
}

// A file that is cut off while it is in use faults where it is read. That is an error, not the end of the process.
func TestFileCutWhileOpenIsUnavailable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	s := open(t, path, bolt.Options{})
	err := inParallel(500, func(n int) error {
		return s.Set(context.Background(), numbered("k", 500)[n], bytes.Repeat([]byte("v"), 500), store.Forever)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(2*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(context.Background(), "k1"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Get: %v, want %v", err, store.ErrUnavailable)
	}
	for range 2 {
		if err := s.Set(context.Background(), "k1", nil, store.Forever); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Set: %v, want %v", err, store.ErrUnavailable)
		}
	}
	if err := s.Ping(context.Background()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ping: %v, want %v", err, store.ErrUnavailable)
	}
	s.Close()
	refused(t, path, "is damaged")
}

// A store that is opened and closed leaves nothing running behind.
func TestCloseLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	path := filepath.Join(t.TempDir(), "data.db")
	for range 3 {
		s := open(t, path, bolt.Options{})
		if _, err := s.Subscribe(context.Background(), "topic"); err != nil {
			t.Fatal(err)
		}
		if err := s.Set(context.Background(), "k", nil, store.Forever); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	goleak.VerifyNone(t, before)
}

// A clock that was set back lets time pass slowly until it is right again. If it stood still, nothing would expire.
func TestClockThatIsBehindStillMoves(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	local := time.Date(2026, time.October, 25, 3, 0, 0, 0, time.UTC)
	clock := func() time.Time { return local }
	s := open(t, path, bolt.Options{Clock: clock})
	start := s.Now()
	s.Close()

	var said bytes.Buffer
	local = local.Add(-time.Hour)
	s = open(t, path, bolt.Options{Clock: clock, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if !strings.Contains(said.String(), "ahead of this machine's clock") || !strings.Contains(said.String(), "ahead=1h0m0s") {
		t.Errorf("the log says %q", said.String())
	}
	if now := s.Now(); !now.Equal(start) {
		t.Errorf("with the clock an hour back, Now is %v, want %v", now, start)
	}
	local = local.Add(time.Hour)
	if now := s.Now(); !now.Equal(start.Add(30 * time.Minute)) {
		t.Errorf("an hour later, Now is %v, want %v", now, start.Add(30*time.Minute))
	}
	local = local.Add(2 * time.Hour)
	if now := s.Now(); !now.Equal(local) {
		t.Errorf("when the clock has caught up, Now is %v, want %v", now, local)
	}
}
