package server_test

import (
	"net/http"
	"testing"
)

// What `safeconduct dev` shows first: somebody signs in at a demo app, allows a part, sees what the app can do with it, and
// takes it back.
func TestTheDemoAppShowsTheMainJob(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada", obj{"name": "Ada Lovelace"})
	d.client("public", obj{"client_id": "demo-web", "name": "Parchment Orders", "first_party": false, "grant_types": []string{"authorization_code"},
		"redirect_uris": []string{d.url + "/demo/app/callback"}, "scopes": []string{"openid", "profile", "orders:read", "orders:write"}})
	ada := d.person()

	ada.open("/demo/app").wants(t, http.StatusOK, "Sign in with Safeconduct")
	consent := ada.login(ada.open("/demo/app/start"), "ada").wants(t, http.StatusOK, "Parchment Orders")
	shown := ada.allow(consent, "-scope", "orders:write").wants(t, http.StatusOK, "Hello Ada Lovelace")
	shown.wants(t, http.StatusOK, "letter of safe-conduct")
	shown.wants(t, http.StatusOK, "insufficient_scope")

	ada.submit(ada.open("/account/apps").wants(t, http.StatusOK, "Parchment Orders"), "/account/apps/revoke")
	if page := ada.open("/account/apps"); len(page.words()) == 0 || page.status != http.StatusOK {
		t.Errorf("apps: %d", page.status)
	}

	// RFC 6749 §10.12: an answer that the app did not ask for is not taken.
	ada.open("/demo/app/callback?code=x&state=y&iss="+d.url).wants(t, http.StatusOK, "not for a question of mine")
	declined := ada.submit(ada.open("/demo/app/start"), "/consent", "decision", "deny")
	declined.wants(t, http.StatusOK, "You did not allow it")
}
