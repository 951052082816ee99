package grants

import (
	"context"
	"errors"
	"time"
)

// Token is an access token that is good, with what it gives.
type Token struct {
	Grant
	Serial  uint32
	Expires time.Time
	// Narrowed says that the token is good for less than its grant.
	Narrowed bool
}

// Check reads an access token. It returns ErrInvalid for whatever is not one, has expired, or has lost its grant;
// garbage and expired tokens cost no look at the store.
func (s *Service) Check(ctx context.Context, token string) (*Token, error) {
	p, ok := s.mint.read(accessToken, token)
	if !ok || p.expired(s.store.Now()) {
		return nil, ErrInvalid
	}
	g, _, listed, err := s.read(ctx, p)
	if err != nil {
		return nil, err
	}
	// A plain token is one of those that the record has counted. (A narrowed one was found in its list.)
	if g.State != active || p.number > g.LastSerial {
		return nil, ErrInvalid
	}
	standing, err := s.stands(ctx, g, false)
	if err != nil {
		return nil, err
	}
	if !standing {
		return nil, ErrInvalid
	}
	t := &Token{Grant: g.seen(), Serial: p.number, Expires: p.expires}
	if listed != nil {
		t.Narrowed, t.Scopes, t.Resources = true, listed.Scopes, listed.Resources
	}
	return t, nil
}

// Revoke ends the grant of an access or refresh token of the client (RFC 7009 §2.1, which lets any token of a grant end
// all of it). It returns ErrInvalid for a token of another client, which stays good, and nil for what is no token or
// not good any more: there is nothing left to revoke.
func (s *Service) Revoke(ctx context.Context, token string, client uint32) error {
	g, err := s.revocable(ctx, token)
	if err != nil || g == nil {
		return err
	}
	if g.Client != client {
		s.report(ctx, EventWrongClient, *g, false)
		return ErrInvalid
	}
	return s.end(ctx, g.user(), g.Client, g.id)
}

// RevokeAny is Revoke for the operator, who may revoke the tokens of every client.
func (s *Service) RevokeAny(ctx context.Context, token string) error {
	g, err := s.revocable(ctx, token)
	if err != nil || g == nil {
		return err
	}
	return s.end(ctx, g.user(), g.Client, g.id)
}

// revocable finds the grant that a token refers to, or nil when there is none. A rotated refresh token still refers to
// its grant: who logs out a moment after a refresh is logged out.
func (s *Service) revocable(ctx context.Context, token string) (*grant, error) {
	p, ok := s.mint.read(refreshToken, token)
	if !ok {
		p, ok = s.mint.read(accessToken, token)
	}
	if !ok || p.expired(s.store.Now()) {
		return nil, nil
	}
	g, _, _, err := s.read(ctx, p)
	if errors.Is(err, ErrInvalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &g, nil
}
