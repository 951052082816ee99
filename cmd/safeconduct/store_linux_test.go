package main_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// On a terminal a bar says how far a copy is and nothing of it is left; a person is asked what is to become of the
// sessions in a backup, and an answer that is none changes nothing.
func TestStoreCommandsOnATerminal(t *testing.T) {
	t.Parallel()
	folder := folder(t)
	fillMany(t, filepath.Join(folder, "d", "data.db"), 40_000)
	term := onTerminal(t, folder, "store", "copy", "--to", "bolt:copy.db", "--data-dir", "d")
	if err := term.cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, term.shown)
	}
	eventually(t, "the bar", func() bool { return strings.Contains(term.shown.String(), "Next: ") })
	shown := term.shown.String()
	if !strings.Contains(shown, "\r\x1b[K[=") || !strings.Contains(shown, " items copied") {
		t.Errorf("there is no bar: %q", shown)
	}
	if last := shown[strings.LastIndex(shown, "\r\x1b[K"):]; strings.Contains(last, "[=") {
		t.Errorf("the bar is left behind: %q", shown)
	}

	must(t, folder, "", nil, "store", "backup", "b", "--data-dir", "d")
	for answer, want := range map[string]int{"perhaps": 1, "no": 0} {
		target := "e-" + answer
		term := onTerminal(t, folder, "store", "restore", "b", "--data-dir", target)
		eventually(t, "the question", func() bool { return strings.Contains(term.shown.String(), "Write yes or no: ") })
		if _, err := term.WriteString(answer + "\n"); err != nil {
			t.Fatal(err)
		}
		_ = term.cmd.Wait()
		if got := term.cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("%s: exit %d, want %d\n%s", answer, got, want, term.shown)
		}
		if there := exists(filepath.Join(folder, target, "data.db")); there != (want == 0) {
			t.Errorf("%s: there is a data file: %v", answer, there)
		}
	}
}
