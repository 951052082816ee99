package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

func indexTests() []test {
	return []test{
		{"an index that was never written is empty", indexMissing},
		{"Enroll counts names, each once", indexCount},
		{"members come in byte order, page by page", indexPages},
		{"members tell their expiry", indexExpiries},
		{"a member past its expiry is never returned", indexExpired},
		{"enrolling again changes the expiry", indexReenroll},
		{"withdrawing twice is no error", indexWithdraw},
		{"index names and member names are arbitrary bytes", indexBinary},
		{"racing callers enroll every name", indexRace},
	}
}

func (b *bed) enroll(s store.Store, index, name string, expires time.Time) int {
	b.Helper()
	n, err := s.Enroll(b.ctx(), index, name, expires)
	b.ok(err)
	return n
}

func (b *bed) hasNames(s store.Store, index string, want ...string) {
	b.Helper()
	if got := b.names(s, index); !slices.Equal(got, want) {
		b.Errorf("members of %q = %q, want %q", index, got, want)
	}
}

func indexMissing(b *bed) {
	s := b.open()
	b.hasNames(s, "never")
	b.ok(s.Withdraw(b.ctx(), "never", "name"))
	b.hasNames(s, "never")
}

func indexCount(b *bed) {
	s := b.open()
	for i, want := range []int{1, 2, 2, 3} {
		name := []string{"one", "two", "one", "three"}[i]
		if n := b.enroll(s, "index", name, b.later(s)); n != want {
			b.Errorf("enrolling %s: %d names, want %d", name, n, want)
		}
	}
	b.ok(s.Withdraw(b.ctx(), "index", "one"))
	b.ok(s.Withdraw(b.ctx(), "index", "absent"))
	if n := b.enroll(s, "index", "two", b.later(s)); n != 2 {
		b.Errorf("after a withdrawal: %d names, want 2", n)
	}
	if n := b.enroll(s, "another", "one", b.later(s)); n != 1 {
		b.Errorf("another index: %d names, want 1", n)
	}
}

func indexPages(b *bed) {
	s := b.open()
	want := []string{"\x01", "A", "a", "a\x01", "aa", "ab", "b", "ba", "\x7f", "\x80", "\xc3\xa4", "\xff", "\xff\xff"}
	for _, i := range []int{5, 12, 0, 7, 3, 11, 1, 9, 4, 10, 2, 8, 6} {
		b.enroll(s, "index", want[i], b.later(s))
	}
	b.hasNames(s, "index", want...)

	for limit := 1; limit <= len(want)+1; limit++ {
		var got []string
		for after := ""; ; {
			page, err := s.Members(b.ctx(), "index", after, limit)
			b.ok(err)
			for _, m := range page {
				got = append(got, m.Name)
			}
			if len(page) > limit {
				b.Fatalf("a page of %d names, want at most %d", len(page), limit)
			}
			if len(page) < limit {
				break
			}
			after = page[limit-1].Name
		}
		if !slices.Equal(got, want) {
			b.Errorf("in pages of %d: %q, want %q", limit, got, want)
		}
	}

	// A page may start behind a name that is no member (any more).
	page, err := s.Members(b.ctx(), "index", "a\x00", 2)
	b.ok(err)
	if len(page) != 2 || page[0].Name != "a\x01" || page[1].Name != "aa" {
		b.Errorf("two members after %q = %v, want %q and %q", "a\x00", page, "a\x01", "aa")
	}
	page, err = s.Members(b.ctx(), "index", "\xff\xff\xff", 2)
	b.ok(err)
	if len(page) != 0 {
		b.Errorf("members after the last = %v, want none", page)
	}
}

func indexExpiries(b *bed) {
	s := b.open()
	want := b.later(s)
	b.enroll(s, "index", "name", want)
	members, err := s.Members(b.ctx(), "index", "", 10)
	b.ok(err)
	if len(members) != 1 || members[0].Expires.Sub(want).Abs() > time.Millisecond {
		b.Errorf("members = %v, want one until %v", members, want)
	}
}

func indexExpired(b *bed) {
	s := b.open()
	end := b.soon(s)
	for i := range 10 {
		expires := end
		if i%3 == 0 {
			expires = b.later(s)
		}
		b.enroll(s, "index", fmt.Sprint("name ", i), expires)
	}
	b.pass(s, end)
	live := []string{"name 0", "name 3", "name 6", "name 9"}
	b.expired("only live members are listed", func() bool { return slices.Equal(b.names(s, "index"), live) })

	// A limit counts live names: a page that is full of the dead would look like the end.
	page, err := s.Members(b.ctx(), "index", "name 0", 2)
	b.ok(err)
	if len(page) != 2 || page[0].Name != "name 3" || page[1].Name != "name 6" {
		b.Errorf("two members after %q = %v, want %q and %q", "name 0", page, "name 3", "name 6")
	}
	if n := b.enroll(s, "index", "name 0", b.later(s)); n < len(live) || n > 10 {
		b.Errorf("%d names counted, want between the 4 live ones and all 10", n)
	}
	b.enroll(s, "index", "name 1", b.later(s))
	b.hasNames(s, "index", "name 0", "name 1", "name 3", "name 6", "name 9")
}

func indexReenroll(b *bed) {
	s := b.open()
	end := b.soon(s)
	b.enroll(s, "index", "longer", end)
	b.enroll(s, "index", "longer", b.later(s))
	b.enroll(s, "index", "shorter", b.later(s))
	b.enroll(s, "index", "shorter", end)
	b.enroll(s, "index", "withdrawn", end)
	b.ok(s.Withdraw(b.ctx(), "index", "withdrawn"))
	b.enroll(s, "index", "withdrawn", b.later(s))
	b.hasNames(s, "index", "longer", "shorter", "withdrawn")
	b.pass(s, end)
	b.expired("the shortened member is gone, the others live", func() bool {
		return slices.Equal(b.names(s, "index"), []string{"longer", "withdrawn"})
	})
}

func indexWithdraw(b *bed) {
	s := b.open()
	b.enroll(s, "index", "stays", b.later(s))
	b.enroll(s, "index", "goes", b.later(s))
	b.ok(s.Withdraw(b.ctx(), "index", "goes"))
	b.ok(s.Withdraw(b.ctx(), "index", "goes"))
	b.hasNames(s, "index", "stays")
	b.ok(s.Withdraw(b.ctx(), "index", "stays"))
	b.hasNames(s, "index")
	if n := b.enroll(s, "index", "again", b.later(s)); n != 1 {
		b.Errorf("an index that was emptied counts %d names, want 1", n)
	}
}

func indexBinary(b *bed) {
	s := b.open()
	for _, index := range awkward() {
		b.enroll(s, index, "of "+strings.ReplaceAll(index, "\x00", "zero"), b.later(s))
	}
	for _, index := range awkward() {
		b.hasNames(s, index, "of "+strings.ReplaceAll(index, "\x00", "zero"))
	}

	// Names of one length may hold any bytes: ids do.
	ids := []string{"\x00\x00\x00", "\x00\x00\x01", "\x00\xff\x00", "a\x00b", "a\x01\x00", "\xff\x00\x00", "\xff\xff\xff"}
	for _, id := range slices.Backward(ids) {
		b.enroll(s, "ids", id, b.later(s))
	}
	b.hasNames(s, "ids", ids...)
	page, err := s.Members(b.ctx(), "ids", ids[1], 2)
	b.ok(err)
	if len(page) != 2 || page[0].Name != ids[2] || page[1].Name != ids[3] {
		b.Errorf("two members after %q = %v, want %q", ids[1], page, ids[2:4])
	}
}

func indexRace(b *bed) {
	s := b.open()
	var all sync.WaitGroup
	var want []string
	for i := range crowd {
		name := fmt.Sprintf("name %02d", i)
		want = append(want, name)
		all.Go(func() {
			if _, err := s.Enroll(b.ctx(), "index", name, b.later(s)); err != nil {
				b.Errorf("Enroll: %v", err)
			}
		})
	}
	all.Wait()
	b.hasNames(s, "index", want...)
	if n := b.enroll(s, "index", "name 00", b.later(s)); n != crowd {
		b.Errorf("%d names counted, want %d", n, crowd)
	}
}
