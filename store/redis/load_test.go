package redis_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
)

// followWithin is how soon after a new master is there the store must use it.
const followWithin = 2 * time.Second

// load keeps a store busy, by one caller for each key that reads the key and swaps it on, and writes down what happened.
type load struct {
	t     *testing.T
	store *redis.Store
	stop  context.CancelFunc
	group sync.WaitGroup

	mu      sync.Mutex
	trouble []error
	calls   int
}

// startLoad begins a load that ends with the test at the latest.
func startLoad(t *testing.T, s *redis.Store, keys ...string) *load {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &load{t: t, store: s, stop: stop}
	for _, key := range keys {
		must(t, s.Set(t.Context(), key, []byte{0}, store.Forever))
		l.group.Go(func() {
			for turn := byte(0); ctx.Err() == nil; turn++ {
				turn = l.step(key, turn)
				<-time.After(2 * time.Millisecond)
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

// step reads the key, which must be as the last step left it, and writes the next turn. A swap whose answer did not come
// may have worked.
func (l *load) step(key string, turn byte) byte {
	record, err := l.store.Get(context.Background(), key)
	if err == nil {
		if got := record.Value[0]; got != turn {
			l.note(fmt.Errorf("%s was at %d and is at %d", key, turn, got))
			turn = got
		}
		err = l.store.Swap(context.Background(), key, record, []byte{turn + 1}, store.Forever)
	}
	l.note(err)
	if errors.Is(err, store.ErrUnavailable) {
		for {
			if record, err = l.store.Get(context.Background(), key); err == nil {
				return record.Value[0] - 1
			}
		}
	}
	return turn
}

func (l *load) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if err != nil {
		l.trouble = append(l.trouble, err)
	}
}

// count is how many steps were made so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

// proceed waits until n more steps were made.
func (l *load) proceed(n int) {
	l.t.Helper()
	before := l.count()
	eventually(l.t, "the load goes on", func() bool { return l.count() >= before+n })
}

func (l *load) end() {
	l.stop()
	l.group.Wait()
}

// untroubled fails the test if a caller has seen an error.
func (l *load) untroubled(during string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.trouble) > 0 {
		l.t.Errorf("%s, %d of %d calls failed; the first: %v", during, len(l.trouble), l.calls, l.trouble[0])
	}
}

// follows fails the test unless writes under a key work again soon.
func follows(t *testing.T, s *redis.Store, key, after string) {
	t.Helper()
	began := time.Now()
	eventually(t, "writes work "+after, func() bool { return s.Set(t.Context(), key, []byte("v"), store.Forever) == nil })
	if took := time.Since(began); took > followWithin {
		t.Errorf("%s, writes worked only after %v, want %v", after, took, followWithin)
	}
}
