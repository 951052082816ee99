package scopes

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// accessTokenPrefix begins each access token that is not a JWT.
const accessTokenPrefix = "sca_"

// Mode is how tokens are checked.
type Mode int

const (
	// Either verifies JWTs here and asks the authorization server about its tokens of other formats: access tokens that are
	// references ("sca_…") and API keys ("sck_…").
	Either Mode = iota
	// Introspection asks the authorization server about each token.
	Introspection
	// Local verifies JWTs here and refuses all other tokens.
	Local
)

// Config is the short form of IntrospectorConfig and VerifierConfig, whose fields of the same names it fills. Issuer,
// Audience, ID and Secret are needed; the rest may be left at zero.
type Config struct {
	// Issuer is the identifier of the authorization server.
	Issuer string
	// Audience is the identifier of this API.
	Audience string
	// ID and Secret are the credential of this API at the authorization server.
	ID, Secret string
	// Mode is how tokens are checked. At zero it is Either, which is right for tokens of both formats.
	Mode Mode
	// NoFeed goes without revocations of JWTs. With Mode Local it needs no ID and Secret.
	NoFeed bool
	// OnFeedLoss says what happens to JWTs while it is not known which are revoked. At zero they are refused.
	OnFeedLoss FeedLoss
	// CacheFor is how long a token that was found valid by introspection is taken as valid without asking again.
	CacheFor time.Duration
	// PlainHTTP permits an http issuer at an address other than loopback.
	PlainHTTP bool
	// HTTPClient sends the requests; nil stands for one of the Checker's own.
	HTTPClient *http.Client
	// Clock tells the time; nil stands for time.Now.
	Clock func() time.Time
}

// CheckCloser is a Checker that does something in the background. Close ends that; afterwards nothing can be checked. A
// program that needs it to its end may do without.
type CheckCloser interface {
	Checker
	io.Closer
}

// NewChecker returns the Checker that fits the configuration, or says what is wrong with it. It sends nothing yet.
func NewChecker(config Config) (CheckCloser, error) {
	if config.Mode != Either && config.Mode != Introspection && config.Mode != Local {
		return nil, errors.New("scopes: Mode is none of Either, Introspection and Local")
	}
	if err := checkEndpoint("issuer", config.Issuer, config.PlainHTTP); err != nil {
		return nil, err
	}
	var c either
	var err error
	if config.Mode != Local {
		c.introspector, err = NewIntrospector(IntrospectorConfig{
			URL: strings.TrimSuffix(config.Issuer, "/") + "/oauth/introspect", ID: config.ID, Secret: config.Secret, Audience: config.Audience,
			CacheFor: config.CacheFor, PlainHTTP: config.PlainHTTP, HTTPClient: config.HTTPClient, Clock: config.Clock})
		if err != nil {
			return nil, err
		}
	}
	if config.Mode != Introspection {
		if config.NoFeed && config.Mode == Either {
			config.ID, config.Secret = "", "" // they are for introspection
		}
		c.verifier, err = NewVerifier(VerifierConfig{
			Issuer: config.Issuer, ID: config.ID, Secret: config.Secret, Audience: config.Audience, NoFeed: config.NoFeed,
			OnFeedLoss: config.OnFeedLoss, PlainHTTP: config.PlainHTTP, HTTPClient: config.HTTPClient, Clock: config.Clock})
		if err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// either checks tokens by the one or the other; one of them may be missing.
type either struct {
	introspector *Introspector
	verifier     *Verifier
}

// Check asks about the tokens that are references, by their prefixes. Whatever else comes costs the network nothing.
func (c *either) Check(ctx context.Context, token string) (*Token, error) {
	reference := strings.HasPrefix(token, accessTokenPrefix) || strings.HasPrefix(token, apiKeyPrefix)
	if c.verifier == nil || c.introspector != nil && reference {
		return c.introspector.Check(ctx, token)
	}
	return c.verifier.Check(ctx, token)
}

// Close closes the Verifier. An Introspector does nothing in the background.
func (c *either) Close() error {
	if c.verifier == nil {
		return nil
	}
	return c.verifier.Close()
}
