package server_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// watchedStore counts what a server asks of its store: work that is equal takes equal time.
type watchedStore struct {
	store.Store
	mu            sync.Mutex
	reads, writes int
}

func deployWatched(t testing.TB, change ...func(*server.Config)) (*deployment, *watchedStore) {
	t.Helper()
	s, c := bolttest.Open(t, noon)
	w := &watchedStore{Store: s}
	d := deploy(t, w, newRing(t), change...)
	d.clock = c
	return d, w
}

// settled waits until an act that was done before needs no more than so many reads: until the caches are trusted.
func (w *watchedStore) settled(t testing.TB, act func(), most int) {
	t.Helper()
	eventually(t, 5*time.Second, "the caches are filled and trusted", func() bool {
		reads, _ := w.during(act)
		return reads <= most
	})
}

func (w *watchedStore) read() { w.mu.Lock(); w.reads++; w.mu.Unlock() }

func (w *watchedStore) write() { w.mu.Lock(); w.writes++; w.mu.Unlock() }

// during counts the reads and writes of an act.
func (w *watchedStore) during(act func()) (reads, writes int) {
	w.mu.Lock()
	reads, writes = w.reads, w.writes
	w.mu.Unlock()
	act()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reads - reads, w.writes - writes
}

func (w *watchedStore) Get(ctx context.Context, key string) (store.Record, error) {
	w.read()
	return w.Store.Get(ctx, key)
}

func (w *watchedStore) Members(ctx context.Context, index, after string, limit int) ([]store.Member, error) {
	w.read()
	return w.Store.Members(ctx, index, after, limit)
}

func (w *watchedStore) Set(ctx context.Context, key string, value []byte, expires time.Time) error {
	w.write()
	return w.Store.Set(ctx, key, value, expires)
}

func (w *watchedStore) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	w.write()
	return w.Store.Add(ctx, key, value, expires)
}

func (w *watchedStore) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	w.write()
	return w.Store.Swap(ctx, key, old, value, expires)
}

func (w *watchedStore) Delete(ctx context.Context, key string) error {
	w.write()
	return w.Store.Delete(ctx, key)
}

func (w *watchedStore) Enroll(ctx context.Context, index, name string, expires time.Time) (int, error) {
	w.write()
	return w.Store.Enroll(ctx, index, name, expires)
}

func (w *watchedStore) Append(ctx context.Context, log string, entry []byte, expires time.Time) (uint64, error) {
	w.write()
	return w.Store.Append(ctx, log, entry, expires)
}

func (w *watchedStore) Increment(ctx context.Context, key string, expires time.Time) (int64, error) {
	w.write()
	return w.Store.Increment(ctx, key, expires)
}
