package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// RFC 6749 §3.3 and §5.2: a scope that nobody has, that the client may not have, or that is none by the grammar is
// invalid_scope. What exists is not told to those who may not have it.
func TestUnknownAndForbiddenScopes(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential", obj{"scopes": []string{"orders:read"}})
	d.user("ada")
	for _, scope := range []string{
		"orders:write", "nothing:here", "orders:read orders:write", "orders:read nothing:here", "ORDERS:READ", "orders:read*", "*", "openid", "offline_access",
		"admin:users", "account:read", "orders:read  orders:read", " orders:read", "orders:read ", "orders:read\torders:read", `orders:read"`, `orders\read`, "é", "orders:read\n",
		"orders:read,orders:write",
	} {
		for _, values := range [][]string{
			{"grant_type", "client_credentials", "scope", scope}, {"grant_type", "password", "username", "ada", "password", password, "scope", scope},
		} {
			a := d.token(c, form(values...))
			if a.status != http.StatusBadRequest || a.str("error") != "invalid_scope" {
				t.Errorf("%s with scope %q: %d %s, want 400 invalid_scope", values[1], scope, a.status, a.text)
			}
		}
	}
	same := func(scope string) string {
		a := d.token(c, form("grant_type", "client_credentials", "scope", scope))
		return strings.NewReplacer(scope, "", a.str("request_id"), "").Replace(a.text)
	}
	if same("orders:write") != same("nothing:here") {
		t.Error("a scope that exists is told from one that does not")
	}
	wantStatus(t, d.token(c, form("grant_type", "client_credentials", "scope", "orders:read orders:read")), http.StatusOK)
}

// CVE-2026-4634: a hundred kilobytes of scopes, or ten thousand of them, are refused before they cost anything.
func TestHugeScopesAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, "s%x ", i)
	}
	tokens := d.mustLoginForScopes(c)
	for what, scope := range map[string]string{
		"one name of 60 KB": strings.Repeat("x", 60_000), "10,000 names": strings.TrimSpace(many.String()),
		"one name 4,000 times": strings.TrimSpace(strings.Repeat("orders:read ", 4000)), "30,000 blanks": strings.Repeat(" ", 30_000),
	} {
		for _, values := range [][]string{
			{"grant_type", "client_credentials", "scope", scope}, {"grant_type", "refresh_token", "refresh_token", tokens, "scope", scope},
		} {
			best := time.Hour
			for range 5 {
				began := time.Now()
				wantError(t, d.token(c, form(values...)), http.StatusBadRequest, "invalid_scope")
				best = min(best, time.Since(began))
			}
			if best > 100*time.Millisecond { // generous: the machine may be busy, and watched for races
				t.Errorf("%s takes %v", what, best)
			}
		}
	}
	wantError(t, d.token(c, form("grant_type", "client_credentials", "scope", strings.Repeat("x", 100_000))), http.StatusRequestEntityTooLarge, "invalid_request")
}

// mustLoginForScopes returns a refresh token for both scopes of the demo API.
func (d *deployment) mustLoginForScopes(c client) string {
	d.t.Helper()
	d.user("ada")
	return d.mustLogin(c, "ada", "scope", "orders:read orders:write").str("refresh_token")
}

// RFC 6749 §6: a refresh may ask for less. What it gets is less at every door; the grant stays whole, and the next
// plain refresh has it all again. More than was granted is invalid_scope.
func TestNarrowedRefresh(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.api()
	for i, c := range []client{d.app(), d.client("confidential"), d.client("confidential", obj{"rotation": "always"})} {
		name := fmt.Sprintf("user-%d", i)
		d.user(name)
		refresh := d.mustLogin(c, name, "scope", "orders:read orders:write").str("refresh_token")

		narrow := d.mustRefresh(c, refresh, "scope", "orders:read")
		if got := narrow.str("scope"); got != "orders:read" {
			t.Fatalf("narrowed to %q", got)
		}
		access, refresh := narrow.tokens()
		if got := d.introspect(api, access).str("scope"); got != "orders:read" {
			t.Errorf("the narrowed token is introspected with %q", got)
		}
		wantStatus(t, d.call(http.MethodGet, "/demo/orders", access), http.StatusOK)
		wantError(t, d.call(http.MethodPost, "/demo/orders", access), http.StatusForbidden, "insufficient_scope")

		full := d.mustRefresh(c, refresh)
		if got := full.str("scope"); got != "orders:read orders:write" {
			t.Fatalf("the next plain refresh has %q", got)
		}
		wantStatus(t, d.call(http.MethodPost, "/demo/orders", full.str("access_token")), http.StatusCreated)
		// A narrowed token never widens, whatever its grant got meanwhile.
		wantError(t, d.call(http.MethodPost, "/demo/orders", access), http.StatusForbidden, "insufficient_scope")
	}
}

// RFC 6749 §6: the requested scope must not include any scope not originally granted, though the client may have it.
func TestRefreshNeverWidens(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.api()
	d.user("ada")
	for _, c := range []client{d.app(), d.client("confidential")} {
		access, refresh := d.mustLogin(c, "ada").tokens()
		for _, scope := range []string{"orders:write", "orders:read orders:write", "account:read", "admin:users", "nothing:here"} {
			wantError(t, d.refresh(c, refresh, "scope", scope), http.StatusBadRequest, "invalid_scope")
		}
		d.wantActive(api, access)
		if got := d.mustRefresh(c, refresh).str("scope"); got != "orders:read" {
			t.Errorf("after refused refreshes the scope is %q", got)
		}
	}
}

// RFC 8707 §2: an audience narrows like a scope, and one that is not known or not granted is invalid_target.
func TestResourceNarrowsTheAudience(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	made := d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "stock", "identifier": "https://stock.example/", "name": "Stock",
		"scopes": []obj{{"name": "stock:read", "title": "See the stock"}}})
	stock, orders := client{"stock", made.str("secret")}, d.api()
	c := d.client("confidential", obj{"scopes": []string{"orders:read", "stock:read"}})
	d.user("ada")
	both := d.mustLogin(c, "ada", "scope", "orders:read stock:read")
	access, refresh := both.tokens()
	if got := d.introspect(stock, access); got.str("scope") != "stock:read" || got.str("aud") != "https://stock.example/" {
		t.Errorf("the stock API sees %s", got.text)
	}
	if got := d.introspect(orders, access); got.str("scope") != "orders:read" || got.str("aud") != "urn:safeconduct:demo-orders" {
		t.Errorf("the orders API sees %s", got.text)
	}
	narrow := d.mustRefresh(c, refresh, "resource", "https://stock.example/").str("access_token")
	d.wantActive(stock, narrow)
	d.wantInactive(orders, narrow)

	machine := d.token(c, form("grant_type", "client_credentials", "resource", "https://stock.example/"))
	wantStatus(t, machine, http.StatusOK)
	if got := machine.str("scope"); got != "stock:read" {
		t.Errorf("the default scope at one resource is %q", got)
	}
	for _, resource := range []string{"https://stock.example", "https://other.example/", "stock", "https://STOCK.example/", "https://stock.example/#x"} {
		wantError(t, d.token(c, form("grant_type", "client_credentials", "resource", resource)), http.StatusBadRequest, "invalid_target")
		wantError(t, d.refresh(c, refresh, "resource", resource), http.StatusBadRequest, "invalid_target")
	}
	wantError(t, d.token(c, form("grant_type", "client_credentials", "resource", "https://stock.example/", "scope", "orders:read")), http.StatusBadRequest, "invalid_target")
	only := d.mustLogin(c, "ada", "scope", "orders:read").str("refresh_token")
	wantError(t, d.refresh(c, only, "resource", "https://stock.example/"), http.StatusBadRequest, "invalid_target")
}

// What administers this server is for administrators and for clients of the operator's own, and must be asked for by name.
func TestAdministrationIsNeverGivenUnasked(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	wantError(t, d.admin(http.MethodPost, "/clients", obj{"name": "x", "type": "confidential", "grant_types": []string{"password"}, "scopes": []string{"admin:users"}}),
		http.StatusBadRequest, "invalid_request")
	c := d.client("confidential", obj{"first_party": true, "scopes": []string{"account:read", "admin:users"}})
	d.user("ada")
	root := d.user("root", obj{"admin": true})
	wantError(t, d.login(c, "ada", "scope", "admin:users"), http.StatusBadRequest, "invalid_scope")
	if got := d.mustLogin(c, "root", "scope", "").str("scope"); got != "account:read" {
		t.Errorf("the default scope of an administrator is %q", got)
	}
	admin := d.mustLogin(c, "root", "scope", "admin:users")
	wantStatus(t, d.call(http.MethodGet, "/api/v1/users", admin.str("access_token")), http.StatusOK)
	d.mustAdmin(http.MethodPatch, "/users/"+root, obj{"admin": false})
	wantError(t, d.call(http.MethodGet, "/api/v1/users", admin.str("access_token")), http.StatusUnauthorized, "invalid_token")
	wantError(t, d.refresh(c, admin.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
}

// What a client loses its tokens lose at once: a scope taken from its registration, from the resource, or with the
// resource, is in no answer any more, and cannot be asked for.
func TestScopesTakenAwayAreGoneAtOnce(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential"), d.api()
	refresh := d.mustLoginForScopes(c)
	access := d.mustRefresh(c, refresh).str("access_token")
	wantStatus(t, d.call(http.MethodPost, "/demo/orders", access), http.StatusCreated)

	d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"remove_scopes": []string{"orders:write"}})
	wantError(t, d.call(http.MethodPost, "/demo/orders", access), http.StatusForbidden, "insufficient_scope")
	if got := d.introspect(api, access).str("scope"); got != "orders:read" {
		t.Errorf("introspected with %q", got)
	}
	if got := d.mustRefresh(c, refresh).str("scope"); got != "orders:read" {
		t.Errorf("refreshed with %q", got)
	}
	wantError(t, d.refresh(c, refresh, "scope", "orders:write"), http.StatusBadRequest, "invalid_scope")
	wantError(t, d.refresh(c, refresh, "scope", "orders:read orders:write"), http.StatusBadRequest, "invalid_scope")

	d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"remove_scopes": []string{"orders:read"}})
	d.wantInactive(api, access)
	d.wantInactive(api, d.mustRefresh(c, refresh).str("access_token"))

	d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"add_scopes": []string{"orders:read"}})
	d.wantActive(api, access)
	d.mustAdmin(http.MethodPatch, "/resources/demo-orders", obj{"disabled": true})
	wantUnauthenticated(t, d.introspect(api, access))
	wantError(t, d.call(http.MethodGet, "/demo/orders", access), http.StatusUnauthorized, "invalid_token")
	wantError(t, d.token(c, form("grant_type", "client_credentials", "scope", "orders:read")), http.StatusBadRequest, "invalid_scope")
}

// A resource may want its tokens to live shorter; of several the shortest counts.
func TestAccessTokensLiveAsLongAsTheResourceAllows(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential"), d.api()
	d.mustAdmin(http.MethodPatch, "/resources/demo-orders", obj{"access_lifetime": "2m"})
	a := d.token(c, form("grant_type", "client_credentials"))
	if a.json["expires_in"] != 120.0 {
		t.Errorf("expires_in %v, want 120", a.json["expires_in"])
	}
	d.clock.Advance(119 * time.Second)
	d.wantActive(api, a.str("access_token"))
	d.clock.Advance(time.Second)
	d.wantInactive(api, a.str("access_token"))
	for _, life := range []any{"30s", "61m", "-1m", "1ms", 60, "90", "x", "1.5s", "99999999999h"} {
		wantError(t, d.admin(http.MethodPatch, "/resources/demo-orders", obj{"access_lifetime": life}), http.StatusBadRequest, "invalid_request")
	}
}
