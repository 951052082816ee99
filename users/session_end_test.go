package users_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/store/storetest/crashtest"
	"github.com/safeconduct/safeconduct/users"
)

// "Log out here" ends one session and what hangs on it, and says whether there was one.
func TestEndEndsOneSession(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	u, other := h.user(t, "alice"), h.user(t, "bob")
	secret, session := h.start(t, u, "")
	stays, _ := h.start(t, u, "")
	end := func(user, id uuid.UUID, want bool) {
		t.Helper()
		if found, err := h.End(t.Context(), user, id); err != nil || found != want {
			t.Errorf("got %v and %v, want %v", found, err, want)
		}
	}
	// Nobody ends what is not his.
	end(other.ID, session.ID, false)
	wantErr(t, "after somebody else's attempt", h.resume(t, secret), nil)
	end(u.ID, session.ID, true)
	wantErr(t, "ended", h.resume(t, secret), users.ErrNoSession)
	wantErr(t, "the other one", h.resume(t, stays), nil)
	if h.grants.endedFor(session.ID) != u.ID {
		t.Error("its grants did not end")
	}
	// What is absent has grants to be ended all the same: it may have ended by itself.
	end(u.ID, session.ID, false)
	unknown := uuid.New()
	end(u.ID, unknown, false)
	if h.grants.endedFor(unknown) != u.ID {
		t.Error("the grants of an absent session did not end")
	}
}

func TestEndOthersKeepsOne(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	u := h.user(t, "alice")
	bystander, _ := h.start(t, h.user(t, "bob"), "")
	kept, session := h.start(t, u, "")
	var others []string
	for range 3 {
		secret, _ := h.start(t, u, "")
		others = append(others, secret)
	}
	for range 2 { // a repetition does no harm
		wantErr(t, "EndOthers", h.EndOthers(t.Context(), u.ID, session.ID), nil)
	}
	wantErr(t, "the kept one", h.resume(t, kept), nil)
	wantErr(t, "somebody else's", h.resume(t, bystander), nil)
	for _, secret := range others {
		wantErr(t, "another one", h.resume(t, secret), users.ErrNoSession)
	}
	if len(h.grants.ended) != 3 || h.grants.endedFor(session.ID) != uuid.Nil {
		t.Errorf("the grants of %d sessions ended", len(h.grants.ended))
	}
}

// Logging out is not left half done when the browser hangs up in the middle of it.
func TestEndGoesOnWithoutItsCaller(t *testing.T) {
	file, _ := bolttest.Open(t, noon)
	s := &hangUp{Store: file}
	h := hallOn(s, users.SessionLimits{})
	u := h.user(t, "alice")
	_, session := h.start(t, u, "")
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	if found, err := h.End(ctx, u.ID, session.ID); !found || err != nil {
		t.Errorf("got %v and %v", found, err)
	}
	if h.grants.endedFor(session.ID) != u.ID {
		t.Error("the grants did not end")
	}
}

// Cut short anywhere, the end of a session can be repeated. Whoever sees that it has begun is refused already.
func TestEndSurvivesACrashAnywhere(t *testing.T) {
	for name, act := range map[string]func(*hall, *users.Session) error{
		"End": func(h *hall, s *users.Session) error {
			_, err := h.End(context.Background(), s.User, s.ID)
			return err
		},
		"EndOthers": func(h *hall, s *users.Session) error {
			return h.EndOthers(context.Background(), s.User, uuid.Nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var secret string
			var session *users.Session
			ended := false
			prepare := func(t *testing.T) store.Store {
				s, clock := bolttest.Open(t, noon)
				h := hallOn(s, users.SessionLimits{})
				secret, session = h.start(t, h.user(t, "alice"), "")
				ended = false
				clock.Advance(2 * time.Minute)
				return s
			}
			run := func(s store.Store) error {
				h := hallOn(s, users.SessionLimits{})
				err := act(h, session)
				ended = ended || h.grants.endedFor(session.ID) == session.User
				return err
			}
			crashtest.Every(t, prepare, run, func(t *testing.T, s store.Store, repeated error) {
				h := hallOn(s, users.SessionLimits{})
				wantErr(t, "repeated", repeated, nil)
				if !ended {
					t.Error("the grants were never ended")
				}
				wantErr(t, "resume", h.resume(t, secret), users.ErrNoSession)
				if lives, err := h.Lives(t.Context(), session.User, session.ID); lives || err != nil {
					t.Errorf("it lives: %v", err)
				}
				_, err := s.Get(t.Context(), "session/"+session.ID.String())
				wantErr(t, "the record", err, store.ErrNotFound)
				if names, err := s.Members(t.Context(), "session:user/"+session.User.String(), "", 9); err != nil || len(names) != 0 {
					t.Errorf("%d are named: %v", len(names), err)
				}
			})
		})
	}
}

// A login that is under way while the others are ended stays listed.
func TestEndOthersKeepsTheNameOfALoginUnderWay(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	m := &meddling{Store: s}
	h, other := hallOn(m, users.SessionLimits{}), hallOn(s, users.SessionLimits{})
	u := h.user(t, "alice")
	m.left, m.act = 2, func() { // the name is there, the record is not
		wantErr(t, "EndOthers", other.EndOthers(t.Context(), u.ID, uuid.Nil), nil)
		if list, err := other.List(t.Context(), u.ID); err != nil || len(list) != 0 {
			t.Errorf("%d are listed: %v", len(list), err)
		}
	}
	secret, session := h.start(t, u, "")
	wantErr(t, "the new one", h.resume(t, secret), nil)
	if list, err := h.List(t.Context(), u.ID); err != nil || len(list) != 1 || list[0].ID != session.ID {
		t.Errorf("got %+v: %v", list, err)
	}
}
