// Package crashtest shows that an act of several store calls leaves nothing harmful behind wherever it is cut short,
// and that repeating it succeeds. Tests of the packages of rules use it, over a real engine.
package crashtest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// callsMax bounds the calls of one act; more means that it never ends.
const callsMax = 1000

// The ways in which a call can go wrong.
const (
	dies    = "the process dies"     // this call and all after it are not made
	lost    = "the reply is lost"    // this call is made and reported as failed, those after it are fine
	skipped = "the call is not made" // this call is reported as failed, those after it are fine
)

// Every cuts act short at each of its store calls, in each way, on a new store from open every time; then it repeats
// act on the sound store and hands the outcome to check.
func Every(t *testing.T, open func(*testing.T) store.Store, act func(store.Store) error, check func(t *testing.T, s store.Store, repeated error)) {
	t.Helper()
	for _, way := range []string{dies, lost, skipped} {
		for call := int64(1); ; call++ {
			reached := false
			t.Run(fmt.Sprintf("%s at call %d", way, call), func(t *testing.T) {
				s := open(t)
				failing := &failing{Store: s, way: way, at: call}
				_ = act(failing)
				reached = failing.calls.Load() >= call
				check(t, s, act(s))
			})
			if t.Failed() || !reached {
				break
			}
			if call == callsMax {
				t.Fatalf("the act makes more than %d store calls", callsMax)
			}
		}
	}
}

// failing is a store on which one call goes wrong.
type failing struct {
	store.Store
	way   string
	at    int64
	calls atomic.Int64
}

func (f *failing) call(do func() error) error {
	n := f.calls.Add(1)
	failed := fmt.Errorf("%s at call %d: %w", f.way, n, store.ErrUnavailable)
	switch {
	case n < f.at:
		return do()
	case f.way == dies:
		return failed
	case n > f.at:
		return do()
	case f.way == lost:
		_ = do()
	}
	return failed
}

func (f *failing) Get(ctx context.Context, key string) (r store.Record, err error) {
	err = f.call(func() error { r, err = f.Store.Get(ctx, key); return err })
	return r, err
}

func (f *failing) Set(ctx context.Context, key string, value []byte, expires time.Time) error {
	return f.call(func() error { return f.Store.Set(ctx, key, value, expires) })
}

func (f *failing) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	return f.call(func() error { return f.Store.Add(ctx, key, value, expires) })
}

func (f *failing) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	return f.call(func() error { return f.Store.Swap(ctx, key, old, value, expires) })
}

func (f *failing) Delete(ctx context.Context, key string) error {
	return f.call(func() error { return f.Store.Delete(ctx, key) })
}

func (f *failing) Enroll(ctx context.Context, index, name string, expires time.Time) (n int, err error) {
	err = f.call(func() error { n, err = f.Store.Enroll(ctx, index, name, expires); return err })
	return n, err
}

func (f *failing) Withdraw(ctx context.Context, index, name string) error {
	return f.call(func() error { return f.Store.Withdraw(ctx, index, name) })
}

func (f *failing) Members(ctx context.Context, index, after string, limit int) (m []store.Member, err error) {
	err = f.call(func() error { m, err = f.Store.Members(ctx, index, after, limit); return err })
	return m, err
}

func (f *failing) Append(ctx context.Context, log string, entry []byte, expires time.Time) (seq uint64, err error) {
	err = f.call(func() error { seq, err = f.Store.Append(ctx, log, entry, expires); return err })
	return seq, err
}

func (f *failing) Since(ctx context.Context, log string, seq uint64, limit int) (e []store.Entry, err error) {
	err = f.call(func() error { e, err = f.Store.Since(ctx, log, seq, limit); return err })
	return e, err
}

func (f *failing) Increment(ctx context.Context, key string, expires time.Time) (n int64, err error) {
	err = f.call(func() error { n, err = f.Store.Increment(ctx, key, expires); return err })
	return n, err
}

func (f *failing) Publish(ctx context.Context, topic string) error {
	return f.call(func() error { return f.Store.Publish(ctx, topic) })
}
