package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/safeconduct/safeconduct/store"
)

func addTests() []test {
	return []test{
		{"Add refuses a live key", addExists},
		{"of 64 callers that Add one key exactly one wins", addRace},
		{"of 64 callers that Add an expired key exactly one wins", addExpiredRace},
	}
}

func addExists(b *bed) {
	s := b.open()
	b.ok(s.Add(b.ctx(), "k", []byte("first"), b.later(s)))
	b.fails("second Add", s.Add(b.ctx(), "k", []byte("second"), b.later(s)), store.ErrExists)
	b.fails("Add of the same value", s.Add(b.ctx(), "k", []byte("first"), b.later(s)), store.ErrExists)
	b.holds(s, "k", "first")
	b.ok(s.Set(b.ctx(), "set", []byte("v"), store.Forever))
	b.fails("Add on what was Set", s.Add(b.ctx(), "set", []byte("w"), b.later(s)), store.ErrExists)
}

// race lets a crowd make one call at once and returns the callers that succeeded. Every other one must have got
// the error lost.
func (b *bed) race(lost error, call func(caller int) error) []int {
	b.Helper()
	results := make([]error, crowd)
	start := make(chan struct{})
	var callers sync.WaitGroup
	for i := range results {
		callers.Go(func() {
			<-start
			results[i] = call(i)
		})
	}
	close(start)
	callers.Wait()

	var winners []int
	for i, err := range results {
		switch {
		case err == nil:
			winners = append(winners, i)
		case !errors.Is(err, lost):
			b.Errorf("caller %d: got error %v, want nil or %v", i, err, lost)
		}
	}
	return winners
}

func addRace(b *bed) {
	s := b.open()
	for round := range 5 {
		key := fmt.Sprint("raced ", round)
		winners := b.race(store.ErrExists, func(caller int) error {
			return s.Add(b.ctx(), key, fmt.Appendf(nil, "from %d", caller), b.later(s))
		})
		if len(winners) != 1 {
			b.Fatalf("winners = %v, want one", winners)
		}
		b.holds(s, key, fmt.Sprintf("from %d", winners[0]))
	}
	winners := b.race(store.ErrExists, func(int) error {
		return s.Add(b.ctx(), "identical", []byte("v"), b.later(s))
	})
	if len(winners) != 1 {
		b.Errorf("winners with one value = %v, want one", winners)
	}
}

func addExpiredRace(b *bed) {
	s := b.open()
	end := b.soon(s)
	b.ok(s.Set(b.ctx(), "k", []byte("old"), end))
	b.pass(s, end)
	b.expired("k is gone", func() bool { return b.absent(s, "k") })
	winners := b.race(store.ErrExists, func(caller int) error {
		return s.Add(b.ctx(), "k", fmt.Appendf(nil, "from %d", caller), b.later(s))
	})
	if len(winners) != 1 {
		b.Fatalf("winners = %v, want one", winners)
	}
	b.holds(s, "k", fmt.Sprintf("from %d", winners[0]))
}
