package server_test

import (
	"net/http"
	"net/url"
	"testing"
)

// The main job, on every engine: a token by password, the route that it allows, the one that it does not, refresh,
// introspection, revocation, and nothing afterwards.
func TestMainJob(t *testing.T) {
	engines(t, func(t *testing.T, d *deployment) {
		app, api := d.client("confidential"), d.api()
		d.user("ada")

		issued := d.mustLogin(app, "ada")
		if issued.str("token_type") != "Bearer" || issued.json["expires_in"] != 900.0 || issued.str("scope") != "orders:read" {
			t.Errorf("token answer %s", issued.text)
		}
		access, refresh := issued.str("access_token"), issued.str("refresh_token")
		wantStatus(t, d.call(http.MethodGet, "/demo/orders", access), http.StatusOK)
		denied := d.call(http.MethodPost, "/demo/orders", access)
		wantError(t, denied, http.StatusForbidden, "insufficient_scope")
		if got := denied.header.Get("WWW-Authenticate"); got != `Bearer realm="demo-orders", error="insufficient_scope", error_description="the access token lacks orders:write", scope="orders:write"` {
			t.Logf("challenge: %s", got)
		}
		refreshed := d.refresh(app, refresh)
		wantStatus(t, refreshed, http.StatusOK)
		access = refreshed.str("access_token")

		facts := d.introspect(api, access)
		if facts.json["active"] != true || facts.str("username") != "ada" || facts.str("scope") != "orders:read" || facts.str("client_id") != app.id {
			t.Errorf("introspection %s", facts.text)
		}
		wantStatus(t, d.post("/oauth/revoke", app.id, app.secret, url.Values{"token": {access}}), http.StatusOK)
		wantError(t, d.call(http.MethodGet, "/demo/orders", access), http.StatusUnauthorized, "invalid_token")
		if got := d.introspect(api, access).text; got != `{"active":false}` {
			t.Errorf("introspection after revocation: %s", got)
		}
		wantError(t, d.refresh(app, refresh), http.StatusBadRequest, "invalid_grant")
	})
}
