package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// setFormat says how an API wants its tokens from now on.
func (d *deployment) setFormat(slug, format string, more ...obj) {
	d.t.Helper()
	body := obj{"token_format": format}
	for _, m := range more {
		for name, value := range m {
			body[name] = value
		}
	}
	d.mustAdmin(http.MethodPatch, "/resources/"+slug, body)
}

// An API may change over to signed tokens while it is in use, and back. What was given out stays good for its time, the
// next refresh gives the new kind, and whatever kind a grant has given, its end is told to those who verify by themselves.
func TestFormatChangesUnderLiveGrants(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.signedAPI("stock", obj{"token_format": "opaque"})
	d.user("ada")
	scopes := obj{"scopes": []string{"stock:read"}}
	for name, app := range map[string]client{
		"confidential, not rotating": d.client("confidential", scopes), "confidential, rotating": d.client("confidential", scopes, obj{"rotation": "always"}), "public": d.app(scopes),
	} {
		d.setFormat("stock", "opaque")
		opaque, refresh := d.mustLogin(app, "ada", "scope", "stock:read").tokens()
		never := d.mustLogin(app, "ada", "scope", "stock:read").str("access_token")
		if isSigned(opaque) {
			t.Fatalf("%s: an opaque token is %s", name, opaque)
		}
		used := refresh
		second := d.mustRefresh(app, refresh)
		_, refresh = second.tokens()

		d.setFormat("stock", "jwt", obj{"signing_alg": "EdDSA"})
		d.wantActive(api, opaque)
		// The answer of before is not repeated as a kind of which the grant's end would not be told.
		repeated := d.mustRefresh(app, used).str("access_token")
		signed, next := d.mustRefresh(app, refresh).tokens()
		if !isSigned(signed) || payload(t, signed, 0)["alg"] != "EdDSA" || !isSigned(repeated) {
			t.Fatalf("%s: refreshed to %s and %s, want signed tokens", name, signed, repeated)
		}
		for _, token := range []string{opaque, second.str("access_token"), repeated, signed} {
			d.wantActive(api, token)
		}
		d.setFormat("stock", "opaque")
		d.wantActive(api, signed)
		back, last := d.mustRefresh(app, next).tokens()
		if isSigned(back) {
			t.Fatalf("%s: refreshed to %s, want an opaque token", name, back)
		}
		// The signed one is still in somebody's hands.
		wantStatus(t, d.revoke(app, last), http.StatusOK)
		for _, token := range []string{opaque, signed, repeated, back} {
			d.wantInactive(api, token)
		}
		if !strings.Contains(d.told(api), grantOf(t, signed)) {
			t.Errorf("%s: the feed does not tell of the grant's end", name)
		}
		// A grant that never gave a signed token is nobody's business.
		before := strings.Count(d.told(api), `"grant"`)
		wantStatus(t, d.revoke(app, never), http.StatusOK)
		if now := strings.Count(d.told(api), `"grant"`); now != before {
			t.Errorf("%s: the feed tells of a grant without signed tokens", name)
		}
	}
}

// A token for an API that verifies by itself and for one that asks is signed, and good at both.
func TestTokenForBothKindsOfAPI(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	stock, orders := d.signedAPI("stock", obj{"signing_alg": "RS256"}), d.api()
	app := d.client("confidential", obj{"scopes": []string{"stock:read", "orders:read"}})
	d.user("ada")
	both, refresh := d.mustLogin(app, "ada", "scope", "stock:read orders:read").tokens()
	header, claims := d.signed(both)
	if audiences, _ := claims["aud"].([]any); header["alg"] != "RS256" || len(audiences) != 2 {
		t.Errorf("header %v, claims %v", header, claims)
	}
	d.wantActive(stock, both)
	d.wantActive(orders, both)
	wantStatus(t, d.call(http.MethodGet, "/demo/orders", both), http.StatusOK)
	narrow := d.mustRefresh(app, refresh, "resource", "urn:safeconduct:demo-orders").str("access_token")
	if isSigned(narrow) {
		t.Errorf("a token for who asks is signed: %s", narrow)
	}
	d.wantActive(orders, narrow)
	d.wantInactive(stock, narrow)
	wantStatus(t, d.revoke(app, narrow), http.StatusOK)
	d.wantInactive(stock, both)
	if !strings.Contains(d.told(stock), grantOf(t, both)) {
		t.Error("the feed does not tell of it")
	}
}

// An API that is switched off, and scopes that a client has lost, count no more: tokens for the rest are refreshed as before.
func TestRefreshWhenSignedPartIsGone(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.signedAPI("stock")
	orders := d.api()
	d.user("ada")
	for what, end := range map[string]func(app client){
		"scopes taken away": func(app client) {
			d.mustAdmin(http.MethodPatch, "/clients/"+app.id, obj{"remove_scopes": []string{"stock:read"}})
		},
		"API disabled": func(client) { d.mustAdmin(http.MethodPatch, "/resources/stock", obj{"disabled": true}) },
		"API deleted":  func(client) { d.mustAdmin(http.MethodDelete, "/resources/stock", nil) },
	} {
		t.Run(what, func(t *testing.T) {
			d.admin(http.MethodPatch, "/resources/stock", obj{"disabled": false})
			if a := d.admin(http.MethodGet, "/resources/stock", nil); a.status == http.StatusNotFound {
				d.signedAPI("stock")
			}
			app := d.client("confidential", obj{"scopes": []string{"stock:read", "orders:read"}, "rotation": "always"})
			_, refresh := d.mustLogin(app, "ada", "scope", "stock:read orders:read").tokens()
			end(app)
			for range 2 {
				again := d.refresh(app, refresh)
				wantStatus(t, again, http.StatusOK)
				access := again.str("access_token")
				d.wantActive(orders, access)
				if again.str("scope") != "orders:read" {
					t.Errorf("granted %s", again.text)
				}
				refresh = again.str("refresh_token")
			}
		})
	}
}

// A grant's end is told for as long as any signed token of it lives, also one that got a longer life than they get now.
func TestEndIsToldForTheLongestOfItsTokens(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.signedAPI("stock", obj{"access_lifetime": "1h"})
	app := d.client("confidential", obj{"scopes": []string{"stock:read", "stock:write"}})
	d.user("ada")
	long, refresh := d.mustLogin(app, "ada", "scope", "stock:read stock:write").tokens()
	d.mustAdmin(http.MethodPatch, "/resources/stock", obj{"access_lifetime": "1m"})
	for _, ask := range [][]string{{"scope", "stock:read"}, nil} {
		if a := d.mustRefresh(app, refresh, ask...); a.json["expires_in"] != 60.0 {
			t.Fatalf("refreshed: %s", a.text)
		}
	}
	d.clock.Advance(time.Second)
	d.mustRefresh(app, refresh)
	d.wantActive(api, long)
	wantStatus(t, d.revoke(app, long), http.StatusOK)
	d.clock.Advance(59 * time.Minute)
	if !strings.Contains(d.told(api), grantOf(t, long)) {
		t.Error("the feed tells no more of a grant one of whose tokens has not expired")
	}
	d.clock.Advance(3 * time.Minute)
	if strings.Contains(d.told(api), grantOf(t, long)) {
		t.Error("the feed tells of a grant all of whose tokens have expired")
	}
}
