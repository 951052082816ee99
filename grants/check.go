package grants

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Token is an access token or API key that is good, with what it gives.
type Token struct {
	Grant
	Serial          uint32
	Issued, Expires time.Time
	// Narrowed says that the token is good for less than its grant.
	Narrowed bool
	// Epoch is that of the client in which the grant was made. Status names the status list in which the grant has a place,
	// and StatusIndex is that place. Only a token that is being signed has them.
	Epoch       ClientEpoch
	Status      string
	StatusIndex uint32
}

// Check reads an access token or an API key. It returns ErrInvalid for whatever is neither, has expired, or has lost its
// grant; garbage and expired tokens cost no look at the store. The use of an API key is noted about once a minute.
func (s *Service) Check(ctx context.Context, token string) (*Token, error) {
	p, ok := s.bearer(token)
	if !ok || p.expired(s.store.Now()) {
		return nil, ErrInvalid
	}
	g, stored, listed, err := s.read(ctx, p)
	if err != nil {
		return nil, err
	}
	if !g.gave(p) {
		return nil, ErrInvalid
	}
	standing, err := s.stands(ctx, g, false)
	if err != nil {
		return nil, err
	}
	if !standing {
		return nil, ErrInvalid
	}
	if p.kind == apiKey {
		s.noteUse(ctx, g, stored)
	}
	t := &Token{Grant: g.seen(), Serial: p.number, Expires: p.expires}
	if listed != nil {
		t.Narrowed, t.Scopes, t.Resources = true, listed.Scopes, listed.Resources
	}
	return t, nil
}

// bearer reads what a resource server may be shown: the prefix says which of the two it is.
func (s *Service) bearer(token string) (presented, bool) {
	if strings.HasPrefix(token, string(apiKey)) {
		return s.mint.read(apiKey, token)
	}
	return s.mint.read(accessToken, token)
}

// gave reports whether the token is one that the grant gave out: its key, or an access token that the record has counted.
// (A narrowed one was found in its list.)
func (g grant) gave(p presented) bool {
	if p.kind == apiKey {
		return g.Key != nil && p.number == keyNumber
	}
	return g.Key == nil && g.State == active && p.number <= g.LastSerial
}

// Revoke ends the grant of an access or refresh token of the client (RFC 7009 §2.1, which lets any token of a grant end
// all of it), or its own API key. It returns ErrInvalid for a token of another client and for a user's own API key, which
// stay good, and nil for what is no token or not good any more: there is nothing left to revoke.
func (s *Service) Revoke(ctx context.Context, token string, client uint32) error {
	g, err := s.revocable(ctx, token)
	if err != nil {
		return err
	}
	return s.endOwn(ctx, g, client)
}

// endOwn ends a grant, if there is one, in the name of the client that has presented a token of it.
func (s *Service) endOwn(ctx context.Context, g *grant, client uint32) error {
	if g == nil {
		return nil
	}
	if g.Client != client {
		s.report(ctx, EventWrongClient, *g, false)
		return ErrInvalid
	}
	return s.end(ctx, *g)
}

// RevokeAny is Revoke for the operator, who may revoke the tokens of every client and the API keys of every user.
func (s *Service) RevokeAny(ctx context.Context, token string) error {
	g, err := s.revocable(ctx, token)
	if err != nil || g == nil {
		return err
	}
	return s.end(ctx, *g)
}

// revocable finds the grant that a token refers to, or nil when there is none. A rotated refresh token still refers to
// its grant: who logs out a moment after a refresh is logged out.
func (s *Service) revocable(ctx context.Context, token string) (*grant, error) {
	p, ok := s.mint.read(refreshToken, token)
	if !ok {
		p, ok = s.bearer(token)
	}
	if !ok || p.expired(s.store.Now()) {
		return nil, nil
	}
	g, _, _, err := s.read(ctx, p)
	return s.unlessEnded(ctx, g, err)
}

// unlessEnded is what reading a grant to be ended has found, or nil. Of one that is not there it makes sure that it
// stays away: whoever repeats a revocation that the store had only half done shall not be told that it holds before it does.
func (s *Service) unlessEnded(ctx context.Context, g grant, err error) (*grant, error) {
	switch {
	case errors.Is(err, errAbsent):
		return nil, s.delete(ctx, g.id)
	case errors.Is(err, ErrInvalid):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &g, nil
}
