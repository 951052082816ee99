package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// administrator is a client of our own with some scopes of administration, and its token.
func (d *deployment) administrator(scopes ...string) string {
	d.t.Helper()
	c := d.client("service", obj{"scopes": scopes, "first_party": true})
	issued := d.token(c, form("grant_type", "client_credentials", "scope", strings.Join(scopes, " ")))
	wantStatus(d.t, issued, http.StatusOK)
	return issued.str("access_token")
}

func (d *deployment) callJSON(method, path, token, body string) answer {
	d.t.Helper()
	r := d.request(method, path, "application/json", body)
	r.Header.Set("Authorization", "Bearer "+token)
	return d.do(r)
}

// Who administers clients alone cannot make, change or take over a client that administers more.
func TestAdministrationIsNotHandedOutByWhoLacksIt(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	token := d.administrator("admin:clients")
	powerful := d.client("service", obj{"scopes": []string{"admin:users"}, "first_party": true})
	for name, a := range map[string]answer{
		"make":      d.callJSON(http.MethodPost, "/api/v1/clients", token, `{"name":"x","type":"service","first_party":true,"grant_types":["client_credentials"],"scopes":["admin:users"]}`),
		"change":    d.callJSON(http.MethodPatch, "/api/v1/clients/"+powerful.id, token, `{"name":"y"}`),
		"take over": d.callJSON(http.MethodPost, "/api/v1/clients/"+powerful.id+"/secrets", token, `{}`),
	} {
		if a.status != http.StatusForbidden {
			t.Errorf("%s: got %d %s, want 403", name, a.status, a.text)
		}
	}
	wantStatus(t, d.callJSON(http.MethodPost, "/api/v1/clients", token, `{"name":"x","type":"service","grant_types":["client_credentials"],"scopes":["orders:read"]}`), http.StatusCreated)
	wantStatus(t, d.callJSON(http.MethodPost, "/api/v1/clients", token, `{"name":"x","type":"service","first_party":true,"grant_types":["client_credentials"],"scopes":["admin:clients"]}`), http.StatusCreated)
}

// The built-in API cannot be changed: the server could not start, or could not be administered, any more.
func TestTheBuiltInAPICannotBeChanged(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	for _, body := range []obj{{"disabled": true}, {"scopes": []obj{{"name": "account:read"}}}, {"name": "Mine"}} {
		wantError(t, d.admin(http.MethodPatch, "/resources/safeconduct", body), http.StatusBadRequest, "invalid_request")
	}
}

// RFC 9700 §4.15: no client can be named so that its own tokens pass for a user's.
func TestAClientCannotBeNamedLikeAUser(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	id := d.user("ada")
	for _, name := range []string{id, strings.ReplaceAll(id, "-", ""), "operator"} {
		a := d.admin(http.MethodPost, "/clients", obj{"client_id": name, "name": "x", "type": "service", "grant_types": []string{"client_credentials"}})
		wantError(t, a, http.StatusBadRequest, "invalid_request")
	}
}
