package server_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/users"
)

// machine asks for a machine's token with the headers given as names and values in turn.
func (d *deployment) machine(body []string, headers ...string) answer {
	d.t.Helper()
	return d.send(http.MethodPost, "/oauth/token", formType, form(append([]string{"grant_type", "client_credentials"}, body...)...).Encode(), headers...)
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// wantUnauthenticated checks RFC 6749 §5.2: 401 invalid_client, with a challenge for the scheme that clients use.
func wantUnauthenticated(t testing.TB, a answer) {
	t.Helper()
	wantError(t, a, http.StatusUnauthorized, "invalid_client")
	if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic ") {
		t.Fatalf("WWW-Authenticate %q, want Basic", got)
	}
}

// RFC 6749 §5.2: a client that does not prove who it is gets 401 invalid_client, whatever is wrong.
func TestClientsMustProveWhoTheyAre(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, other := d.client("confidential"), d.client("confidential")
	inBody := d.client("confidential", obj{"auth_method": "client_secret_post"})
	upper := strings.ToUpper(c.secret)
	for what, header := range map[string]string{
		"an empty secret": basic(c.id, ""), "a wrong secret": basic(c.id, "wrong"), "another client's secret": basic(c.id, other.secret),
		"a longer secret": basic(c.id, c.secret+"x"), "a shorter secret": basic(c.id, c.secret[:len(c.secret)-1]), "a secret in capitals": basic(c.id, upper),
		"a huge secret": basic(c.id, strings.Repeat("x", 9000)), "an id in capitals": basic(strings.ToUpper(c.id), c.secret),
		"a blank behind the id": basic(c.id+"+", c.secret), "an unknown id": basic("none-such", c.secret), "an empty id": basic("", c.secret),
		"no colon": "Basic " + base64.StdEncoding.EncodeToString([]byte(c.id)), "no base64": "Basic %%%", "nothing": "Basic ", "the scheme alone": "Basic",
		"an empty header": "", "another scheme": "Bearer " + c.secret, "digest": `Digest username="` + c.id + `"`,
		"broken percent-encoding": basic(c.id, "%zz"), "broken UTF-8": basic(c.id, "\xff"), "NUL": basic(c.id, "%00"), "NUL in the id": basic(c.id+"%00", c.secret),
		"an id of strange characters": basic("%3A%25+%26%C3%A9", "%3A%25+%26%C3%A9"),
	} {
		a := d.machine(nil, "Authorization", header)
		if a.status != http.StatusUnauthorized || a.str("error") != "invalid_client" {
			t.Errorf("%s: %d %s, want 401 invalid_client", what, a.status, a.text)
			continue
		}
		wantUnauthenticated(t, a)
	}
	for what, body := range map[string][]string{
		"nothing": nil, "an id alone": {"client_id", inBody.id}, "a secret alone": {"client_secret", inBody.secret},
		"an empty secret": {"client_id", inBody.id, "client_secret", ""}, "a wrong secret": {"client_id", inBody.id, "client_secret", "wrong"},
		"another client's secret": {"client_id", inBody.id, "client_secret", c.secret},
	} {
		a := d.machine(body)
		if a.status != http.StatusUnauthorized || a.str("error") != "invalid_client" {
			t.Errorf("in the body, %s: %d %s, want 401 invalid_client", what, a.status, a.text)
		}
	}
	wantStatus(t, d.machine(nil, "Authorization", basic(c.id, c.secret)), http.StatusOK)
	wantStatus(t, d.machine([]string{"client_id", inBody.id, "client_secret", inBody.secret}), http.StatusOK)
}

// A client that does not exist must not be told from a wrong secret: not by body, status or headers, and not by the time
// taken, for which the looks at the store stand.
func TestUnknownClientsLookLikeWrongSecrets(t *testing.T) {
	t.Parallel()
	d, watched := deployWatched(t)
	c, api := d.client("confidential"), d.api()
	d.user("ada")
	ask := func(path, id, secret string) answer {
		return d.post(path, id, secret, form("grant_type", "password", "username", "ada", "password", password, "token", "x"))
	}
	for path, caller := range map[string]client{"/oauth/token": c, "/oauth/revoke": c, "/oauth/introspect": api} {
		wantStatus(t, ask(path, caller.id, caller.secret), http.StatusOK)
		watched.settled(t, func() { ask(path, caller.id, "wrong") }, 1)
		var wrong, unknown answer
		wrongReads, wrongWrites := watched.during(func() { wrong = ask(path, caller.id, "wrong") })
		unknownReads, unknownWrites := watched.during(func() { unknown = ask(path, "none-such", "wrong") })
		wantUnauthenticated(t, unknown)
		if wrongReads != unknownReads || wrongWrites+unknownWrites != 0 {
			t.Errorf("%s: a wrong secret takes %d reads and %d writes, an unknown client %d and %d", path, wrongReads, wrongWrites, unknownReads, unknownWrites)
		}
		for _, a := range []answer{wrong, unknown} {
			for _, differs := range []string{"X-Request-Id", "Date"} {
				a.header.Del(differs)
			}
		}
		wrong.json["request_id"] = unknown.json["request_id"]
		if wrong.status != unknown.status || !maps.Equal(wrong.json, unknown.json) || !maps.EqualFunc(wrong.header, unknown.header, func(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }) {
			t.Errorf("%s:\nwrong secret   %d %v %s\nunknown client %d %v %s", path, wrong.status, wrong.header, wrong.text, unknown.status, unknown.header, unknown.text)
		}
	}
}

// RFC 6749 §2.3: a client must not use more than one method in a request.
func TestTwoWaysOfAuthenticationAreRefused(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	good := basic(c.id, c.secret)
	assertion := []string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", "e30.e30."}
	for what, a := range map[string]answer{
		"Basic and body":          d.machine([]string{"client_id", c.id, "client_secret", c.secret}, "Authorization", good),
		"Basic and a bare secret": d.machine([]string{"client_secret", c.secret}, "Authorization", good),
		"Basic and assertion":     d.machine(assertion, "Authorization", good),
		"body and assertion":      d.machine(append(assertion, "client_id", c.id, "client_secret", c.secret)),
		"two headers":             d.machine(nil, "Authorization", good, "Authorization", good),
		"two different headers":   d.machine(nil, "Authorization", good, "Authorization", "Bearer x"),
		"another client_id":       d.machine([]string{"client_id", "other"}, "Authorization", good),
	} {
		if a.status != http.StatusBadRequest || a.str("error") != "invalid_request" {
			t.Errorf("%s: %d %s, want 400 invalid_request", what, a.status, a.text)
		}
	}
	wantUnauthenticated(t, d.machine(append(assertion, "client_id", c.id)))
	// Repeating the id is no second method, and many clients do it.
	wantStatus(t, d.machine([]string{"client_id", c.id}, "Authorization", good), http.StatusOK)
}

// CVE-2026-16093: a client is only let in by the method that it is registered for.
func TestOnlyTheRegisteredMethodCounts(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	byBasic, byPost := d.client("confidential"), d.client("confidential", obj{"auth_method": "client_secret_post"})
	public := d.app()
	wantUnauthenticated(t, d.machine([]string{"client_id", byBasic.id, "client_secret", byBasic.secret}))
	wantUnauthenticated(t, d.machine(nil, "Authorization", basic(byPost.id, byPost.secret)))
	for _, a := range []answer{
		d.revoke(client{public.id, "x"}, "x"), d.post("/oauth/revoke", public.id, "", form("token", "x")),
		d.post("/oauth/revoke", "", "", form("token", "x", "client_id", public.id, "client_secret", "x")),
	} {
		wantUnauthenticated(t, a)
	}
	wantStatus(t, d.revoke(public, "x"), http.StatusOK)
}

// RFC 6749 §2.3.1: id and secret are form-encoded before they are joined; RFC 9110 §11.1: the scheme has no case.
func TestBasicCredentialsAreFormDecoded(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	encoded := base64.StdEncoding.EncodeToString([]byte(spellOut(c.id) + ":" + spellOut(c.secret)))
	for _, scheme := range []string{"Basic ", "basic ", "BASIC ", "Basic   "} {
		wantStatus(t, d.machine(nil, "Authorization", scheme+encoded), http.StatusOK)
	}
}

// RFC 6749 §4.4 and §10.1: a client that proves nothing acts for nobody, and a client that must prove who it is cannot
// be registered without a secret.
func TestPublicClientsNeverActForThemselves(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	public := d.app()
	wantError(t, d.token(public, form("grant_type", "client_credentials")), http.StatusBadRequest, "unauthorized_client")
	for _, in := range []obj{
		{"name": "a", "type": "public", "grant_types": []string{"client_credentials"}},
		{"name": "b", "type": "public", "auth_method": "client_secret_basic", "grant_types": []string{"refresh_token", "authorization_code"}, "redirect_uris": []string{"https://a.example/"}},
		{"name": "c", "type": "confidential", "auth_method": "none", "grant_types": []string{"client_credentials"}},
		{"name": "d", "type": "service", "auth_method": "none", "grant_types": []string{"client_credentials"}},
	} {
		wantError(t, d.admin(http.MethodPost, "/clients", in), http.StatusBadRequest, "invalid_request")
	}
	wantError(t, d.admin(http.MethodPost, "/clients/"+public.id+"/secrets", obj{}), http.StatusBadRequest, "invalid_request")
	c := d.client("confidential")
	secrets := d.mustAdmin(http.MethodGet, "/clients/"+c.id, nil).json["secrets"].([]any)
	only := secrets[0].(obj)["id"].(string)
	wantError(t, d.admin(http.MethodDelete, "/clients/"+c.id+"/secrets/"+only, nil), http.StatusBadRequest, "invalid_request")
	wantError(t, d.admin(http.MethodPatch, "/clients/"+c.id, obj{"auth_method": "none"}), http.StatusBadRequest, "invalid_request")
}

// Secrets are changed without a pause: old and new work side by side, the old one not a moment after its end.
func TestSecretsRotateWithoutAPause(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential", obj{"secret_lifetime": "1h"})
	added := d.mustAdmin(http.MethodPost, "/clients/"+c.id+"/secrets", obj{})
	next := client{c.id, added.str("secret")}
	for _, each := range []client{c, next} {
		wantStatus(t, d.token(each, form("grant_type", "client_credentials")), http.StatusOK)
	}
	d.clock.Advance(time.Hour)
	wantUnauthenticated(t, d.token(c, form("grant_type", "client_credentials")))
	wantStatus(t, d.token(next, form("grant_type", "client_credentials")), http.StatusOK)

	third := d.mustAdmin(http.MethodPost, "/clients/"+c.id+"/secrets", obj{}).str("secret")
	d.mustAdmin(http.MethodDelete, "/clients/"+c.id+"/secrets/"+added.str("id"), nil)
	wantUnauthenticated(t, d.token(next, form("grant_type", "client_credentials")))
	wantStatus(t, d.token(client{c.id, third}, form("grant_type", "client_credentials")), http.StatusOK)
}

// RFC 6749 §5.2: a client that may not use a grant is told so, and nobody guesses passwords through it: no password is
// looked at, and the account's failures are not counted, before client and grant are known to be good.
func TestPasswordsAreNotLookedAtForTheWrongClient(t *testing.T) {
	t.Parallel()
	var hasher *users.Hasher
	d := deployBolt(t, hashes(&hasher))
	good, service := d.client("confidential"), d.client("service")
	without := d.client("confidential", obj{"grant_types": []string{"client_credentials"}})
	disabled := d.client("confidential")
	d.mustAdmin(http.MethodPatch, "/clients/"+disabled.id, obj{"disabled": true})
	d.user("ada")
	before := hasher.Computed()
	guess := form("grant_type", "password", "username", "ada", "password", "a wrong password")
	for range 40 { // more than an account and a network are allowed
		wantError(t, d.token(without, guess), http.StatusBadRequest, "unauthorized_client")
		wantError(t, d.token(service, guess), http.StatusBadRequest, "unauthorized_client")
		for _, c := range []client{{good.id, "wrong"}, {"none-such", "wrong"}, disabled, {without.id, "wrong"}} {
			wantUnauthenticated(t, d.token(c, guess))
		}
	}
	if got := hasher.Computed() - before; got != 0 {
		t.Errorf("%d passwords were hashed for clients that may not log in", got)
	}
	d.mustLogin(good, "ada")
}

// What a client may do is read from its registration at each request.
func TestGrantTypesOfAClientAreItsRegistration(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	d.user("ada")
	forms := tokenForms(d, c, "ada")
	for grantType, fields := range forms {
		kept := []string{"password", "client_credentials"}
		if grantType == "password" {
			kept = []string{"client_credentials"}
		} else if grantType == "client_credentials" {
			kept = []string{"password", "refresh_token"}
		}
		d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"grant_types": kept})
		a := d.send(http.MethodPost, "/oauth/token", formType, encode(fields), "Authorization", basic(c.id, c.secret))
		wantError(t, a, http.StatusBadRequest, "unauthorized_client")
	}
}

// The number of clients and tokens that are refused leaves no trace in the store: who is not known cannot fill it.
func TestRefusedRequestsWriteNothing(t *testing.T) {
	t.Parallel()
	d, watched := deployWatched(t)
	api := d.api()
	_, writes := watched.during(func() {
		for range 20 {
			d.machine(nil, "Authorization", basic("none-such", "x"))
			d.login(client{"none-such", "x"}, "ada")
			d.introspect(api, "garbage")
			d.revoke(client{"none-such", ""}, "garbage")
			d.call(http.MethodGet, "/api/v1/me", "garbage")
			d.call(http.MethodPost, "/nowhere", "")
		}
	})
	if writes != 0 {
		t.Errorf("refused requests wrote %d times", writes)
	}
}

// What is written for a guess is bounded: a network that has failed too often writes no more, whatever names it tries.
func TestLimitedNetworksWriteNothing(t *testing.T) {
	t.Parallel()
	d, watched := deployWatched(t)
	c := d.app()
	guess := func(n int) {
		for i := range n {
			d.token(c, form("grant_type", "password", "username", fmt.Sprintf("nobody-%d-%d", n, i), "password", "a wrong password"))
		}
	}
	guess(30)
	if _, writes := watched.during(func() { guess(50) }); writes != 0 {
		t.Errorf("a limited network wrote %d times", writes)
	}
}
