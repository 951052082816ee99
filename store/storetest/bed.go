package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

const (
	// patience bounds every wait for something that must happen.
	patience = 10 * time.Second
	// pollEvery is the pace of such a wait.
	pollEvery = 2 * time.Millisecond
	// shortServerLife is a life that the suite waits out in real time.
	shortServerLife = 250 * time.Millisecond
	// shortLocalLife is a life that the suite skips by moving the clock.
	shortLocalLife = time.Minute
	// crowd is how many callers race.
	crowd = 64
)

// test is one rule of the contract and the function that tries it.
type test struct {
	rule string
	run  func(b *bed)
}

// bed is where one test lies: an engine without data, and the clock of the machines that open it.
type bed struct {
	*testing.T
	engine Engine
	moved  atomic.Int64 // how far the suite has moved the clock, in nanoseconds
}

func newBed(t *testing.T, e Engine) *bed {
	return &bed{T: t, engine: e}
}

// ctx is the context of calls that are to succeed.
func (b *bed) ctx() context.Context { return b.Context() }

// now is the true time of the test: a clock that stands still until it is moved, or the real one.
func (b *bed) now() time.Time {
	if b.engine.ServerTime {
		return time.Now()
	}
	return time.Date(2026, time.March, 29, 0, 59, 0, 0, time.UTC).Add(time.Duration(b.moved.Load()))
}

// open opens a handle whose machine has the right time.
func (b *bed) open() store.Store { return b.openSkewed(0) }

// openSkewed opens a handle whose machine's clock is wrong by skew.
func (b *bed) openSkewed(skew time.Duration) store.Store {
	b.Helper()
	s := b.engine.Open(b.T, func() time.Time { return b.now().Add(skew) })
	b.Cleanup(func() { s.Close() })
	return s
}

// soon is an expiry that pass can wait for.
func (b *bed) soon(s store.Store) time.Time {
	if b.engine.ServerTime {
		return s.Now().Add(cmp.Or(b.engine.ShortLife, shortServerLife))
	}
	return s.Now().Add(shortLocalLife)
}

// later is an expiry that no test reaches.
func (b *bed) later(s store.Store) time.Time { return s.Now().Add(24 * time.Hour) }

// pass returns when the store's time has reached until: it moves the clock, or waits. A handle that is ahead of its clock
// may follow it slowly.
func (b *bed) pass(s store.Store, until time.Time) {
	b.Helper()
	b.eventually("the store's time reaches the expiry", func() bool {
		left := until.Sub(s.Now())
		if left > 0 && !b.engine.ServerTime {
			b.moved.Add(int64(max(left, time.Millisecond)))
		}
		return left <= 0
	})
}

// expired checks that gone holds once an expiry has passed: at once when the suite has the clock in hand, soon when the
// handle only estimates the server's.
func (b *bed) expired(what string, gone func() bool) {
	b.Helper()
	if b.engine.ServerTime {
		b.eventually(what, gone)
	} else if !gone() {
		b.Errorf("%s: not so, although the expiry has passed", what)
	}
}

// eventually polls until holds, and fails the test when that does not come.
func (b *bed) eventually(what string, holds func() bool) {
	b.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			b.Fatalf("%s: not so after %v", what, patience)
		}
		<-time.After(pollEvery)
	}
}

// ok fails the test when a call that must succeed did not.
func (b *bed) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("call failed: %v", err)
	}
}

// fails checks that a call ended with the error want.
func (b *bed) fails(what string, err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// holds checks that the record under key has the value want, and returns it.
func (b *bed) holds(s store.Store, key, want string) store.Record {
	b.Helper()
	record, err := s.Get(b.ctx(), key)
	if err != nil {
		b.Fatalf("Get(%q): %v, want %.40q", key, err, want)
	}
	if !bytes.Equal(record.Value, []byte(want)) {
		b.Errorf("Get(%q) = %.40q, want %.40q", key, record.Value, want)
	}
	return record
}

// absent reports whether there is no record under key; any other error fails the test.
func (b *bed) absent(s store.Store, key string) bool {
	b.Helper()
	_, err := s.Get(b.ctx(), key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		b.Fatalf("Get(%q): %v", key, err)
	}
	return err != nil
}

// lacks checks that there is no record under key.
func (b *bed) lacks(s store.Store, key string) {
	b.Helper()
	if !b.absent(s, key) {
		b.Errorf("Get(%q): found, want none", key)
	}
}

// names lists the live names of index.
func (b *bed) names(s store.Store, index string) []string {
	b.Helper()
	members, err := s.Members(b.ctx(), index, "", 1000)
	b.ok(err)
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	return names
}

// entries lists the live entries of log after seq.
func (b *bed) entries(s store.Store, log string, seq uint64) []string {
	b.Helper()
	entries, err := s.Since(b.ctx(), log, seq, 1000)
	b.ok(err)
	var values []string
	for _, e := range entries {
		values = append(values, string(e.Value))
	}
	return values
}
