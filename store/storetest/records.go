package storetest

import (
	"slices"
	"strings"

	"github.com/safeconduct/safeconduct/store"
)

func recordTests() []test {
	return []test{
		{"what was never written is not found", missing},
		{"Set replaces what was there", replace},
		{"every write has an id of its own", writeIDs},
		{"values are copies", copies},
		{"an empty value is a value", emptyValue},
		{"a value of 64 KiB comes back whole", largeValue},
		{"keys are arbitrary bytes", binaryKeys},
		{"deleting twice is no error", deleteTwice},
		{"a deleted key can be added again", addAfterDelete},
	}
}

func missing(b *bed) {
	s := b.open()
	_, err := s.Get(b.ctx(), "never")
	b.fails("Get of a missing key", err, store.ErrNotFound)
	b.ok(s.Ping(b.ctx()))
}

func replace(b *bed) {
	s := b.open()
	b.ok(s.Set(b.ctx(), "k", []byte("first, and longer"), b.later(s)))
	b.holds(s, "k", "first, and longer")
	b.ok(s.Set(b.ctx(), "k", []byte("second"), b.later(s)))
	b.holds(s, "k", "second")
	b.lacks(s, "K")
}

// Swap tells two writes of one value apart by their ids alone, so no two may share one, and none may be zero.
func writeIDs(b *bed) {
	s := b.open()
	seen := map[store.WriteID]bool{{}: true}
	for range 3 {
		b.ok(s.Set(b.ctx(), "k", []byte("same"), b.later(s)))
		record := b.holds(s, "k", "same")
		if seen[record.ID] {
			b.Errorf("write id %x is zero or was seen before", record.ID)
		}
		seen[record.ID] = true
		if again := b.holds(s, "k", "same"); again.ID != record.ID {
			b.Errorf("two reads of one write: ids %x and %x", record.ID, again.ID)
		}
	}
}

// Callers reuse their buffers, and caches hand one record to many: neither may reach into the store.
func copies(b *bed) {
	s := b.open()
	given := []byte("value")
	spoil := func() { copy(given, "XXXXX") }
	mend := func() { copy(given, "value") }

	b.ok(s.Set(b.ctx(), "k", given, b.later(s)))
	spoil()
	record := b.holds(s, "k", "value")
	copy(record.Value, "YYYYY")
	record = b.holds(s, "k", "value")

	mend()
	b.ok(s.Swap(b.ctx(), "k", record, given, b.later(s)))
	spoil()
	b.holds(s, "k", "value")

	mend()
	b.ok(s.Add(b.ctx(), "added", given, b.later(s)))
	spoil()
	b.holds(s, "added", "value")

	mend()
	_, err := s.Append(b.ctx(), "log", given, b.later(s))
	b.ok(err)
	spoil()
	entries, err := s.Since(b.ctx(), "log", 0, 10)
	b.ok(err)
	for _, e := range entries {
		copy(e.Value, "YYYYY")
	}
	if got := b.entries(s, "log", 0); !slices.Equal(got, []string{"value"}) {
		b.Errorf("log = %q, want one entry %q", got, "value")
	}
}

func emptyValue(b *bed) {
	s := b.open()
	for key, value := range map[string][]byte{"nil": nil, "empty": {}} {
		b.ok(s.Set(b.ctx(), key, value, b.later(s)))
		record := b.holds(s, key, "")
		b.fails("Add on an empty value", s.Add(b.ctx(), key, []byte("x"), b.later(s)), store.ErrExists)
		b.ok(s.Swap(b.ctx(), key, record, []byte("x"), b.later(s)))
		b.holds(s, key, "x")
	}
	_, err := s.Append(b.ctx(), "log", nil, b.later(s))
	b.ok(err)
	if got := b.entries(s, "log", 0); !slices.Equal(got, []string{""}) {
		b.Errorf("log = %q, want one empty entry", got)
	}
}

func largeValue(b *bed) {
	s := b.open()
	large := strings.Repeat("0123456789abcdef", 4096)
	b.ok(s.Set(b.ctx(), "large", []byte(large), b.later(s)))
	record := b.holds(s, "large", large)
	b.ok(s.Swap(b.ctx(), "large", record, []byte(large+"!"), b.later(s)))
	b.holds(s, "large", large+"!")
	b.ok(s.Delete(b.ctx(), "large"))
	b.lacks(s, "large")
}

// awkward are strings that a store may confuse, cut or read as something else.
func awkward() []string {
	return []string{
		"a", "a\x00", "\x00a", "a\x00b", "\x00", "\xff", "\xff\xff", "\xfe\xff", "a:b", "a/b", "{a}b", "ab", "b",
		"line\nbreak", "\r\n", " ", "ä", "a\u0308", "%s", "*", "A", strings.Repeat("long", 200),
	}
}

func binaryKeys(b *bed) {
	s := b.open()
	for _, key := range awkward() {
		b.ok(s.Add(b.ctx(), key, []byte("value of "+key), b.later(s)))
	}
	for _, key := range awkward() {
		b.holds(s, key, "value of "+key)
	}
	for _, key := range awkward() {
		b.ok(s.Delete(b.ctx(), key))
		b.lacks(s, key)
	}
}

func deleteTwice(b *bed) {
	s := b.open()
	b.ok(s.Delete(b.ctx(), "k"))
	b.ok(s.Set(b.ctx(), "k", []byte("v"), b.later(s)))
	b.ok(s.Delete(b.ctx(), "k"))
	b.lacks(s, "k")
	b.ok(s.Delete(b.ctx(), "k"))
	b.lacks(s, "k")
}

func addAfterDelete(b *bed) {
	s := b.open()
	b.ok(s.Add(b.ctx(), "k", []byte("first"), b.later(s)))
	b.ok(s.Delete(b.ctx(), "k"))
	b.ok(s.Add(b.ctx(), "k", []byte("second"), b.later(s)))
	b.holds(s, "k", "second")
}
