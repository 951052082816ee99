package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

func walkTests() []test {
	return []test{
		{"a walk tells everything live with all that belongs to it", walkTellsAll},
		{"a walk tells one moment, or in the order that makes up for it", walkMoment},
		{"a walk ends with the error of its caller", walkStops},
		{"an item is found as it is, or not at all", find},
		{"much of everything is walked once", walkMuch},
	}
}

// everything fills a store with some of each kind and returns what a walk must tell, apart from what the engine
// draws by itself.
func everything(b *bed, s store.Store) []store.Item {
	b.Helper()
	later := b.later(s).Truncate(time.Millisecond)
	items := []store.Item{
		{Kind: store.KindRecord, Name: "passing", Value: []byte("a value"), Expires: later},
		{Kind: store.KindRecord, Name: "bytes \x00\xff*?[1]", Value: []byte("12345678901234567890\x00"), Expires: later.Add(time.Millisecond)},
		{Kind: store.KindRecord, Name: "no value", Value: []byte{}, Expires: later},
		{Kind: store.KindRecord, Name: "lasting", Value: []byte("123456"), Expires: store.Forever},
		{Kind: store.KindCounter, Name: "counter", Count: 3, Expires: later},
		{Kind: store.KindCounter, Name: "lasting counter", Count: 1, Expires: store.Forever},
		{Kind: store.KindMember, Name: "index", Member: "first", Expires: later},
		{Kind: store.KindMember, Name: "index", Member: "first and more", Expires: store.Forever},
		{Kind: store.KindMember, Name: "index \x00", Member: "other", Expires: later.Add(7 * time.Millisecond)},
		{Kind: store.KindEntry, Name: "log", Value: []byte("one"), Expires: later},
		{Kind: store.KindEntry, Name: "log", Value: []byte("two"), Expires: store.Forever},
		{Kind: store.KindEntry, Name: "log \x01", Value: []byte{}, Expires: later},
	}
	for n := range items {
		put(b, s, &items[n])
	}
	return items
}

// put writes an item by the calls of the contract, and takes the number or the write id that it got.
func put(b *bed, s store.Store, i *store.Item) {
	b.Helper()
	var err error
	switch i.Kind {
	case store.KindRecord:
		b.ok(s.Set(b.ctx(), i.Name, i.Value, i.Expires))
		var r store.Record
		r, err = s.Get(b.ctx(), i.Name)
		i.ID = r.ID
	case store.KindCounter:
		for range i.Count {
			_, err = s.Increment(b.ctx(), i.Name, i.Expires)
			b.ok(err)
		}
	case store.KindMember:
		_, err = s.Enroll(b.ctx(), i.Name, i.Member, i.Expires)
	case store.KindEntry:
		i.Seq, err = s.Append(b.ctx(), i.Name, i.Value, i.Expires)
	}
	b.ok(err)
}

// walk collects what a walk tells.
func walk(b *bed, s store.Store) ([]store.Item, store.Mark) {
	b.Helper()
	var all []store.Item
	mark, err := s.(store.Walker).Walk(b.ctx(), func(i store.Item) error {
		i.Value = bytes.Clone(i.Value)
		all = append(all, i)
		return nil
	})
	b.ok(err)
	return all, mark
}

// spell is an item in a form that is equal for equal ones.
func spell(i store.Item) string {
	return fmt.Sprintf("%s %q %q #%d =%d %x %q until %d", i.Kind, i.Name, i.Member, i.Seq, i.Count, i.ID, i.Value, i.Expires.UnixMilli())
}

func same(b *bed, what string, got, want []store.Item) {
	b.Helper()
	spelled := func(items []store.Item) []string {
		var all []string
		for _, i := range items {
			all = append(all, spell(i))
		}
		slices.Sort(all)
		return all
	}
	g, w := spelled(got), spelled(want)
	for _, line := range g {
		if !slices.Contains(w, line) {
			b.Errorf("%s: got %s, which must not be there", what, line)
		}
	}
	for _, line := range w {
		if !slices.Contains(g, line) {
			b.Errorf("%s: %s is missing", what, line)
		}
	}
	if len(g) != len(w) {
		b.Errorf("%s: got %d items, want %d", what, len(g), len(w))
	}
}

func walkTellsAll(b *bed) {
	s := b.open()
	soon := b.soon(s)
	b.ok(s.Set(b.ctx(), "short", []byte("x"), soon))
	_, err := s.Increment(b.ctx(), "short counter", soon)
	b.ok(err)
	_, err = s.Enroll(b.ctx(), "index", "short", soon)
	b.ok(err)
	_, err = s.Append(b.ctx(), "log", []byte("short"), soon)
	b.ok(err)
	want := everything(b, s)
	b.pass(s, soon)
	b.expired("what has expired is not told", func() bool {
		got, _ := walk(b, s)
		return len(got) == len(want)
	})
	got, mark := walk(b, s)
	same(b, "walk", got, want)
	if mark.Now.After(s.Now()) || mark.Now.Before(soon) {
		b.Errorf("the mark is at %v, the store at %v", mark.Now, s.Now())
	}
	for _, i := range got {
		if i.Seq > mark.Seq {
			b.Errorf("the mark says %d is the last number, and there is %d", mark.Seq, i.Seq)
		}
	}
}

func walkMoment(b *bed) {
	s := b.open()
	want := everything(b, s)
	if s.(store.Walker).Snapshot() {
		var got []store.Item
		_, err := s.(store.Walker).Walk(b.ctx(), func(i store.Item) error {
			i.Value = bytes.Clone(i.Value)
			got = append(got, i)
			return s.Set(b.ctx(), "zz written meanwhile", nil, store.Forever)
		})
		b.ok(err)
		same(b, "walk", got, want)
		return
	}
	got, _ := walk(b, s)
	rank := func(i store.Item) int {
		switch {
		case i.Kind != store.KindRecord:
			return 3
		case i.Expires.Equal(store.Forever):
			return 2
		}
		return 1
	}
	if !slices.IsSortedFunc(got, func(x, y store.Item) int { return rank(x) - rank(y) }) {
		b.Errorf("got %v", got)
	}
}

func walkStops(b *bed) {
	s := b.open()
	everything(b, s)
	enough, told := errors.New("enough"), 0
	_, err := s.(store.Walker).Walk(b.ctx(), func(store.Item) error {
		told++
		return enough
	})
	if !errors.Is(err, enough) || told != 1 {
		b.Errorf("got %v after %d", err, told)
	}
	b.holds(s, "lasting", "123456") // the handle goes on
}

func find(b *bed) {
	s := b.open()
	want := everything(b, s)
	got, err := s.(store.Walker).Find(b.ctx(), want)
	b.ok(err)
	for n := range want {
		if spell(got[n]) != spell(want[n]) {
			b.Errorf("found %s, want %s", spell(got[n]), spell(want[n]))
		}
	}
	absent := []store.Item{
		{Kind: store.KindRecord, Name: "counter of nobody"}, {Kind: store.KindCounter, Name: "passing"}, {Kind: store.KindMember, Name: "index", Member: "firs"},
		{Kind: store.KindMember, Name: "lasting", Member: "first"}, {Kind: store.KindEntry, Name: "log", Seq: 1},
	}
	b.ok(s.Delete(b.ctx(), "passing"))
	absent = append(absent, want[0])
	got, err = s.(store.Walker).Find(b.ctx(), absent)
	b.ok(err)
	for n := range absent {
		if got[n].Kind != 0 {
			b.Errorf("found %s for %s", spell(got[n]), spell(absent[n]))
		}
	}
}

func walkMuch(b *bed) {
	s := b.open()
	var want []store.Item
	for n := range 1200 {
		i := store.Item{Kind: store.KindMember, Name: "big", Member: fmt.Sprintf("member %04d", n), Expires: b.later(s).Truncate(time.Millisecond)}
		if n%2 == 0 {
			i = store.Item{Kind: store.KindEntry, Name: "big", Value: []byte("entry"), Expires: i.Expires}
		}
		if n%3 == 0 {
			i = store.Item{Kind: store.KindRecord, Name: fmt.Sprint("record", n), Value: []byte("v"), Expires: i.Expires}
		}
		put(b, s, &i)
		want = append(want, i)
	}
	got, _ := walk(b, s)
	same(b, "walk", got, want)
}
