package server_test

import (
	"net/http"
	"testing"
)

// A client that is registered for a family may ask for each of its scopes, those that come later too; never for the
// family itself, and it gets none of them unasked.
func TestFamilyInTheListOfAClient(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.api()
	c := d.client("confidential", obj{"scopes": []string{"orders:*"}})
	d.user("ada")
	access, _ := d.mustLogin(c, "ada", "scope", "orders:read orders:write").tokens()
	if got := d.introspect(api, access).str("scope"); got != "orders:read orders:write" {
		t.Errorf("introspected with %q", got)
	}
	for _, scope := range []string{"orders:*", "orders:later", "account:read", "orders:read orders:*"} {
		wantError(t, d.login(c, "ada", "scope", scope), http.StatusBadRequest, "invalid_scope")
	}
	wantError(t, d.token(c, form("grant_type", "client_credentials")), http.StatusBadRequest, "invalid_scope")
	d.mustAdmin(http.MethodPatch, "/resources/demo-orders", obj{"add_scopes": []obj{{"name": "orders:later"}}})
	if got := d.mustLogin(c, "ada", "scope", "orders:later").str("scope"); got != "orders:later" {
		t.Errorf("granted %q", got)
	}

	// Taking the family away takes all of it, at once.
	d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"add_scopes": []string{"orders:read"}, "remove_scopes": []string{"orders:*"}})
	if got := d.introspect(api, access).str("scope"); got != "orders:read" {
		t.Errorf("without the family the token has %q", got)
	}
	wantError(t, d.login(c, "ada", "scope", "orders:write"), http.StatusBadRequest, "invalid_scope")
}

// What is said of a family must be true: one that has nothing in it is a typing error, and a scope is not taken away by
// its name while the family still gives it.
func TestFamiliesThatWouldDeceive(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential", obj{"scopes": []string{"orders:*", "orders:read"}})
	for name, body := range map[string]obj{
		"nothing in it":            {"add_scopes": []string{"ordres:*"}},
		"no beginning":             {"add_scopes": []string{":*"}},
		"everything":               {"add_scopes": []string{"*"}},
		"half a word":              {"add_scopes": []string{"ord*"}},
		"one of its scopes":        {"remove_scopes": []string{"orders:write"}},
		"one that is listed too":   {"remove_scopes": []string{"orders:read"}},
		"administration of others": {"add_scopes": []string{"admin:*"}},
	} {
		if a := d.admin(http.MethodPatch, "/clients/"+c.id, body); a.status != http.StatusBadRequest || a.str("error") != "invalid_request" {
			t.Errorf("%s: got %d %s, want 400 invalid_request", name, a.status, a.text)
		}
	}
}

// The family of administration is handed out only by who has all of it, to a client of our own.
func TestFamilyOfAdministrationIsHandedOutByWhoHasAllOfIt(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	const registration = `{"name":"x","type":"service","first_party":true,"grant_types":["client_credentials"],"scopes":["admin:*"]}`
	some := d.administrator("admin:clients", "admin:users", "admin:resources", "admin:tokens")
	all := d.administrator("admin:clients", "admin:users", "admin:resources", "admin:tokens", "admin:keys")
	wantError(t, d.callJSON(http.MethodPost, "/api/v1/clients", some, registration), http.StatusForbidden, "access_denied")
	made := d.callJSON(http.MethodPost, "/api/v1/clients", all, registration)
	wantStatus(t, made, http.StatusCreated)
	wantStatus(t, d.callJSON(http.MethodPost, "/api/v1/clients/"+made.str("client_id")+"/secrets", all, `{}`), http.StatusCreated)
	wantError(t, d.callJSON(http.MethodPost, "/api/v1/clients/"+made.str("client_id")+"/secrets", some, `{}`), http.StatusForbidden, "access_denied")
	wantError(t, d.admin(http.MethodPost, "/clients", obj{"name": "x", "type": "service", "grant_types": []string{"client_credentials"}, "scopes": []string{"admin:*"}}),
		http.StatusBadRequest, "invalid_request")

	c := client{made.str("client_id"), made.str("client_secret")}
	wantError(t, d.token(c, form("grant_type", "client_credentials", "scope", "admin:*")), http.StatusBadRequest, "invalid_scope")
	issued := d.token(c, form("grant_type", "client_credentials", "scope", "admin:users"))
	wantStatus(t, issued, http.StatusOK)
	wantStatus(t, d.call(http.MethodGet, "/api/v1/users", issued.str("access_token")), http.StatusOK)
	wantError(t, d.call(http.MethodGet, "/api/v1/clients", issued.str("access_token")), http.StatusForbidden, "insufficient_scope")
}
