package users_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/users"
)

// ASVS 5.0 V7.3.1: a session that is not used ends, to the second.
func TestIdleLimit(t *testing.T) {
	h := openHall(t, users.SessionLimits{Idle: 10 * time.Minute})
	u := h.user(t, "alice")
	used, _ := h.start(t, u, "")
	unused, _ := h.start(t, u, "")
	for range 12 {
		h.clock.Advance(9*time.Minute + 59*time.Second)
		wantErr(t, "used", h.resume(t, used), nil)
	}
	wantErr(t, "unused", h.resume(t, unused), users.ErrNoSession)
	h.clock.Advance(10*time.Minute - time.Second)
	wantErr(t, "a second before the limit", h.resume(t, used), nil)
	h.clock.Advance(10 * time.Minute)
	wantErr(t, "at the limit", h.resume(t, used), users.ErrNoSession)
}

// ASVS 5.0 V7.3.2: a session ends however much it is used, to the second.
func TestAbsoluteLimit(t *testing.T) {
	h := openHall(t, users.SessionLimits{Idle: 40 * time.Minute, Max: 2 * time.Hour})
	secret, session := h.start(t, h.user(t, "alice"), "")
	if !session.Ends.Equal(noon.Add(2 * time.Hour)) {
		t.Errorf("it ends at %s", session.Ends)
	}
	for range 3 {
		h.clock.Advance(30 * time.Minute)
		wantErr(t, "used", h.resume(t, secret), nil)
	}
	h.clock.Advance(30*time.Minute - time.Second)
	wantErr(t, "a second before the limit", h.resume(t, secret), nil)
	h.clock.Advance(time.Second)
	wantErr(t, "at the limit", h.resume(t, secret), users.ErrNoSession)
}

// Who asked to be remembered is not forgotten for not coming every hour, but in the end he is.
func TestRememberedSessionHasItsOwnLimit(t *testing.T) {
	h := openHall(t, users.SessionLimits{Remember: 7 * 24 * time.Hour})
	u := h.user(t, "alice")
	secret, session, err := h.Start(t.Context(), users.NewSession{User: u, Remember: true})
	if err != nil || !session.Remember || !session.Ends.Equal(noon.Add(7*24*time.Hour)) {
		t.Fatalf("got %+v: %v", session, err)
	}
	h.clock.Advance(7*24*time.Hour - time.Second)
	wantErr(t, "a second before the limit", h.resume(t, secret), nil)
	h.clock.Advance(time.Second)
	wantErr(t, "at the limit", h.resume(t, secret), users.ErrNoSession)
}

// An operator who shortens the idle limit means the sessions that are there, too.
func TestAShorterLimitHoldsForLiveSessions(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	secret, _ := h.start(t, h.user(t, "alice"), "")
	stricter := hallOn(h.room.store, users.SessionLimits{Idle: 5 * time.Minute})
	h.clock.Advance(5*time.Minute - time.Second)
	wantErr(t, "before", h.resume(t, secret), nil) // noted
	h.clock.Advance(5 * time.Minute)
	wantErr(t, "afterwards", stricter.resume(t, secret), users.ErrNoSession)
	wantErr(t, "by the old limit", h.resume(t, secret), nil)
}

// A page that asks ten times a second writes once a minute.
func TestUseIsNotedOnceAMinute(t *testing.T) {
	s, clock := bolttest.Open(t, noon)
	c := &counting{Store: s}
	h := hallOn(c, users.SessionLimits{})
	secret, _ := h.start(t, h.user(t, "alice"), "")
	writes := c.writes.Load()
	for range 180 {
		clock.Advance(time.Second)
		wantErr(t, "resume", h.resume(t, secret), nil)
	}
	if n := c.writes.Load() - writes; n != 3 {
		t.Errorf("%d writes in three minutes, want 3", n)
	}
	if session, _, err := h.Resume(t.Context(), secret); err != nil || !session.LastSeen.Equal(noon.Add(3*time.Minute)) {
		t.Errorf("got %+v: %v", session, err)
	}
}

// With an idle limit of less than a minute, whoever goes on using a session keeps it.
func TestShortIdleLimitIsKeptOffByUse(t *testing.T) {
	h := openHall(t, users.SessionLimits{Idle: 20 * time.Second})
	secret, _ := h.start(t, h.user(t, "alice"), "")
	for range 30 {
		h.clock.Advance(9 * time.Second)
		wantErr(t, "used", h.resume(t, secret), nil)
	}
}

// swapping is a store that does something else at its next swap.
type swapping struct {
	store.Store
	next func(ctx context.Context) error
}

func (s *swapping) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	if next := s.next; next != nil {
		s.next = nil
		if err := next(ctx); err != nil {
			return err
		}
	}
	return s.Store.Swap(ctx, key, old, value, expires)
}

// A use that cannot be noted is a use all the same, unless the session was ended meanwhile.
func TestUseThatCannotBeNoted(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(ctx context.Context, other *hall, s *users.Session, secret string) error
		want      error
	}{
		"store trouble": {func(context.Context, *hall, *users.Session, string) error { return store.ErrUnavailable }, nil},
		"noted elsewhere": {func(ctx context.Context, h *hall, _ *users.Session, secret string) error {
			_, _, err := h.Resume(ctx, secret)
			return err
		}, nil},
		"renamed": {func(ctx context.Context, h *hall, s *users.Session, _ string) error {
			return h.Rename(ctx, s.User, s.ID, "Laptop")
		}, nil},
		"ended": {func(ctx context.Context, h *hall, s *users.Session, _ string) error {
			_, err := h.End(ctx, s.User, s.ID)
			return err
		}, users.ErrNoSession},
		"ended half way": {func(ctx context.Context, h *hall, s *users.Session, _ string) error {
			h.grants.fail(errors.New("no"))
			_, _ = h.End(ctx, s.User, s.ID)
			return nil
		}, users.ErrNoSession},
	} {
		t.Run(name, func(t *testing.T) {
			file, clock := bolttest.Open(t, noon)
			s := &swapping{Store: file}
			h, other := hallOn(s, users.SessionLimits{}), hallOn(file, users.SessionLimits{})
			secret, session := h.start(t, h.user(t, "alice"), "")
			clock.Advance(time.Minute)
			s.next = func(ctx context.Context) error { return test.meanwhile(ctx, other, session, secret) }
			wantErr(t, "at once", h.resume(t, secret), test.want)
			wantErr(t, "afterwards", h.resume(t, secret), test.want)
			if s.next != nil {
				t.Error("nothing was written")
			}
		})
	}
}

// Whatever is not the secret, byte for byte, opens nothing and is no reason to fail.
func FuzzResume(f *testing.F) {
	s, _ := bolttest.Open(f, noon)
	h := hallOn(s, users.SessionLimits{})
	u, err := h.room.Create(f.Context(), users.NewUser{Username: "alice"})
	if err != nil {
		f.Fatal(err)
	}
	secret, _, err := h.Start(f.Context(), users.NewSession{User: u})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{secret, secret[:63], secret + "=", secret[:60] + "\r\n\r\n", strings.ToUpper(secret), ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, presented string) {
		_, _, err := h.Resume(t.Context(), presented)
		if presented == secret && err != nil || presented != secret && err != users.ErrNoSession {
			t.Errorf("%q: got %v", presented, err)
		}
	})
}
