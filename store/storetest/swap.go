package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/safeconduct/safeconduct/store"
)

func swapTests() []test {
	return []test{
		{"Swap replaces what was read", swap},
		{"Swap refuses what has changed since", swapStale},
		{"Swap compares writes and not values", swapSameValue},
		{"Swap never brings back what is absent or expired", swapAbsent},
		{"Swap of a zero Record is a conflict", swapZero},
		{"of 64 callers that Swap one record exactly one wins", swapRace},
		{"of 64 callers that Swap identical values exactly one wins", swapIdenticalRace},
		{"reading and swapping until it succeeds loses no step", swapChain},
	}
}

func swap(b *bed) {
	s := b.open()
	b.ok(s.Add(b.ctx(), "k", []byte("0"), b.later(s)))
	for i := range 5 {
		old := b.holds(s, "k", fmt.Sprint(i))
		b.ok(s.Swap(b.ctx(), "k", old, fmt.Append(nil, i+1), b.later(s)))
	}
	b.holds(s, "k", "5")
}

func swapStale(b *bed) {
	s := b.open()
	b.ok(s.Set(b.ctx(), "k", []byte("one"), b.later(s)))
	old := b.holds(s, "k", "one")
	b.ok(s.Swap(b.ctx(), "k", old, []byte("two"), b.later(s)))
	b.fails("Swap of what was swapped", s.Swap(b.ctx(), "k", old, []byte("three"), b.later(s)), store.ErrConflict)
	b.holds(s, "k", "two")

	old = b.holds(s, "k", "two")
	b.ok(s.Set(b.ctx(), "k", []byte("set"), b.later(s)))
	b.fails("Swap of what was set", s.Swap(b.ctx(), "k", old, []byte("three"), b.later(s)), store.ErrConflict)
	b.holds(s, "k", "set")

	b.ok(s.Set(b.ctx(), "other", []byte("set"), b.later(s)))
	other := b.holds(s, "other", "set")
	b.fails("Swap of another key's record", s.Swap(b.ctx(), "k", other, []byte("three"), b.later(s)), store.ErrConflict)
}

// A record that went away and came back with the same value is another record.
func swapSameValue(b *bed) {
	s := b.open()
	b.ok(s.Set(b.ctx(), "k", []byte("v"), b.later(s)))
	old := b.holds(s, "k", "v")
	b.ok(s.Delete(b.ctx(), "k"))
	b.ok(s.Add(b.ctx(), "k", []byte("v"), b.later(s)))
	b.fails("Swap over a new record", s.Swap(b.ctx(), "k", old, []byte("w"), b.later(s)), store.ErrConflict)
	b.holds(s, "k", "v")

	current := b.holds(s, "k", "v")
	b.ok(s.Swap(b.ctx(), "k", store.Record{ID: current.ID}, []byte("w"), b.later(s)))
	b.holds(s, "k", "w")
}

// A revoked grant is a deleted record: no refresh that is under way may write it again.
func swapAbsent(b *bed) {
	s := b.open()
	end := b.soon(s)
	b.ok(s.Set(b.ctx(), "deleted", []byte("v"), b.later(s)))
	deleted := b.holds(s, "deleted", "v")
	b.ok(s.Set(b.ctx(), "expired", []byte("v"), end))
	expired := b.holds(s, "expired", "v")
	b.ok(s.Delete(b.ctx(), "deleted"))
	b.pass(s, end)
	b.expired("the record is gone", func() bool { return b.absent(s, "expired") })

	b.fails("Swap of a deleted record", s.Swap(b.ctx(), "deleted", deleted, []byte("w"), b.later(s)), store.ErrConflict)
	b.fails("Swap of an expired record", s.Swap(b.ctx(), "expired", expired, []byte("w"), b.later(s)), store.ErrConflict)
	b.fails("Swap of what never was", s.Swap(b.ctx(), "never", deleted, []byte("w"), b.later(s)), store.ErrConflict)
	for _, key := range []string{"deleted", "expired", "never"} {
		b.lacks(s, key)
	}
}

func swapZero(b *bed) {
	s := b.open()
	b.fails("Swap on nothing", s.Swap(b.ctx(), "k", store.Record{}, []byte("w"), b.later(s)), store.ErrConflict)
	b.lacks(s, "k")
	b.ok(s.Set(b.ctx(), "k", nil, b.later(s)))
	b.fails("Swap on a record", s.Swap(b.ctx(), "k", store.Record{}, []byte("w"), b.later(s)), store.ErrConflict)
	b.holds(s, "k", "")
}

func swapRace(b *bed) {
	s := b.open()
	b.ok(s.Add(b.ctx(), "k", []byte("start"), b.later(s)))
	for range 5 {
		old, err := s.Get(b.ctx(), "k")
		b.ok(err)
		winners := b.race(store.ErrConflict, func(caller int) error {
			return s.Swap(b.ctx(), "k", old, fmt.Appendf(nil, "from %d", caller), b.later(s))
		})
		if len(winners) != 1 {
			b.Fatalf("winners = %v, want one", winners)
		}
		b.holds(s, "k", fmt.Sprintf("from %d", winners[0]))
	}
}

// Successors of tokens are derived, so two refreshes of one token compute the same record. Only one may count.
func swapIdenticalRace(b *bed) {
	s := b.open()
	b.ok(s.Add(b.ctx(), "k", []byte("0"), b.later(s)))
	for i := range 5 {
		old := b.holds(s, "k", fmt.Sprint(i))
		winners := b.race(store.ErrConflict, func(int) error {
			return s.Swap(b.ctx(), "k", old, fmt.Append(nil, i+1), b.later(s))
		})
		if len(winners) != 1 {
			b.Fatalf("winners = %v, want one", winners)
		}
	}
	b.holds(s, "k", "5")
}

func swapChain(b *bed) {
	const callers, steps = 8, 10
	s := b.open()
	b.ok(s.Add(b.ctx(), "k", nil, b.later(s)))
	step := func() error {
		for {
			old, err := s.Get(b.ctx(), "k")
			if err != nil {
				return err
			}
			err = s.Swap(b.ctx(), "k", old, append(old.Value, 'x'), b.later(s))
			if !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
	}
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range steps {
				if err := step(); err != nil {
					b.Errorf("step: %v", err)
				}
			}
		})
	}
	all.Wait()
	record, err := s.Get(b.ctx(), "k")
	b.ok(err)
	if len(record.Value) != callers*steps {
		b.Errorf("%d steps arrived, want %d", len(record.Value), callers*steps)
	}
}
