package bolt_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/safeconduct/safeconduct/store/bolt"
)

// An operator who starts a second server must learn which process to stop.
func TestSecondProcessIsRefusedByName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	other := startChild(t, "hold", path)
	other.line(t)

	_, err := bolt.Open(path, bolt.Options{})
	if !errors.Is(err, bolt.ErrInUse) {
		t.Fatalf("Open while another process has the file: %v, want %v", err, bolt.ErrInUse)
	}
	for _, want := range []string{path, fmt.Sprintf("process %d", other.Process.Pid)} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %q", err, want)
		}
	}

	// A process that was killed holds nothing, whatever it has left lying about.
	other.Process.Kill()
	other.Wait()
	open(t, path, bolt.Options{})
}

// The holder may be this very process.
func TestSecondHandleIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	first := open(t, path, bolt.Options{})
	_, err := bolt.Open(path, bolt.Options{})
	if !errors.Is(err, bolt.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("second Open: %v, want %v by this process", err, bolt.ErrInUse)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path, bolt.Options{})
}

// A restart starts the new process while the old one is still putting its things away.
func TestOpenWaitsForAProcessThatEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	old := startChild(t, "hold", path)
	old.line(t)
	opened := make(chan error)
	go func() {
		s, err := bolt.Open(path, bolt.Options{})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	old.input.Close()
	if err := <-opened; err != nil {
		t.Errorf("Open: %v", err)
	}
}

// Tools of bbolt know nothing of our lock, only of their own.
func TestFileInUseByAToolIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	open(t, path, bolt.Options{}).Close()
	tool, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bolt.Open(path, bolt.Options{}); !errors.Is(err, bolt.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v, want %v", err, bolt.ErrInUse)
	}
	tool.Close()
	open(t, path, bolt.Options{})
}

// Two names of one file are one file.
func TestLinkToAFileInUseIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data.db")
	link := filepath.Join(t.TempDir(), "link.db")
	open(t, path, bolt.Options{})
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := bolt.Open(link, bolt.Options{}); !errors.Is(err, bolt.ErrInUse) {
		t.Errorf("Open of a link: %v, want %v", err, bolt.ErrInUse)
	}
}
