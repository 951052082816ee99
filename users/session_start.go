package users

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/safeconduct/safeconduct/store"
)

const deviceMax = 100 // bytes

// NewSession is what a session is made of.
type NewSession struct {
	// User as he was read with the credentials that he has just given.
	User     *User
	Remember bool
	// Device and Network are made fit to be shown.
	Device, Network string
	// Replaces is what the browser held before: the secret of its last session, or anything that somebody planted
	// there.
	Replaces string
}

// Start logs a user in, and returns what opens the new session; it is not kept. It returns ErrNoSession if the user's
// sessions were ended since he was read.
//
// Who logs in again goes on in his own session, under a new secret: what he allowed in it lives on. The session of
// somebody else that the browser held before ends, and nothing of it goes into the new one. Either way a cookie that
// somebody planted before the login opens nothing after it.
func (s *Sessions) Start(ctx context.Context, n NewSession) (string, *Session, error) {
	// 1. The session before.
	secret, renewed, err := s.renew(ctx, n)
	if err != nil {
		return "", nil, fmt.Errorf("renew a session: %w", err)
	}
	if renewed != nil {
		return secret, renewed, nil
	}
	if err := s.replace(ctx, n.Replaces); err != nil {
		return "", nil, fmt.Errorf("end the session before: %w", err)
	}
	return s.start(ctx, n)
}

func (s *Sessions) start(ctx context.Context, n NewSession) (string, *Session, error) {
	// 2. The new one: its name before its record, so that none is unlisted.
	secret := newSessionSecret()
	r := s.made(n, secret)
	value, err := r.encode()
	if err != nil {
		return "", nil, err
	}
	listed, err := s.store.Enroll(ctx, sessionsOf(r.User), nameOf(&r.Session).String(), r.Ends)
	if err == nil {
		err = s.store.Add(ctx, sessionKey(r.ID), value, s.limits.expiry(&r.Session))
	}
	// 3. The user again. Whoever ends all sessions raises the epoch first: if that was before this look, it is seen
	// here; if it comes after, the record is there with the old epoch and opens nothing. Looking before the
	// record is written would leave a login that was told to have succeeded after all were ended.
	if err == nil {
		err = s.stillStands(ctx, n.User)
	}
	// 4. Room.
	if err == nil && listed > sessionLimit {
		err = s.makeRoom(ctx, n.User, &r.Session)
	}
	if err != nil {
		s.discard(ctx, &r.Session)
		return "", nil, fmt.Errorf("start a session: %w", err)
	}
	return secret.String(), &r.Session, nil
}

// made is the record of a new session.
func (s *Sessions) made(n NewSession, secret sessionSecret) *sessionRecord {
	now := s.now()
	life := s.limits.Max
	if n.Remember {
		life = s.limits.Remember
	}
	return &sessionRecord{Version: sessionVersion, Hash: secret.hash(), Session: Session{
		ID: secret.id, User: n.User.ID, Epoch: n.User.Epoch,
		Created: now, AuthTime: now, LastSeen: now, Ends: now.Add(life), Remember: n.Remember,
		Device: displayed(n.Device), Network: displayed(n.Network),
	}}
}

// replace ends the session that a secret opens, if there is one.
func (s *Sessions) replace(ctx context.Context, text string) error {
	secret, ok := parseSessionSecret(text)
	if !ok {
		return nil
	}
	r, err := s.read(ctx, secret.id)
	if err != nil || !r.opens(secret) {
		return err
	}
	_, err = s.End(ctx, r.User, r.ID)
	return err
}

// stillStands returns ErrNoSession if a user is not as he was read.
func (s *Sessions) stillStands(ctx context.Context, u *User) error {
	now, err := s.users.Fresh(ctx, u.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ErrNoSession
	case err != nil:
		return err
	case now.Disabled || now.Epoch != u.Epoch:
		return ErrNoSession
	}
	return nil
}

// makeRoom ends those sessions of a user that were seen longest ago, until no more than the limit live. The new one
// stays.
func (s *Sessions) makeRoom(ctx context.Context, u *User, started *Session) error {
	live, err := s.live(ctx, u)
	if err != nil {
		return err
	}
	live = slices.DeleteFunc(live, func(other Session) bool { return other.ID == started.ID })
	// Two logins at once choose the same ones to end.
	slices.SortFunc(live, func(a, b Session) int {
		if order := a.LastSeen.Compare(b.LastSeen); order != 0 {
			return order
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	for len(live) >= sessionLimit {
		if _, err := s.End(ctx, u.ID, live[0].ID); err != nil {
			return err
		}
		live = live[1:]
	}
	return nil
}

// discard takes back a session whose secret nobody got. What of it fails leaves what a crash would leave: a
// session that nobody can open, until it lapses.
func (s *Sessions) discard(ctx context.Context, session *Session) {
	ctx, cancel := store.Finish(ctx)
	defer cancel()
	_ = s.remove(ctx, session)
}

// displayed makes text that came with a request fit to be shown: without what cannot be seen, and short.
func displayed(text string) string {
	text = strings.Map(func(c rune) rune {
		if store.Unseen(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(text, ""))
	if len(text) > deviceMax {
		end := deviceMax
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return strings.TrimSpace(text)
}
