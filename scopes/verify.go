package scopes

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Verifier is a Checker that verifies access tokens which are JWTs (RFC 9068), without asking the authorization server
// about each. It accepts the tokens of one issuer for one API, signed by ES256, RS256 or EdDSA.
//
// It hears of revocations by a feed that it follows, and refuses a revoked token within a second; where something on
// the way lets no stream through, it asks every three seconds. What happens while the feed is not heard is a choice,
// VerifierConfig.OnFeedLoss.
//
// There is nothing to start: the first Check does, and waits for the keys and the first revocations, at most Timeout for
// each. Close ends what goes on in the background; a program that needs its Verifier to its end may do without.
//
// Tokens that were seen are remembered by their hash, at most CacheSize of them, so that their signature is not verified
// again. Each is looked up in the revocations all the same, and dies with its key.
//
// The Extra of a Token has no sc_grant and no status, which say how to check the token.
//
// A token that is bound to a key (RFC 7800), such as one for DPoP, is refused: it must not pass without a proof, and no
// proof is looked at here.
type Verifier struct {
	config     VerifierConfig
	expected   expected
	keys       *keySource
	feed       *feed // nil without
	seen       *cache
	background *background
	begun      sync.Once
	idle       func() // closes idle connections that are the Verifier's own
}

var _ Checker = (*Verifier)(nil)

// NewVerifier returns a Verifier, or says what is wrong with the configuration. It sends nothing yet.
func NewVerifier(config VerifierConfig) (*Verifier, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	client := withoutRedirects(config.HTTPClient)
	client.Timeout = 0 // a stream has no end; everything else has a time-out of its own
	v := &Verifier{
		expected:   expected{issuer: config.Issuer, audience: config.Audience, leeway: config.Leeway, grant: !config.NoFeed},
		seen:       newCache(config.CacheSize),
		background: newBackground(),
		idle:       func() {},
	}
	if config.HTTPClient == nil {
		v.idle = client.CloseIdleConnections
	}
	v.keys = &keySource{url: config.KeysURL, client: client, timeout: config.Timeout, keep: config.KeepKeys,
		clock: config.Clock, background: v.background}
	if !config.NoFeed {
		v.feed = newFeed(config, client)
	}
	config.Secret = "" // so that printing a Verifier does not print it
	v.config = config
	return v, nil
}

func newFeed(config VerifierConfig, client *http.Client) *feed {
	return &feed{
		source: feedSource{url: config.FeedURL, client: client, authenticate: basicAuth(config.ID, config.Secret),
			timeout: config.Timeout, silence: config.FeedGrace * 4 / 5},
		entries: newRevocations(config.Leeway),
		grace:   config.FeedGrace,
		loss:    config.OnFeedLoss,
		clock:   config.Clock,
		startup: config.Timeout,
		first:   make(chan struct{}),
	}
}

// Close ends what goes on in the background. Afterwards nothing is known of any token.
func (v *Verifier) Close() error {
	v.background.close()
	v.idle()
	return nil
}

// Check verifies token, unless it has seen it before, and looks whether it was revoked since.
func (v *Verifier) Check(ctx context.Context, token string) (*Token, error) {
	if len(token) > MaxTokenBytes {
		return nil, fmt.Errorf("%w: it is too long", ErrInactive)
	}
	if v.background.ctx.Err() != nil {
		return nil, fmt.Errorf("%w: the verifier is closed", ErrUnavailable)
	}
	if v.feed != nil {
		v.begun.Do(func() { v.feed.begin(v.background) })
	}
	t, err := v.verified(ctx, token, v.config.Clock())
	if err != nil {
		return nil, err
	}
	if v.feed != nil {
		if err := v.feed.check(ctx, t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// verified returns the facts of a token that was good when it was issued and has not expired.
func (v *Verifier) verified(ctx context.Context, token string, now time.Time) (*Token, error) {
	if t, found := v.seen.get(token, now); found {
		// A token that was seen before dies with its key, and keeps the keys from growing old.
		if key, err := v.keys.find(ctx, t.origin.key.id, now); err != nil || key == t.origin.key {
			return t, err
		}
	}
	if !validToken(token) {
		return nil, fmt.Errorf("%w: it is malformed", ErrInactive)
	}
	j, err := parseJWT(token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInactive, err)
	}
	key, err := v.keys.find(ctx, j.keyID, now)
	if err != nil {
		return nil, err
	}
	// RFC 8725 §3.1: the algorithm is the key's; the token has no say in it.
	if j.algorithm != key.algorithm || !key.verifies(j.signed, j.signature) {
		return nil, fmt.Errorf("%w: its signature is wrong", ErrInactive)
	}
	t, err := v.expected.readClaims(j.payload, now)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInactive, err)
	}
	t.origin.key = key
	if now.Before(t.Expires) {
		v.seen.put(token, t, now, t.Expires.Sub(now))
	}
	return t, nil
}
