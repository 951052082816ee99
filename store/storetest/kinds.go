package storetest

import (
	"slices"
)

func kindTests() []test {
	return []test{
		{"record, counter, index and log of one name are never confused", kinds},
	}
}

// An engine may keep the four kinds apart or refuse the second kind under a name that is taken. It must not answer one
// with the content of another, nor end one with the other.
func kinds(b *bed) {
	for _, first := range []string{"record", "counter", "index", "log"} {
		s := b.open()
		k := "both " + first
		start := map[string]func() error{
			"record": func() error { return s.Add(b.ctx(), k, []byte("7"), b.later(s)) },
			"counter": func() error {
				_, err := s.Increment(b.ctx(), k, b.later(s))
				return err
			},
			"index": func() error {
				_, err := s.Enroll(b.ctx(), k, "name", b.later(s))
				return err
			},
			"log": func() error {
				_, err := s.Append(b.ctx(), k, []byte("entry"), b.later(s))
				return err
			},
		}
		b.ok(start[first]())
		have := map[string]bool{first: true}
		for kind, begin := range start {
			if kind != first {
				have[kind] = begin() == nil
			}
		}
		if have["record"] {
			b.holds(s, k, "7")
		} else if record, err := s.Get(b.ctx(), k); err == nil {
			b.Errorf("Get of a %s gave the record %q", first, record.Value)
		}
		if have["counter"] {
			b.counts(s, k, b.later(s), 2)
		}

		b.ok(s.Delete(b.ctx(), k))
		if have["record"] {
			b.lacks(s, k)
		}
		if have["counter"] {
			b.counts(s, k, b.later(s), 1)
		}
		if members, err := s.Members(b.ctx(), k, "", 10); have["index"] && (err != nil || len(members) != 1) {
			b.Errorf("after Delete of the record %q its index of the same name holds %v, %v, want one member", k, members, err)
		}
		if have["log"] {
			if got := b.entries(s, k, 0); !slices.Equal(got, []string{"entry"}) {
				b.Errorf("after Delete of the record %q its log of the same name holds %q, want one entry", k, got)
			}
		}
		b.ok(s.Close())
	}
}
