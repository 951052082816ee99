package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/scopes"
)

const (
	// requireTokens are asked for by turns.
	requireTokens = 64
	// requirePart is how much of a round's length one check is measured: it is done thousands of times meanwhile.
	requirePart = 8

	// The goals are for ES256, which the server signs by unless it is told otherwise.
	firstGoal  = 60 * time.Microsecond
	beforeGoal = 2 * time.Microsecond
)

// check is what one way to look at a signed token costs the process of a resource server.
type check struct {
	what, algorithm string
	goal            time.Duration // 0 is none
	once            func() error
	bare            *check // the arithmetic of the signature alone; nil for that itself
	took            []time.Duration
}

func (c *check) best() time.Duration { return slices.Min(c.took) }

func (c *check) median() time.Duration { return slices.Sorted(slices.Values(c.took))[len(c.took)/2] }

func (c *check) row(out *strings.Builder) {
	ratio, goal := "", ""
	if c.bare != nil {
		ratio = fmt.Sprintf("%.2f (%.2f)", c.best().Seconds()/c.bare.best().Seconds(), c.median().Seconds()/c.bare.median().Seconds())
	}
	if c.goal > 0 {
		goal = fmt.Sprintf("≤ %.0f", microseconds(c.goal))
	}
	fmt.Fprintf(out, "| %s | %s | %.2f (%.2f) | %s | %s |\n", c.what, c.algorithm, microseconds(c.best()), microseconds(c.median()), ratio, goal)
}

// measureRequire guards a handler in this process, with tokens, keys and the revocation feed of the server under test.
func (b *bench) measureRequire(ctx context.Context) ([]*check, error) {
	b.note("%s: %d tokens of each algorithm", requireName, requireTokens)
	p := b.places[0]
	if err := p.serve(b, false); err != nil {
		return nil, err
	}
	if err := b.cores.hold(); err != nil {
		return nil, err
	}
	defer func() { _ = b.cores.release() }()
	var all []*check
	for _, api := range p.fixture.signed {
		requests, err := p.signedRequests(api)
		if err != nil {
			return nil, fmt.Errorf("get tokens: %w", err)
		}
		bare := &check{what: "the bare signature", algorithm: api.algorithm}
		if bare.once, err = bareSignature(api.algorithm); err != nil {
			return nil, err
		}
		first := &check{what: "a token that was not seen before", algorithm: api.algorithm, bare: bare}
		before := &check{what: "a token that was seen before", algorithm: api.algorithm, bare: bare}
		if api.algorithm == keys.ES256 {
			first.goal, before.goal = firstGoal, beforeGoal
		}
		for _, c := range []struct {
			check *check
			seen  int // tokens that are remembered
		}{{first, 1}, {before, requireTokens}} {
			v, err := p.verifier(api, c.seen)
			if err != nil {
				return nil, err
			}
			defer v.Close()
			c.check.once = guarded(v, api.scope, requests)
		}
		all = append(all, bare, first, before)
	}
	return all, b.timeChecks(ctx, all)
}

// timeChecks takes rounds of all checks by turns, after one that is not counted.
func (b *bench) timeChecks(ctx context.Context, all []*check) error {
	for round := range b.rounds + 1 {
		for _, c := range all {
			used, err := ownUsage()
			if err != nil {
				return err
			}
			times := 0
			for began := time.Now(); time.Since(began) < b.duration/requirePart || times < requireTokens; times++ {
				if err := c.once(); err != nil {
					return fmt.Errorf("%s, %s: %w", c.what, c.algorithm, err)
				}
			}
			now, err := ownUsage()
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if round > 0 {
				c.took = append(c.took, (now-used)/time.Duration(times))
			}
		}
	}
	return nil
}

// signedRequests are requests that carry tokens for an API.
func (p *place) signedRequests(api signedAPI) ([]*http.Request, error) {
	w, err := dial(endpoint{address: p.server.address}, net.IPv4(127, 0, 1, 1))
	if err != nil {
		return nil, err
	}
	defer w.close()
	start := head(p.server.address, "/oauth/token", basic(p.fixture.signing.id, p.fixture.signing.secret))
	requests := make([]*http.Request, requireTokens)
	for i := range requests {
		a, err := w.exchange(appendForm(nil, start, "grant_type=client_credentials&scope=", api.scope))
		if err != nil {
			return nil, err
		}
		if err := accepting(`"access_token":"ey`)(a); err != nil {
			return nil, err
		}
		var tokens struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(a.body, &tokens); err != nil {
			return nil, err
		}
		requests[i] = httptest.NewRequest(http.MethodGet, "/", nil)
		requests[i].Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	}
	return requests, nil
}

func (p *place) verifier(api signedAPI, seen int) (*scopes.Verifier, error) {
	return scopes.NewVerifier(scopes.VerifierConfig{
		Issuer: "http://" + p.server.address, Audience: api.audience, ID: api.id, Secret: api.secret, CacheSize: seen,
	})
}

// guarded is a request to a handler behind scopes.Require, the next one each time.
func guarded(v *scopes.Verifier, scope string, requests []*http.Request) func() error {
	let := 0
	handler := scopes.Require(v, scope)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { let++ }))
	w, n := httptest.NewRecorder(), 0
	return func() error {
		handler.ServeHTTP(w, requests[n%len(requests)])
		if n++; let != n {
			return fmt.Errorf("a good token was answered %d", w.Code)
		}
		return nil
	}
}

// bareSignature verifies one signature again and again, with a key of its own.
func bareSignature(algorithm string) (func() error, error) {
	message := []byte("signed")
	digest := sha256.Sum256(message)
	verifying := func(good func() bool, err error) (func() error, error) {
		return func() error {
			if !good() {
				return errors.New("a good signature was refused")
			}
			return nil
		}, err
	}
	switch algorithm {
	case keys.ES256:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return verifying(func() bool { return ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) }, err)
	case keys.RS256:
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		return verifying(func() bool { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) == nil }, err)
	case keys.EdDSA:
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		signature := ed25519.Sign(private, message)
		return verifying(func() bool { return ed25519.Verify(public, message, signature) }, nil)
	}
	return nil, fmt.Errorf("there is no algorithm %q here", algorithm)
}
