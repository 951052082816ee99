package users

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

// noteEvery is how often the use of a session is written down at most.
const noteEvery = time.Minute

// Resume returns the session that a secret opens, and its user as he is now. It returns ErrNoSession for whatever is
// no live session of an enabled user of the same epoch, and an error that is store.ErrUnavailable if that cannot be
// told.
func (s *Sessions) Resume(ctx context.Context, text string) (*Session, *User, error) {
	secret, ok := parseSessionSecret(text)
	if !ok {
		return nil, nil, ErrNoSession
	}
	r, err := s.read(ctx, secret.id)
	if err != nil {
		return nil, nil, err
	}
	// A session's id is told to clients. Whether it lives must not be told, by the time either: a user is read
	// whoever asks.
	opens := r.opens(secret)
	id := uuid.Nil
	if opens {
		id = r.User
	}
	u, err := s.users.Fresh(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, nil, err
	}
	now := s.now()
	if !opens || u == nil || u.Disabled || u.Epoch != r.Epoch || !s.limits.live(&r.Session, now) {
		return nil, nil, ErrNoSession
	}
	if r, err = s.note(ctx, r, secret, now); err != nil {
		return nil, nil, err
	}
	return &r.Session, u, nil
}

// note writes down that a session is used, now and then, and so puts off its end. That it could not be written is no
// reason to refuse: only that somebody ended the session meanwhile is.
func (s *Sessions) note(ctx context.Context, r *sessionRecord, secret sessionSecret, now time.Time) (*sessionRecord, error) {
	// With a short idle limit a minute is too long: the session would end under its user's hands.
	if now.Sub(r.LastSeen) < min(noteEvery, s.limits.Idle/2) {
		return r, nil
	}
	noted := *r
	noted.LastSeen = now
	err := s.swap(ctx, &noted)
	if err == nil {
		return &noted, nil
	}
	if !errors.Is(err, store.ErrConflict) {
		return r, nil
	}
	again, err := s.read(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if !again.opens(secret) || !s.limits.live(&again.Session, now) {
		return nil, ErrNoSession
	}
	return again, nil
}
