package keys_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/safeconduct/safeconduct/keys"
)

func TestGeneratedFileLoadsAndIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets")
	made, err := keys.GenerateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := keys.LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(made) != 1 || len(loaded) != 1 || made[0] != loaded[0] {
		t.Errorf("made %d secrets and loaded %d, or other ones", len(made), len(loaded))
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("the mode is %v, want -rw-------", info.Mode())
	}
}

// A second start, or a second process, must never replace the secret that everything hangs on.
func TestGenerateFileNeverReplacesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.GenerateFile(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	if content, _ := os.ReadFile(path); string(content) != "precious" {
		t.Errorf("the file is now %d bytes long", len(content))
	}
}

// Of many processes that start at once one makes the file; nothing else is left in the folder.
func TestGenerateFileHasOneWinner(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "secrets")
	var wins, losses int
	var mu sync.Mutex
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			_, err := keys.GenerateFile(path)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				wins++
			case errors.Is(err, fs.ErrExist):
				losses++
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if wins != 1 || losses != 31 {
		t.Errorf("%d won and %d lost", wins, losses)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("the folder holds %v, want the file alone", entries)
	}
}

// A secret that others can read is none, and the message says how to mend it.
func TestLoadFileRefusesWhatOthersCanRead(t *testing.T) {
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o666} {
		path := filepath.Join(t.TempDir(), "secrets")
		if _, err := keys.GenerateFile(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := keys.LoadFile(path)
		if err == nil {
			t.Errorf("mode %v was accepted", mode)
			continue
		}
		for _, want := range []string{path, "chmod 600 " + path, fmt.Sprintf("%04o", mode)} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("mode %v: %q does not say %q", mode, err, want)
			}
		}
	}
}

func TestLoadFileSaysWhichLineIsWrongAndNotWhatIsInIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets")
	canary := base64.StdEncoding.EncodeToString([]byte("canary"))
	if err := os.WriteFile(path, []byte("# mine\n"+canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := keys.LoadFile(path)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), canary) {
		t.Errorf("got %v", err)
	}
}

func TestLoadFileRefusesWhatIsNoFileOfSecrets(t *testing.T) {
	folder := t.TempDir()
	big := filepath.Join(folder, "big")
	if err := os.WriteFile(big, []byte(strings.Repeat("#\n", 40_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"a folder": folder, "an absent file": filepath.Join(folder, "absent"), "a big file": big} {
		if _, err := keys.LoadFile(path); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := keys.LoadFile(filepath.Join(folder, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}
