package users_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/store/storetest/crashtest"
	"github.com/safeconduct/safeconduct/users"
)

// Session fixation (CWE-384): whatever somebody planted in a browser before the login opens nothing after it, and
// nothing of it goes into what the login hands out.
func TestALoginAdoptsNoCookie(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	victim, attacker := h.user(t, "alice"), h.user(t, "mallory")
	live, session := h.start(t, attacker, "")
	other, _ := h.start(t, attacker, "")
	planted := refusedSecrets(t, live, other)
	dead, over := h.start(t, attacker, "")
	if _, err := h.End(t.Context(), attacker.ID, over.ID); err != nil {
		t.Fatal(err)
	}
	planted["an ended session"] = dead
	for name, cookie := range planted {
		secret, started := h.start(t, victim, cookie)
		if secret == cookie || len(cookie) >= 24 && strings.HasPrefix(secret, cookie[:20]) || started.ID == session.ID {
			t.Errorf("%s: something of it was adopted", name)
		}
		if err := h.resume(t, cookie); err != users.ErrNoSession {
			t.Errorf("%s: afterwards got %v", name, err)
		}
	}
	// Nor does a planted cookie that is no secret end the session that it names.
	wantErr(t, "the attacker's own", h.resume(t, live), nil)
	wantErr(t, "the attacker's other", h.resume(t, other), nil)
	// A live session, whosever it is, ends.
	secret, started := h.start(t, victim, live)
	wantErr(t, "the planted one", h.resume(t, live), users.ErrNoSession)
	if got, _, err := h.Resume(t.Context(), secret); err != nil || got.User != victim.ID || got.ID != started.ID {
		t.Errorf("got %+v: %v", got, err)
	}
	if h.grants.endedFor(session.ID) != attacker.ID {
		t.Error("what was granted in the planted session did not end")
	}
}

// OWASP ASVS 7.2.4: each login has a new secret, and the cookie before it is dead. Who logs in again goes on in his own
// session: what he allowed in it does not end because he proved once more who he is.
func TestEachLoginHasANewSecret(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	u := h.user(t, "alice")
	before, first := h.start(t, u, "")
	seen := map[string]bool{before: true}
	for range 5 {
		h.clock.Advance(10 * time.Minute)
		secret, session := h.start(t, u, before)
		if seen[secret] || secret[24:] == before[24:] {
			t.Error("the secret was there before")
		}
		if session.ID != first.ID || !session.AuthTime.After(first.AuthTime) || !session.Ends.After(first.Ends) || !session.Created.Equal(first.Created) {
			t.Errorf("got %+v after %+v, want the same session with a newer login", session, first)
		}
		wantErr(t, "the one before", h.resume(t, before), users.ErrNoSession)
		wantErr(t, "the new one", h.resume(t, secret), nil)
		seen[secret], before = true, secret
	}
	if list, err := h.List(t.Context(), u.ID); err != nil || len(list) != 1 {
		t.Errorf("%d live: %v", len(list), err)
	}
	if h.grants.endedFor(first.ID) != uuid.Nil {
		t.Error("what was granted in the session ended")
	}
}

// A session that is over is not brought back by a login: its grants have ended, and a new one begins.
func TestALoginBringsNoSessionBack(t *testing.T) {
	for name, end := range map[string]func(h *hall, u *users.User, id uuid.UUID) error{
		"ended":      func(h *hall, u *users.User, id uuid.UUID) error { _, err := h.End(t.Context(), u.ID, id); return err },
		"idle":       func(h *hall, _ *users.User, _ uuid.UUID) error { h.clock.Advance(2 * time.Hour); return nil },
		"all ended":  func(h *hall, u *users.User, _ uuid.UUID) error { return h.room.EndSessions(t.Context(), u.ID) },
		"not so old": func(h *hall, _ *users.User, _ uuid.UUID) error { return nil },
	} {
		h := openHall(t, users.SessionLimits{})
		u := h.user(t, "alice")
		before, first := h.start(t, u, "")
		if err := end(h, u, first.ID); err != nil {
			t.Fatal(err)
		}
		u, err := h.room.Fresh(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, session := h.start(t, u, before)
		if goesOn := session.ID == first.ID; goesOn != (name == "not so old") {
			t.Errorf("%s: the session goes on: %v", name, goesOn)
		}
	}
}

// One more login than there is room for ends the session that was seen longest ago.
func TestSessionsAreFew(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	u := h.user(t, "alice")
	var secrets []string
	var ids []uuid.UUID
	for range 50 {
		secret, session := h.start(t, u, "")
		secrets, ids = append(secrets, secret), append(ids, session.ID)
		h.clock.Advance(time.Second)
	}
	h.clock.Advance(time.Minute)
	wantErr(t, "the first, at its 50 others", h.resume(t, secrets[0]), nil) // now seen last
	for range 2 {
		secret, _ := h.start(t, u, "")
		secrets = append(secrets, secret)
	}
	for i, secret := range secrets {
		want := error(nil)
		if i == 1 || i == 2 {
			want = users.ErrNoSession
		}
		wantErr(t, fmt.Sprint("session ", i), h.resume(t, secret), want)
	}
	if h.grants.endedFor(ids[1]) != u.ID {
		t.Error("the grants of an ended session did not end")
	}
	if list, err := h.List(t.Context(), u.ID); err != nil || len(list) != 50 {
		t.Errorf("%d live: %v", len(list), err)
	}
	// Those of before a new password take no room.
	if err := h.room.EndSessions(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	u, err := h.room.Fresh(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.start(t, u, "")
	if names, err := h.room.store.Members(t.Context(), "session:user/"+u.ID.String(), "", 100); err != nil || len(names) != 1 {
		t.Errorf("%d are named: %v", len(names), err)
	}
}

// Logins at two processes at once make no more sessions than there is room for, and none of theirs is lost.
func TestLoginsAtOnce(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	there := hallOn(h.room.store, users.SessionLimits{})
	u := h.user(t, "alice")
	for range 50 {
		h.start(t, u, "")
	}
	h.clock.Advance(time.Minute)
	secrets := make([]string, 8)
	var wait sync.WaitGroup
	for i := range secrets {
		wait.Go(func() {
			at := []*hall{h, there}[i%2]
			secret, _, err := at.Start(t.Context(), users.NewSession{User: u})
			if err != nil {
				t.Error(err)
			}
			secrets[i] = secret
		})
	}
	wait.Wait()
	for _, secret := range secrets {
		wantErr(t, "here", h.resume(t, secret), nil)
		wantErr(t, "there", there.resume(t, secret), nil)
	}
	if list, err := there.List(t.Context(), u.ID); err != nil || len(list) > 50 {
		t.Errorf("%d live: %v", len(list), err)
	}
}

// meddling runs an act of somebody else before a certain call of a store.
type meddling struct {
	store.Store
	left int
	act  func()
}

func (m *meddling) meddle() {
	if m.left--; m.left == 0 {
		m.act()
	}
}

func (m *meddling) Get(ctx context.Context, key string) (store.Record, error) {
	m.meddle()
	return m.Store.Get(ctx, key)
}

func (m *meddling) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	m.meddle()
	return m.Store.Add(ctx, key, value, expires)
}

func (m *meddling) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	m.meddle()
	return m.Store.Swap(ctx, key, old, value, expires)
}

func (m *meddling) Enroll(ctx context.Context, index, name string, expires time.Time) (int, error) {
	m.meddle()
	return m.Store.Enroll(ctx, index, name, expires)
}

// A login that was under way when a user was logged out everywhere does not outlive it, wherever the two meet.
func TestALoginDoesNotOutrunTheEndOfAll(t *testing.T) {
	for _, name := range []string{"EndSessions", "SetPassword", "Disable", "Delete"} {
		met := false
		for call := 1; ; call++ {
			s, _ := bolttest.Open(t, noon)
			elsewhere := on(s, users.NewHasher(cheap, 1, 1), users.Limits{})
			m := &meddling{Store: s}
			h := hallOn(m, users.SessionLimits{})
			u := h.user(t, "alice")
			m.left, m.act = call, func() {
				if err := endings[name](t.Context(), elsewhere, u.ID); err != nil {
					t.Error(err)
				}
			}
			secret, _, err := h.Start(t.Context(), users.NewSession{User: u})
			if m.left > 0 { // the login was over before
				break
			}
			met = true
			if !errors.Is(err, users.ErrNoSession) {
				t.Errorf("%s before call %d: got %v, want ErrNoSession", name, call, err)
			}
			wantErr(t, "the secret", h.resume(t, secret), users.ErrNoSession)
			if names, err := s.Members(t.Context(), "session:user/"+u.ID.String(), "", 9); err != nil || len(names) != 0 {
				t.Errorf("%s before call %d: %d sessions are left: %v", name, call, len(names), err)
			}
		}
		if !met {
			t.Errorf("%s never met the login", name)
		}
	}
}

// A login for a user who is not as he was read is none.
func TestNoSessionForWhoHasGone(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	stale := h.user(t, "alice")
	if err := h.room.EndSessions(t.Context(), stale.ID); err != nil {
		t.Fatal(err)
	}
	for name, u := range map[string]*users.User{"of an earlier epoch": stale, "unknown": {ID: uuid.New(), Epoch: 1}} {
		secret, session, err := h.Start(t.Context(), users.NewSession{User: u})
		wantErr(t, name, err, users.ErrNoSession)
		if secret != "" || session != nil {
			t.Errorf("%s: something was handed out", name)
		}
	}
}

// Cut short anywhere, a login leaves no session that is listed and cannot be ended, and can be repeated.
func TestLoginSurvivesACrashAnywhere(t *testing.T) {
	t.Parallel()
	var u *users.User
	var before, secret string
	var clock *bolttest.Clock
	prepare := func(t *testing.T) store.Store {
		s, c := bolttest.Open(t, noon)
		h := hallOn(s, users.SessionLimits{})
		u, clock = h.user(t, "alice"), c
		before, _ = h.start(t, u, "")
		return s
	}
	act := func(s store.Store) error {
		var err error
		secret, _, err = hallOn(s, users.SessionLimits{}).Start(context.Background(), users.NewSession{User: u, Replaces: before})
		return err
	}
	crashtest.Every(t, prepare, act, func(t *testing.T, s store.Store, repeated error) {
		h := hallOn(s, users.SessionLimits{})
		if repeated != nil {
			t.Fatalf("repeated: %v", repeated)
		}
		wantErr(t, "the new session", h.resume(t, secret), nil)
		wantErr(t, "the one before", h.resume(t, before), users.ErrNoSession)
		session, _, err := h.Resume(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		clock.Advance(2 * time.Minute)
		wantErr(t, "EndOthers", h.EndOthers(t.Context(), u.ID, session.ID), nil)
		list, err := h.List(t.Context(), u.ID)
		names, namesErr := s.Members(t.Context(), "session:user/"+u.ID.String(), "", 9)
		if err != nil || namesErr != nil || len(list) != 1 || len(names) != 1 {
			t.Errorf("%d are listed and %d named: %v, %v", len(list), len(names), err, namesErr)
		}
	})
}

// A dump of the store opens no session.
func TestTheStoreHoldsNoSessionSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "data.db")
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := hallOn(s, users.SessionLimits{})
	secret, session := h.start(t, h.user(t, "alice"), "")
	wantErr(t, "resume", h.resume(t, secret), nil)
	s.Close()
	dump, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(dump, []byte(session.ID.String())) {
		t.Fatal("the session is not in the dump at all")
	}
	raw, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, spelling := range map[string]string{
		"secret":        secret,
		"proof":         string(raw[16:]),
		"its tail":      secret[24:],
		"standard form": base64.StdEncoding.EncodeToString(raw[16:]),
		"hex":           fmt.Sprintf("%x", raw[16:]),
	} {
		if bytes.Contains(dump, []byte(spelling)) {
			t.Errorf("the %s stands in the store", name)
		}
	}
}

// What a browser says of itself is shown to its user: as text, and not at any length.
func TestDeviceAndNetworkAreFitToBeShown(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	u := h.user(t, "alice")
	for given, want := range map[string]string{
		"":                            "",
		"Firefox on Linux":            "Firefox on Linux",
		" a\r\nb\tc\x00 ":             "abc",
		"a\u202eb\u2066c\u200bd":      "abcd",
		"\x1b[31mred":                 "[31mred",
		"\xff\xfea":                   "a",
		strings.Repeat("x", 500):      strings.Repeat("x", 100),
		strings.Repeat("é", 80):       strings.Repeat("é", 50),
		"x" + strings.Repeat("é", 80): "x" + strings.Repeat("é", 49),
	} {
		_, session, err := h.Start(t.Context(), users.NewSession{User: u, Device: given, Network: given})
		if err != nil {
			t.Fatal(err)
		}
		if session.Device != want || session.Network != want || !utf8.ValidString(session.Device) {
			t.Errorf("%q: got %q and %q, want %q", given, session.Device, session.Network, want)
		}
	}
}
