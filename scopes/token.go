package scopes

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Token is what is known of a valid access token: who allowed whom to do what. What the authorization server does not
// tell is left at its zero value, so an empty Username means "not told" and never "nobody".
type Token struct {
	// Subject is the stable identifier of who the token speaks for: the user, or the client itself for a token of the
	// client credentials grant. Key data by it, never by Username.
	Subject string
	// Username is the user's name for people to read. It may change, and another user may have it later.
	Username string
	// ClientID names the client that the token was issued to.
	ClientID string
	// Issuer is the identifier of the authorization server.
	Issuer string
	// ID is the identifier of the token itself (jti). It is no secret.
	ID string
	// Audience lists the APIs that the token is meant for.
	Audience []string
	// Scopes are what the token allows.
	Scopes Set
	// Expires is the end of the token; the zero time means that it was not told.
	Expires time.Time
	// IssuedAt is when the token was issued; the zero time means that it was not told.
	IssuedAt time.Time
	// TokenType is how the token must be presented, such as "Bearer".
	TokenType string
	// Extra holds what else the authorization server told, by its name there, for json.Unmarshal.
	Extra map[string]json.RawMessage

	origin *origin // of a token that a Verifier verified; it does not change
}

// origin is what a Verifier must still know of a token when it comes again.
type origin struct {
	key   *publicKey // that it was signed with
	grant grantID    // all zero when the token does not tell it
	epoch string     // of the client; empty when the token does not tell it
}

// clone returns a copy that shares nothing which can change.
func (t *Token) clone() *Token {
	c := *t
	c.Audience = slices.Clone(t.Audience)
	c.Extra = maps.Clone(t.Extra)
	for name, value := range c.Extra {
		c.Extra[name] = bytes.Clone(value)
	}
	return &c
}

type tokenKey struct{}

// WithToken returns a context that carries the facts of a checked token, for TokenFrom. A Rule calls it; call it in the
// tests of your handlers, and in guards of your own.
func WithToken(ctx context.Context, t *Token) context.Context {
	return context.WithValue(ctx, tokenKey{}, t)
}

// TokenFrom returns the facts of the token that came with a request, from the context of that request. It returns
// false for a request that no guard let in.
func TokenFrom(ctx context.Context) (*Token, bool) {
	t, ok := ctx.Value(tokenKey{}).(*Token)
	return t, ok && t != nil
}
