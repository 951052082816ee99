package storetest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/safeconduct/safeconduct/store"
)

func logTests() []test {
	return []test{
		{"a log that was never written is empty", logMissing},
		{"entries come in order, page by page", logPages},
		{"an entry past its expiry is never returned", logExpired},
		{"log names are arbitrary bytes", logBinary},
		{"numbers of a log that has run dry still grow", logDry},
		{"a reader that follows racing writers misses nothing", logRace},
	}
}

func (b *bed) append(s store.Store, log, entry string) uint64 {
	b.Helper()
	seq, err := s.Append(b.ctx(), log, []byte(entry), b.later(s))
	b.ok(err)
	return seq
}

func logMissing(b *bed) {
	s := b.open()
	for _, seq := range []uint64{0, 1, 1 << 62} {
		if got := b.entries(s, "never", seq); len(got) > 0 {
			b.Errorf("entries of a missing log = %q", got)
		}
	}
}

func logPages(b *bed) {
	s := b.open()
	var want []store.Entry
	last := uint64(0)
	for i := range 10 {
		entry := fmt.Sprint("entry ", i)
		seq := b.append(s, "log", entry)
		if seq <= last {
			b.Fatalf("entry %d has number %d, after %d", i, seq, last)
		}
		want = append(want, store.Entry{Seq: seq, Value: []byte(entry)})
		last = seq
	}
	same := func(x, y store.Entry) bool { return x.Seq == y.Seq && string(x.Value) == string(y.Value) }

	for limit := 1; limit <= len(want)+1; limit++ {
		var got []store.Entry
		for seq := uint64(0); ; {
			page, err := s.Since(b.ctx(), "log", seq, limit)
			b.ok(err)
			got = append(got, page...)
			if len(page) > limit {
				b.Fatalf("a page of %d entries, want at most %d", len(page), limit)
			}
			if len(page) < limit {
				break
			}
			seq = page[limit-1].Seq
		}
		if !slices.EqualFunc(got, want, same) {
			b.Errorf("in pages of %d: %v, want %v", limit, got, want)
		}
	}
	if got := b.entries(s, "log", last); len(got) > 0 {
		b.Errorf("entries after the last = %q, want none", got)
	}
}

func logExpired(b *bed) {
	s := b.open()
	end := b.soon(s)
	for i := range 6 {
		expires := end
		if i%2 == 1 {
			expires = b.later(s)
		}
		_, err := s.Append(b.ctx(), "log", fmt.Append(nil, i), expires)
		b.ok(err)
	}
	if got := b.entries(s, "log", 0); !slices.Equal(got, []string{"0", "1", "2", "3", "4", "5"}) {
		b.Errorf("entries = %q, want all six", got)
	}
	b.pass(s, end)
	b.expired("only live entries are returned", func() bool {
		return slices.Equal(b.entries(s, "log", 0), []string{"1", "3", "5"})
	})
	page, err := s.Since(b.ctx(), "log", 0, 2)
	b.ok(err)
	if len(page) != 2 || string(page[1].Value) != "3" {
		b.Errorf("the first two live entries = %v, want 1 and 3", page)
	}
}

func logBinary(b *bed) {
	s := b.open()
	for _, log := range awkward() {
		b.append(s, log, "of "+log)
	}
	for _, log := range awkward() {
		if got := b.entries(s, log, 0); !slices.Equal(got, []string{"of " + log}) {
			b.Errorf("entries of %q = %q", log, got)
		}
	}
}

// A reader remembers the last number that it saw. A log that counted anew would hide its entries from it.
func logDry(b *bed) {
	s := b.open()
	end := b.soon(s)
	seq, err := s.Append(b.ctx(), "log", []byte("gone"), end)
	b.ok(err)
	b.pass(s, end)
	b.expired("the log is empty", func() bool { return len(b.entries(s, "log", 0)) == 0 })
	b.append(s, "other", "write that may sweep")
	if again := b.append(s, "log", "new"); again <= seq {
		b.Errorf("number %d after %d, want a greater one", again, seq)
	}
	if got := b.entries(s, "log", seq); !slices.Equal(got, []string{"new"}) {
		b.Errorf("entries = %q, want the new one", got)
	}
}

func logRace(b *bed) {
	const writers, each = 8, 25
	s := b.open()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			last := uint64(0)
			for i := range each {
				seq, err := s.Append(b.ctx(), "log", fmt.Appendf(nil, "%d/%d", w, i), b.later(s))
				if err != nil || seq <= last {
					b.Errorf("Append = %d, %v, after %d", seq, err, last)
				}
				last = seq
			}
		})
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()

	// The reader never looks back, so what appears behind its position is lost to it.
	seen := map[string]int{}
	last := uint64(0)
	read := func() int {
		entries, err := s.Since(b.ctx(), "log", last, 10)
		if err != nil {
			b.Errorf("Since: %v", err)
		}
		for _, e := range entries {
			if e.Seq <= last {
				b.Errorf("entry %d came after %d", e.Seq, last)
			}
			last = e.Seq
			seen[string(e.Value)]++
		}
		return len(entries)
	}
	for writing := true; writing; {
		read()
		select {
		case <-done:
			writing = false
		default:
		}
	}
	for read() > 0 {
	}
	if len(seen) != writers*each {
		b.Errorf("the reader saw %d entries, want %d", len(seen), writers*each)
	}
	for entry, times := range seen {
		if times != 1 {
			b.Errorf("entry %s was seen %d times", entry, times)
		}
	}
}
