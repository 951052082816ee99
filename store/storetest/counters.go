package storetest

import (
	"sync"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

func counterTests() []test {
	return []test{
		{"a counter starts at zero and counts by one", counterCounts},
		{"a counter past its expiry starts again", counterExpired},
		{"each count sets the expiry", counterExpiry},
		{"Delete resets a counter", counterDelete},
		{"racing callers lose no count", counterRace},
	}
}

func (b *bed) counts(s store.Store, key string, expires time.Time, want int64) {
	b.Helper()
	n, err := s.Increment(b.ctx(), key, expires)
	b.ok(err)
	if n != want {
		b.Errorf("Increment(%q) = %d, want %d", key, n, want)
	}
}

func counterCounts(b *bed) {
	s := b.open()
	for _, key := range awkward() {
		for want := int64(1); want <= 3; want++ {
			b.counts(s, key, b.later(s), want)
		}
	}
}

func counterExpired(b *bed) {
	s := b.open()
	end := b.soon(s)
	b.counts(s, "k", end, 1)
	b.counts(s, "k", end, 2)
	b.pass(s, end.Add(20*time.Millisecond))
	b.counts(s, "k", b.later(s), 1)
	b.counts(s, "k", b.later(s), 2)
}

func counterExpiry(b *bed) {
	s := b.open()
	end := b.soon(s)
	b.counts(s, "longer", end, 1)
	b.counts(s, "longer", b.later(s), 2)
	b.counts(s, "shorter", b.later(s), 1)
	b.counts(s, "shorter", end, 2)
	b.pass(s, end.Add(20*time.Millisecond))
	b.counts(s, "longer", b.later(s), 3)
	b.counts(s, "shorter", b.later(s), 1)
}

func counterDelete(b *bed) {
	s := b.open()
	b.counts(s, "k", b.later(s), 1)
	b.counts(s, "k", b.later(s), 2)
	b.counts(s, "other", b.later(s), 1)
	b.ok(s.Delete(b.ctx(), "k"))
	b.counts(s, "k", b.later(s), 1)
	b.counts(s, "other", b.later(s), 2)
}

// A limit that counts too little lets guesses through; one that counts too much only bothers.
func counterRace(b *bed) {
	const each = 5
	s := b.open()
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := map[int64]bool{}
	for range crowd {
		all.Go(func() {
			for range each {
				n, err := s.Increment(b.ctx(), "k", b.later(s))
				mu.Lock()
				if err != nil || seen[n] {
					b.Errorf("Increment = %d, %v; the number was seen before: %v", n, err, seen[n])
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if n, err := s.Increment(b.ctx(), "k", b.later(s)); err != nil || n < crowd*each+1 {
		b.Errorf("count = %d, %v, want at least %d", n, err, crowd*each+1)
	}
}
