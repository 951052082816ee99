package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// CVE-2026-4325: each artefact works in its own place and nowhere else. All the wrong places are tried first and the right
// ones last, so this also shows that no wrong place spends, ends or reveals anything.
func TestEachArtefactWorksInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api, user := d.api(), d.user("ada")
	c := d.web(obj{"grant_types": []string{"authorization_code", "refresh_token", "password", "client_credentials"}})
	access, refresh := d.mustLogin(c, "ada").tokens()
	machine := d.token(c, form("grant_type", "client_credentials")).str("access_token")
	artefacts := map[string]string{
		"access token": access, "machine's access token": machine, "refresh token": refresh, "code": d.code(c, user), "client secret": c.secret,
		"resource secret": api.secret, "password": password, "client id": c.id, "resource": api.id, "user id": user, "username": "ada", "verifier": verifier,
	}
	// What a login in the browser leaves: a session, an ID token, a token for the userinfo endpoint alone, and a request that
	// waits with its form.
	acme, ada := d.webApp(obj{"first_party": true}), d.person()
	tokens := d.redeem(acme.client, ada.goThrough(acme, "ada", "scope", "openid"))
	waiting := ada.open(acme.ask("prompt", "consent"))
	_, account := ada.open("/account/password").form(t, "/account/password")
	session := ada.cookie("sc-session")
	artefacts["ID token"], artefacts["identity's access token"], artefacts["session"] = tokens.str("id_token"), tokens.str("access_token"), session
	key := d.mustAdmin(http.MethodPost, "/users/ada/tokens", obj{"name": "script", "scopes": []string{"orders:read"}}).str("token")
	artefacts["API key"] = key
	artefacts["request"], artefacts["form token"] = waiting.url.Query().Get("tx"), account.Get("form_token")
	// Several users have the password, so that guesses with the wrong artefacts do not slow each other down.
	holder := func(text string) string { return fmt.Sprintf("holder-%d", len(text)) }
	for _, text := range artefacts {
		d.admin(http.MethodPost, "/users", obj{"username": holder(text), "password": password})
	}
	bearers := []string{"access token", "machine's access token", "API key"}
	type place struct {
		name  string
		right []string
		try   func(text string) bool
	}
	ok := func(a answer) bool {
		if a.status >= 500 {
			t.Errorf("%d %s", a.status, a.text)
		}
		return a.status < 300
	}
	places := []place{
		{"bearer at the API", bearers, func(text string) bool { return ok(d.call(http.MethodGet, "/demo/orders", text)) }},
		{"introspected token", bearers, func(text string) bool {
			a := d.introspect(api, text)
			return ok(a) && a.text != inactive
		}},
		{"client secret by Basic", []string{"client secret"}, func(text string) bool {
			return ok(d.token(client{c.id, text}, form("grant_type", "client_credentials")))
		}},
		{"client secret at revocation", []string{"client secret"}, func(text string) bool { return ok(d.revoke(client{c.id, text}, "x")) }},
		{"resource secret at introspection", []string{"resource secret"}, func(text string) bool { return ok(d.introspect(client{api.id, text}, "x")) }},
		{"client id", []string{"client id"}, func(text string) bool {
			return ok(d.token(client{text, c.secret}, form("grant_type", "client_credentials")))
		}},
		{"resource at introspection", []string{"resource"}, func(text string) bool { return ok(d.introspect(client{text, api.secret}, "x")) }},
		{"client id at introspection", nil, func(text string) bool { return ok(d.introspect(client{text, c.secret}, "x")) }},
		{"resource at the token endpoint", nil, func(text string) bool {
			return ok(d.token(client{text, api.secret}, form("grant_type", "client_credentials")))
		}},
		{"username", []string{"username"}, func(text string) bool { return ok(d.login(c, text)) }},
		{"password", []string{"password"}, func(text string) bool { return ok(d.login(c, holder(text), "password", text)) }},
		{"bearer at userinfo", []string{"identity's access token"}, func(text string) bool { return ok(d.call(http.MethodGet, "/oauth/userinfo", text)) }},
		{"bearer of the account", nil, func(text string) bool { return ok(d.call(http.MethodGet, "/api/v1/me", text)) }},
		{"session", []string{"session"}, func(text string) bool {
			return ok(d.send(http.MethodGet, "/account", "", "", "Cookie", "sc-session="+text))
		}},
		{"request", []string{"request"}, func(text string) bool {
			return ada.get("/consent?"+form("tx", text).Encode()).status == http.StatusOK
		}},
		{"form token", []string{"form token"}, func(text string) bool {
			return ada.post("/account", form("name", "Ada", "form_token", text)).status == http.StatusSeeOther
		}},
		{"form token of a request", nil, func(text string) bool {
			return ada.post("/consent?"+waiting.url.RawQuery, form("decision", "allow", "form_token", text)).status == http.StatusSeeOther
		}},
		{"id_token_hint", []string{"ID token"}, func(text string) bool {
			return !strings.Contains(ada.get(acme.ask("prompt", "none", "id_token_hint", text)).location(), "error=")
		}},
		{"client assertion", nil, func(text string) bool {
			return ok(d.machine([]string{"client_id", c.id, "client_assertion", text, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}))
		}},
		{"refresh token", []string{"refresh token"}, func(text string) bool { return ok(d.refresh(c, text)) }},
		{"verifier", []string{"verifier"}, func(text string) bool { return ok(d.redeem(c, d.code(c, user), "code_verifier", text)) }},
		{"code", []string{"code"}, func(text string) bool { return ok(d.redeem(c, text)) }},
	}
	for _, p := range places {
		for name, text := range artefacts {
			if !slices.Contains(p.right, name) && p.try(text) {
				t.Errorf("the %s works as %s", name, p.name)
			}
		}
	}
	for _, p := range places {
		for _, name := range p.right {
			if !p.try(artefacts[name]) {
				t.Errorf("the %s does not work as %s", name, p.name)
			}
		}
	}
	// Revocation answers 200 to everything, so it is seen by what ended.
	for name, text := range artefacts {
		if !slices.Contains(bearers, name) && name != "refresh token" {
			d.revoke(c, text)
		}
	}
	d.wantSession(session, true)
	wantStatus(t, d.call(http.MethodGet, "/oauth/userinfo", tokens.str("access_token")), http.StatusOK)
	d.wantActive(api, access)
	d.wantActive(api, machine)
	d.mustRefresh(c, refresh)
	for _, token := range []string{machine, refresh} {
		wantStatus(t, d.revoke(c, token), http.StatusOK)
	}
	d.wantInactive(api, machine)
	d.wantInactive(api, access)
}

// A secret of one client, resource or user opens nothing of another one.
func TestSecretsOfOthersOpenNothing(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	made := d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "stock", "identifier": "urn:stock", "name": "Stock", "scopes": []obj{{"name": "stock:read"}}})
	resources := []client{d.api(), {"stock", made.str("secret")}}
	clients := []client{d.client("confidential"), d.client("service")}
	for i := range 2 {
		wantUnauthenticated(t, d.introspect(client{resources[i].id, resources[1-i].secret}, "x"))
		wantUnauthenticated(t, d.token(client{clients[i].id, clients[1-i].secret}, form("grant_type", "client_credentials")))
		wantStatus(t, d.introspect(resources[i], "x"), http.StatusOK)
		wantStatus(t, d.token(clients[i], form("grant_type", "client_credentials")), http.StatusOK)
	}
	for i := range 2 {
		d.user(fmt.Sprintf("user-%d", i), obj{"password": fmt.Sprintf("the password of user %d", i)})
	}
	for i := range 2 {
		wantError(t, d.login(clients[0], fmt.Sprintf("user-%d", i), "password", fmt.Sprintf("the password of user %d", 1-i)), http.StatusBadRequest, "invalid_grant")
	}
}
