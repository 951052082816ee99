package users_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/users"
)

// counted is a store that counts its calls.
type counted struct {
	store.Store
	calls atomic.Int64
}

func (c *counted) Get(ctx context.Context, key string) (store.Record, error) {
	c.calls.Add(1)
	return c.Store.Get(ctx, key)
}

func (c *counted) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	c.calls.Add(1)
	return c.Store.Add(ctx, key, value, expires)
}

// A login that is turned away for want of room leaves nothing in the store: a flood of made-up names must not fill it.
func TestALoginThatIsTurnedAwayLeavesNoTrace(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	c := &counted{Store: s}
	slow := users.NewHasher(users.Params{MemoryKiB: 64 << 10, Passes: 20, Threads: 1}, 1, -1)
	r := users.New(users.Config{Store: c, Changes: store.NewChanges(c), Grants: &ended{}, Hasher: slow})
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() { _, _ = slow.Hash(t.Context(), password) }) // takes the only place
	for slow.Computed() == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := r.Authenticate(t.Context(), users.Attempt{Username: "nobody", Password: password}); !errors.Is(err, users.ErrBusy) {
		t.Fatalf("got %v, want ErrBusy", err)
	}
	if n := c.calls.Load(); n != 0 {
		t.Errorf("%d store calls for a login that was turned away, want none", n)
	}
}

// Whoever makes room for hashes is told exactly when there is one: it must neither keep the room for good, nor take it away
// while somebody computes.
func TestHasherTellsWhenItIsBusy(t *testing.T) {
	h := users.NewHasher(users.Params{MemoryKiB: 8, Passes: 1, Threads: 1}, 3, 100)
	var mu sync.Mutex
	var told []bool
	h.TellBusy(func(busy bool) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, busy)
	})
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			if _, err := h.Hash(t.Context(), "correct horse"); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if len(told) == 0 || len(told)%2 != 0 {
		t.Fatalf("told %d times, want an even number above 0", len(told))
	}
	for i, busy := range told {
		if busy != (i%2 == 0) {
			t.Fatalf("told %v: want true and false by turns", told)
		}
	}
}
