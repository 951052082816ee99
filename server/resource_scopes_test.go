package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// A change of one scope needs no other: the rest of the list stays as it is, and so do the grants of all of them.
func TestScopesAreChangedOneByOne(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.api()
	c := d.client("confidential")
	d.user("ada")
	token := d.mustLogin(c, "ada", "scope", "orders:read orders:write").str("access_token")
	patch := func(body obj) string {
		t.Helper()
		var out struct {
			Scopes []struct {
				Name, Title, Description string
				Sensitive, Deprecated    bool
				Implies                  []string
			}
		}
		if err := json.Unmarshal([]byte(d.mustAdmin(http.MethodPatch, "/resources/demo-orders", body).text), &out); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, s := range out.Scopes {
			line := s.Name + "=" + s.Title
			if s.Sensitive {
				line += "!"
			}
			if s.Deprecated {
				line += "-"
			}
			lines = append(lines, line+">"+strings.Join(s.Implies, ","))
		}
		return strings.Join(lines, " | ")
	}
	for _, test := range []struct {
		body obj
		want string
	}{
		{obj{"add_scopes": []obj{{"name": "orders:cancel", "title": "Cancel", "implies": []string{"orders:read"}}}},
			"orders:read=See your orders> | orders:write=Place orders> | orders:cancel=Cancel>orders:read"},
		{obj{"edit_scopes": []obj{{"name": "orders:write", "title": "Order", "sensitive": true}}},
			"orders:read=See your orders> | orders:write=Order!> | orders:cancel=Cancel>orders:read"},
		{obj{"edit_scopes": []obj{{"name": "orders:write", "implies": []string{"orders:cancel"}}, {"name": "orders:cancel", "deprecated": true}}},
			"orders:read=See your orders> | orders:write=Order!>orders:cancel | orders:cancel=Cancel->orders:read"},
		{obj{"add_scopes": []obj{{"name": "orders:new"}}, "edit_scopes": []obj{{"name": "orders:write", "implies": []string{"orders:new"}}}, "remove_scopes": []string{"orders:cancel"}},
			"orders:read=See your orders> | orders:write=Order!>orders:new | orders:new=>"},
		{obj{"remove_scopes": []string{"orders:new"}},
			"orders:read=See your orders> | orders:write=Order!>"},
	} {
		if got := patch(test.body); got != test.want {
			t.Errorf("after %v\ngot  %s\nwant %s", test.body, got, test.want)
		}
	}
	if got := d.introspect(api, token).str("scope"); got != "orders:read orders:write" {
		t.Errorf("a token from before has %q: the scopes that stayed have other numbers", got)
	}
}

// A change that cannot be made is refused as a whole, with a reason that names what is wrong.
func TestScopeChangesAreAllOrNothing(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "stock", "identifier": "urn:stock", "name": "Stock", "scopes": []obj{{"name": "stock:read"}}})
	before := d.admin(http.MethodGet, "/resources/demo-orders", nil).text
	for _, test := range []struct {
		name   string
		body   obj
		status int
		field  string
	}{
		{"added again", obj{"add_scopes": []obj{{"name": "orders:new"}, {"name": "orders:read"}}}, http.StatusConflict, "add_scopes[1].name"},
		{"added twice", obj{"add_scopes": []obj{{"name": "orders:new"}, {"name": "orders:new"}}}, http.StatusConflict, "add_scopes[1].name"},
		{"added, but another's", obj{"add_scopes": []obj{{"name": "stock:read"}}}, http.StatusConflict, ""},
		{"added without a name", obj{"add_scopes": []obj{{"title": "x"}}}, http.StatusBadRequest, "scopes[2].name"},
		{"added as a family", obj{"add_scopes": []obj{{"name": "orders:*"}}}, http.StatusBadRequest, "scopes[2].name"},
		{"of administration", obj{"add_scopes": []obj{{"name": "admin:orders"}}}, http.StatusBadRequest, "scopes[2].name"},
		{"not there to change", obj{"edit_scopes": []obj{{"name": "orders:none", "title": "x"}}}, http.StatusNotFound, "edit_scopes[0].name"},
		{"not there to remove", obj{"name": "Other", "remove_scopes": []string{"orders:read", "orders:none"}}, http.StatusNotFound, "remove_scopes"},
		{"renamed", obj{"edit_scopes": []obj{{"name": "orders:read", "new_name": "orders:see"}}}, http.StatusBadRequest, "new_name"},
		{"implying itself", obj{"edit_scopes": []obj{{"name": "orders:read", "implies": []string{"orders:read"}}}}, http.StatusBadRequest, "scopes[0].implies"},
		{"implying another's", obj{"edit_scopes": []obj{{"name": "orders:read", "implies": []string{"stock:read"}}}}, http.StatusBadRequest, "scopes[0].implies"},
		{"in a circle", obj{"edit_scopes": []obj{{"name": "orders:read", "implies": []string{"orders:write"}}, {"name": "orders:write", "implies": []string{"orders:read"}}}}, http.StatusBadRequest, "scopes[0].implies"},
		{"a list of a string", obj{"remove_scopes": "orders:read"}, http.StatusBadRequest, "remove_scopes"},
		{"an algorithm without JWT", obj{"signing_alg": "RS256"}, http.StatusBadRequest, "signing_alg"},
		{"an algorithm with opaque", obj{"token_format": "opaque", "signing_alg": "RS256"}, http.StatusBadRequest, "signing_alg"},
		{"an unknown format", obj{"token_format": "saml"}, http.StatusBadRequest, "token_format"},
		{"an unknown algorithm", obj{"token_format": "jwt", "signing_alg": "none"}, http.StatusBadRequest, "signing_alg"},
	} {
		a := d.admin(http.MethodPatch, "/resources/demo-orders", test.body)
		if a.status != test.status || a.str("field") != test.field {
			t.Errorf("%s: got %d %s, want %d and the field %q", test.name, a.status, a.text, test.status, test.field)
		}
	}
	if after := d.admin(http.MethodGet, "/resources/demo-orders", nil).text; after != before {
		t.Errorf("refused changes changed something:\n%s\n%s", before, after)
	}
}

// A resource says in which format it wants its tokens, and an algorithm goes with the format that needs it.
func TestTokenFormatOfAResource(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	want := func(a answer, format, alg string) {
		t.Helper()
		if a.str("token_format") != format || a.str("signing_alg") != alg {
			t.Errorf("got %s %s, want %s %s", a.str("token_format"), a.str("signing_alg"), format, alg)
		}
	}
	want(d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "a", "identifier": "urn:a", "name": "A"}), "opaque", "")
	want(d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "b", "identifier": "urn:b", "name": "B", "token_format": "jwt"}), "jwt", "ES256")
	want(d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "c", "identifier": "urn:c", "name": "C", "token_format": "jwt", "signing_alg": "EdDSA"}), "jwt", "EdDSA")
	want(d.mustAdmin(http.MethodPatch, "/resources/c", obj{"name": "Other"}), "jwt", "EdDSA")
	want(d.mustAdmin(http.MethodPatch, "/resources/c", obj{"signing_alg": "RS256"}), "jwt", "RS256")
	want(d.mustAdmin(http.MethodPatch, "/resources/c", obj{"token_format": "opaque"}), "opaque", "")
	want(d.mustAdmin(http.MethodPatch, "/resources/c", obj{"token_format": "jwt"}), "jwt", "ES256")
	want(d.admin(http.MethodGet, "/resources/c", nil), "jwt", "ES256")
}
