package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// give sends a JSON body to our own API with a token.
func (d *deployment) give(method, path, token string, body obj) answer {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.send(method, "/api/v1"+path, "application/json", string(text), "Authorization", "Bearer "+token)
}

// items are the members of a list.
func (a answer) items() []obj {
	var out []obj
	all, _ := a.json["items"].([]any)
	for _, item := range all {
		out = append(out, item.(obj))
	}
	return out
}

// account logs a user in through a client that may manage accounts, with further scopes.
func (d *deployment) account(name string, more ...string) string {
	d.t.Helper()
	asked := append([]string{"account:read", "account:manage"}, more...)
	c := d.client("confidential", obj{"first_party": true, "scopes": asked})
	return d.mustLogin(c, name, "scope", strings.Join(asked, " ")).str("access_token")
}

func keyOf(scopes ...string) obj { return obj{"name": "script", "scopes": scopes} }

// A key made through the API does what it says until its end or its revocation, after either word for it, and only the
// answer that made it shows it.
func TestTheAPIMakesPersonalAccessTokens(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	id := d.user("ada")
	api, token := d.api(), d.account("ada", "orders:read")
	made := d.give(http.MethodPost, "/me/tokens", token, obj{"name": "backup script", "scopes": []string{"orders:read", "account:read"}, "lifetime": "7d"})
	wantStatus(t, made, http.StatusCreated)
	key := made.str("token")
	if !strings.HasPrefix(key, "sck_") || made.str("name") != "backup script" || made.str("expires") != noon.Add(7*24*time.Hour).Format(time.RFC3339) {
		t.Errorf("made: %s", made.text)
	}
	d.wantActive(api, key)
	for _, word := range []string{"Bearer ", "Api-Key ", "api-key "} {
		wantStatus(t, d.send(http.MethodGet, "/demo/orders", "", "", "Authorization", word+key), http.StatusOK)
		wantStatus(t, d.send(http.MethodPost, "/demo/orders", "", "", "Authorization", word+key), http.StatusForbidden)
		if me := d.send(http.MethodGet, "/api/v1/me", "", "", "Authorization", word+key); me.str("id") != id {
			t.Errorf("me: %s", me.text)
		}
	}
	wantStatus(t, d.send(http.MethodGet, "/demo/orders", "", "", "Authorization", "Api-Key "+token), http.StatusUnauthorized)

	other := d.give(http.MethodPost, "/me/tokens", token, keyOf("orders:read"))
	wantStatus(t, other, http.StatusCreated)
	if other.str("expires") != noon.Add(30*24*time.Hour).Format(time.RFC3339) {
		t.Errorf("a key without a lifetime: %s", other.text)
	}
	for _, a := range []answer{d.call(http.MethodGet, "/api/v1/me/tokens", token), d.mustAdmin(http.MethodGet, "/users/ada/tokens", nil)} {
		found := a.items()
		if len(found) != 2 || strings.Contains(a.text, "sck_") || strings.Contains(a.text, key[len(key)-20:]) {
			t.Fatalf("listed: %s", a.text)
		}
		at := slices.IndexFunc(found, func(k obj) bool { return k["id"] == made.str("id") })
		if at < 0 || found[at]["name"] != "backup script" || fmt.Sprint(found[at]["scopes"]) != "[account:read orders:read]" || found[at]["last_used"] == nil || found[1-at]["last_used"] != nil {
			t.Errorf("listed: %s", a.text)
		}
	}

	path := "/api/v1/me/tokens/" + made.str("id")
	wantStatus(t, d.call(http.MethodDelete, path, token), http.StatusNoContent)
	d.wantInactive(api, key)
	wantStatus(t, d.call(http.MethodGet, "/demo/orders", key), http.StatusUnauthorized)
	wantError(t, d.call(http.MethodDelete, path, token), http.StatusNotFound, "not_found")
	if a := d.call(http.MethodGet, "/api/v1/me/tokens", token); len(a.items()) != 1 {
		t.Errorf("listed after the revocation: %s", a.text)
	}
	d.clock.Advance(30*24*time.Hour - time.Second)
	d.wantActive(api, other.str("token"))
	d.clock.Advance(time.Second)
	d.wantInactive(api, other.str("token"))
	if a := d.mustAdmin(http.MethodGet, "/users/ada/tokens", nil); len(a.items()) != 0 {
		t.Errorf("listed after its end: %s", a.text)
	}
	if log := d.log.String(); strings.Contains(log, "sck_") || strings.Count(log, `"token.create"`) != 2 || strings.Count(log, `"token.revoke"`) != 1 {
		t.Error("the log shows a key, or not who made and revoked one")
	}
}

// A token makes no key that can do more than itself, whatever its user could do: else an app that was lent a little would
// help itself to the rest.
func TestAKeyCanDoNoMoreThanTheTokenThatMadeIt(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("root", obj{"admin": true})
	app := d.client("confidential", obj{"scopes": []string{"account:manage", "orders:read", "orders:write"}})
	token := d.mustLogin(app, "ada", "scope", "account:manage orders:read").str("access_token")
	wantStatus(t, d.give(http.MethodPost, "/me/tokens", token, keyOf("orders:read")), http.StatusCreated)
	wantStatus(t, d.give(http.MethodPost, "/me/tokens", token, keyOf("orders:read", "account:manage")), http.StatusCreated)
	for _, scopes := range [][]string{{"orders:write"}, {"orders:read", "orders:write"}, {"account:read"}, {"admin:users"}, {"openid"}, {"nosuch"}, {"orders:*"}, {""}} {
		wantError(t, d.give(http.MethodPost, "/me/tokens", token, keyOf(scopes...)), http.StatusForbidden, "access_denied")
	}
	// A narrowed token is as narrow here as elsewhere.
	tokens := d.mustLogin(app, "ada", "scope", "account:manage orders:read orders:write")
	wantStatus(t, d.give(http.MethodPost, "/me/tokens", tokens.str("access_token"), keyOf("orders:write")), http.StatusCreated)
	if refresh := tokens.str("refresh_token"); refresh != "" {
		narrow := d.refresh(app, refresh, "scope", "account:manage").str("access_token")
		wantError(t, d.give(http.MethodPost, "/me/tokens", narrow, keyOf("orders:write")), http.StatusForbidden, "access_denied")
	}
	// Administration: who is no administrator has none to give, and an administrator gives what the token has.
	c := d.client("confidential", obj{"first_party": true, "scopes": []string{"account:manage", "admin:users", "admin:clients"}})
	root := d.mustLogin(c, "root", "scope", "account:manage admin:users").str("access_token")
	wantError(t, d.give(http.MethodPost, "/me/tokens", root, keyOf("admin:clients")), http.StatusForbidden, "access_denied")
	made := d.give(http.MethodPost, "/me/tokens", root, keyOf("admin:users"))
	wantStatus(t, made, http.StatusCreated)
	wantStatus(t, d.call(http.MethodGet, "/api/v1/users", made.str("token")), http.StatusOK)
	wantStatus(t, d.call(http.MethodGet, "/api/v1/clients", made.str("token")), http.StatusForbidden)
	d.mustAdmin(http.MethodPatch, "/users/root", obj{"admin": false})
	wantStatus(t, d.call(http.MethodGet, "/api/v1/users", made.str("token")), http.StatusUnauthorized)
}

// What is implied by a token's scopes may go into a key: it has that right.
func TestAKeyMayHaveWhatItsMakersScopesImply(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "stock", "identifier": "urn:stock", "name": "Stock", "scopes": []obj{
		{"name": "stock:read"}, {"name": "stock:write", "implies": []string{"stock:read"}}, {"name": "stock:old", "deprecated": true},
	}})
	writer, reader := d.account("ada", "stock:write", "stock:old"), d.account("ada", "stock:read")
	wantStatus(t, d.give(http.MethodPost, "/me/tokens", writer, keyOf("stock:read")), http.StatusCreated)
	wantError(t, d.give(http.MethodPost, "/me/tokens", reader, keyOf("stock:write")), http.StatusForbidden, "access_denied")
	wantError(t, d.give(http.MethodPost, "/me/tokens", writer, keyOf("stock:old")), http.StatusBadRequest, "invalid_request")
	// The same of a signed token, which says itself what it is good for.
	d.mustAdmin(http.MethodPatch, "/resources/stock", obj{"token_format": "jwt"})
	writer, reader = d.account("ada", "stock:write"), d.account("ada", "stock:read")
	if strings.Count(writer, ".") != 2 {
		t.Fatalf("not signed: %s", writer)
	}
	wantStatus(t, d.give(http.MethodPost, "/me/tokens", writer, keyOf("stock:read", "stock:write")), http.StatusCreated)
	wantError(t, d.give(http.MethodPost, "/me/tokens", reader, keyOf("stock:write")), http.StatusForbidden, "access_denied")
}

// A stolen key must not multiply: with a key nobody makes keys, though it may end them.
func TestAnAPIKeyMakesNoAPIKeys(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("root", obj{"admin": true})
	d.user("ada")
	robot := d.client("service", obj{"first_party": true, "scopes": []string{"orders:read", "admin:users", "admin:clients"}})
	all := []string{"account:read", "account:manage", "admin:users", "admin:clients", "orders:read"}
	key := d.mustAdmin(http.MethodPost, "/users/root/tokens", keyOf(all...)).str("token")
	machine := d.mustAdmin(http.MethodPost, "/clients/"+robot.id+"/keys", keyOf("admin:users", "admin:clients")).str("token")
	wantStatus(t, d.call(http.MethodGet, "/api/v1/users/ada/tokens", machine), http.StatusOK)
	for _, path := range []string{"/users/root/tokens", "/users/ada/tokens", "/clients/" + robot.id + "/keys"} {
		for _, with := range []string{key, machine} {
			wantError(t, d.give(http.MethodPost, path, with, keyOf("orders:read")), http.StatusForbidden, "access_denied")
			text, _ := json.Marshal(keyOf("orders:read"))
			wantError(t, d.send(http.MethodPost, "/api/v1"+path, "application/json", string(text), "Authorization", "API-KEY  "+with), http.StatusForbidden, "access_denied")
		}
	}
	wantError(t, d.give(http.MethodPost, "/me/tokens", key, keyOf("orders:read")), http.StatusForbidden, "access_denied")
	wantError(t, d.give(http.MethodPost, "/me/tokens", machine, keyOf("orders:read")), http.StatusForbidden, "insufficient_scope")
	own := d.call(http.MethodGet, "/api/v1/me/tokens", key).items()
	if len(own) != 1 {
		t.Fatalf("keys: %v", own)
	}
	wantStatus(t, d.call(http.MethodDelete, fmt.Sprintf("/api/v1/me/tokens/%s", own[0]["id"]), key), http.StatusNoContent)
	wantStatus(t, d.call(http.MethodGet, "/api/v1/me", key), http.StatusUnauthorized)
}

// Other people's keys are neither listed nor ended, and a grant for an app is no key.
func TestOtherPeoplesKeysAreOutOfReach(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("eve")
	api, ada, eve := d.api(), d.account("ada", "orders:read"), d.account("eve", "orders:read")
	made := d.give(http.MethodPost, "/me/tokens", ada, keyOf("orders:read"))
	wantStatus(t, made, http.StatusCreated)
	if a := d.call(http.MethodGet, "/api/v1/me/tokens", eve); len(a.items()) != 0 {
		t.Errorf("eve sees %s", a.text)
	}
	grant, _ := d.call(http.MethodGet, "/api/v1/me/grants", eve).items()[0]["id"].(string)
	for _, id := range []string{made.str("id"), grant, "none-such", "..", "%2e%2e", "00000000-0000-4000-8000-000000000000", strings.ToUpper(made.str("id"))} {
		wantError(t, d.call(http.MethodDelete, "/api/v1/me/tokens/"+id, eve), http.StatusNotFound, "not_found")
	}
	wantError(t, d.admin(http.MethodDelete, "/users/eve/tokens/"+made.str("id"), nil), http.StatusNotFound, "not_found")
	for _, path := range []string{"/users/ada/tokens", "/clients/x/keys"} {
		wantError(t, d.call(http.MethodGet, "/api/v1"+path, eve), http.StatusForbidden, "insufficient_scope")
		wantError(t, d.give(http.MethodPost, path, eve, keyOf("orders:read")), http.StatusForbidden, "insufficient_scope")
	}
	d.wantActive(api, made.str("token"))
	wantStatus(t, d.call(http.MethodGet, "/api/v1/me", eve), http.StatusOK)
	d.mustAdmin(http.MethodDelete, "/users/ada/tokens/"+made.str("id"), nil)
	d.wantInactive(api, made.str("token"))
}

// A key has a name that can be shown, scopes and an end; nothing is made of half a request.
func TestWhatAKeyIsMadeOfIsChecked(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	c := d.client("service")
	for what, test := range map[string]struct {
		in    obj
		field string
	}{
		"no name":          {obj{"scopes": []string{"orders:read"}}, "name"},
		"a long name":      {obj{"name": strings.Repeat("x", 101), "scopes": []string{"orders:read"}}, "name"},
		"a hidden name":    {obj{"name": "a\u202eb", "scopes": []string{"orders:read"}}, "name"},
		"no scope":         {obj{"name": "x"}, "scopes"},
		"an unknown scope": {obj{"name": "x", "scopes": []string{"orders:read", "orders:delete"}}, "scopes[1]"},
		"a family":         {obj{"name": "x", "scopes": []string{"orders:*"}}, "scopes[0]"},
		"identity":         {obj{"name": "x", "scopes": []string{"openid"}}, "scopes[0]"},
		"administration":   {obj{"name": "x", "scopes": []string{"admin:users"}}, "scopes[0]"},
		"no life":          {obj{"name": "x", "scopes": []string{"orders:read"}, "lifetime": "0s"}, "lifetime"},
		"a long life":      {obj{"name": "x", "scopes": []string{"orders:read"}, "lifetime": "367d"}, "lifetime"},
		"a negative life":  {obj{"name": "x", "scopes": []string{"orders:read"}, "lifetime": "-1h"}, ""},
		"a number of what": {obj{"name": "x", "scopes": []string{"orders:read"}, "lifetime": 30}, ""},
		"one of ours":      {obj{"name": "x", "scopes": []string{"orders:read"}, "token": "sck_x"}, "token"},
	} {
		for _, path := range []string{"/users/ada/tokens", "/clients/" + c.id + "/keys"} {
			a := d.admin(http.MethodPost, path, test.in)
			if a.status != http.StatusBadRequest || a.str("error") != "invalid_request" || a.str("field") != test.field {
				t.Errorf("%s at %s: %d %s, want field %q", what, path, a.status, a.text, test.field)
			}
		}
	}
	for _, path := range []string{"/users/ada/tokens", "/clients/" + c.id + "/keys"} {
		wantError(t, d.admin(http.MethodGet, path+"?after=x", nil), http.StatusBadRequest, "invalid_request")
		if a := d.mustAdmin(http.MethodGet, path, nil); len(a.items()) != 0 {
			t.Errorf("made: %s", a.text)
		}
		made := d.mustAdmin(http.MethodPost, path, obj{"name": "x", "scopes": []string{"orders:read", "orders:read"}, "lifetime": "366d"})
		if fmt.Sprint(made.json["scopes"]) != "[orders:read]" {
			t.Errorf("a scope twice: %s", made.text)
		}
	}
	for _, path := range []string{"/users/none-such/tokens", "/clients/none-such/keys"} {
		wantError(t, d.admin(http.MethodPost, path, keyOf("orders:read")), http.StatusNotFound, "not_found")
		wantError(t, d.admin(http.MethodGet, path, nil), http.StatusNotFound, "not_found")
	}
}

// Who administers users alone makes no administrator's key with more than that, and nobody gives administration to a user
// who has none.
func TestAnAdministratorGivesNoMoreAdministrationThanHisTokenHas(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	robot := d.client("service", obj{"first_party": true, "scopes": []string{"orders:read", "admin:clients", "admin:keys"}})
	users, clients := d.adminToken("admin:users"), d.adminToken("admin:clients")
	wantError(t, d.give(http.MethodPost, "/users/root/tokens", users, keyOf("admin:clients")), http.StatusForbidden, "access_denied")
	wantError(t, d.give(http.MethodPost, "/users/root/tokens", users, keyOf("orders:read", "admin:keys")), http.StatusForbidden, "access_denied")
	wantStatus(t, d.give(http.MethodPost, "/users/root/tokens", users, keyOf("admin:users")), http.StatusCreated)
	wantStatus(t, d.give(http.MethodPost, "/users/ada/tokens", users, keyOf("orders:write")), http.StatusCreated)
	wantError(t, d.give(http.MethodPost, "/users/ada/tokens", users, keyOf("admin:users")), http.StatusBadRequest, "invalid_request")

	path := "/clients/" + robot.id + "/keys"
	wantError(t, d.give(http.MethodPost, path, clients, keyOf("admin:keys")), http.StatusForbidden, "access_denied")
	wantError(t, d.give(http.MethodPost, path, clients, keyOf("orders:write")), http.StatusBadRequest, "invalid_request")
	wantStatus(t, d.give(http.MethodPost, path, clients, keyOf("admin:clients")), http.StatusCreated)
	wantStatus(t, d.give(http.MethodPost, path, clients, keyOf("orders:read")), http.StatusCreated)
	if log := d.log.String(); strings.Count(log, `"user.token.create"`) != 2 || strings.Count(log, `"client.key.create"`) != 2 || strings.Contains(log, "sck_") {
		t.Error("the log shows a key, or not who made one for whom")
	}
}

// A client's own key acts for the client, and ends with what the client may do.
func TestAClientsKeyActsForTheClient(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api, robot, other := d.api(), d.client("service"), d.client("service")
	path := "/clients/" + robot.id + "/keys"
	made := d.mustAdmin(http.MethodPost, path, obj{"name": "nightly", "scopes": []string{"orders:read", "orders:write"}, "lifetime": "90d"})
	key := made.str("token")
	if seen := d.introspect(api, key); seen.str("client_id") != robot.id || seen.str("sub") != robot.id || seen.str("username") != "" || seen.str("scope") != "orders:read orders:write" {
		t.Errorf("introspection: %s", seen.text)
	}
	wantStatus(t, d.send(http.MethodGet, "/demo/orders", "", "", "Authorization", "Api-Key "+key), http.StatusOK)
	if a := d.mustAdmin(http.MethodGet, path, nil); len(a.items()) != 1 || a.items()[0]["name"] != "nightly" || strings.Contains(a.text, "sck_") {
		t.Errorf("listed: %s", a.text)
	}
	if a := d.mustAdmin(http.MethodGet, "/clients/"+other.id+"/keys", nil); len(a.items()) != 0 {
		t.Errorf("another client's: %s", a.text)
	}
	wantError(t, d.admin(http.MethodDelete, "/clients/"+other.id+"/keys/"+made.str("id"), nil), http.StatusNotFound, "not_found")

	d.mustAdmin(http.MethodPatch, "/clients/"+robot.id, obj{"scopes": []string{"orders:read"}})
	eventually(t, 3*time.Second, "the key loses the scope with its client", func() bool {
		d.clock.Advance(time.Second)
		return d.introspect(api, key).str("scope") == "orders:read"
	})
	d.mustAdmin(http.MethodDelete, path+"/"+made.str("id"), nil)
	d.wantInactive(api, key)
	wantError(t, d.admin(http.MethodDelete, path+"/"+made.str("id"), nil), http.StatusNotFound, "not_found")
}

// What ends all that a client was given ends its keys, and so does taking from it the right to act for itself.
func TestAClientsKeyEndsWithTheClient(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api, c, gone, public := d.api(), d.client("confidential"), d.client("service"), d.client("public")
	key := func(c client) string {
		return d.mustAdmin(http.MethodPost, "/clients/"+c.id+"/keys", keyOf("orders:read")).str("token")
	}
	inactive := func(token string) {
		t.Helper()
		eventually(t, 3*time.Second, "the key is refused", func() bool {
			d.clock.Advance(time.Second)
			return d.introspect(api, token).text == inactive
		})
	}
	wantError(t, d.admin(http.MethodPost, "/clients/"+public.id+"/keys", keyOf("orders:read")), http.StatusBadRequest, "unauthorized_client")
	first, last := key(c), key(gone)
	d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"grant_types": []string{"password"}})
	inactive(first)
	d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"grant_types": []string{"client_credentials"}})
	second := key(c)
	d.wantActive(api, second)
	d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"disabled": true})
	inactive(second)
	wantError(t, d.admin(http.MethodPost, "/clients/"+c.id+"/keys", keyOf("orders:read")), http.StatusConflict, "conflict")
	d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"disabled": false})
	d.wantInactive(api, second)
	if a := d.mustAdmin(http.MethodGet, "/clients/"+c.id+"/keys", nil); len(a.items()) != 0 {
		t.Errorf("listed after the client was disabled: %s", a.text)
	}
	d.mustAdmin(http.MethodDelete, "/clients/"+gone.id, nil)
	inactive(last)
}

// What ends everything that is a user's ends the keys too, at once: logging out everywhere, a new password, being disabled.
func TestAUsersKeysEndWithEverythingElse(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	api := d.api()
	for _, end := range []func(token string){
		func(token string) {
			wantStatus(t, d.call(http.MethodPost, "/api/v1/me/logout-everywhere", token), http.StatusNoContent)
		},
		func(token string) {
			wantStatus(t, d.give(http.MethodPut, "/me/password", token, obj{"current_password": password, "new_password": password + "!"}), http.StatusNoContent)
			d.mustAdmin(http.MethodPut, "/users/ada/password", obj{"new_password": password})
		},
		func(string) {
			d.mustAdmin(http.MethodPatch, "/users/ada", obj{"disabled": true})
			wantError(t, d.admin(http.MethodPost, "/users/ada/tokens", keyOf("orders:read")), http.StatusConflict, "conflict")
			d.mustAdmin(http.MethodPatch, "/users/ada", obj{"disabled": false})
		},
	} {
		token := d.account("ada", "orders:read")
		made := d.give(http.MethodPost, "/me/tokens", token, keyOf("orders:read"))
		wantStatus(t, made, http.StatusCreated)
		d.wantActive(api, made.str("token"))
		end(token)
		d.wantInactive(api, made.str("token"))
		wantStatus(t, d.give(http.MethodPost, "/me/tokens", token, keyOf("orders:read")), http.StatusUnauthorized)
		if a := d.mustAdmin(http.MethodGet, "/users/ada/tokens", nil); len(a.items()) != 0 {
			t.Errorf("listed: %s", a.text)
		}
	}
}

// One more than a hundred is refused, nothing is ended for it, and the list comes in pages.
func TestAPIKeysAreLimited(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	api, c := d.api(), d.client("service")
	for _, path := range []string{"/users/ada/tokens", "/clients/" + c.id + "/keys"} {
		first := d.mustAdmin(http.MethodPost, path, keyOf("orders:read"))
		for range 99 {
			d.mustAdmin(http.MethodPost, path, keyOf("orders:read"))
		}
		wantError(t, d.admin(http.MethodPost, path, keyOf("orders:read")), http.StatusConflict, "conflict")
		d.wantActive(api, first.str("token"))
		seen, next := map[any]bool{}, ""
		for {
			page := d.mustAdmin(http.MethodGet, path+"?limit=40"+next, nil)
			for _, item := range page.items() {
				seen[item["id"]] = true
			}
			if page.str("next") == "" {
				break
			}
			next = "&after=" + page.str("next")
		}
		if len(seen) != 100 {
			t.Errorf("%s lists %d", path, len(seen))
		}
		d.mustAdmin(http.MethodDelete, path+"/"+first.str("id"), nil)
		d.mustAdmin(http.MethodPost, path, keyOf("orders:read"))
	}
}

// A person's sessions can be seen, named and ended through the API as on the page, by nobody else.
func TestTheAPIListsNamesAndEndsSessions(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("eve")
	ada := d.person()
	ada.enter("ada")
	token, eve := d.account("ada"), d.account("eve")
	listed := d.call(http.MethodGet, "/api/v1/me/sessions", token)
	if len(listed.items()) != 1 || listed.items()[0]["name"] != "" || len(d.call(http.MethodGet, "/api/v1/me/sessions", eve).items()) != 0 {
		t.Fatalf("sessions: %s", listed.text)
	}
	id, _ := listed.items()[0]["id"].(string)
	path := "/me/sessions/" + id
	wantError(t, d.give(http.MethodPatch, path, eve, obj{"name": "mine"}), http.StatusNotFound, "not_found")
	wantError(t, d.give(http.MethodDelete, path, eve, obj{}), http.StatusNotFound, "not_found")
	wantError(t, d.give(http.MethodPatch, path, token, obj{"name": "a\u202eb"}), http.StatusBadRequest, "invalid_request")
	wantError(t, d.give(http.MethodDelete, "/me/sessions/none-such", token, obj{}), http.StatusNotFound, "not_found")
	wantStatus(t, d.give(http.MethodPatch, path, token, obj{"name": "kitchen"}), http.StatusNoContent)
	if a := d.call(http.MethodGet, "/api/v1/me/sessions", token); a.items()[0]["name"] != "kitchen" {
		t.Errorf("sessions: %s", a.text)
	}
	ada.open("/account/sessions").wants(t, http.StatusOK, "kitchen")
	wantStatus(t, d.give(http.MethodDelete, path, token, obj{}), http.StatusNoContent)
	if s := ada.get("/account"); s.location() != "/login?to=account" {
		t.Errorf("the session lives: %d to %q", s.status, s.location())
	}
	wantError(t, d.give(http.MethodDelete, path, token, obj{}), http.StatusNotFound, "not_found")
	if n := strings.Count(d.log.String(), `"session.end"`); n != 1 {
		t.Errorf("the end of the session is logged %d times", n)
	}
}

// Removing an app through the API ends what it has, and leaves everybody else's.
func TestTheAPIRemovesApps(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("eve")
	api, c, other := d.api(), d.client("confidential"), d.client("confidential")
	adas, eves, others := d.mustLogin(c, "ada").str("access_token"), d.mustLogin(c, "eve").str("access_token"), d.mustLogin(other, "ada").str("access_token")
	token := d.account("ada")
	wantError(t, d.give(http.MethodDelete, "/me/apps/none-such", token, obj{}), http.StatusNotFound, "not_found")
	wantStatus(t, d.give(http.MethodDelete, "/me/apps/"+c.id, token, obj{}), http.StatusNoContent)
	d.wantInactive(api, adas)
	d.wantActive(api, eves)
	d.wantActive(api, others)
	wantStatus(t, d.give(http.MethodDelete, "/me/apps/"+c.id, token, obj{}), http.StatusNoContent)
}

// A machine's token speaks for no user: it has no keys, sessions or apps of a person.
func TestMachinesHaveNoKeysOfAPerson(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("service", obj{"first_party": true, "scopes": []string{"account:read", "account:manage"}})
	for _, token := range []string{
		d.token(c, form("grant_type", "client_credentials")).str("access_token"),
		d.mustAdmin(http.MethodPost, "/clients/"+c.id+"/keys", keyOf("account:read", "account:manage")).str("token"),
	} {
		for _, a := range []answer{
			d.call(http.MethodGet, "/api/v1/me/tokens", token), d.give(http.MethodPost, "/me/tokens", token, keyOf("account:read")),
			d.call(http.MethodDelete, "/api/v1/me/tokens/x", token), d.call(http.MethodGet, "/api/v1/me/sessions", token),
			d.call(http.MethodDelete, "/api/v1/me/sessions/x", token), d.call(http.MethodDelete, "/api/v1/me/apps/"+c.id, token),
		} {
			wantError(t, a, http.StatusForbidden, "access_denied")
		}
	}
}
