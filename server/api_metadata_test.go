package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// What a client registers for its users (OIDC Registration §2, RP-Initiated Logout §3.1, Back-Channel Logout §2.2) comes
// back by the names of those documents, and each part can be changed without the others.
func TestClientMetadataForUsers(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	made := d.mustAdmin(http.MethodPost, "/clients", obj{
		"name": "Shop", "type": "confidential", "grant_types": []string{"authorization_code", "refresh_token"}, "redirect_uris": []string{callback},
		"scopes": []string{"orders:read", "orders:write"}, "required_scopes": []string{"orders:read"}, "client_uri": "https://shop.example/",
		"post_logout_redirect_uris": []string{"https://shop.example/out"}, "backchannel_logout_uri": "https://shop.example/logout",
		"backchannel_logout_session_required": true, "id_token_signed_response_alg": "ES256", "pkce": "optional",
	})
	path := "/clients/" + made.str("client_id")
	holds := func(members ...string) {
		t.Helper()
		shown := d.mustAdmin(http.MethodGet, path, nil)
		for _, member := range members {
			if !strings.Contains(shown.text, member) {
				t.Errorf("%s is not in %s", member, shown.text)
			}
		}
	}
	holds(`"required_scopes":["orders:read"]`, `"client_uri":"https://shop.example/"`, `"post_logout_redirect_uris":["https://shop.example/out"]`,
		`"backchannel_logout_uri":"https://shop.example/logout"`, `"backchannel_logout_session_required":true`, `"id_token_signed_response_alg":"ES256"`, `"pkce":"optional"`)
	for _, change := range []obj{
		{"client_uri": "https://shop.example/new"}, {"post_logout_redirect_uris": []string{}}, {"backchannel_logout_uri": "http://127.0.0.1:9/out"},
		{"backchannel_logout_session_required": false}, {"id_token_signed_response_alg": ""}, {"required_scopes": []string{"orders:read", "orders:write"}}, {"pkce": ""},
	} {
		d.mustAdmin(http.MethodPatch, path, change)
	}
	holds(`"required_scopes":["orders:read","orders:write"]`, `"client_uri":"https://shop.example/new"`, `"post_logout_redirect_uris":[]`,
		`"backchannel_logout_uri":"http://127.0.0.1:9/out"`, `"backchannel_logout_session_required":false`)
	for field, value := range map[string]any{
		"client_uri": "javascript:alert(1)", "backchannel_logout_uri": "http://10.0.0.1/", "id_token_signed_response_alg": "none", "pkce": "never",
		"post_logout_redirect_uris[0]": nil, "required_scopes[0]": nil,
	} {
		change := obj{field: value}
		if name, isList := strings.CutSuffix(field, "[0]"); isList {
			change = obj{name: []string{"data:x"}}
		}
		a := d.admin(http.MethodPatch, path, change)
		if a.status != http.StatusBadRequest || !strings.Contains(a.text, `"`+field+`"`) {
			t.Errorf("%s: %d %s", field, a.status, a.text)
		}
	}
}

// Taking a scope away must not fail because users could not leave it out.
func TestARequiredScopeCanBeTakenAway(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential", obj{"required_scopes": []string{"orders:read", "orders:write"}})
	a := d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"remove_scopes": []string{"orders:write"}})
	if !strings.Contains(a.text, `"required_scopes":["orders:read"]`) {
		t.Errorf("got %s", a.text)
	}
	a = d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"scopes": []string{"orders:write"}})
	if !strings.Contains(a.text, `"required_scopes":[]`) {
		t.Errorf("got %s", a.text)
	}
}

// A new address is not verified unless it is said so along with it.
func TestEmailVerifiedFollowsTheEmail(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	verified := func(a answer) bool { return strings.Contains(a.text, `"email_verified":true`) }
	a := d.mustAdmin(http.MethodPost, "/users", obj{"username": "zoe", "email": "z@example.org", "email_verified": true})
	if !verified(a) {
		t.Errorf("created: %s", a.text)
	}
	path := "/users/" + a.str("id")
	for _, step := range []struct {
		change obj
		want   bool
	}{
		{obj{"name": "Zoe"}, true},
		{obj{"email": "zoe@example.org"}, false},
		{obj{"email_verified": true}, true},
		{obj{"email": "z@example.org", "email_verified": true}, true},
		{obj{"email_verified": false}, false},
	} {
		if a := d.mustAdmin(http.MethodPatch, path, step.change); verified(a) != step.want {
			t.Errorf("%v: %s", step.change, a.text)
		}
	}
	if a := d.admin(http.MethodPost, "/users", obj{"username": "yan", "email_verified": true}); a.status != http.StatusBadRequest || !strings.Contains(a.text, `"email_verified"`) {
		t.Errorf("no address: %d %s", a.status, a.text)
	}
}
