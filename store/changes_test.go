package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
)

// open opens a new store on the default engine.
func open(t testing.TB) store.Store {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "data.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// process is the changes of one process that shares a store, running until the test ends.
func process(t *testing.T, s store.Store) (*store.Changes, *heard) {
	t.Helper()
	changes, ears := store.NewChanges(s), &heard{}
	changes.Listen(ears.hear)
	run(t, changes)
	return changes, ears
}

func run(t *testing.T, changes *store.Changes) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- changes.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
	eventually(t, "the first look at the log", changes.Fresh)
}

// heard keeps what a listener was told.
type heard struct {
	mu       sync.Mutex
	subjects []string
}

func (h *heard) hear(subject string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subjects = append(h.subjects, subject)
}

func (h *heard) times(subject string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, s := range h.subjects {
		if s == subject {
			n++
		}
	}
	return n
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// faulty is a store whose log of changes can be cut off, and whose wake-ups can be lost.
type faulty struct {
	store.Store
	down, mute atomic.Bool
}

func (f *faulty) Since(ctx context.Context, log string, seq uint64, limit int) ([]store.Entry, error) {
	if f.down.Load() {
		return nil, store.ErrUnavailable
	}
	return f.Store.Since(ctx, log, seq, limit)
}

func (f *faulty) Append(ctx context.Context, log string, entry []byte, expires time.Time) (uint64, error) {
	if f.down.Load() {
		return 0, store.ErrUnavailable
	}
	return f.Store.Append(ctx, log, entry, expires)
}

func (f *faulty) Publish(ctx context.Context, topic string) error {
	if f.mute.Load() {
		return store.ErrUnavailable
	}
	return f.Store.Publish(ctx, topic)
}

// The process that changes a record must not go on serving what it remembers of it, not even for one request.
func TestAnnounceTellsOwnListenersBeforeItReturns(t *testing.T) {
	changes, ears := store.NewChanges(open(t)), &heard{}
	changes.Listen(ears.hear)
	if err := changes.Announce(t.Context(), "client/a"); err != nil {
		t.Fatal(err)
	}
	if n := ears.times("client/a"); n != 1 {
		t.Errorf("told %d times, want 1", n)
	}
}

// Nor when the others could not be told: that error makes the caller repeat, but the change was made.
func TestAnnounceTellsOwnListenersWhenTheStoreFails(t *testing.T) {
	f := &faulty{Store: open(t)}
	f.down.Store(true)
	changes, ears := store.NewChanges(f), &heard{}
	changes.Listen(ears.hear)
	if err := changes.Announce(t.Context(), "client/a"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if n := ears.times("client/a"); n != 1 {
		t.Errorf("told %d times, want 1", n)
	}
}

// A client disabled at one process is disabled at all of them within a second.
func TestChangesReachOtherProcessesWithinASecond(t *testing.T) {
	for _, mute := range []bool{false, true} {
		t.Run(fmt.Sprintf("wake-ups lost: %v", mute), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &faulty{Store: open(t)}
				f.mute.Store(mute)
				here, _ := process(t, f)
				_, there := process(t, f)
				for i := range 20 {
					time.Sleep(time.Duration(i) * 37 * time.Millisecond)
					subject := fmt.Sprint("client/", i)
					if err := here.Announce(t.Context(), subject); err != nil {
						t.Fatal(err)
					}
					announced := time.Now()
					eventually(t, subject, func() bool { return there.times(subject) > 0 })
					if took := time.Since(announced); took > time.Second {
						t.Errorf("%s took %v", subject, took)
					}
				}
			})
		})
	}
}

// Of changes that many processes announce at once none is lost.
func TestNoChangeIsLost(t *testing.T) {
	s := open(t)
	_, ears := process(t, s)
	var wait sync.WaitGroup
	for writer := range 16 {
		other := store.NewChanges(s)
		wait.Go(func() {
			for i := range 20 {
				if err := other.Announce(context.Background(), fmt.Sprintf("user/%d-%d", writer, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	for writer := range 16 {
		for i := range 20 {
			subject := fmt.Sprintf("user/%d-%d", writer, i)
			eventually(t, subject, func() bool { return ears.times(subject) == 1 })
		}
	}
}

// What could not be looked up for two seconds may have changed: nothing remembered is trusted then.
func TestFreshOnlyWhileTheLogCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{Store: open(t)}
		changes := store.NewChanges(f)
		if changes.Fresh() {
			t.Error("fresh before Run")
		}
		run(t, changes)
		f.down.Store(true)
		time.Sleep(time.Second)
		if !changes.Fresh() {
			t.Error("not fresh after a second of trouble")
		}
		time.Sleep(time.Second)
		if changes.Fresh() {
			t.Error("fresh after two seconds of trouble")
		}
		f.down.Store(false)
		time.Sleep(time.Second)
		if !changes.Fresh() {
			t.Error("not fresh a second after the trouble")
		}
	})
}

// Entries lapse. A process that was cut off for so long that it may have missed some forgets everything.
func TestLongAbsenceForgetsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{Store: open(t)}
		here, there := store.NewChanges(f.Store), &heard{}
		changes := store.NewChanges(f)
		changes.Listen(there.hear)
		run(t, changes)
		if n := there.times(""); n != 1 {
			t.Fatalf("told %d times at the start that anything may have changed, want 1", n)
		}
		for _, away := range []time.Duration{10 * time.Second, 40 * time.Minute} {
			f.down.Store(true)
			if err := here.Announce(t.Context(), fmt.Sprint("client/", away)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(away)
			f.down.Store(false)
			time.Sleep(time.Second)
		}
		there.mu.Lock()
		defer there.mu.Unlock()
		if want := []string{"", "client/10s", ""}; !slices.Equal(there.subjects, want) {
			t.Errorf("told %q, want %q", there.subjects, want)
		}
	})
}

// Run must end with its context, also on a store that is closed, and must not spin there.
func TestRunEndsWithItsContext(t *testing.T) {
	s := open(t)
	changes := store.NewChanges(s)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- changes.Run(ctx) }()
	eventually(t, "the first look at the log", changes.Fresh)
	s.Close()
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
