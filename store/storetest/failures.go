package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

func failureTests() []test {
	return []test{
		{"calls after Close are unavailable", afterClose},
		{"Close during calls ends them cleanly", closeDuring},
		{"a store that cannot be reached is unavailable, and mends", broken},
		{"Add and Swap whose reply is lost have won all the same", lostReply},
		{"other writes whose reply is lost are done", lostReplies},
	}
}

func afterClose(b *bed) {
	s := b.open()
	b.ok(s.Set(b.ctx(), "k", []byte("v"), b.later(s)))
	b.ok(s.Close())
	for name, call := range calls() {
		b.fails(name+" after Close", call(b.ctx(), s), store.ErrUnavailable)
	}
	s.Close() // A second time must do no harm.
	s.Now()
}

// A caller that was told "done" was done; the others are told that the store is unavailable.
func closeDuring(b *bed) {
	s := b.open()
	later := b.later(s)
	done := make([]bool, crowd)
	b.race(store.ErrUnavailable, func(caller int) error {
		if caller == crowd/2 {
			return s.Close()
		}
		err := s.Add(b.ctx(), string(rune('a'+caller)), []byte("v"), later)
		done[caller] = err == nil
		return err
	})
	s = b.open()
	for caller, was := range done {
		if was {
			b.holds(s, string(rune('a'+caller)), "v")
		}
	}
}

// An outage is never the fault of the caller's data: it must not look like a missing record or a lost race.
func broken(b *bed) {
	if b.engine.Break == nil {
		return
	}
	s := b.open()
	b.ok(s.Set(b.ctx(), "k", []byte("v"), store.Forever))
	mend := b.engine.Break(b.T)
	before := s.Now()
	for name, call := range calls() {
		if name == "Publish" || name == "Subscribe" {
			continue // Hints: an engine may take them without reaching anything.
		}
		ctx, cancel := context.WithTimeout(b.ctx(), 2*patience)
		start := time.Now()
		b.fails(name+" on a broken store", call(ctx, s), store.ErrUnavailable)
		if took := time.Since(start); took > patience {
			b.Errorf("%s on a broken store took %v", name, took)
		}
		cancel()
	}
	if s.Now().Before(before) {
		b.Error("Now ran backwards while the store was away")
	}
	mend()
	b.eventually("the store mends", func() bool { return s.Ping(b.ctx()) == nil })
	b.holds(s, "k", "v")
}

// The engine sends again what got no answer, and must know its own write when it meets it.
func lostReply(b *bed) {
	if b.engine.LoseReply == nil {
		return
	}
	s := b.open()
	b.engine.LoseReply(b.T)
	b.ok(s.Add(b.ctx(), "k", []byte("one"), b.later(s)))
	b.fails("another Add", s.Add(b.ctx(), "k", []byte("one"), b.later(s)), store.ErrExists)

	old := b.holds(s, "k", "one")
	b.engine.LoseReply(b.T)
	b.ok(s.Swap(b.ctx(), "k", old, []byte("two"), b.later(s)))
	b.fails("another Swap", s.Swap(b.ctx(), "k", old, []byte("two"), b.later(s)), store.ErrConflict)
	b.holds(s, "k", "two")
}

func lostReplies(b *bed) {
	if b.engine.LoseReply == nil {
		return
	}
	s := b.open()
	b.engine.LoseReply(b.T)
	b.ok(s.Set(b.ctx(), "k", []byte("v"), b.later(s)))
	b.holds(s, "k", "v")
	b.engine.LoseReply(b.T)
	b.ok(s.Delete(b.ctx(), "k"))
	b.lacks(s, "k")
	b.engine.LoseReply(b.T)
	b.enroll(s, "index", "name", b.later(s))
	b.hasNames(s, "index", "name")
	b.engine.LoseReply(b.T)
	b.ok(s.Withdraw(b.ctx(), "index", "name"))
	b.hasNames(s, "index")

	b.engine.LoseReply(b.T)
	seq := b.append(s, "log", "entry")
	if got := b.entries(s, "log", seq-1); !slices.Equal(got, []string{"entry"}) {
		b.Errorf("log from number %d on = %q, want the entry", seq, got)
	}
	b.engine.LoseReply(b.T)
	n, err := s.Increment(b.ctx(), "counter", b.later(s))
	b.ok(err)
	if n < 1 || n > 2 {
		b.Errorf("count = %d, want 1, or 2 when it was sent twice", n)
	}
}
