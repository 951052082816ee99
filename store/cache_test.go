package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// source is something to read that counts how often it was read.
type source struct {
	reads atomic.Int64
	value atomic.Int64
}

func (s *source) read(context.Context) (int64, error) {
	s.reads.Add(1)
	return s.value.Load(), nil
}

func load(t *testing.T, c *store.Cache[int64], id string, s *source) int64 {
	t.Helper()
	value, err := c.Load(t.Context(), id, s.read)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestCacheReadsOnceWhileNothingChanges(t *testing.T) {
	changes, _ := process(t, open(t))
	cache, s := store.NewCache[int64](changes, "client/", 10), &source{}
	for range 5 {
		load(t, cache, "a", s)
	}
	if n := s.reads.Load(); n != 1 {
		t.Errorf("read %d times, want 1", n)
	}
}

// A disabled client must not live on in memory.
func TestCacheForgetsWhatChanged(t *testing.T) {
	changes, _ := process(t, open(t))
	cache, s, other := store.NewCache[int64](changes, "client/", 10), &source{}, &source{}
	load(t, cache, "a", s)
	load(t, cache, "b", other)
	s.value.Store(1)
	for _, subject := range []string{"client/", "client/ab", "user/a", "a"} {
		if err := changes.Announce(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
	}
	if got := load(t, cache, "a", s); got != 0 {
		t.Error("a change of something else was taken for one of a")
	}
	if err := changes.Announce(t.Context(), "client/a"); err != nil {
		t.Fatal(err)
	}
	if got := load(t, cache, "a", s); got != 1 {
		t.Errorf("got %d after the change, want 1", got)
	}
	load(t, cache, "b", other)
	if n := other.reads.Load(); n != 1 {
		t.Errorf("the other one was read %d times, want 1", n)
	}
	if err := changes.Announce(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	load(t, cache, "b", other)
	if n := other.reads.Load(); n != 2 {
		t.Errorf("when anything may have changed the other one was read %d times, want 2", n)
	}
}

// While the changes of others cannot be seen, memory proves nothing. Afterwards it does again.
func TestCacheTrustsNothingWhileChangesAreNotFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{Store: open(t)}
		changes := store.NewChanges(f)
		cache, s := store.NewCache[int64](changes, "client/", 10), &source{}
		load(t, cache, "a", s)
		run(t, changes)
		load(t, cache, "a", s)
		load(t, cache, "a", s)
		if n := s.reads.Load(); n != 2 {
			t.Fatalf("read %d times, want once before Run and once after", n)
		}
		f.down.Store(true)
		time.Sleep(3 * time.Second)
		load(t, cache, "a", s)
		load(t, cache, "a", s)
		if n := s.reads.Load(); n != 4 {
			t.Errorf("read %d times, want 4", n)
		}
		f.down.Store(false)
		time.Sleep(time.Second)
		load(t, cache, "a", s)
		if n := s.reads.Load(); n != 4 {
			t.Errorf("read %d times, want 4", n)
		}
	})
}

// Whether a value was read before a change or after it, nobody knows when the two overlap.
func TestCacheDoesNotKeepWhatChangedWhileItWasRead(t *testing.T) {
	for _, subject := range []string{"client/a", ""} {
		changes, _ := process(t, open(t))
		cache, s := store.NewCache[int64](changes, "client/", 10), &source{}
		got, err := cache.Load(t.Context(), "a", func(ctx context.Context) (int64, error) {
			old, err := s.read(ctx)
			s.value.Store(1)
			return old, errors.Join(err, changes.Announce(ctx, subject))
		})
		if err != nil || got != 0 {
			t.Fatalf("got %d and %v", got, err)
		}
		if got := load(t, cache, "a", s); got != 1 {
			t.Errorf("the old value was kept over the change of %q", subject)
		}
	}
}

// Store trouble passes, and what is absent now may be there in a moment.
func TestCacheDoesNotKeepErrors(t *testing.T) {
	changes, _ := process(t, open(t))
	cache, s := store.NewCache[int64](changes, "client/", 10), &source{}
	_, err := cache.Load(t.Context(), "a", func(context.Context) (int64, error) { return 7, store.ErrNotFound })
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if got := load(t, cache, "a", s); got != 0 {
		t.Errorf("got %d, want 0", got)
	}
}

// Whoever may name many ids must not fill the memory with them.
func TestCacheIsBounded(t *testing.T) {
	for _, limit := range []int{-1, 1, 3, 100, 200} {
		changes, _ := process(t, open(t))
		cache, s := store.NewCache[int64](changes, "client/", limit), &source{}
		const ids = 500
		for i := range ids {
			load(t, cache, fmt.Sprint(i), s)
		}
		before := s.reads.Load()
		for i := range ids {
			load(t, cache, fmt.Sprint(i), s)
		}
		if kept := ids - (s.reads.Load() - before); kept > int64(max(limit, 1)) {
			t.Errorf("%d values were kept, the limit is %d", kept, limit)
		}
	}
}

// A writer that dies between its write and its announcement must not be believed forever.
func TestCacheReadsAgainAfterHalfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changes, _ := process(t, open(t))
		cache, s := store.NewCache[int64](changes, "client/", 10), &source{}
		load(t, cache, "a", s)
		s.value.Store(1)
		time.Sleep(29 * time.Second)
		if got := load(t, cache, "a", s); got != 0 {
			t.Errorf("got %d before the time, want 0", got)
		}
		time.Sleep(time.Second)
		if got := load(t, cache, "a", s); got != 1 {
			t.Errorf("got %d after half a minute, want 1", got)
		}
	})
}

// Readers, changes and evictions at once: what is returned after a change was announced is never older than it.
func TestCacheNeverReturnsWhatIsOlderThanAnAnnouncement(t *testing.T) {
	changes, _ := process(t, open(t))
	cache := store.NewCache[int64](changes, "client/", 4)
	sources := make([]source, 8)
	var announced [8]atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				n := i % len(sources)
				floor := announced[n].Load()
				if got, err := cache.Load(ctx, fmt.Sprint(n), sources[n].read); err == nil && got < floor {
					t.Errorf("got %d after %d was announced", got, floor)
					return
				}
			}
		})
	}
	for n := range sources {
		writers.Go(func() {
			for i := range int64(20) {
				sources[n].value.Store(i)
				if err := changes.Announce(t.Context(), fmt.Sprint("client/", n)); err != nil {
					t.Error(err)
				}
				announced[n].Store(i)
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
}

func BenchmarkCacheHit(b *testing.B) {
	changes := store.NewChanges(open(b))
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	go changes.Run(ctx)
	for !changes.Fresh() {
		time.Sleep(time.Millisecond)
	}
	cache, s := store.NewCache[int64](changes, "client/", 1000), &source{}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			cache.Load(ctx, "a-client", s.read)
		}
	})
}
