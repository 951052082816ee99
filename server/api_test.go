package server_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/server"
)

// openRoutes are the routes without a guard: those of the protocol, which authenticate their callers by its rules, and
// those that have nothing to hide. Whoever adds one writes it down here.
var openRoutes = []string{
	"POST /oauth/token", "POST /oauth/introspect", "POST /oauth/revoke", "OPTIONS /oauth/token", "OPTIONS /oauth/revoke", "OPTIONS /oauth/userinfo",
	"GET /.well-known/oauth-authorization-server", "GET /.well-known/openid-configuration", "GET /.well-known/jwks.json", "GET /livez", "GET /readyz",
	"GET /oauth/revocations", "GET /oauth/status/:alg/:list", "GET /.well-known/oauth-protected-resource/api/v1", "GET /.well-known/oauth-protected-resource/oauth/userinfo",
	// A proxy asks by the method of the request that it is about to let through.
	"GET /oauth/check", "HEAD /oauth/check", "POST /oauth/check", "PUT /oauth/check", "PATCH /oauth/check", "DELETE /oauth/check", "OPTIONS /oauth/check",
	"GET /oauth/check/*path", "HEAD /oauth/check/*path", "POST /oauth/check/*path", "PUT /oauth/check/*path", "PATCH /oauth/check/*path", "DELETE /oauth/check/*path", "OPTIONS /oauth/check/*path",
	"GET /assets/:name", "GET /demo/app", "GET /demo/app/start", "GET /demo/app/callback", // the demo app is a client, not a part of the server
}

var apiScopes = []string{"account:read", "account:manage", "admin:clients", "admin:users", "admin:resources", "admin:tokens", "admin:keys"}

// named puts a name in the place of each parameter of a path.
func named(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, ":") {
			parts[i] = "none-such"
		}
	}
	return strings.Join(parts, "/")
}

// OWASP ASVS 8.2: every route is guarded by the scopes in its table. Without a token, with no good one, or with every
// scope but the one that is needed, nobody gets in; with it the guard lets pass.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	orders := d.client("confidential")
	without, with := map[string]string{}, map[string]string{}
	login := func() {
		for _, scope := range apiScopes {
			rest := slices.DeleteFunc(slices.Clone(apiScopes), func(other string) bool { return other == scope })
			without[scope], with[scope] = d.adminToken(strings.Join(rest, " ")), d.adminToken(scope)
		}
		without["openid"], with["openid"] = d.adminToken("profile email"), d.adminToken("openid")
	}
	login()
	for scope, other := range map[string]string{"orders:read": "orders:write", "orders:write": "orders:read"} {
		with[scope] = d.token(orders, form("grant_type", "client_credentials", "scope", scope)).str("access_token")
		without[other] = with[scope]
	}
	d.user("ada")
	access, refresh := d.mustLogin(orders, "ada").tokens()

	guarded := 0
	for _, route := range d.server.MountedRoutes() {
		if slices.Contains(openRoutes, route.Method+" "+route.Path) || route.Page {
			continue
		}
		if route.Local { // no token shows that it is there
			for _, token := range append(slices.Collect(maps.Values(with)), "") {
				wantError(t, d.call(route.Method, route.Path, token), http.StatusNotFound, "not_found")
			}
			continue
		}
		guarded++
		if len(route.Scopes) == 0 {
			t.Errorf("%s %s demands no scope", route.Method, route.Path)
			continue
		}
		path, needed := named(route.Path), route.Scopes[0]
		naked := d.call(route.Method, path, "")
		if naked.status != http.StatusUnauthorized || !strings.HasPrefix(naked.header.Get("WWW-Authenticate"), "Bearer ") || strings.Contains(naked.header.Get("WWW-Authenticate"), "error=") {
			t.Errorf("%s %s without a token: %d, challenge %q", route.Method, path, naked.status, naked.header.Get("WWW-Authenticate"))
		}
		wrong := []string{"garbage", refresh, orders.secret}
		if !strings.HasPrefix(route.Path, "/demo/") {
			wrong = append(wrong, access) // a token for another audience
		}
		for _, token := range wrong {
			a := d.call(route.Method, path, token)
			if a.status != http.StatusUnauthorized || a.str("error") != "invalid_token" {
				t.Errorf("%s %s with a bad token: %d %s, want 401 invalid_token", route.Method, path, a.status, a.text)
			}
		}
		short := d.call(route.Method, path, without[needed])
		if short.status != http.StatusForbidden || short.str("error") != "insufficient_scope" || !strings.Contains(short.header.Get("WWW-Authenticate"), `scope="`+needed+`"`) {
			t.Errorf("%s %s without %s: %d %s", route.Method, path, needed, short.status, short.text)
		}
		if a := d.call(route.Method, path, with[needed]); a.status == http.StatusUnauthorized || a.str("error") == "insufficient_scope" || a.status >= 500 {
			t.Errorf("%s %s with %s: %d %s", route.Method, path, needed, a.status, a.text)
		}
		if route.Path == "/api/v1/me/logout-everywhere" {
			login()
		}
		for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodTrace} {
			a := d.call(method, path, "")
			if slices.Contains(openRoutes, method+" "+path) && a.status == http.StatusNoContent && a.text == "" {
				continue // a preflight
			}
			if a.status < 400 {
				t.Errorf("%s %s without a token: %d", method, path, a.status)
			}
		}
	}
	if guarded < 30 {
		t.Errorf("only %d routes were looked at", guarded)
	}
}

// The demo API is for trying things out: a server that was not made for it has no such routes, resource or scopes.
func TestThereIsNoDemoUnlessAskedFor(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) { c.Demo = false })
	for _, path := range []string{"/demo", "/demo/", "/demo/orders"} {
		wantError(t, d.call(http.MethodGet, path, ""), http.StatusNotFound, "not_found")
	}
	wantError(t, d.admin(http.MethodGet, "/resources/demo-orders", nil), http.StatusNotFound, "not_found")
	c := d.client("service", obj{"scopes": []string{}})
	wantError(t, d.token(c, form("grant_type", "client_credentials", "scope", "orders:read")), http.StatusBadRequest, "invalid_scope")
	wantError(t, d.token(c, form("grant_type", "client_credentials")), http.StatusBadRequest, "invalid_scope")
}

// RFC 6750 §2 and RFC 9700 §4.3.2: a token comes in the Authorization header and nowhere else, one at a time; the word
// before it has no case (RFC 9110 §11.1).
func TestTokensComeInTheHeaderAlone(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	token := d.token(d.client("service"), form("grant_type", "client_credentials")).str("access_token")
	ask := func(path string, headers ...string) answer { return d.send(http.MethodGet, path, "", "", headers...) }
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER ", "bEaReR   "} {
		wantStatus(t, ask("/demo/orders", "Authorization", scheme+token), http.StatusOK)
	}
	for what, a := range map[string]answer{
		"query": ask("/demo/orders?access_token=" + token), "cookie": ask("/demo/orders", "Cookie", "access_token="+token),
		"body":           d.send(http.MethodPost, "/demo/orders", formType, form("access_token", token).Encode()),
		"another header": ask("/demo/orders", "X-Access-Token", token, "Proxy-Authorization", "Bearer "+token),
		"no scheme":      ask("/demo/orders", "Authorization", token), "Basic": ask("/demo/orders", "Authorization", basic("x", token)),
		"DPoP": ask("/demo/orders", "Authorization", "DPoP "+token), "quoted": ask("/demo/orders", "Authorization", `Bearer "`+token+`"`),
		"a list": ask("/demo/orders", "Authorization", "Bearer "+token+", Bearer x"), "a tab": ask("/demo/orders", "Authorization", "Bearer\t"+token),
	} {
		if a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s, want 401", what, a.status, a.text)
		}
	}
	wantError(t, ask("/demo/orders", "Authorization", "Bearer "+token, "Authorization", "Bearer "+token), http.StatusBadRequest, "invalid_request")
	wantError(t, ask("/demo/orders", "Authorization", "Bearer "+token, "Authorization", "Basic x"), http.StatusBadRequest, "invalid_request")
}

// A machine's token speaks for no user, whatever scopes it has.
func TestMachinesHaveNoAccountOfTheirOwn(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("service", obj{"first_party": true, "scopes": []string{"account:read", "account:manage"}})
	token := d.token(c, form("grant_type", "client_credentials")).str("access_token")
	for _, a := range []answer{
		d.call(http.MethodGet, "/api/v1/me", token), d.call(http.MethodGet, "/api/v1/me/grants", token), d.call(http.MethodPost, "/api/v1/me/logout-everywhere", token),
		d.send(http.MethodPut, "/api/v1/me/password", "application/json", `{"current_password":"x","new_password":"another long password"}`, "Authorization", "Bearer "+token),
	} {
		wantError(t, a, http.StatusForbidden, "access_denied")
	}
}

// A resource owner's own scope is not administration: account scopes open nobody else's account.
func TestUsersReachTheirOwnAccountOnly(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential", obj{"first_party": true, "scopes": []string{"account:read", "account:manage"}})
	ada, bob := d.user("ada"), d.user("bob")
	token := d.mustLogin(c, "ada", "scope", "account:read account:manage").str("access_token")
	if got := d.call(http.MethodGet, "/api/v1/me", token); got.str("id") != ada || got.str("username") != "ada" {
		t.Errorf("me: %s", got.text)
	}
	for _, path := range []string{"/api/v1/users/" + bob, "/api/v1/users/" + ada, "/api/v1/users/bob/grants", "/api/v1/users", "/api/v1/clients"} {
		wantError(t, d.call(http.MethodGet, path, token), http.StatusForbidden, "insufficient_scope")
	}
}

// OWASP ASVS 13.3 and CVE-2026-49254: a secret is shown once, when it is made, and in no answer afterwards; the hash of
// a password never.
func TestSecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	made := d.mustAdmin(http.MethodPost, "/clients", obj{"name": "App", "type": "confidential", "grant_types": []string{"client_credentials"}, "scopes": []string{"orders:read"}})
	id := made.str("client_id")
	resource := d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "stock", "identifier": "urn:stock", "name": "Stock", "scopes": []obj{{"name": "stock:read"}}})
	second := d.mustAdmin(http.MethodPost, "/clients/"+id+"/secrets", obj{})
	third := d.mustAdmin(http.MethodPost, "/resources/stock/secrets", obj{"lifetime": "90d"})
	d.user("ada")
	secrets := []string{made.str("client_secret"), resource.str("secret"), second.str("secret"), third.str("secret"), password, "argon2", "hash"}
	for _, secret := range secrets {
		if secret == "" {
			t.Fatal("a secret was not shown when it was made")
		}
	}
	for _, a := range []answer{
		d.mustAdmin(http.MethodGet, "/clients", nil), d.mustAdmin(http.MethodGet, "/clients/"+id, nil), d.mustAdmin(http.MethodPatch, "/clients/"+id, obj{"name": "Other"}),
		d.mustAdmin(http.MethodGet, "/resources", nil), d.mustAdmin(http.MethodGet, "/resources/stock", nil), d.mustAdmin(http.MethodPatch, "/resources/stock", obj{"name": "Other"}),
		d.mustAdmin(http.MethodGet, "/users", nil), d.mustAdmin(http.MethodGet, "/users/ada", nil), d.mustAdmin(http.MethodPatch, "/users/ada", obj{"name": "Ada"}),
	} {
		for _, secret := range secrets {
			if strings.Contains(a.text, secret) {
				t.Errorf("an answer shows a secret: %s", a.text)
			}
		}
	}
}

// Names in paths may be percent-encoded as clients like; what they mean is looked up, never taken for a path.
func TestNamesInPaths(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada@example.org")
	for _, name := range []string{"ada@example.org", "ada%40example.org", "%61da@example.org", "ADA@EXAMPLE.ORG"} {
		if a := d.admin(http.MethodGet, "/users/"+name, nil); a.str("username") != "ada@example.org" {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	for _, name := range []string{"none", "%00", "%ff", "..", "%2e%2e", "a%2fb", "x%0d%0ay", "%C0%AF", strings.Repeat("x", 5000), "00000000-0000-4000-8000-000000000000"} {
		for _, path := range []string{"/users/", "/clients/", "/resources/"} {
			wantError(t, d.admin(http.MethodGet, path+name, nil), http.StatusNotFound, "not_found")
			wantError(t, d.admin(http.MethodDelete, path+name, nil), http.StatusNotFound, "not_found")
		}
	}
}
