package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
)

// A line that nobody hurries is out soon, in order; Flush hurries it, and a burst does not wait at all.
func TestLogBufferLosesAndReordersNothing(t *testing.T) {
	out := &syncBuffer{}
	buffer := server.NewLogBuffer(out)
	for _, line := range []string{"one\n", "two\n"} {
		if _, err := buffer.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 5*time.Second, "the lines are out", func() bool { return out.String() == "one\ntwo\n" })
	buffer.Write([]byte("three\n"))
	buffer.Flush()
	if got := out.String(); got != "one\ntwo\nthree\n" {
		t.Errorf("after Flush: %q", got)
	}
	burst := strings.Repeat("x", 1023) + "\n"
	for range 64 {
		buffer.Write([]byte(burst))
	}
	if got := len(out.String()); got < 64<<10 {
		t.Errorf("%d bytes are out after a burst of 64 KiB", got)
	}
}
