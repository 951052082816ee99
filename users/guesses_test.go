package users_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/users"
)

const wrong = "wrong horse battery"

// limited returns the wait that an attempt is told, or zero if it was looked at.
func limited(t *testing.T, err error) *users.LimitedError {
	t.Helper()
	var l *users.LimitedError
	if errors.As(err, &l) {
		return l
	}
	if !errors.Is(err, users.ErrCredentials) {
		t.Errorf("got %v, want ErrCredentials or a LimitedError", err)
	}
	return nil
}

// fail makes n failures, waiting as long as is asked for.
func (r *room) fail(t *testing.T, username string, n int) {
	t.Helper()
	for range n {
		l := limited(t, r.try(t, username, wrong))
		if l == nil {
			continue
		}
		r.clock.Advance(l.RetryAfter)
		if limited(t, r.try(t, username, wrong)) != nil {
			t.Fatal("refused again after the wait")
		}
	}
}

// OWASP ASVS 5.0, 6.1.1: guessing is slowed down, and nobody is locked out for long: five free, then 1, 2, 4 … 60 s.
func TestFailuresDelayTheNextAttempt(t *testing.T) {
	r := open(t)
	r.create(t, "alice")
	for _, username := range []string{"alice", "nobody", "no body"} { // who does not exist is counted alike
		for i := range 5 {
			if l := limited(t, r.try(t, username, wrong)); l != nil {
				t.Fatalf("%s: attempt %d had to wait %v", username, i+1, l.RetryAfter)
			}
		}
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			want *= time.Second
			before := r.hasher.Computed()
			l := limited(t, r.try(t, username, wrong))
			if l == nil || l.RetryAfter != want || l.Blocked {
				t.Fatalf("%s: got %+v, want a wait of %v", username, l, want)
			}
			r.clock.Advance(want - time.Millisecond)
			if l := limited(t, r.try(t, username, password)); l == nil || l.RetryAfter != time.Millisecond {
				t.Fatalf("%s: a millisecond too early: got %+v", username, l)
			}
			if r.hasher.Computed() != before {
				t.Error("an attempt that had to wait was looked at")
			}
			r.clock.Advance(time.Millisecond)
			if l := limited(t, r.try(t, username, wrong)); l != nil {
				t.Fatalf("%s: after the wait: got %+v", username, l)
			}
		}
	}
}

// A person who remembers the password starts anew.
func TestSuccessForgivesFailures(t *testing.T) {
	r := open(t)
	r.create(t, "alice")
	r.fail(t, "alice", 9)
	r.clock.Advance(time.Minute)
	wantErr(t, "the right password", r.try(t, "alice", password), nil)
	for i := range 5 {
		if l := limited(t, r.try(t, "alice", wrong)); l != nil {
			t.Fatalf("attempt %d had to wait %v", i+1, l.RetryAfter)
		}
	}
}

// NIST SP 800-63B: no more than 100 consecutive failures. Then only a new password helps.
func TestHundredFailuresBlockUntilANewPassword(t *testing.T) {
	r := open(t)
	u := r.create(t, "alice")
	r.fail(t, "alice", 100)
	for range 2 { // years later too
		r.clock.Advance(365 * 24 * time.Hour)
		l := limited(t, r.try(t, "alice", password))
		if l == nil || !l.Blocked || l.RetryAfter != time.Minute {
			t.Fatalf("got %+v, want it blocked", l)
		}
	}
	if err := r.SetPassword(t.Context(), u.ID, "a whole new password"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the new password", r.try(t, "alice", "a whole new password"), nil)
}

// A name that nobody has is blocked alike, or the block would tell who exists.
func TestUnknownNamesAreBlockedAlike(t *testing.T) {
	s, c := bolttest.Open(t, noon)
	r := on(s, users.NewHasher(cheap, 1, 1), users.Limits{Block: 8})
	r.clock = c
	r.fail(t, "nobody", 8)
	c.Advance(20 * 24 * time.Hour)
	l := limited(t, r.try(t, "nobody", password))
	if l == nil || !l.Blocked || l.RetryAfter != time.Minute {
		t.Errorf("got %+v, want it blocked", l)
	}
}

// CVE-2019-5421, CVE-2024-4629: guesses at once must not slip through between reading and writing the counter, on one
// process or on two.
func TestLimitHoldsForParallelGuesses(t *testing.T) {
	for _, username := range []string{"alice", "nobody"} {
		t.Run(username, func(t *testing.T) {
			s, _ := bolttest.Open(t, noon)
			hasher := users.NewHasher(cheap, 4, 10_000)
			processes := []*room{on(s, hasher, users.Limits{}), on(s, hasher, users.Limits{})}
			processes[0].create(t, "alice")
			before := hasher.Computed()
			var wait sync.WaitGroup
			for i := range 500 {
				wait.Go(func() { limited(t, processes[i%2].try(t, username, wrong)) })
			}
			wait.Wait()
			if n := hasher.Computed() - before; n == 0 || n > 5 {
				t.Errorf("%d of 500 guesses were looked at, want at most 5", n)
			}
		})
	}
}

// CVE-2025-24806, CVE-2026-47203: one account, one counter, however it is spelled.
func TestSpellingsShareOneCounter(t *testing.T) {
	for _, account := range []string{"alice", "nobody"} {
		r := open(t)
		r.create(t, "alice")
		spellings := []string{account, strings.ToUpper(account), strings.ToUpper(account[:1]) + account[1:], "\uff41lice", "\uff21LICE"}
		if account == "nobody" {
			spellings = append(spellings[:3], "\uff4eobody", "\uff2eOBODY")
		}
		before := r.hasher.Computed()
		for i := range 50 {
			limited(t, r.try(t, spellings[i%len(spellings)], wrong))
		}
		if n := r.hasher.Computed() - before; n != 5 {
			t.Errorf("%s: %d guesses were looked at, want 5", account, n)
		}
	}
}

// A user keeps his counter through a new name, and a new user does not inherit what was guessed before him.
func TestCounterBelongsToTheAccount(t *testing.T) {
	r := open(t)
	u := r.create(t, "alice")
	r.fail(t, "alice", 5)
	_, err := r.Update(t.Context(), u.ID, func(u *users.User) error {
		u.Username = "alicia"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if limited(t, r.try(t, "alicia", wrong)) == nil {
		t.Error("a new name made the failures forgotten")
	}
	r.fail(t, "bob", 5)
	r.create(t, "bob")
	wantErr(t, "the new bob", r.try(t, "bob", password), nil)
}

// Anybody may name any number of users: what is kept of it lapses, and no name is kept in the clear.
func TestUnknownNamesAreForgotten(t *testing.T) {
	r := open(t)
	r.fail(t, "nobody", 7)
	r.clock.Advance(31 * 24 * time.Hour)
	for i := range 5 {
		if l := limited(t, r.try(t, "nobody", wrong)); l != nil {
			t.Errorf("attempt %d had to wait %v", i+1, l.RetryAfter)
		}
	}
}

func TestLimitsCanBeSet(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	r := on(s, users.NewHasher(cheap, 1, 1), users.Limits{Free: 2, Block: 3, PerNetwork: 4, Window: time.Hour})
	r.create(t, "alice")
	limited(t, r.try(t, "alice", wrong))
	limited(t, r.try(t, "alice", wrong))
	if l := limited(t, r.try(t, "alice", wrong)); l == nil || l.RetryAfter != time.Second {
		t.Errorf("got %+v", l)
	}
	if n := r.attempts(t, 10, always("192.0.2.1")); n != 4 {
		t.Errorf("%d attempts were looked at, want 4", n)
	}
}

// What cannot be counted is not looked at.
func TestUncountedAttemptsAreNotLookedAt(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	r := on(&uncountable{Store: s}, users.NewHasher(cheap, 1, 1), users.Limits{})
	if err := r.try(t, "nobody", wrong); !errors.Is(err, store.ErrUnavailable) || r.hasher.Computed() != 0 {
		t.Errorf("got %v after %d hashes", err, r.hasher.Computed())
	}
}

// uncountable is a store that has no room for a counter.
type uncountable struct{ store.Store }

func (*uncountable) Add(context.Context, string, []byte, time.Time) error {
	return store.ErrUnavailable
}
