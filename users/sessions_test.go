package users_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/users"
)

// sessionGrants stands for what ends the grants of a session: it remembers of which.
type sessionGrants struct {
	mu    sync.Mutex
	fails error
	ended map[uuid.UUID]uuid.UUID // session to user
}

func (g *sessionGrants) EndSession(ctx context.Context, user, session uuid.UUID) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if g.fails != nil {
		return g.fails
	}
	if g.ended == nil {
		g.ended = make(map[uuid.UUID]uuid.UUID)
	}
	g.ended[session] = user
	return nil
}

func (g *sessionGrants) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fails = err
}

func (g *sessionGrants) endedFor(session uuid.UUID) uuid.UUID {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ended[session]
}

// hall is the sessions with what stands around them.
type hall struct {
	*users.Sessions
	room   *room
	clock  *bolttest.Clock
	grants *sessionGrants
}

func openHall(t *testing.T, limits users.SessionLimits) *hall {
	t.Helper()
	s, clock := bolttest.Open(t, noon)
	h := hallOn(s, limits)
	h.clock = clock
	return h
}

// hallOn makes one more Sessions on a store, as another process has it.
func hallOn(s store.Store, limits users.SessionLimits) *hall {
	h := &hall{room: on(s, users.NewHasher(cheap, 1, 1), users.Limits{}), grants: &sessionGrants{}}
	h.Sessions = users.NewSessions(users.SessionsConfig{Store: s, Users: h.room.Registry, Grants: h.grants, Limits: limits})
	return h
}

func (h *hall) user(t *testing.T, username string) *users.User {
	t.Helper()
	u, err := h.room.Create(t.Context(), users.NewUser{Username: username})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (h *hall) start(t *testing.T, u *users.User, replaces string) (string, *users.Session) {
	t.Helper()
	secret, session, err := h.Start(t.Context(), users.NewSession{User: u, Replaces: replaces})
	if err != nil {
		t.Fatal(err)
	}
	return secret, session
}

func (h *hall) resume(t *testing.T, secret string) error {
	t.Helper()
	session, u, err := h.Resume(t.Context(), secret)
	if (err == nil) != (session != nil) || (err == nil) != (u != nil) {
		t.Errorf("got session %v and user %v with error %v", session, u, err)
	}
	return err
}

func TestResumeOpensTheSessionThatWasStarted(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	u := h.user(t, "alice")
	secret, started, err := h.Start(t.Context(), users.NewSession{User: u, Device: "Firefox on Linux", Network: "192.0.2.0"})
	if err != nil {
		t.Fatal(err)
	}
	want := users.Session{
		ID: started.ID, User: u.ID, Epoch: u.Epoch, Created: noon, AuthTime: noon, LastSeen: noon, Ends: noon.Add(24 * time.Hour),
		Device: "Firefox on Linux", Network: "192.0.2.0",
	}
	if *started != want || started.ID.Version() != 4 {
		t.Errorf("started %+v, want %+v", *started, want)
	}
	session, owner, err := h.Resume(t.Context(), secret)
	if err != nil || *session != want || owner.ID != u.ID {
		t.Errorf("resumed %+v of %+v: %v", session, owner, err)
	}
	// Another process on the same store says the same.
	wantErr(t, "elsewhere", hallOn(h.room.store, users.SessionLimits{}).resume(t, secret), nil)
	if got := h.Limits(); got != (users.SessionLimits{Idle: time.Hour, Max: 24 * time.Hour, Remember: 30 * 24 * time.Hour}) {
		t.Errorf("the limits are %+v", got)
	}
}

// A cookie opens its own session, in its one spelling, or nothing.
func TestResumeRefusesWhatIsNoSecret(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	secret, _ := h.start(t, h.user(t, "alice"), "")
	other, _ := h.start(t, h.user(t, "bob"), "")
	for name, presented := range refusedSecrets(t, secret, other) {
		if err := h.resume(t, presented); err != users.ErrNoSession {
			t.Errorf("%s: got %v, want ErrNoSession", name, err)
		}
	}
	wantErr(t, "the secret", h.resume(t, secret), nil)
	wantErr(t, "the other", h.resume(t, other), nil)
}

// refusedSecrets are made of the secrets of two live sessions and are the secret of none.
func refusedSecrets(t *testing.T, secret, other string) map[string]string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	spelled := func(change func(raw []byte) []byte) string {
		return base64.RawURLEncoding.EncodeToString(change(append([]byte(nil), raw...)))
	}
	id := uuid.UUID(raw[:16])
	return map[string]string{
		"nothing":               "",
		"blank":                 " ",
		"null":                  "null",
		"the id":                id.String(),
		"the id alone":          base64.RawURLEncoding.EncodeToString(raw[:16]),
		"an unknown session":    spelled(func(b []byte) []byte { b[3] ^= 1; return b }),
		"a wrong proof":         spelled(func(b []byte) []byte { b[47] ^= 1; return b }),
		"a proof of zeros":      spelled(func(b []byte) []byte { clear(b[16:]); return b }),
		"zeros":                 spelled(func(b []byte) []byte { clear(b); return b }),
		"somebody else's proof": secret[:24] + other[24:],
		"shorter":               secret[:63],
		"longer":                secret + "A",
		"twice":                 secret + secret,
		"padded":                secret + "=",
		"blank before":          " " + secret,
		"line break after":      secret + "\n",
		"line breaks inside":    secret[:60] + "\r\n\r\n",
		"a line break instead":  secret[:32] + "\n" + secret[33:],
		"the other alphabet":    strings.Repeat("+/", 32),
		"percent-encoded":       "%" + secret[1:],
		"with NUL":              secret[:63] + "\x00",
		"a megabyte":            strings.Repeat("A", 1<<20),
		"64 others":             strings.Repeat("é", 32),
	}
}

// What ends a session ends it for every cookie at once, at every process.
func TestResumeRefusesSessionsThatAreOver(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context, h *hall, s *users.Session) error{
		"ended": func(ctx context.Context, h *hall, s *users.Session) error {
			_, err := h.End(ctx, s.User, s.ID)
			return err
		},
		"ending half way": func(ctx context.Context, h *hall, s *users.Session) error {
			h.grants.fail(store.ErrUnavailable)
			if _, err := h.End(ctx, s.User, s.ID); !errors.Is(err, store.ErrUnavailable) {
				return fmt.Errorf("got %w", err)
			}
			return nil
		},
		"ended as one of the others": func(ctx context.Context, h *hall, s *users.Session) error {
			return h.EndOthers(ctx, s.User, uuid.Nil)
		},
		"user disabled": func(ctx context.Context, h *hall, s *users.Session) error {
			_, err := h.room.Disable(ctx, s.User)
			return err
		},
		"user disabled and enabled": func(ctx context.Context, h *hall, s *users.Session) error {
			_, err := h.room.Disable(ctx, s.User)
			if err == nil {
				_, err = h.room.Enable(ctx, s.User)
			}
			return err
		},
		"user logged out everywhere": func(ctx context.Context, h *hall, s *users.Session) error {
			return h.room.EndSessions(ctx, s.User)
		},
		"new password": func(ctx context.Context, h *hall, s *users.Session) error {
			return h.room.SetPassword(ctx, s.User, password)
		},
		"user deleted": func(ctx context.Context, h *hall, s *users.Session) error {
			return h.room.Delete(ctx, s.User)
		},
		"too old": func(_ context.Context, h *hall, s *users.Session) error {
			h.clock.Advance(s.Ends.Sub(noon))
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := openHall(t, users.SessionLimits{})
			there := hallOn(h.room.store, users.SessionLimits{})
			u := h.user(t, "alice")
			secret, session := h.start(t, u, "")
			bystander, _ := h.start(t, h.user(t, "bob"), "")
			wantErr(t, "before", there.resume(t, secret), nil)
			if err := end(t.Context(), h, session); err != nil {
				t.Fatal(err)
			}
			for _, hall := range []*hall{h, there} {
				if err := hall.resume(t, secret); err != users.ErrNoSession {
					t.Errorf("got %v, want ErrNoSession", err)
				}
				if list, err := hall.List(t.Context(), u.ID); err != nil || len(list) != 0 {
					t.Errorf("%d are listed: %v", len(list), err)
				}
			}
			if name != "too old" {
				wantErr(t, "somebody else", h.resume(t, bystander), nil)
			}
		})
	}
}

// A session's id stands in ID tokens. Whether it lives is told neither by the answer nor by the work.
func TestResumeCostsTheSameWhateverIsWrong(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	c := &counting{Store: s}
	h := hallOn(c, users.SessionLimits{})
	u := h.user(t, "alice")
	secret, _ := h.start(t, u, "")
	gone, session := h.start(t, u, "")
	if _, err := h.End(t.Context(), u.ID, session.ID); err != nil {
		t.Fatal(err)
	}
	refused := refusedSecrets(t, secret, gone)
	for name, presented := range map[string]string{
		"wrong proof": refused["a wrong proof"], "unknown": refused["an unknown session"], "ended": gone, "zeros": refused["zeros"],
	} {
		reads, writes := c.reads.Load(), c.writes.Load()
		wantErr(t, name, h.resume(t, presented), users.ErrNoSession)
		if reads, writes = c.reads.Load()-reads, c.writes.Load()-writes; reads != 2 || writes != 0 {
			t.Errorf("%s: %d reads and %d writes, want 2 and none", name, reads, writes)
		}
	}
	reads := c.reads.Load()
	wantErr(t, "garbage", h.resume(t, refused["longer"]), users.ErrNoSession)
	if n := c.reads.Load() - reads; n != 0 {
		t.Errorf("garbage costs %d reads", n)
	}
}

// Infrastructure that fails must not log anybody out.
func TestStoreTroubleIsNotTheEndOfASession(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	u := h.user(t, "alice")
	secret, session := h.start(t, u, "")
	h.room.store.Close()
	ctx := t.Context()
	_, _, starting := h.Start(ctx, users.NewSession{User: u})
	_, _, replacing := h.Start(ctx, users.NewSession{User: u, Replaces: secret})
	_, listing := h.List(ctx, u.ID)
	_, ending := h.End(ctx, u.ID, session.ID)
	_, living := h.Lives(ctx, u.ID, session.ID)
	_, joined := h.Joined(ctx, session.ID)
	for name, err := range map[string]error{
		"Resume": h.resume(t, secret), "Start": starting, "Start after another": replacing, "List": listing, "End": ending,
		"EndOthers": h.EndOthers(ctx, u.ID, uuid.Nil), "Lives": living, "Rename": h.Rename(ctx, u.ID, session.ID, "x"),
		"Join": h.Join(ctx, session, 1), "Joined": joined,
	} {
		wantErr(t, name, err, store.ErrUnavailable)
		if errors.Is(err, users.ErrNoSession) || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: it looks like the end of the session: %v", name, err)
		}
	}
}

// The newest is first; sessions that cannot be opened any more, and those of others, are not there.
func TestSessionsAreListed(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	u := h.user(t, "alice")
	h.start(t, h.user(t, "bob"), "")
	var want []uuid.UUID
	for range 3 {
		_, session := h.start(t, u, "")
		want = append([]uuid.UUID{session.ID}, want...)
		h.clock.Advance(10 * time.Minute)
	}
	h.clock.Advance(30 * time.Minute) // the oldest has been idle for an hour
	list, err := h.List(t.Context(), u.ID)
	if err != nil || len(list) != 2 || list[0].ID != want[0] || list[1].ID != want[1] {
		t.Errorf("got %+v: %v", list, err)
	}
	if list, err := h.List(t.Context(), uuid.New()); err != nil || len(list) != 0 {
		t.Errorf("a stranger has %d sessions: %v", len(list), err)
	}
}

// Lives tells of the session alone, as it is now.
func TestLives(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	u, other := h.user(t, "alice"), h.user(t, "bob")
	_, session := h.start(t, u, "")
	lives := func(user, id uuid.UUID) bool {
		t.Helper()
		lives, err := h.Lives(t.Context(), user, id)
		if err != nil {
			t.Error(err)
		}
		return lives
	}
	if !lives(u.ID, session.ID) {
		t.Error("a live session does not live")
	}
	if lives(other.ID, session.ID) || lives(u.ID, uuid.New()) || lives(uuid.Nil, uuid.Nil) {
		t.Error("no session of the user lives")
	}
	h.clock.Advance(time.Hour - time.Second)
	if !lives(u.ID, session.ID) {
		t.Error("it does not live a second before its end")
	}
	h.clock.Advance(time.Second)
	if lives(u.ID, session.ID) {
		t.Error("it lives at its end")
	}
	_, session = h.start(t, u, "")
	h.grants.fail(store.ErrUnavailable)
	_, err := h.End(t.Context(), u.ID, session.ID)
	wantErr(t, "an end that stops half way", err, store.ErrUnavailable)
	if lives(u.ID, session.ID) {
		t.Error("it lives while it is ending")
	}
}

// A name is shown on a page beside other text.
func TestSessionsAreRenamed(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	u, other := h.user(t, "alice"), h.user(t, "bob")
	secret, session := h.start(t, u, "")
	name := func() string {
		t.Helper()
		session, _, err := h.Resume(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		return session.Name
	}
	for _, good := range []string{"Laptop", "Büro, 2. Stock", strings.Repeat("é", 100), ""} {
		wantErr(t, good, h.Rename(t.Context(), u.ID, session.ID, good), nil)
		if got := name(); got != good {
			t.Errorf("got %q, want %q", got, good)
		}
	}
	for _, bad := range []string{strings.Repeat("é", 101), "a\nb", "a\x00", "a\u202eb", "a\u2066b", "\xff", " a", "a\u200bb", "\x1b[31m"} {
		var invalid *users.InvalidError
		if err := h.Rename(t.Context(), u.ID, session.ID, bad); !errors.As(err, &invalid) || invalid.Field != "name" || invalid.Fix == "" {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	wantErr(t, "somebody else's", h.Rename(t.Context(), other.ID, session.ID, "Mine"), store.ErrNotFound)
	wantErr(t, "nobody's", h.Rename(t.Context(), u.ID, uuid.New(), "Mine"), store.ErrNotFound)
	if got := name(); got != "" {
		t.Errorf("it is called %q", got)
	}
	h.grants.fail(store.ErrUnavailable)
	_, err := h.End(t.Context(), u.ID, session.ID)
	wantErr(t, "an end that stops half way", err, store.ErrUnavailable)
	wantErr(t, "one that is ending", h.Rename(t.Context(), u.ID, session.ID, "Mine"), store.ErrNotFound)
}

// Whoever is told of a session is told of its end, also when it has ended already.
func TestClientsOfASession(t *testing.T) {
	h := openHall(t, users.SessionLimits{})
	u := h.user(t, "alice")
	_, session := h.start(t, u, "")
	for _, client := range []uint32{7, 1 << 31, 0, 7} {
		wantErr(t, "join", h.Join(t.Context(), session, client), nil)
	}
	joined := func() []uint32 {
		t.Helper()
		joined, err := h.Joined(t.Context(), session.ID)
		if err != nil {
			t.Fatal(err)
		}
		return joined
	}
	if _, err := h.End(t.Context(), u.ID, session.ID); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(joined()); got != fmt.Sprint([]uint32{0, 7, 1 << 31}) {
		t.Errorf("got %s", got)
	}
	h.clock.Advance(24 * time.Hour)
	if got := joined(); len(got) != 0 {
		t.Errorf("at the session's end there are still %v", got)
	}
	for client := range uint32(300) {
		wantErr(t, "join", h.Join(t.Context(), &users.Session{ID: session.ID, Ends: noon.Add(48 * time.Hour)}, client), nil)
	}
	if got := joined(); len(got) != 300 || got[299] != 299 {
		t.Errorf("%d of 300 are there", len(got))
	}
}
