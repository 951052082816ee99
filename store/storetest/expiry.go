package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

func expiryTests() []test {
	return []test{
		{"a record past its expiry is never returned", expiry},
		{"an expiry in the past is an end", pastExpiry},
		{"a write replaces the expiry too", expiryReplaced},
		{"what was written again outlives its old expiry", expiryOutlived},
		{"Forever does not end", forever},
		{"no expiry is an error on every write", noExpiry},
		{"the store's time does not run backwards", timeForwards},
	}
}

// Nothing sweeps between the expiry and the read here: the read itself must refuse.
func expiry(b *bed) {
	s := b.open()
	end := b.soon(s)
	b.ok(s.Set(b.ctx(), "set", []byte("v"), end))
	b.ok(s.Add(b.ctx(), "added", []byte("v"), end))
	b.ok(s.Set(b.ctx(), "lives", []byte("v"), b.later(s)))
	if !b.engine.ServerTime {
		b.pass(s, end.Add(-time.Millisecond))
		b.holds(s, "set", "v")
		b.holds(s, "added", "v")
	}
	b.pass(s, end)
	for _, key := range []string{"set", "added"} {
		b.expired(key+" is gone", func() bool { return b.absent(s, key) })
	}
	b.holds(s, "lives", "v")
	b.ok(s.Delete(b.ctx(), "set"))
	b.ok(s.Add(b.ctx(), "set", []byte("new"), b.later(s)))
	b.ok(s.Add(b.ctx(), "added", []byte("new"), b.later(s)))
	b.holds(s, "added", "new")
}

// A slow caller may compute an expiry that has passed when the write arrives.
func pastExpiry(b *bed) {
	s := b.open()
	for _, past := range []time.Time{s.Now().Add(-time.Hour), time.Unix(1, 0), time.Unix(-1, 0)} {
		b.ok(s.Add(b.ctx(), "added", []byte("v"), past))
		b.lacks(s, "added")
		b.ok(s.Set(b.ctx(), "set", []byte("live"), b.later(s)))
		b.ok(s.Set(b.ctx(), "set", []byte("v"), past))
		b.lacks(s, "set")

		b.ok(s.Set(b.ctx(), "swapped", []byte("live"), b.later(s)))
		b.ok(s.Swap(b.ctx(), "swapped", b.holds(s, "swapped", "live"), []byte("v"), past))
		b.lacks(s, "swapped")

		_, err := s.Enroll(b.ctx(), "index", "name", past)
		b.ok(err)
		if names := b.names(s, "index"); len(names) > 0 {
			b.Errorf("members enrolled until %v: %q, want none", past, names)
		}
		_, err = s.Append(b.ctx(), "log", []byte("e"), past)
		b.ok(err)
		if entries := b.entries(s, "log", 0); len(entries) > 0 {
			b.Errorf("entries appended until %v: %q, want none", past, entries)
		}
		_, err = s.Increment(b.ctx(), "counter", past)
		b.ok(err)
		if n, err := s.Increment(b.ctx(), "counter", past); err != nil || n != 1 {
			b.Errorf("count of an expired counter = %d, %v, want 1", n, err)
		}
	}
}

func expiryReplaced(b *bed) {
	s := b.open()
	end := b.soon(s)
	b.ok(s.Set(b.ctx(), "set", []byte("v"), b.later(s)))
	b.ok(s.Set(b.ctx(), "set", []byte("v"), end))
	b.ok(s.Set(b.ctx(), "swapped", []byte("v"), store.Forever))
	b.ok(s.Swap(b.ctx(), "swapped", b.holds(s, "swapped", "v"), []byte("v"), end))
	b.pass(s, end)
	for _, key := range []string{"set", "swapped"} {
		b.expired(key+" is gone", func() bool { return b.absent(s, key) })
	}
}

// What removes expired records must not be misled by an expiry that no longer holds.
func expiryOutlived(b *bed) {
	s := b.open()
	end := b.soon(s)
	for _, key := range []string{"set", "swapped", "forever", "added"} {
		b.ok(s.Set(b.ctx(), key, []byte("old"), end))
	}
	b.ok(s.Set(b.ctx(), "set", []byte("new"), b.later(s)))
	b.ok(s.Swap(b.ctx(), "swapped", b.holds(s, "swapped", "old"), []byte("new"), b.later(s)))
	b.ok(s.Set(b.ctx(), "forever", []byte("new"), store.Forever))
	b.ok(s.Delete(b.ctx(), "added"))
	b.ok(s.Add(b.ctx(), "added", []byte("new"), b.later(s)))
	b.pass(s, end.Add(50*time.Millisecond))
	b.ok(s.Set(b.ctx(), "another", []byte("v"), b.later(s)))
	for _, key := range []string{"set", "swapped", "forever", "added"} {
		b.holds(s, key, "new")
	}
}

func forever(b *bed) {
	s := b.open()
	b.ok(s.Set(b.ctx(), "k", []byte("v"), store.Forever))
	_, err := s.Enroll(b.ctx(), "index", "name", store.Forever)
	b.ok(err)
	_, err = s.Increment(b.ctx(), "counter", store.Forever)
	b.ok(err)
	if !b.engine.ServerTime {
		b.pass(s, s.Now().AddDate(200, 0, 0))
	}
	b.holds(s, "k", "v")
	members, err := s.Members(b.ctx(), "index", "", 10)
	b.ok(err)
	if len(members) != 1 || !members[0].Expires.Equal(store.Forever) {
		b.Errorf("members = %v, want one that lives until store.Forever", members)
	}
	if n, err := s.Increment(b.ctx(), "counter", store.Forever); err != nil || n != 2 {
		b.Errorf("Increment = %d, %v, want 2", n, err)
	}
}

// writes are all calls that take an expiry.
func writes() map[string]func(ctx context.Context, s store.Store, expires time.Time) error {
	return map[string]func(ctx context.Context, s store.Store, expires time.Time) error{
		"Set": func(ctx context.Context, s store.Store, expires time.Time) error {
			return s.Set(ctx, "k", []byte("new"), expires)
		},
		"Add": func(ctx context.Context, s store.Store, expires time.Time) error {
			return s.Add(ctx, "other", []byte("new"), expires)
		},
		"Swap": func(ctx context.Context, s store.Store, expires time.Time) error {
			old, err := s.Get(context.WithoutCancel(ctx), "k")
			return errors.Join(err, s.Swap(ctx, "k", old, []byte("new"), expires))
		},
		"Enroll": func(ctx context.Context, s store.Store, expires time.Time) error {
			_, err := s.Enroll(ctx, "index", "name", expires)
			return err
		},
		"Append": func(ctx context.Context, s store.Store, expires time.Time) error {
			_, err := s.Append(ctx, "log", []byte("entry"), expires)
			return err
		},
		"Increment": func(ctx context.Context, s store.Store, expires time.Time) error {
			_, err := s.Increment(ctx, "counter", expires)
			return err
		},
	}
}

// untouched checks that none of writes has had an effect on a store where k was "old".
func (b *bed) untouched(s store.Store) {
	b.Helper()
	b.holds(s, "k", "old")
	b.lacks(s, "other")
	if names := b.names(s, "index"); len(names) > 0 {
		b.Errorf("index holds %q, want nothing", names)
	}
	if entries := b.entries(s, "log", 0); len(entries) > 0 {
		b.Errorf("log holds %q, want nothing", entries)
	}
	if n, err := s.Increment(b.ctx(), "counter", b.later(s)); err != nil || n != 1 {
		b.Errorf("first count = %d, %v, want 1", n, err)
	}
}

// A forgotten expiry must not become a record that stays.
func noExpiry(b *bed) {
	s := b.open()
	b.ok(s.Set(b.ctx(), "k", []byte("old"), b.later(s)))
	for name, write := range writes() {
		b.fails(name, write(b.ctx(), s, time.Time{}), store.ErrNoExpiry)
	}
	b.untouched(s)
}

func timeForwards(b *bed) {
	s := b.open()
	last := s.Now()
	for i := range 1000 {
		if i == 500 && !b.engine.ServerTime {
			b.moved.Add(-int64(time.Hour))
		}
		now := s.Now()
		if now.Before(last) {
			b.Fatalf("Now went from %v back to %v", last, now)
		}
		last = now
	}
}
