package server_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// callbackOf is what a browser brings to an app that sent it to an address.
func (p *person) callbackOf(a app, address, username string) url.Values {
	p.t.Helper()
	s := p.follow(p.get(address))
	if strings.HasPrefix(s.url.Path, "/login") {
		s = p.login(s, username)
	}
	if s.url.Path == "/consent" {
		s = p.allow(s)
	}
	return s.answered(p.t, a.callback)
}

// The libraries that most apps in Go use work as they come, for each algorithm and each way of authentication: discovery,
// login, exchange, the ID token with its nonce and its hash of the access token, userinfo, refresh, and an API.
func TestGoOIDCWorks(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	ctx := t.Context()
	user := d.user("ada", obj{"name": "Ada Lovelace", "email": "ada@example.com", "email_verified": true})
	provider, err := oidc.NewProvider(ctx, d.url)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]obj{
		"RS256 by default": {}, "ES256": {"id_token_signed_response_alg": "ES256"}, "EdDSA": {"id_token_signed_response_alg": "EdDSA"},
		"the secret in the body": {"auth_method": "client_secret_post"}, "an app in people's hands": {"type": "public", "first_party": false},
	} {
		t.Run(what, func(t *testing.T) {
			a := d.webApp(change)
			ada := d.person()
			config := oauth2.Config{ClientID: a.id, ClientSecret: a.secret, RedirectURL: a.callback, Endpoint: provider.Endpoint(),
				Scopes: []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess, "orders:read"}}
			pkce := oauth2.GenerateVerifier()
			got := ada.callbackOf(a, config.AuthCodeURL("state", oidc.Nonce("nonce"), oauth2.S256ChallengeOption(pkce)), "ada")
			if got.Get("state") != "state" || got.Get("iss") != d.url {
				t.Errorf("the answer is %v", got)
			}
			token, err := config.Exchange(ctx, got.Get("code"), oauth2.VerifierOption(pkce))
			if err != nil {
				t.Fatal(err)
			}
			// The clock of the test stands in the past.
			verifying := provider.Verifier(&oidc.Config{ClientID: a.id, Now: d.clock.Now})
			check := func(token *oauth2.Token, nonce string) *oidc.IDToken {
				t.Helper()
				text, _ := token.Extra("id_token").(string)
				id, err := verifying.Verify(ctx, text)
				if err != nil {
					t.Fatal(err)
				}
				if err := id.VerifyAccessToken(token.AccessToken); err != nil {
					t.Errorf("at_hash: %v", err)
				}
				if id.Subject != user || id.Nonce != nonce {
					t.Errorf("sub %s, nonce %q", id.Subject, id.Nonce)
				}
				return id
			}
			id := check(token, "nonce")
			if _, err := provider.Verifier(&oidc.Config{ClientID: "another", Now: d.clock.Now}).Verify(ctx, token.Extra("id_token").(string)); err == nil {
				t.Error("another app takes the ID token")
			}
			source := oauth2.StaticTokenSource(token)
			me, err := provider.UserInfo(ctx, source)
			if err != nil {
				t.Fatal(err)
			}
			if me.Subject != id.Subject || me.Email != "ada@example.com" || !me.EmailVerified {
				t.Errorf("userinfo: %+v", me)
			}
			d.clock.Advance(time.Second)
			stale := *token
			stale.Expiry = time.Now().Add(-time.Hour)
			renewed := config.TokenSource(ctx, &stale)
			again, err := renewed.Token()
			if err != nil {
				t.Fatal(err)
			}
			if check(again, ""); again.AccessToken == token.AccessToken {
				t.Error("the refresh gave the same access token")
			}
			response, err := oauth2.NewClient(ctx, renewed).Get(d.url + "/demo/orders")
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("the API answers %d", response.StatusCode)
			}
		})
	}
}

// x/oauth2 finds out how a client authenticates itself by trying: it sends the same code by Basic, and after any error in
// the body. RFC 6749 §4.1.2: so whoever fails to authenticate has not touched the code.
func TestFailedAuthenticationLeavesTheCode(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	ctx, a, other := context.Background(), d.webApp(obj{"auth_method": "client_secret_post"}), d.webApp()
	ada := d.person()
	endpoint := oauth2.Endpoint{TokenURL: d.url + "/oauth/token"}
	config := oauth2.Config{ClientID: a.id, ClientSecret: a.secret, RedirectURL: a.callback, Endpoint: endpoint}

	token, err := config.Exchange(ctx, ada.goThrough(a, "ada"), oauth2.VerifierOption(verifier))
	if err != nil || token.Extra("id_token") == nil {
		t.Fatalf("by trying: %v", err)
	}
	code := ada.goThrough(a, "ada")
	wrong := config
	wrong.ClientSecret = "wrong"
	var refused *oauth2.RetrieveError
	if _, err := wrong.Exchange(ctx, code, oauth2.VerifierOption(verifier)); !errors.As(err, &refused) || refused.ErrorCode != "invalid_client" {
		t.Fatalf("with a wrong secret: %v", err)
	}
	for what, attempt := range map[string]answer{
		"no secret":                d.redeem(client{a.id, ""}, code),
		"Basic with a wrong one":   d.redeem(client{a.id, "wrong"}, code),
		"Basic with the right one": d.redeem(a.client, code), // registered for the body
		"an unknown client":        d.redeem(client{"none-such", "x"}, code),
		"another client":           d.redeem(other.client, code),
		"no redirect URI":          d.post("/oauth/token", "", "", form("grant_type", "authorization_code", "code", code, "code_verifier", verifier, "client_id", a.id, "client_secret", a.secret)),
	} {
		if attempt.status == http.StatusOK {
			t.Errorf("%s: %s", what, attempt.text)
		}
	}
	token, err = config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil || token.RefreshToken == "" {
		t.Errorf("the right secret after all these: %v", err)
	}
}

// brokenStore fails every call after a number of them.
type brokenStore struct {
	store.Store
	mu     sync.Mutex
	broken bool
	left   int
	spent  bool // a grant was changed since
}

func (b *brokenStore) breakAfter(calls int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken, b.left, b.spent = true, calls, false
}

func (b *brokenStore) mend() (spent bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = false
	return b.spent
}

func (b *brokenStore) pass() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left--; b.broken && b.left < 0 {
		return store.ErrUnavailable
	}
	return nil
}

func (b *brokenStore) Get(ctx context.Context, key string) (store.Record, error) {
	if err := b.pass(); err != nil {
		return store.Record{}, err
	}
	return b.Store.Get(ctx, key)
}

func (b *brokenStore) Members(ctx context.Context, index, after string, limit int) ([]store.Member, error) {
	if err := b.pass(); err != nil {
		return nil, err
	}
	return b.Store.Members(ctx, index, after, limit)
}

func (b *brokenStore) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	if err := b.pass(); err != nil {
		return err
	}
	err := b.Store.Swap(ctx, key, old, value, expires)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = b.spent || err == nil && strings.HasPrefix(key, "g") && len(key) == 17
	return err
}

// RFC 6749 §4.1.2, §5.2: a store in trouble is found out before the code is spent, so a client that comes again with the
// same code, as x/oauth2 does at once, gets its tokens. What follows the spending is known by then.
func TestStoreTroubleLeavesTheCode(t *testing.T) {
	t.Parallel()
	under, c := bolttest.Open(t, noon)
	b := &brokenStore{Store: under}
	d := deploy(t, b, newRing(t))
	d.clock = c
	d.user("ada")
	ada := d.person()
	redeemed := func(calls int) bool {
		t.Helper()
		a := d.webApp()
		code := ada.goThrough(a, "ada")
		b.breakAfter(calls)
		first := d.redeem(a.client, code)
		if spent := b.mend(); first.status == http.StatusOK {
			return spent
		} else if spent {
			t.Fatalf("after %d calls: the code is spent, and the answer is %d", calls, first.status)
		}
		wantError(t, first, http.StatusServiceUnavailable, "temporarily_unavailable")
		wantStatus(t, d.redeem(a.client, code), http.StatusOK)
		return false
	}
	for calls := range 3 {
		if redeemed(calls) {
			t.Errorf("a code was redeemed with %d calls of the store", calls)
		}
	}
	// The grant is read and changed, and its session looked at: that is all, once the caches are trusted.
	eventually(t, 30*time.Second, "three calls of the store redeem a code", func() bool { return redeemed(3) })
}
