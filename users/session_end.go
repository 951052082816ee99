package users

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

// End logs a user out of one session, and ends what was granted in it and ends with it. It reports whether there was
// such a session of this user. Ending what is absent ends the grants all the same, so that an end that failed half way
// can be repeated. Joined still tells the clients of an ended session.
//
// A caller that goes away does not stop it half way.
func (s *Sessions) End(ctx context.Context, user, id uuid.UUID) (bool, error) {
	ctx, cancel := store.Finish(ctx)
	defer cancel()
	found, err := s.end(ctx, user, id)
	if found || err != nil {
		return found, err
	}
	// What a crash may have left: a name without a session.
	names, err := s.names(ctx, user)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if name.id == id {
			return false, s.withdrawSettled(ctx, user, name)
		}
	}
	return false, nil
}

// EndOthers logs a user out of all sessions but one.
func (s *Sessions) EndOthers(ctx context.Context, user, keep uuid.UUID) error {
	ctx, cancel := store.Finish(ctx)
	defer cancel()
	names, err := s.names(ctx, user)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name.id == keep {
			continue
		}
		found, err := s.end(ctx, user, name.id)
		if err == nil && !found {
			err = s.withdrawSettled(ctx, user, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Sessions) end(ctx context.Context, user, id uuid.UUID) (found bool, err error) {
	// 1. The mark: from here on the session is refused everywhere, and nothing is granted in it any more.
	session, err := s.update(ctx, user, id, func(session *Session) error {
		session.Ending = true
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, fmt.Errorf("end session %s: %w", id, err)
	}
	found = err == nil
	// 2. What was granted in it.
	if err := s.grants.EndSession(ctx, user, id); err != nil {
		return false, fmt.Errorf("end the grants of session %s: %w", id, err)
	}
	if !found {
		return false, s.keepAway(ctx, id)
	}
	// 3. The session.
	return true, s.remove(ctx, session)
}

// keepAway makes sure that a session that is not there does not come back: an end that the store had only half done is
// repeated, and must not be said to hold before it does.
func (s *Sessions) keepAway(ctx context.Context, id uuid.UUID) error {
	r, err := s.read(ctx, id)
	if err != nil || r != nil { // somebody else's
		return err
	}
	if err := s.store.Delete(ctx, sessionKey(id)); err != nil {
		return fmt.Errorf("delete session %s: %w", id, err)
	}
	return nil
}

// remove deletes a session's record and then its name, so that none is ever unlisted.
func (s *Sessions) remove(ctx context.Context, session *Session) error {
	if err := s.store.Delete(ctx, sessionKey(session.ID)); err != nil {
		return fmt.Errorf("delete session %s: %w", session.ID, err)
	}
	return s.withdraw(ctx, session.User, nameOf(session))
}

// withdrawSettled withdraws a name that has no session, unless it is that of a login under way.
func (s *Sessions) withdrawSettled(ctx context.Context, user uuid.UUID, name sessionName) error {
	if !name.settled(s.store.Now()) {
		return nil
	}
	return s.withdraw(ctx, user, name)
}
