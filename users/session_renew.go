package users

import (
	"context"
	"errors"
	"fmt"

	"github.com/safeconduct/safeconduct/store"
)

// renew gives the session that the browser holds a new secret, if it is a live one of the user who has just logged in
// again. It returns nil if there is no such session.
//
// To end it and start another would end what the user allowed in it, though he is still here, and tell all apps that he
// left.
func (s *Sessions) renew(ctx context.Context, n NewSession) (string, *Session, error) {
	held, ok := parseSessionSecret(n.Replaces)
	if !ok {
		return "", nil, nil
	}
	for range sessionTries {
		r, err := s.read(ctx, held.id)
		if err != nil {
			return "", nil, err
		}
		if !r.opens(held) || r.User != n.User.ID || r.Epoch != n.User.Epoch || !s.limits.live(&r.Session, s.now()) {
			return "", nil, nil
		}
		secret := newProof(r.ID)
		r.login(s.made(n, secret))
		// The name before the record, so that the list reaches as far as the session.
		_, err = s.store.Enroll(ctx, sessionsOf(r.User), nameOf(&r.Session).String(), r.Ends)
		if err == nil {
			err = s.swap(ctx, r)
		}
		if errors.Is(err, store.ErrConflict) {
			continue // its use was noted, or it was ended
		}
		if err == nil {
			err = s.stillStands(ctx, n.User) // see start
		}
		if err != nil {
			return "", nil, err
		}
		return secret.String(), &r.Session, nil
	}
	return "", nil, fmt.Errorf("too many others write session %s at once: %w", held.id, store.ErrUnavailable)
}

// login takes over what a new login says. The session never becomes shorter by it.
func (r *sessionRecord) login(again *sessionRecord) {
	r.Hash = again.Hash
	r.AuthTime, r.LastSeen, r.Remember = again.AuthTime, again.LastSeen, again.Remember
	r.Device, r.Network = again.Device, again.Network
	if again.Ends.After(r.Ends) {
		r.Ends = again.Ends
	}
}
