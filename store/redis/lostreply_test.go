package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// losses are the ways to lose a reply: the connection breaks, or nothing comes.
var losses = map[string]redistest.Loss{"the connection closes": redistest.Close, "the connection falls silent": redistest.Silence}

// A re-sent write must know itself: its caller has won, and it was written once.
func TestWritesWhoseReplyIsLostHappenOnce(t *testing.T) {
	server := redistest.Start(t)
	for name, loss := range losses {
		t.Run(name, func(t *testing.T) {
			proxy := redistest.NewProxy(t, server.Addr())
			s := open(t, redis.Options{URL: proxy.URL(), Prefix: t.Name() + ":"})
			ctx, later := t.Context(), s.Now().Add(time.Hour)
			teachScripts(t, s)
			monitor := server.Monitor()

			proxy.DropReplies(1, loss, isWrite)
			must(t, s.Add(ctx, "k", []byte("one"), later))
			old, err := s.Get(ctx, "k")
			must(t, err)
			proxy.DropReplies(1, loss, isWrite)
			must(t, s.Swap(ctx, "k", old, []byte("two"), later))
			proxy.DropReplies(1, loss, isWrite)
			seq, err := s.Append(ctx, "log", []byte("entry"), later)
			must(t, err)

			if got := proxy.Dropped(); got != 3 {
				t.Errorf("%d replies were lost, want 3: the test shows nothing", got)
			}
			if record, err := s.Get(ctx, "k"); err != nil || string(record.Value) != "two" {
				t.Errorf("Get = %q, %v, want two", record.Value, err)
			}
			entries, err := s.Since(ctx, "log", 0, 10)
			if err != nil || len(entries) != 1 || entries[0].Seq != seq {
				t.Errorf("Since = %v, %v, want one entry of number %d", entries, err, seq)
			}
			_, err = server.Do("ECHO", "the end")
			must(t, err)
			if sets := countLines(t, monitor, `lua] "SET"`); sets != 2 {
				t.Errorf("%d records were written, want 2: one by Add, one by Swap", sets)
			}
		})
	}
}

// A server that stands still for longer than the time-out carries out both the attempt and its repetition.
func TestAppendMetByBothItsAttemptsWritesOneEntry(t *testing.T) {
	server := redistest.Start(t)
	s := open(t, redis.Options{URL: server.URL()})
	teachScripts(t, s)

	server.Pause()
	done := make(chan error, 1)
	go func() {
		_, err := s.Append(context.Background(), "log", []byte("entry"), store.Forever)
		done <- err
	}()
	// The first attempt ends after 500 ms, the second 500 ms later.
	<-time.After(700 * time.Millisecond)
	server.Resume()
	must(t, <-done)
	entries, err := s.Since(t.Context(), "log", 0, 10)
	if err != nil || len(entries) != 1 {
		t.Errorf("Since = %d entries, %v, want 1", len(entries), err)
	}
}

// One repetition is all: a reply that is lost twice leaves the caller in doubt, and says so.
func TestWriteWhoseRepliesAreLostTwiceIsUnavailable(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	s := open(t, redis.Options{URL: proxy.URL()})
	teachScripts(t, s)

	proxy.DropReplies(2, redistest.Close, isWrite)
	if err := s.Add(t.Context(), "k", []byte("v"), store.Forever); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Add = %v, want ErrUnavailable", err)
	}
	if err := s.Add(t.Context(), "k", []byte("v"), store.Forever); !errors.Is(err, store.ErrExists) {
		t.Errorf("Add again = %v, want ErrExists", err)
	}
}

// teachScripts lets Redis learn the scripts of records and logs, so that the reply lost next is not that it lacks one.
func teachScripts(t *testing.T, s *redis.Store) {
	t.Helper()
	must(t, s.Add(t.Context(), "other", nil, store.Forever))
	if err := s.Swap(t.Context(), "none", store.Record{}, nil, store.Forever); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("Swap of nothing = %v, want ErrConflict", err)
	}
	_, err := s.Append(t.Context(), "other", nil, store.Forever)
	must(t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// countLines counts the lines of a monitor that contain what, up to the one that says "the end".
func countLines(t *testing.T, monitor <-chan string, what string) int {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for n := 0; ; {
		select {
		case line := <-monitor:
			if strings.Contains(line, "the end") {
				return n
			}
			if strings.Contains(line, what) {
				n++
			}
		case <-deadline:
			t.Fatal("the monitor does not come to an end")
		}
	}
}

// eventually polls until holds, and fails the test when that does not come.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after 10 s", what)
		}
	}
}
