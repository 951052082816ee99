package keys_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/store/storetest/crashtest"
)

// The processes of a cluster start together on an empty store: what one signs, the others know.
func TestRacingProcessesAgreeOnTheFirstKeys(t *testing.T) {
	ring := ringOf(t, keys.NewSecret())
	for range 20 {
		db, _ := bolttest.Open(t, noon)
		tokens := make([]string, 4)
		var wait sync.WaitGroup
		for i := range tokens {
			wait.Go(func() { tokens[i], _ = signingOn(db, ring, quick...).Sign(t.Context(), keys.ES256, "", i) })
		}
		wait.Wait()
		other := signingOn(db, ring, quick...)
		for _, token := range tokens {
			if _, err := other.Verify(t.Context(), token); err != nil {
				t.Errorf("%q: %v", token, err)
			}
		}
		if n := len(list(t, other)); n != len(quick) {
			t.Fatalf("there are %d keys, want %d", n, len(quick))
		}
	}
}

// All processes look after the keys, and one successor is made.
func TestRacingProcessesAgreeOnARotation(t *testing.T) {
	ring := ringOf(t, keys.NewSecret())
	for range 20 {
		db, c := bolttest.Open(t, noon)
		maintain(t, signingOn(db, ring, quick...))
		c.Advance(lifetime - ahead)
		errs := make([]error, 4)
		var wait sync.WaitGroup
		for i := range errs {
			wait.Go(func() { errs[i] = signingOn(db, ring, quick...).Maintain(t.Context()) })
		}
		wait.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if n := len(list(t, signingOn(db, ring, quick...))); n != 2*len(quick) {
			t.Fatalf("there are %d keys, want %d", n, 2*len(quick))
		}
	}
}

// The acts of a process that dies in the middle leave keys with which everybody can go on, and no more than were meant.
func TestSigningKeysSurviveACrashAnywhere(t *testing.T) {
	ring := ringOf(t, keys.NewSecret())
	for _, test := range []struct {
		name     string
		age      time.Duration // of the keys; none are there at 0
		act      func(*keys.Signing, context.Context) error
		min, max int
	}{
		{"first keys", 0, (*keys.Signing).Maintain, 2, 2},
		{"successors", lifetime, (*keys.Signing).Maintain, 4, 4},
		{"rotate", day, (*keys.Signing).Rotate, 4, 6}, // repeated, it makes further ones
		{"discard", day, (*keys.Signing).Discard, 2, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			prepare := func(t *testing.T) store.Store {
				s, c := bolttest.Open(t, noon)
				if test.age > 0 {
					maintain(t, signingOn(s, ring, quick...))
					c.Advance(test.age)
				}
				return s
			}
			act := func(s store.Store) error { return test.act(signingOn(s, ring, quick...), t.Context()) }
			crashtest.Every(t, prepare, act, func(t *testing.T, s store.Store, repeated error) {
				if repeated != nil {
					t.Error(repeated)
				}
				process := signingOn(s, ring, quick...)
				if n := len(list(t, process)); n < test.min || n > test.max {
					t.Errorf("there are %d keys, want %d to %d", n, test.min, test.max)
				}
				if _, err := process.Verify(t.Context(), sign(t, process, keys.ES256, "", 1)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// counted counts the readings of records.
type counted struct {
	store.Store
	reads atomic.Int64
}

func (c *counted) Get(ctx context.Context, key string) (store.Record, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, key)
}

// Signing costs the signature alone. At first a process hears of its own changes once more, and reads again.
func TestSigningReadsNothingWhileNothingChanges(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	c := &counted{Store: db}
	s := runningOn(t, c, ringOf(t, keys.NewSecret()), quick...)
	token := sign(t, s, keys.ES256, "", 1)
	for deadline := time.Now().Add(5 * time.Second); ; {
		c.reads.Store(0)
		for range 50 {
			sign(t, s, keys.EdDSA, "", 1)
			accepted(t, s, "a token", token)
			jwks(t, s)
		}
		n := c.reads.Load()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %d readings for 150 calls", n)
		}
	}
}

// A leaked key that one process discards is dead on all within a second.
func TestSigningFollowsOtherProcesses(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	ring := ringOf(t, keys.NewSecret())
	here, there := runningOn(t, db, ring, quick...), runningOn(t, db, ring, quick...)
	token := sign(t, here, keys.ES256, "", 1)
	sign(t, there, keys.ES256, "", 1)
	if err := here.Discard(t.Context()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := there.Verify(t.Context(), token); errors.Is(err, keys.ErrNotOurs) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a second later the other process still accepts the discarded key")
		}
	}
}

// A process that cannot learn of changes may not go on with what it remembers, and says that it is the store's fault.
func TestSigningStopsWithoutTheStore(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()), quick...)
	token := sign(t, s, keys.ES256, "", 1)
	db.Close()
	_, signing := s.Sign(t.Context(), keys.ES256, "", 1)
	_, verifying := s.Verify(t.Context(), token)
	_, _, publishing := s.JWKS(t.Context())
	_, listing := s.List(t.Context())
	for name, err := range map[string]error{
		"sign": signing, "verify": verifying, "publish": publishing, "list": listing,
		"maintain": s.Maintain(t.Context()), "rotate": s.Rotate(t.Context()), "discard": s.Discard(t.Context()),
	} {
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, keys.ErrNotOurs) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
}
