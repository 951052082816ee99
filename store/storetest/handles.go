package storetest

import (
	"slices"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// wrong is how far a machine's clock is off in these tests.
const wrong = 5 * time.Minute

// agreement is how far apart the times of two handles may be: a few milliseconds, and the noise of a busy machine.
const agreement = 100 * time.Millisecond

func handleTests() []test {
	return []test{
		{"what was written is there after reopening", reopening},
		{"reopening with a clock that is behind revives nothing", reopeningBehind},
		{"reopening with a clock that is ahead only ages", reopeningAhead},
		{"handles whose clocks differ agree on the time", skewedTime},
		{"handles whose clocks differ agree on what has expired", skewedExpiry},
		{"handles whose clocks differ number one log together", skewedLog},
		{"a write on one handle is seen on the others", seenElsewhere},
	}
}

func reopening(b *bed) {
	s := b.open()
	end := b.soon(s)
	b.ok(s.Set(b.ctx(), "k", []byte("v"), b.later(s)))
	b.ok(s.Set(b.ctx(), "forever", []byte("f"), store.Forever))
	b.ok(s.Set(b.ctx(), "short", []byte("s"), end))
	b.ok(s.Set(b.ctx(), "deleted", []byte("d"), b.later(s)))
	b.ok(s.Delete(b.ctx(), "deleted"))
	before := b.holds(s, "k", "v")
	b.enroll(s, "index", "name", b.later(s))
	b.enroll(s, "index", "withdrawn", b.later(s))
	b.ok(s.Withdraw(b.ctx(), "index", "withdrawn"))
	seq := b.append(s, "log", "entry")
	b.counts(s, "counter", b.later(s), 1)
	b.ok(s.Close())

	s = b.open()
	b.holds(s, "forever", "f")
	b.lacks(s, "deleted")
	b.hasNames(s, "index", "name")
	if got := b.entries(s, "log", seq-1); !slices.Equal(got, []string{"entry"}) {
		b.Errorf("log = %q, want the entry", got)
	}
	if again := b.append(s, "log", "next"); again <= seq {
		b.Errorf("number %d after %d", again, seq)
	}
	b.counts(s, "counter", b.later(s), 2)
	after := b.holds(s, "k", "v")
	if after.ID != before.ID {
		b.Errorf("write id %x became %x", before.ID, after.ID)
	}
	b.ok(s.Swap(b.ctx(), "k", before, []byte("w"), b.later(s)))
	b.pass(s, end)
	b.expired("short is gone", func() bool { return b.absent(s, "short") })
}

// A clock that was set back must not undo the end of what has ended.
func reopeningBehind(b *bed) {
	s := b.open()
	end := b.soon(s)
	b.ok(s.Set(b.ctx(), "k", []byte("v"), end))
	old := b.holds(s, "k", "v")
	b.enroll(s, "index", "name", end)
	b.counts(s, "counter", end, 1)
	_, err := s.Append(b.ctx(), "log", []byte("gone"), end)
	b.ok(err)
	seq := b.append(s, "log", "entry")
	b.pass(s, end.Add(50*time.Millisecond))
	last := s.Now()
	b.ok(s.Close())

	s = b.openSkewed(-wrong)
	if now := s.Now(); now.Before(last.Add(-agreement)) {
		b.Errorf("Now is %v, was %v before", now, last)
	}
	b.lacks(s, "k")
	b.hasNames(s, "index")
	b.fails("Swap of an expired record", s.Swap(b.ctx(), "k", old, []byte("w"), b.later(s)), store.ErrConflict)
	if got := b.entries(s, "log", 0); !slices.Equal(got, []string{"entry"}) {
		b.Errorf("log = %q, want the live entry", got)
	}
	if again := b.append(s, "log", "next"); again <= seq {
		b.Errorf("number %d after %d", again, seq)
	}
	b.counts(s, "counter", b.later(s), 1)

	end = b.soon(s)
	b.ok(s.Add(b.ctx(), "k", []byte("new"), end))
	b.holds(s, "k", "new")
	b.pass(s, end)
	b.expired("the new record ends in its turn", func() bool { return b.absent(s, "k") })
}

func reopeningAhead(b *bed) {
	s := b.open()
	b.ok(s.Set(b.ctx(), "lives", []byte("v"), b.later(s)))
	seq := b.append(s, "log", "entry")
	b.ok(s.Close())
	s = b.openSkewed(wrong)
	b.holds(s, "lives", "v")
	if again := b.append(s, "log", "next"); again <= seq {
		b.Errorf("number %d after %d", again, seq)
	}
}

// several opens handles whose clocks are right, behind and ahead; none when the engine allows one handle only.
func (b *bed) several() []store.Store {
	b.Helper()
	if b.engine.Exclusive {
		return nil
	}
	return []store.Store{b.open(), b.openSkewed(-wrong), b.openSkewed(wrong)}
}

func skewedTime(b *bed) {
	handles := b.several()
	for i, s := range handles {
		off := s.Now().Sub(handles[0].Now())
		if off.Abs() > agreement {
			b.Errorf("handle %d is %v away from the first", i, off)
		}
	}
}

func skewedExpiry(b *bed) {
	handles := b.several()
	for _, writer := range handles {
		end := b.soon(writer)
		b.ok(writer.Set(b.ctx(), "k", []byte("v"), end))
		b.enroll(writer, "index", "name", end)
		for _, reader := range handles {
			if reader.Now().Add(agreement / 2).Before(end) {
				b.holds(reader, "k", "v")
				b.hasNames(reader, "index", "name")
			}
		}
		b.pass(writer, end)
		for _, reader := range handles {
			b.expired("k is gone", func() bool { return b.absent(reader, "k") })
			b.expired("the member is gone", func() bool { return len(b.names(reader, "index")) == 0 })
		}
	}
}

func skewedLog(b *bed) {
	handles := b.several()
	last := uint64(0)
	for range 5 {
		for i, s := range handles {
			seq := b.append(s, "log", "entry")
			if seq <= last {
				b.Fatalf("handle %d got number %d after %d", i, seq, last)
			}
			last = seq
		}
	}
}

func seenElsewhere(b *bed) {
	if b.engine.Exclusive {
		return // There is no elsewhere.
	}
	here, there := b.open(), b.open()
	b.ok(here.Set(b.ctx(), "k", []byte("one"), b.later(here)))
	old := b.holds(there, "k", "one")
	b.ok(there.Swap(b.ctx(), "k", old, []byte("two"), b.later(there)))
	b.fails("Swap of what changed elsewhere", here.Swap(b.ctx(), "k", old, []byte("three"), b.later(here)), store.ErrConflict)
	b.holds(here, "k", "two")
	b.enroll(here, "index", "name", b.later(here))
	b.hasNames(there, "index", "name")
	b.counts(here, "counter", b.later(here), 1)
	b.counts(there, "counter", b.later(there), 2)
	b.ok(there.Delete(b.ctx(), "k"))
	b.lacks(here, "k")

	handles := []store.Store{here, there}
	winners := b.race(store.ErrExists, func(caller int) error {
		return handles[caller%2].Add(b.ctx(), "raced", []byte("v"), b.later(here))
	})
	if len(winners) != 1 {
		b.Errorf("winners over two handles = %v, want one", winners)
	}
}
