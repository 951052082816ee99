package main_test

import (
	"strings"
	"testing"
)

// On a terminal a bar says how far an import is, and nothing of it is left at the end.
func TestImportShowsABarOnATerminal(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	start(t, folder, nil, "dev", "--listen", "localhost:0", "--data-dir", "d")
	term := onTerminal(t, folder, "user", "import", fromDjango(t, folder, 300), "--hash", "django", "--dry-run", "--data-dir", "d")
	if err := term.cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, term.shown)
	}
	eventually(t, "the bar, and its end", func() bool {
		shown := term.shown.String()
		last := strings.LastIndex(shown, "\r\x1b[K")
		return strings.Contains(shown, "] ") && !strings.Contains(shown[last:], "[=")
	})
	if shown := term.shown.String(); !strings.Contains(shown, "\r\x1b[K[=") || !strings.Contains(shown, "%  100 users") {
		t.Errorf("there is no bar: %q", shown)
	}
}
