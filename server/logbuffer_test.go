package server_test

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
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

// Who reads the log must not see which of two ways wrote a line: the handler's own lines and slog's are the same.
func TestLogHandlerWritesTheLinesOfSlog(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 123456000, time.FixedZone("", 7200))
	out, want := &syncBuffer{}, &bytes.Buffer{}
	buffer := server.NewLogBuffer(out)
	ours, slogs := buffer.Handler(slog.LevelInfo), slog.NewJSONHandler(want, nil)
	for _, attrs := range [][]slog.Attr{
		nil,
		{slog.String("client_id", "orders-app"), slog.Int("status", 200), slog.Int64("negative", -5), slog.Uint64("big", math.MaxUint64), slog.Bool("limited", true)},
		{slog.Float64("zero", 0), slog.Float64("took_ms", 0.123), slog.Float64("long", 123456.789), slog.Float64("small", 1e-6)},
		{slog.Float64("tiny", 1e-7), slog.Float64("huge", 1e21), slog.Float64("none", math.NaN())},
		{slog.String("quote", `a "b" \ c`), slog.String("after", "plain")},
		{slog.String("control", "a\x00\n\x1b[31m"), slog.String("broken", "a\xff"), slog.String("far", "Zürich 東京 <&>")},
		{slog.String("na\"me", "x"), slog.Any("error", errors.New("it broke")), slog.Duration("wait", time.Second), slog.Time("when", at)},
		{slog.Group("who", slog.String("id", "7")), {}},
	} {
		for _, message := range []string{"request", "with \"quotes\"\n", ""} {
			r := slog.NewRecord(at, slog.LevelWarn, message, 0)
			r.AddAttrs(attrs...)
			for _, h := range []slog.Handler{ours, slogs} {
				if err := h.Handle(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				if err := h.WithGroup("more").WithAttrs([]slog.Attr{slog.Int("n", 1)}).Handle(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	buffer.Flush()
	if got := out.String(); got != want.String() {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if ours.Enabled(t.Context(), slog.LevelDebug) || !ours.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("the level is not that of the handler")
	}
}
