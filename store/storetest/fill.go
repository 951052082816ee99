package storetest

import (
	"errors"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

func fillTests() []test {
	return []test{
		{"what was loaded is as it was, and goes on", fillGoesOn},
		{"items that are loaded twice are there once", fillTwice},
		{"what was filled in part is no store, and is filled anew from nothing", fillUnfinished},
		{"a store that holds something is filled only if that was said", fillNotEmpty},
		{"no time and no number is lower than the mark", fillMark},
	}
}

// loaded are items as another engine may tell them.
func loaded(b *bed, now time.Time) []store.Item {
	later := now.Add(24 * time.Hour).Truncate(time.Millisecond)
	return []store.Item{
		{Kind: store.KindRecord, Name: "passing", ID: store.NewWriteID(), Value: []byte("a value"), Expires: later},
		{Kind: store.KindRecord, Name: "lasting", ID: store.NewWriteID(), Value: []byte("another"), Expires: store.Forever},
		{Kind: store.KindCounter, Name: "counter", Count: 12345678901, Expires: later.Add(time.Millisecond)},
		{Kind: store.KindMember, Name: "index", Member: "first", Expires: later},
		{Kind: store.KindMember, Name: "index", Member: "second", Expires: store.Forever},
		{Kind: store.KindEntry, Name: "log", Seq: 5, Value: []byte("five"), Expires: later},
		{Kind: store.KindEntry, Name: "log", Seq: uint64(now.UnixMicro()) - 7, Value: []byte("late"), Expires: store.Forever},
		{Kind: store.KindEntry, Name: "log too", Seq: 6, Value: []byte("six"), Expires: later},
	}
}

// begin begins to fill the engine's data.
func (b *bed) begin(replace bool) store.Filler {
	b.Helper()
	f, err := b.engine.Fill(b.now, replace)
	b.ok(err)
	b.Cleanup(func() { f.Close() })
	return f
}

func fillGoesOn(b *bed) {
	f := b.begin(false)
	want := loaded(b, f.Now())
	b.ok(f.Load(b.ctx(), want))
	b.ok(f.Advance(b.ctx(), store.Mark{Now: f.Now(), Seq: want[6].Seq}))
	b.ok(f.Finish(b.ctx()))
	s := b.open()
	got, _ := walk(b, s)
	same(b, "walk", got, want)

	b.fails("Add over a loaded record", s.Add(b.ctx(), "passing", nil, b.later(s)), store.ErrExists)
	old := store.Record{ID: want[0].ID}
	b.fails("Swap with another write id", s.Swap(b.ctx(), "passing", store.Record{ID: want[1].ID}, []byte("new"), b.later(s)), store.ErrConflict)
	b.ok(s.Swap(b.ctx(), "passing", old, []byte("new"), b.later(s)))
	b.counts(s, "counter", b.later(s), 12345678902)
	if n, err := s.Enroll(b.ctx(), "index", "third", b.later(s)); err != nil || n != 3 {
		b.Errorf("the index counts %d, %v, want 3", n, err)
	}
	b.ok(s.Withdraw(b.ctx(), "index", "first"))
	seq, err := s.Append(b.ctx(), "log", []byte("next"), b.later(s))
	if err != nil || seq <= want[6].Seq {
		b.Errorf("the next entry has number %d, %v, want more than %d", seq, err, want[6].Seq)
	}
}

func fillTwice(b *bed) {
	f := b.begin(false)
	want := loaded(b, f.Now())
	b.ok(f.Load(b.ctx(), want))
	b.ok(f.Load(b.ctx(), want))
	b.ok(f.Finish(b.ctx()))
	s := b.open()
	got, _ := walk(b, s)
	same(b, "walk", got, want)
	if n, err := s.Enroll(b.ctx(), "index", "third", b.later(s)); err != nil || n != 3 {
		b.Errorf("the index counts %d, %v, want 3", n, err)
	}
}

func fillUnfinished(b *bed) {
	f := b.begin(false)
	first := loaded(b, f.Now())
	b.ok(f.Load(b.ctx(), first))
	b.ok(f.Close())
	if err := b.engine.Usable(b); !errors.Is(err, store.ErrUnfinished) {
		b.Fatalf("a server gets %v, want ErrUnfinished", err)
	}
	f = b.begin(false)
	b.ok(f.Load(b.ctx(), first[1:2]))
	b.ok(f.Finish(b.ctx()))
	b.ok(b.engine.Usable(b))
	got, _ := walk(b, b.open())
	same(b, "the second filling", got, first[1:2])
}

func fillNotEmpty(b *bed) {
	s := b.open()
	b.ok(s.Set(b.ctx(), "old", []byte("old"), store.Forever))
	b.ok(s.Close())
	_, err := b.engine.Fill(b.now, false)
	b.fails("filling what holds something", err, store.ErrNotEmpty)
	s = b.open()
	b.holds(s, "old", "old")
	b.ok(s.Close())

	f := b.begin(true)
	want := loaded(b, f.Now())
	b.ok(f.Load(b.ctx(), want))
	b.ok(f.Finish(b.ctx()))
	got, _ := walk(b, b.open())
	same(b, "after it was replaced", got, want)
}

func fillMark(b *bed) {
	f := b.begin(false)
	mark := store.Mark{Now: f.Now().Add(200 * time.Millisecond), Seq: uint64(f.Now().UnixMicro())}
	b.ok(f.Advance(b.ctx(), mark))
	if f.Now().Before(mark.Now) {
		b.Errorf("the time is %v, want no earlier than %v", f.Now(), mark.Now)
	}
	b.ok(f.Finish(b.ctx()))
	s := b.open()
	if s.Now().Before(mark.Now) {
		b.Errorf("opened, the time is %v, want no earlier than %v", s.Now(), mark.Now)
	}
	if seq, err := s.Append(b.ctx(), "log", nil, b.later(s)); err != nil || seq <= mark.Seq {
		b.Errorf("an entry has number %d, %v, want more than %d", seq, err, mark.Seq)
	}
	if !b.engine.ServerTime {
		return
	}
	b.ok(s.Close())
	f = b.begin(true)
	b.fails("a mark an hour ahead", f.Advance(b.ctx(), store.Mark{Now: f.Now().Add(time.Hour)}), store.ErrBehind)
}
