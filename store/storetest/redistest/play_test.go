package redistest_test

import (
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// A program that borrows servers must get what went wrong as an error, and must leave no server behind either way.
func TestPlayEndsWhatItStarted(t *testing.T) {
	t.Parallel()
	for _, wanted := range []string{"", "gave up on purpose"} {
		var server *redistest.Server
		after := false
		err := redistest.Play(func(tb testing.TB) {
			server = redistest.Start(tb)
			if _, err := server.Do("PING"); err != nil {
				tb.Errorf("the server does not answer: %v", err)
			}
			if wanted != "" {
				tb.Fatal(wanted)
			}
			after = true
		})
		switch {
		case wanted == "" && (err != nil || !after):
			t.Errorf("got %v, want the play to go to its end", err)
		case wanted != "" && (err == nil || !strings.Contains(err.Error(), wanted) || after):
			t.Errorf("got %v, want %q and nothing after it", err, wanted)
		}
		if server == nil || server.Running() {
			t.Errorf("with the end %q the server still runs", wanted)
		}
	}
}
