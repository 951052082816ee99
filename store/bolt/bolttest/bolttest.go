// Package bolttest gives the tests of other rooms an embedded store in a folder of their own, with a clock that they set.
package bolttest

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
)

// Clock is a clock that stands still until a test moves it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock makes a clock that stands at now.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Open opens an empty store whose clock stands at now, and closes it at the end of the test.
func Open(t testing.TB, now time.Time) (store.Store, *Clock) {
	t.Helper()
	c := NewClock(now)
	s, err := bolt.Open(filepath.Join(t.TempDir(), "data", "data.db"), bolt.Options{Clock: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, c
}

// Changes runs the messenger of one process on a store until the end of the test, and returns when it is fresh.
func Changes(t testing.TB, s store.Store) *store.Changes {
	t.Helper()
	changes := store.NewChanges(s)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = changes.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	for !changes.Fresh() {
		time.Sleep(time.Millisecond)
	}
	return changes
}

// WithinASecond waits for what a change must bring about at another process.
func WithinASecond(t testing.TB, otherwise string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a second later: %s", otherwise)
		}
	}
}
