package grants

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

const (
	// KeysPerOwner is how many API keys of one user, or of one client, may be live. One more is refused: ending the
	// oldest would break whatever works with it.
	KeysPerOwner = 100
	// KeyLifeMax is the longest life of an API key.
	KeyLifeMax = 366 * 24 * time.Hour
	labelMax   = 100
)

// keyNumber stands in the one token of an API key.
const keyNumber = 1

// Key is what an API key is beside its delegation.
type Key struct {
	// Label is how its owner tells it from others, 1 to 100 characters.
	Label string
	// Life is how long it lives, at most KeyLifeMax. It cannot be refreshed.
	Life time.Duration
}

// IssueKey makes an API key: a grant that somebody made for himself, whose one token is for scripts and services. It is a
// user's own (Client 0, a personal access token) or a client's own (no User). It hangs on no session, and lives until its
// end, its revocation, or the next epoch of its owner. ErrTooMany says that the owner has KeysPerOwner.
func (s *Service) IssueKey(ctx context.Context, d Delegation, k Key) (string, Grant, error) {
	if err := k.validate(); err != nil {
		return "", Grant{}, err
	}
	if (d.User == uuid.Nil) == (d.Client == 0) {
		return "", Grant{}, errors.New("an API key is a user's own or a client's own")
	}
	d.Session, d.Offline, d.Refreshable, d.Remembered = uuid.Nil, false, false, false
	d.Terms = Terms{Absolute: k.Life}
	g := newGrant(d, s.store.Now())
	g.State, g.Generation = active, keyNumber
	g.Key = &keyPart{Label: k.Label}
	if err := s.enter(ctx, g, d, g.expires()); err != nil {
		return "", Grant{}, err
	}
	return s.mint.write(reference{kind: apiKey, grant: g.id, number: keyNumber, expires: g.keyEnd()}, g.Salt, nil), g.seen(), nil
}

func (k Key) validate() error {
	name := func(problem string) error {
		return &store.InvalidError{Field: "name", Problem: problem, Fix: fmt.Sprintf("write plain text of 1 to %d characters", labelMax)}
	}
	switch {
	case !utf8.ValidString(k.Label):
		return name("is not valid UTF-8")
	case k.Label == "":
		return name("is empty")
	case utf8.RuneCountInString(k.Label) > labelMax:
		return name("is too long")
	case strings.TrimSpace(k.Label) != k.Label:
		return name("starts or ends with a blank")
	case strings.ContainsFunc(k.Label, store.Unseen):
		return name("contains a character that cannot be seen")
	case k.Life < time.Second || k.Life > KeyLifeMax:
		return &store.InvalidError{Field: "lifetime", Problem: "is missing or too long", Fix: "give the key a life of at most 366 days"}
	}
	return nil
}

// roomForKey refuses a key of an owner who has as many as one may have. Keys on their way count: of two that come at once
// for the last place, both may be refused, and never both be made. Those do not count that a new epoch of their owner has
// ended.
func (s *Service) roomForKey(ctx context.Context, g grant) error {
	others := 0
	err := s.walkClient(ctx, g.user(), g.Client, func(id uuid.UUID) error {
		if id == g.id {
			return nil
		}
		r, good, err := s.load(ctx, g.user(), g.Client, id)
		if err == nil && r != nil {
			good, err = s.stands(ctx, grant{id, r}, false)
		}
		if good {
			others++
		}
		return err
	})
	if err != nil || others < KeysPerOwner {
		return err
	}
	if err := s.withdraw(ctx, g.user(), g.Client, g.id); err != nil {
		return err
	}
	return ErrTooMany
}

// Owner is whose own an API key is: a user's, or a client's.
type Owner struct {
	User   uuid.UUID
	Client uint32
}

// Keys returns up to limit API keys of an owner that are good, after a place in the list, the oldest first.
func (s *Service) Keys(ctx context.Context, o Owner, after Cursor, limit int) ([]Grant, error) {
	var found []Grant
	from := max(after.member, beforeClient(o.Client))
	err := s.walkIndex(ctx, indexOf(o.User, o.Client), from, func(client uint32, id uuid.UUID) (bool, error) {
		if client != o.Client {
			return false, nil
		}
		r, _, err := s.load(ctx, o.User, client, id)
		if err != nil || r == nil {
			return true, err
		}
		good, err := s.stands(ctx, grant{id, r}, false)
		if good {
			found = append(found, grant{id, r}.seen())
		}
		return len(found) < limit, err
	})
	return found, err
}

// EndKey ends one API key of an owner. It reports whether there was one.
func (e Ender) EndKey(ctx context.Context, o Owner, id uuid.UUID) (bool, error) {
	found := false
	err := e.walkClient(ctx, o.User, o.Client, func(member uuid.UUID) error {
		if member != id {
			return nil
		}
		var err error
		found, err = e.bury(ctx, o.User, o.Client, id)
		return err
	})
	return found, err
}

// UserEpoch is the epoch of its user in which a live grant was made, and ErrInvalid if there is no such grant. Who makes an
// API key by the right of a token makes it in that epoch: what ends the token then ends the key.
func (e Ender) UserEpoch(ctx context.Context, id uuid.UUID) (uint32, error) {
	r, _, err := e.record(ctx, id)
	if err != nil {
		return 0, err
	}
	return r.UserEpoch, nil
}

const (
	// noteUseEvery is how old the noted last use of a key grows before it is noted again.
	noteUseEvery = time.Minute
	// noteUseWithin bounds what the note may cost a check.
	noteUseWithin = 200 * time.Millisecond
)

// noteUse writes down that a key was used now. It is a service to the owner and no part of the check: a conflict, a full
// store or a slow one leaves the old note, and after trouble no check tries again for a while.
func (s *Service) noteUse(ctx context.Context, g grant, stored store.Record) {
	now := s.store.Now()
	if g.Key.Used > 0 && now.Sub(g.at(g.Key.Used)) < noteUseEvery || s.notes.on(now) {
		return
	}
	next := grant{g.id, g.clone()}
	next.Key = &keyPart{Label: g.Key.Label, Used: max(g.since(now), 1)}
	ctx, cancel := context.WithTimeout(ctx, noteUseWithin)
	defer cancel()
	err := s.store.Swap(ctx, recordKey(g.id), stored, next.encode(), next.expires())
	if err != nil && !errors.Is(err, store.ErrConflict) {
		s.notes.until(now.Add(noteUseEvery))
	}
}

// pause is a time until which something is left undone.
type pause struct{ end atomic.Int64 }

func (p *pause) on(now time.Time) bool { return now.UnixNano() < p.end.Load() }

func (p *pause) until(end time.Time) { p.end.Store(end.UnixNano()) }
