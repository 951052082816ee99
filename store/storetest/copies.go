package storetest

import "github.com/safeconduct/safeconduct/store"

func copyTests() []test {
	return []test{
		{"what takes rights away is done only when a copy has it", copiesAway},
	}
}

// A server that dies takes with it what no copy has. A right that was taken away must not come back so.
func copiesAway(b *bed) {
	if b.engine.Isolate == nil {
		return
	}
	s := b.open()
	later := b.later(s)
	for _, key := range []string{"deleted", "spent", "kept"} {
		b.ok(s.Set(b.ctx(), key, []byte("v"), later))
	}
	spent, kept := b.holds(s, "spent", "v"), b.holds(s, "kept", "v")
	lasting := store.Lasting(b.ctx())
	mend := b.engine.Isolate(b.T)

	b.fails("Delete without copies", s.Delete(b.ctx(), "deleted"), store.ErrUnavailable)
	_, err := s.Append(b.ctx(), "log", []byte("entry"), later)
	b.fails("Append without copies", err, store.ErrUnavailable)
	b.fails("lasting Set without copies", s.Set(lasting, "set", []byte("v"), later), store.ErrUnavailable)
	b.fails("lasting Add without copies", s.Add(lasting, "added", []byte("v"), later), store.ErrUnavailable)
	b.fails("lasting Swap without copies", s.Swap(lasting, "spent", spent, []byte("w"), later), store.ErrUnavailable)
	// Everything else goes on as ever.
	b.ok(s.Set(b.ctx(), "set", []byte("w"), later))
	b.ok(s.Swap(b.ctx(), "kept", kept, []byte("w"), later))
	b.holds(s, "kept", "w")
	b.counts(s, "counter", later, 1)
	b.enroll(s, "index", "name", later)
	b.ok(s.Withdraw(b.ctx(), "index", "name"))
	// It was done where copies lack it, and to say so again would be as wrong as before.
	b.lacks(s, "deleted")
	b.fails("Delete again", s.Delete(b.ctx(), "deleted"), store.ErrUnavailable)

	mend()
	b.eventually("what takes rights away works again", func() bool { return s.Delete(b.ctx(), "deleted") == nil })
	b.append(s, "log", "entry")
	b.fails("lasting Add again", s.Add(lasting, "added", []byte("v"), later), store.ErrExists)
	b.ok(s.Swap(lasting, "spent", b.holds(s, "spent", "w"), []byte("x"), later))
	b.ok(s.Set(lasting, "set", []byte("x"), later))
}
