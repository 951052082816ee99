package users

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/safeconduct/safeconduct/store"
)

const (
	defaultIdle     = time.Hour
	defaultMax      = 24 * time.Hour
	defaultRemember = 30 * 24 * time.Hour
	// sessionLimit is how many sessions of a user live at once.
	sessionLimit     = 50
	sessionNameLimit = 100 // runes
)

// ErrNoSession is the one answer to a cookie that opens nothing, whatever the reason.
var ErrNoSession = errors.New("users: no such session")

// Session is one browser in which a user is logged in.
type Session struct {
	ID   uuid.UUID `json:"id"`
	User uuid.UUID `json:"user"`
	// Epoch is the user's at the login. When the user's is raised, the session is over.
	Epoch   uint32    `json:"epoch"`
	Created time.Time `json:"created"`
	// AuthTime is when the user last proved who he is.
	AuthTime time.Time `json:"auth_time"`
	// LastSeen is when the session was used, give or take a minute.
	LastSeen time.Time `json:"last_seen"`
	// Ends is when the session is over however much it is used.
	Ends time.Time `json:"ends"`
	// Remember says that the user asked to stay logged in on this device: no idle limit applies.
	Remember bool `json:"remember,omitempty"`
	// Name is what the user calls the session.
	Name string `json:"name,omitempty"`
	// Device and Network are for the user to recognise it by. They come from whoever logged in: text to be shown,
	// and never to be believed.
	Device  string `json:"device,omitempty"`
	Network string `json:"network,omitempty"`
	// Ending says that the session is over and that what hangs on it may not all have ended yet.
	Ending bool `json:"ending,omitempty"`
}

// SessionLimits is how long sessions live. Zero means the default.
type SessionLimits struct {
	Idle     time.Duration // without use; 1 h
	Max      time.Duration // in all; 24 h
	Remember time.Duration // of those that are to be remembered, used or not; 30 d
}

func (l SessionLimits) orDefaults() SessionLimits {
	fill := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	fill(&l.Idle, defaultIdle)
	fill(&l.Max, defaultMax)
	fill(&l.Remember, defaultRemember)
	return l
}

// expiry is when a session is over if it is not used again.
func (l SessionLimits) expiry(s *Session) time.Time {
	idle := l.Idle
	if s.Remember {
		idle = l.Remember
	}
	if end := s.LastSeen.Add(idle); end.Before(s.Ends) {
		return end
	}
	return s.Ends
}

// live reports whether a session is good, as far as its record tells. The store's expiry is not enough: it was set
// under the limits of then.
func (l SessionLimits) live(s *Session, now time.Time) bool {
	return !s.Ending && now.Before(l.expiry(s))
}

// SessionEnder ends what was granted in a session and ends with it. It is called again when it failed, and for
// sessions of which nothing is left.
type SessionEnder interface {
	EndSession(ctx context.Context, user, session uuid.UUID) error
}

// SessionsConfig is what Sessions works with. All but the limits is needed.
type SessionsConfig struct {
	Store  store.Store
	Users  *Registry
	Grants SessionEnder
	Limits SessionLimits
}

// Sessions keeps the sessions of users. What opens one is handed out once and kept only as a hash; limits, disabling
// and logging out hold on the server, whatever the browser keeps.
type Sessions struct {
	store  store.Store
	users  *Registry
	grants SessionEnder
	limits SessionLimits
}

// NewSessions makes a Sessions.
func NewSessions(c SessionsConfig) *Sessions {
	return &Sessions{store: c.Store, users: c.Users, grants: c.Grants, limits: c.Limits.orDefaults()}
}

// Limits is how long sessions live, defaults filled in.
func (s *Sessions) Limits() SessionLimits { return s.limits }

// List returns the live sessions of a user, the newest first.
func (s *Sessions) List(ctx context.Context, user uuid.UUID) ([]Session, error) {
	u, err := s.users.Fresh(ctx, user)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	live, err := s.live(ctx, u)
	slices.SortFunc(live, func(a, b Session) int {
		if order := b.Created.Compare(a.Created); order != 0 {
			return order
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	return live, err
}

// live lists the sessions of a user that Resume would open, and sweeps out what has been over for good.
func (s *Sessions) live(ctx context.Context, u *User) ([]Session, error) {
	names, err := s.names(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	var live []Session
	now := s.store.Now()
	for _, name := range names {
		r, err := s.read(ctx, name.id)
		switch {
		case err != nil:
			return nil, err
		case r == nil && name.settled(now):
			if err := s.withdraw(ctx, u.ID, name); err != nil {
				return nil, err
			}
		case r == nil || r.User != u.ID:
		case r.Epoch < u.Epoch: // all that was granted in it ended with its epoch
			if err := s.remove(ctx, &r.Session); err != nil {
				return nil, err
			}
		case r.Epoch == u.Epoch && s.limits.live(&r.Session, now):
			live = append(live, r.Session)
		}
	}
	return live, nil
}

// Lives reports whether a session of the user is there now. Whether the user still stands, and at the same epoch, is
// for the caller to ask.
func (s *Sessions) Lives(ctx context.Context, user, id uuid.UUID) (bool, error) {
	r, err := s.read(ctx, id)
	if r == nil || err != nil {
		return false, err
	}
	return r.User == user && s.limits.live(&r.Session, s.store.Now()), nil
}

// Use reports whether a session of the user is there now, like Lives, and notes its use: what was granted in it is being
// used, and an app that somebody works with keeps him logged in.
func (s *Sessions) Use(ctx context.Context, user, id uuid.UUID) (bool, error) {
	r, err := s.read(ctx, id)
	if r == nil || err != nil {
		return false, err
	}
	now := s.now()
	if r.User != user || !s.limits.live(&r.Session, now) {
		return false, nil
	}
	if now.Sub(r.LastSeen) < min(noteEvery, s.limits.Idle/2) {
		return true, nil
	}
	r.LastSeen = now
	if err := s.swap(ctx, r); errors.Is(err, store.ErrConflict) {
		return s.Lives(ctx, user, id) // its use was noted by somebody else, or it was ended
	}
	return true, nil
}

// Rename lets a user call a session what he likes; an empty name takes the name away. It returns an *InvalidError for
// a name that cannot be shown, and store.ErrNotFound if the user has no such session.
func (s *Sessions) Rename(ctx context.Context, user, id uuid.UUID, name string) error {
	name = norm.NFC.String(name)
	if problem := textProblem(name, sessionNameLimit); problem != "" {
		return &InvalidError{Field: "name", Problem: problem, Fix: "write plain text of at most 100 characters"}
	}
	_, err := s.update(ctx, user, id, func(session *Session) error {
		if !s.limits.live(session, s.store.Now()) {
			return store.ErrNotFound
		}
		session.Name = name
		return nil
	})
	if err != nil {
		return fmt.Errorf("rename a session: %w", err)
	}
	return nil
}

// now is the store's time, to the millisecond as the store counts expiry, and in UTC as the records show it.
func (s *Sessions) now() time.Time { return s.store.Now().UTC().Truncate(time.Millisecond) }
