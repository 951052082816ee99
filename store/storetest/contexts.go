package storetest

import (
	"context"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

func contextTests() []test {
	return []test{
		{"a call whose context has ended does nothing", contextEnded},
		{"a context that ends during a call harms no other", contextHarmless},
	}
}

// calls are all calls that take a context, with a valid expiry.
func calls() map[string]func(ctx context.Context, s store.Store) error {
	all := map[string]func(ctx context.Context, s store.Store) error{
		"Get": func(ctx context.Context, s store.Store) error {
			_, err := s.Get(ctx, "k")
			return err
		},
		"Delete":   func(ctx context.Context, s store.Store) error { return s.Delete(ctx, "k") },
		"Withdraw": func(ctx context.Context, s store.Store) error { return s.Withdraw(ctx, "kept", "name") },
		"Members": func(ctx context.Context, s store.Store) error {
			_, err := s.Members(ctx, "kept", "", 10)
			return err
		},
		"Since": func(ctx context.Context, s store.Store) error {
			_, err := s.Since(ctx, "log", 0, 10)
			return err
		},
		"Publish": func(ctx context.Context, s store.Store) error { return s.Publish(ctx, "topic") },
		"Subscribe": func(ctx context.Context, s store.Store) error {
			_, err := s.Subscribe(ctx, "topic")
			return err
		},
		"Ping": func(ctx context.Context, s store.Store) error { return s.Ping(ctx) },
	}
	for name, write := range writes() {
		all[name] = func(ctx context.Context, s store.Store) error {
			return write(ctx, s, s.Now().Add(time.Hour))
		}
	}
	return all
}

func contextEnded(b *bed) {
	s := b.open()
	b.ok(s.Set(b.ctx(), "k", []byte("old"), b.later(s)))
	b.enroll(s, "kept", "name", b.later(s))

	cancelled, cancel := context.WithCancel(b.ctx())
	cancel()
	late, cancelLate := context.WithDeadline(b.ctx(), time.Unix(1, 0))
	defer cancelLate()
	for name, call := range calls() {
		b.fails(name, call(cancelled, s), context.Canceled)
		b.fails(name, call(late, s), context.DeadlineExceeded)
	}
	b.untouched(s)
	b.hasNames(s, "kept", "name")
}

// Calls travel together: the one that hangs up must not take the others with it.
func contextHarmless(b *bed) {
	s := b.open()
	ctx, cancel := context.WithCancel(b.ctx())
	b.race(context.Canceled, func(caller int) error {
		for i := range 5 {
			if i == 3 && caller == 0 {
				cancel()
			}
			own := b.ctx()
			if caller%2 == 0 {
				own = ctx
			}
			if _, err := s.Append(own, "log", []byte{byte(caller)}, b.later(s)); err != nil {
				if caller%2 == 1 {
					b.Errorf("a call with a live context: %v", err)
				}
				return err
			}
		}
		return nil
	})
	cancel()
	written := map[string]int{}
	for _, entry := range b.entries(s, "log", 0) {
		written[entry]++
	}
	for caller := 1; caller < crowd; caller += 2 {
		if n := written[string([]byte{byte(caller)})]; n != 5 {
			b.Errorf("caller %d, whose context lives, has %d entries, want 5", caller, n)
		}
	}
}
