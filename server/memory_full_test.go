package server_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// A Redis without room refuses new grants, as store trouble; introspection and every way of taking rights back go on
// working.
func TestRevocationWorksWhenTheStoreIsFull(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	d := deployRedis(t, redis.URL(), newRing(t))
	app, api := d.client("confidential"), d.api()
	d.user("ada")
	tokens := make([]answer, 3)
	for i := range tokens {
		tokens[i] = d.mustLogin(app, "ada")
	}
	machine := d.token(app, form("grant_type", "client_credentials", "scope", "orders:read"))
	if _, err := redis.Do("CONFIG", "SET", "maxmemory", "1"); err != nil {
		t.Fatal(err)
	}

	refused := d.token(app, form("grant_type", "client_credentials", "scope", "orders:read"))
	wantError(t, refused, http.StatusServiceUnavailable, "temporarily_unavailable")
	for _, issued := range tokens {
		if facts := d.introspect(api, issued.str("access_token")); facts.json["active"] != true {
			t.Fatalf("introspection of a live token: %d %s", facts.status, facts.text)
		}
	}
	for _, issued := range append(tokens, machine) {
		wantStatus(t, d.post("/oauth/revoke", app.id, app.secret, url.Values{"token": {issued.str("access_token")}}), http.StatusOK)
		if got := d.introspect(api, issued.str("access_token")).text; got != `{"active":false}` {
			t.Errorf("after its revocation: %s", got)
		}
	}
}

// What ends many grants at once marks a record first, and that mark must find room too: otherwise nobody could be logged
// out everywhere or shut out until Redis is given more memory.
func TestShuttingOutWorksWhenTheStoreIsFull(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	d := deployRedis(t, redis.URL(), newRing(t))
	app, api := d.client("confidential"), d.api()
	tokens := map[string]answer{}
	for _, name := range []string{"ada", "grace", "edith"} {
		d.user(name)
		tokens[name] = d.mustLogin(app, name)
	}
	if _, err := redis.Do("CONFIG", "SET", "maxmemory", "1"); err != nil {
		t.Fatal(err)
	}

	d.mustAdmin(http.MethodPost, "/users/ada/logout-everywhere", nil)
	d.mustAdmin(http.MethodPatch, "/users/grace", obj{"disabled": true})
	for _, name := range []string{"ada", "grace"} {
		if got := d.introspect(api, tokens[name].str("access_token")).text; got != `{"active":false}` {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := d.introspect(api, tokens["edith"].str("access_token")); got.json["active"] != true {
		t.Errorf("who was not shut out: %s", got.text)
	}
	d.mustAdmin(http.MethodPatch, "/clients/"+app.id, obj{"disabled": true})
	if got := d.introspect(api, tokens["edith"].str("access_token")).text; got != `{"active":false}` {
		t.Errorf("after the end of the client: %s", got)
	}
	if _, err := redis.Do("CONFIG", "SET", "maxmemory", "0"); err != nil {
		t.Fatal(err)
	}
	wantError(t, d.refresh(app, tokens["ada"].str("refresh_token")), http.StatusUnauthorized, "invalid_client")
}
