package server_test

import (
	"net/http"
	"testing"
	"time"
)

// RFC 7009 §2.1: any token of a grant ends all of it: both kinds of token, of every generation. It is over when the
// answer comes.
func TestRevokingOneTokenEndsTheGrant(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, d *deployment) {
		api := d.api()
		d.user("ada")
		for _, c := range []client{d.app(), d.client("confidential")} {
			for _, which := range []string{"access token", "refresh token", "older access token", "rotated refresh token"} {
				first := d.mustLogin(c, "ada")
				second := d.mustRefresh(c, first.str("refresh_token"))
				bystander := d.mustLogin(c, "ada").str("access_token")
				token := map[string]string{
					"access token": second.str("access_token"), "refresh token": second.str("refresh_token"),
					"older access token": first.str("access_token"), "rotated refresh token": first.str("refresh_token"),
				}[which]
				a := d.revoke(c, token)
				if a.status != http.StatusOK || a.text != "{}" || a.header.Get("Content-Type") != "application/json; charset=utf-8" {
					t.Errorf("%s: %d %q %s, want 200 {}", which, a.status, a.header.Get("Content-Type"), a.text)
				}
				for _, dead := range []answer{first, second} {
					access, refresh := dead.tokens()
					d.wantInactive(api, access)
					wantError(t, d.refresh(c, refresh), http.StatusBadRequest, "invalid_grant")
				}
				d.wantActive(api, bystander)
				wantStatus(t, d.revoke(c, token), http.StatusOK) // again, as after a lost answer
			}
		}
	})
}

// RFC 7009 §2.1 and CVE-2016-6582: a client cannot revoke what another one was given.
func TestAnotherClientsTokenIsNotRevoked(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	owner, other, app, api := d.client("confidential"), d.client("confidential"), d.app(), d.api()
	d.user("ada")
	access, refresh := d.mustLogin(owner, "ada").tokens()
	machine := d.token(owner, form("grant_type", "client_credentials")).str("access_token")
	for _, token := range []string{access, refresh, machine} {
		for _, c := range []client{other, app} {
			wantError(t, d.revoke(c, token), http.StatusBadRequest, "invalid_grant")
		}
		wantUnauthenticated(t, d.revoke(client{owner.id, "wrong"}, token))
		wantUnauthenticated(t, d.revoke(client{owner.id, ""}, token))
		wantUnauthenticated(t, d.revoke(api, token))
		wantUnauthenticated(t, d.post("/oauth/revoke", "", "", form("token", token)))
	}
	d.wantActive(api, access)
	d.wantActive(api, machine)
	d.mustRefresh(owner, refresh)
}

// CVE-2018-1000211: a public client revokes by naming itself; it has nothing else.
func TestPublicClientsCanRevoke(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	app, api := d.app(), d.api()
	d.user("ada")
	access, refresh := d.mustLogin(app, "ada").tokens()
	wantStatus(t, d.revoke(app, refresh), http.StatusOK)
	d.wantInactive(api, access)
}

// RFC 7009 §2.2: a token that is not good is as good as revoked. The hint about its type changes nothing.
func TestRevokingWhatIsNoTokenSucceeds(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api, user := d.web(obj{"grant_types": []string{"authorization_code", "refresh_token", "password"}}), d.api(), d.user("ada")
	access, _ := d.mustLogin(c, "ada").tokens()
	code := d.code(c, user)
	for _, token := range []string{"garbage", access + "x", access[:40], code, c.secret, "sca_", "e30.e30.e30"} {
		for _, hint := range []string{"", "access_token", "refresh_token", "nonsense"} {
			a := d.post("/oauth/revoke", c.id, c.secret, form("token", token, "token_type_hint", hint))
			if a.status != http.StatusOK || a.text != "{}" {
				t.Errorf("%s: %d %s, want 200 {}", token, a.status, a.text)
			}
		}
	}
	wantError(t, d.revoke(c, ""), http.StatusBadRequest, "invalid_request")
	d.wantActive(api, access)
	wantStatus(t, d.redeem(c, code), http.StatusOK)
	wantStatus(t, d.post("/oauth/revoke", c.id, c.secret, form("token", access, "token_type_hint", "refresh_token")), http.StatusOK)
	d.wantInactive(api, access)
	d.clock.Advance(time.Hour)
	wantStatus(t, d.revoke(c, access), http.StatusOK) // long expired
}

// OWASP ASVS 10.4.9: users see which apps have access and end it, one by one or all at once, with effect at once. They see
// and end nothing of others.
func TestUsersListAndEndTheirGrants(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	account := d.client("confidential", obj{"name": "Account page", "first_party": true, "scopes": []string{"account:read", "account:manage"}})
	shop, api := d.client("confidential", obj{"name": "Shop"}), d.api()
	d.user("ada")
	bob := d.user("bob")
	mine := d.mustLogin(account, "ada", "scope", "account:read account:manage").str("access_token")
	his := d.mustLogin(account, "bob", "scope", "account:read account:manage").str("access_token")
	access, refresh := d.mustLogin(shop, "ada").tokens()
	bobs := d.mustLogin(shop, "bob").str("access_token")

	grants := func(token string) map[string]string {
		t.Helper()
		a := d.call(http.MethodGet, "/api/v1/me/grants", token)
		wantStatus(t, a, http.StatusOK)
		byClient := make(map[string]string)
		for _, item := range a.json["items"].([]any) {
			byClient[item.(obj)["client_name"].(string)] = item.(obj)["id"].(string)
		}
		return byClient
	}
	ada, bobsList := grants(mine), grants(his)
	if len(ada) != 2 || ada["Shop"] == "" || ada["Shop"] == bobsList["Shop"] {
		t.Fatalf("ada sees %v, bob %v", ada, bobsList)
	}
	for _, foreign := range []string{bobsList["Shop"], "00000000-0000-7000-8000-000000000000", "garbage", "%00", "..%2f"} {
		wantError(t, d.call(http.MethodDelete, "/api/v1/me/grants/"+foreign, mine), http.StatusNotFound, "not_found")
	}
	d.wantActive(api, bobs)
	wantStatus(t, d.call(http.MethodDelete, "/api/v1/me/grants/"+ada["Shop"], mine), http.StatusNoContent)
	d.wantInactive(api, access)
	wantError(t, d.refresh(shop, refresh), http.StatusBadRequest, "invalid_grant")
	wantError(t, d.call(http.MethodDelete, "/api/v1/me/grants/"+ada["Shop"], mine), http.StatusNotFound, "not_found")
	if left := grants(mine); len(left) != 1 {
		t.Errorf("left are %v", left)
	}

	access, _ = d.mustLogin(shop, "ada").tokens()
	wantStatus(t, d.call(http.MethodPost, "/api/v1/me/logout-everywhere", mine), http.StatusNoContent)
	d.wantInactive(api, access)
	wantError(t, d.call(http.MethodGet, "/api/v1/me", mine), http.StatusUnauthorized, "invalid_token")
	d.wantActive(api, bobs)
	// The administrator's way.
	wantError(t, d.admin(http.MethodDelete, "/users/"+bob+"/grants/"+ada["Shop"], nil), http.StatusNotFound, "not_found")
	d.mustAdmin(http.MethodDelete, "/users/bob/grants/"+bobsList["Shop"], nil)
	d.wantInactive(api, bobs)
}

// The operator inspects and revokes any token, also one that no client can revoke any more.
func TestOperatorRevokesAnyToken(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential"), d.api()
	d.user("ada")
	access, refresh := d.mustLogin(c, "ada").tokens()
	if a := d.mustAdmin(http.MethodPost, "/tokens/introspect", obj{"token": access}); a.json["active"] != true || a.str("username") != "ada" {
		t.Errorf("inspection: %s", a.text)
	}
	if a := d.mustAdmin(http.MethodPost, "/tokens/introspect", obj{"token": refresh}); a.text != inactive {
		t.Errorf("inspection of a refresh token: %s", a.text)
	}
	d.mustAdmin(http.MethodPost, "/tokens/revoke", obj{"token": refresh})
	d.wantInactive(api, access)
	d.mustAdmin(http.MethodPost, "/tokens/revoke", obj{"token": "garbage"})
}
