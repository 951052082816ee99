package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// told is the feed of an API as it is now.
func (d *deployment) told(api client) string {
	d.t.Helper()
	a := d.send(http.MethodGet, "/oauth/revocations", "", "", "Authorization", basic(api.id, api.secret))
	wantStatus(d.t, a, http.StatusOK)
	return a.text
}

// grantOf is the grant that a signed token names.
func grantOf(t testing.TB, token string) string {
	t.Helper()
	return payload(t, token, 1)["sc_grant"].(string)
}

func isSigned(token string) bool { return strings.Count(token, ".") == 2 }

// RFC 6749 §6, RFC 8707 §2.2: a refresh may ask for less, in scopes or in audiences; the token says so itself, and each has
// an id of its own (RFC 7519 §4.1.7).
func TestSignedTokenIsNarrowedAtRefresh(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	stock, other := d.signedAPI("stock"), d.signedAPI("other", obj{"signing_alg": "EdDSA"})
	app := d.client("confidential", obj{"scopes": []string{"stock:read", "stock:write", "other:read"}})
	d.user("ada")
	whole := d.mustLogin(app, "ada", "scope", "stock:read stock:write other:read")
	refresh := whole.str("refresh_token")
	ids := map[any]bool{}
	for _, test := range []struct {
		ask              []string
		alg, aud, scopes string
	}{
		{nil, "ES256", "[https://stock.example https://other.example]", "[other:read stock:read stock:write]"}, // two algorithms: every verifier knows this one
		{[]string{"scope", "stock:read"}, "ES256", "https://stock.example", "[stock:read]"},
		{[]string{"scope", "other:read"}, "EdDSA", "https://other.example", "[other:read]"},
		{[]string{"resource", "https://other.example"}, "EdDSA", "https://other.example", "[other:read]"},
		{[]string{"resource", "https://stock.example"}, "ES256", "https://stock.example", "[stock:read stock:write]"},
		{[]string{"resource", "https://stock.example", "scope", "stock:read"}, "ES256", "https://stock.example", "[stock:read]"},
	} {
		access := d.mustRefresh(app, refresh, test.ask...).str("access_token")
		header, claims := d.signed(access)
		if header["alg"] != test.alg || fmt.Sprint(claims["aud"]) != test.aud || sortedWords(claims["scope"]) != test.scopes {
			t.Errorf("asked for %q: alg %v, aud %v, scope %v; want %s, %s, %s", test.ask, header["alg"], claims["aud"], claims["scope"], test.alg, test.aud, test.scopes)
		}
		if ids[claims["jti"]] || claims["sc_grant"] != grantOf(t, whole.str("access_token")) {
			t.Errorf("asked for %q: jti %v, grant %v", test.ask, claims["jti"], claims["sc_grant"])
		}
		ids[claims["jti"]] = true
		for api, mine := range map[client]bool{stock: strings.Contains(test.aud, "stock"), other: strings.Contains(test.aud, "other")} {
			if mine {
				d.wantActive(api, access)
			} else {
				d.wantInactive(api, access)
			}
		}
	}
	narrow := d.mustRefresh(app, refresh, "scope", "stock:read").str("access_token")
	wantError(t, d.refresh(app, refresh, "scope", "stock:none"), http.StatusBadRequest, "invalid_scope")
	wantStatus(t, d.revoke(app, narrow), http.StatusOK) // a part of the grant ends all of it
	d.wantInactive(stock, whole.str("access_token"))
	wantError(t, d.refresh(app, refresh), http.StatusBadRequest, "invalid_grant")
}

func sortedWords(text any) string {
	words := strings.Fields(fmt.Sprint(text))
	for i := range words { // a handful
		for j := i; j > 0 && words[j] < words[j-1]; j-- {
			words[j], words[j-1] = words[j-1], words[j]
		}
	}
	return fmt.Sprint(words)
}

// A refresh whose answer was lost is repeated with the same answer, to the byte: what was signed twice would be two tokens.
func TestRepeatedRefreshGivesTheSameSignedToken(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, d *deployment) {
		for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
			slug := strings.ToLower(alg)
			api := d.signedAPI(slug, obj{"signing_alg": alg})
			app := d.app(obj{"scopes": []string{slug + ":read", slug + ":write"}})
			d.user("user-" + slug)
			refresh := d.mustLogin(app, "user-"+slug, "scope", slug+":read "+slug+":write").str("refresh_token")
			for _, ask := range [][]string{nil, {"scope", slug + ":read"}} {
				first := d.mustRefresh(app, refresh, ask...)
				for range 3 {
					again := d.mustRefresh(app, refresh, ask...)
					if again.str("access_token") != first.str("access_token") || again.str("refresh_token") != first.str("refresh_token") || again.json["expires_in"] != first.json["expires_in"] {
						t.Errorf("%s, asked for %q: the repetition differs:\n%s\n%s", alg, ask, first.text, again.text)
					}
				}
				if got := payload(t, first.str("access_token"), 0)["alg"]; got != alg {
					t.Errorf("signed by %v, want %s", got, alg)
				}
				d.wantActive(api, first.str("access_token"))
				refresh = first.str("refresh_token")
			}
		}
	})
}

// Signed tokens live for ten minutes, or as long as their API says; of several APIs the shortest counts.
func TestLifeOfSignedTokens(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	plain, long, short := d.signedAPI("plain"), d.signedAPI("long", obj{"access_lifetime": "1h"}), d.signedAPI("short", obj{"access_lifetime": "1m"})
	c := d.client("service", obj{"scopes": []string{"plain:read", "long:read", "short:read", "orders:read"}})
	for scope, life := range map[string]float64{"plain:read": 600, "long:read": 3600, "short:read": 60, "plain:read long:read": 600, "short:read long:read": 60, "orders:read": 900, "orders:read plain:read": 600} {
		a := d.token(c, form("grant_type", "client_credentials", "scope", scope))
		if a.json["expires_in"] != life {
			t.Errorf("%s: expires_in %v, want %v", scope, a.json["expires_in"], life)
		}
		if token := a.str("access_token"); isSigned(token) {
			if claims := payload(t, token, 1); claims["exp"].(float64)-claims["iat"].(float64) != life {
				t.Errorf("%s: exp %v, iat %v, want %v between", scope, claims["exp"], claims["iat"], life)
			}
		} else if scope != "orders:read" {
			t.Errorf("%s: not signed", scope)
		}
	}
	token := d.token(c, form("grant_type", "client_credentials", "scope", "short:read long:read")).str("access_token")
	d.clock.Advance(59 * time.Second)
	d.wantActive(short, token)
	d.clock.Advance(time.Second)
	d.wantInactive(short, token)
	d.wantInactive(long, token)
	d.wantInactive(plain, token)
}

// keylessStore is a store whose signing keys cannot be read for a while.
type keylessStore struct {
	store.Store
	down atomic.Bool
}

func (s *keylessStore) Get(ctx context.Context, key string) (store.Record, error) {
	if s.down.Load() && key == "signing/keys" {
		return store.Record{}, store.ErrUnavailable
	}
	return s.Store.Get(ctx, key)
}

// RFC 6749 §5.2, §10.5: where nothing can be signed, nothing is spent: the client that was told 503 comes again with the
// same code and the same refresh token.
func TestNothingIsSpentThatCannotBeSigned(t *testing.T) {
	t.Parallel()
	s, clock := bolttest.Open(t, noon)
	k := &keylessStore{Store: s}
	d := deploy(t, k, newRing(t))
	d.clock = clock
	api := d.signedAPI("stock", obj{"token_format": "opaque"})
	user := d.user("ada")
	web := d.web(obj{"grant_types": []string{"authorization_code", "refresh_token", "password"}, "scopes": []string{"stock:read"}, "rotation": "always"})
	code := d.code(web, user, func(o *server.CodeOrder) { o.Scope = "stock:read" })
	refresh := d.mustLogin(web, "ada", "scope", "stock:read").str("refresh_token")
	d.setFormat("stock", "jwt")
	k.down.Store(true)
	for what, a := range map[string]answer{"login": d.login(web, "ada", "scope", "stock:read"), "code": d.redeem(web, code), "refresh": d.refresh(web, refresh)} {
		if a.status != http.StatusServiceUnavailable || a.str("error") != "temporarily_unavailable" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s, want 503", what, a.status, a.text)
		}
	}
	k.down.Store(false)
	for what, a := range map[string]answer{"code": d.redeem(web, code), "refresh": d.refresh(web, refresh)} {
		if a.status != http.StatusOK {
			t.Errorf("%s afterwards: %d %s", what, a.status, a.text)
			continue
		}
		d.signed(a.str("access_token"))
		d.wantActive(api, a.str("access_token"))
	}
}

// Keys follow each other while tokens live: what the old one signed stays good, and is verified with what is published. When
// the keys are thrown away, nothing that they signed is good.
func TestSignedTokensOutliveTheRotationOfKeys(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) { c.SigningKeys.Ahead = time.Minute })
	api := d.signedAPI("stock")
	app := d.client("service", obj{"scopes": []string{"stock:read"}})
	issue := func() string { return d.token(app, form("grant_type", "client_credentials")).str("access_token") }
	before := issue()
	d.mustAdmin(http.MethodPost, "/keys/rotate", obj{})
	while := issue()
	d.clock.Advance(2 * time.Minute)
	after := issue()
	kid := func(token string) any { return payload(t, token, 0)["kid"] }
	if kid(before) != kid(while) || kid(after) == kid(before) {
		t.Errorf("kids %v, %v, %v: want the new key to sign after it was published for a while", kid(before), kid(while), kid(after))
	}
	for _, token := range []string{before, while, after} {
		d.signed(token)
		d.wantActive(api, token)
	}
	d.mustAdmin(http.MethodPost, "/keys/discard", obj{})
	fresh := issue()
	for _, token := range []string{before, while, after} {
		d.wantInactive(api, token)
		wantStatus(t, d.revoke(app, token), http.StatusOK)
	}
	d.wantActive(api, fresh)
}

// RFC 7009 §2.1, CVE-2016-6582: a client revokes its own tokens; the operator those of all.
func TestWhoRevokesSignedTokens(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.signedAPI("stock")
	d.user("ada")
	scopes := obj{"scopes": []string{"stock:read"}}
	app, thief, public := d.client("confidential", scopes), d.client("confidential", scopes), d.app(scopes)
	tokens := d.mustLogin(app, "ada", "scope", "stock:read")
	access, refresh := tokens.tokens()
	for _, c := range []client{thief, public} {
		wantError(t, d.revoke(c, access), http.StatusBadRequest, "invalid_grant")
	}
	wantUnauthenticated(t, d.revoke(client{app.id, "wrong"}, access))
	d.wantActive(api, access)
	if strings.Contains(d.told(api), grantOf(t, access)) {
		t.Error("the feed tells of a revocation that was refused")
	}
	own := d.mustLogin(public, "ada", "scope", "stock:read").str("access_token")
	wantStatus(t, d.revoke(public, own), http.StatusOK)
	d.wantInactive(api, own)

	facts := d.mustAdmin(http.MethodPost, "/tokens/introspect", obj{"token": access})
	if facts.json["active"] != true || facts.str("client_id") != app.id || facts.str("scope") != "stock:read" || fmt.Sprint(facts.json["aud"]) != "[https://stock.example]" || facts.str("jti") != payload(t, access, 1)["jti"] {
		t.Errorf("the operator is told %s", facts.text)
	}
	for range 2 { // what is revoked already is no error
		wantStatus(t, d.mustAdmin(http.MethodPost, "/tokens/revoke", obj{"token": access}), http.StatusNoContent)
		d.wantInactive(api, access)
	}
	if got := d.admin(http.MethodPost, "/tokens/introspect", obj{"token": access}); got.text != inactive {
		t.Errorf("afterwards the operator is told %s", got.text)
	}
	wantError(t, d.refresh(app, refresh), http.StatusBadRequest, "invalid_grant")
	if !strings.Contains(d.told(api), grantOf(t, access)) {
		t.Error("the feed does not tell of it")
	}
}
