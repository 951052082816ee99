package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// implies says what a scope of the demo API implies from now on.
func (d *deployment) implies(scope string, implied ...string) {
	d.t.Helper()
	if implied == nil {
		implied = []string{}
	}
	d.mustAdmin(http.MethodPatch, "/resources/demo-orders", obj{"edit_scopes": []obj{{"name": scope, "implies": implied}}})
}

// Whoever may write may read where the one implies the other: at introspection and at our own routes, for tokens from
// before too, until the implication is taken away. What was granted is still called by its name alone.
func TestImpliedScopeOpensWhatNeedsIt(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.api()
	c := d.client("confidential", obj{"scopes": []string{"orders:write"}}) // it need not be registered for the implied one
	d.user("ada")
	issued := d.mustLogin(c, "ada", "scope", "orders:write")
	token := issued.str("access_token")
	wantError(t, d.call(http.MethodGet, "/demo/orders", token), http.StatusForbidden, "insufficient_scope")

	d.implies("orders:write", "orders:read")
	wantStatus(t, d.call(http.MethodGet, "/demo/orders", token), http.StatusOK)
	wantStatus(t, d.call(http.MethodPost, "/demo/orders", token), http.StatusCreated)
	if got := d.introspect(api, token).str("scope"); got != "orders:write orders:read" {
		t.Errorf("introspected with %q", got)
	}
	again := d.mustLogin(c, "ada", "scope", "orders:write")
	if got := again.str("scope"); got != "orders:write" {
		t.Errorf("the answer of the token endpoint names %q, want what was granted", got)
	}
	wantError(t, d.login(c, "ada", "scope", "orders:read"), http.StatusBadRequest, "invalid_scope") // what it asks for by name it must be registered for

	d.implies("orders:write")
	for _, token := range []string{token, again.str("access_token")} {
		wantError(t, d.call(http.MethodGet, "/demo/orders", token), http.StatusForbidden, "insufficient_scope")
		wantStatus(t, d.call(http.MethodPost, "/demo/orders", token), http.StatusCreated)
	}
	if got := d.introspect(api, token).str("scope"); got != "orders:write" {
		t.Errorf("introspected with %q after the implication went", got)
	}
}

// What a scope implies goes with it when the client loses it, and does not outlive it.
func TestImpliedScopeEndsWithTheGrantedOne(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.api()
	c := d.client("confidential")
	d.user("ada")
	d.implies("orders:write", "orders:read")
	token := d.mustLogin(c, "ada", "scope", "orders:write").str("access_token")
	wantStatus(t, d.call(http.MethodGet, "/demo/orders", token), http.StatusOK)
	d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"remove_scopes": []string{"orders:write"}}) // it keeps orders:read
	wantError(t, d.call(http.MethodGet, "/demo/orders", token), http.StatusUnauthorized, "invalid_token")
	d.wantInactive(api, token)
}

// RFC 6749 §6: a refresh may ask for what was granted by name. An implied scope was not, so a token cannot be narrowed
// to it; narrowed to the one that implies it, it keeps both.
func TestRefreshAsksForWhatWasGrantedByName(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	api := d.api()
	c := d.client("confidential")
	d.user("ada")
	d.implies("orders:write", "orders:read")
	refresh := d.mustLogin(c, "ada", "scope", "orders:write").str("refresh_token")
	wantError(t, d.refresh(c, refresh, "scope", "orders:read"), http.StatusBadRequest, "invalid_scope")
	wantError(t, d.refresh(c, refresh, "scope", "orders:read orders:write"), http.StatusBadRequest, "invalid_scope")
	if got := d.mustRefresh(c, refresh, "scope", "orders:write"); got.str("scope") != "orders:write" || d.introspect(api, got.str("access_token")).str("scope") != "orders:write orders:read" {
		t.Errorf("narrowed to %s", got.text)
	}
	both := d.mustLogin(c, "ada", "scope", "orders:read orders:write").str("refresh_token")
	read := d.mustRefresh(c, both, "scope", "orders:read").str("access_token")
	wantError(t, d.call(http.MethodPost, "/demo/orders", read), http.StatusForbidden, "insufficient_scope")
}

// An implication at one process opens at the other within a second, and closes within a second.
func TestImplicationsHoldAtEveryServer(t *testing.T) {
	t.Parallel()
	p := deployPair(t)
	app := p.one.client("public")
	p.one.user("ada")
	token := p.one.mustLogin(app, "ada", "scope", "orders:write").str("access_token")
	opens := func(status int) func() bool {
		return func() bool { return p.two.call(http.MethodGet, "/demo/orders", token).status == status }
	}
	eventually(t, time.Second, "the other server knows the client", opens(http.StatusForbidden))
	p.one.implies("orders:write", "orders:read")
	eventually(t, time.Second, "the other server lets in", opens(http.StatusOK))
	p.one.implies("orders:write")
	eventually(t, time.Second, "the other server refuses again", opens(http.StatusForbidden))
}

// The consent page says what comes with a scope, in one line with it, and what is recorded and shown as granted is what
// was ticked.
func TestConsentNamesWhatAScopeIncludes(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	page := ada.consent(acme, "ada", "scope", "openid orders:write")
	if strings.Contains(page.words(), "Includes:") {
		t.Error("a scope that implies nothing includes something")
	}
	d.implies("orders:write", "orders:read")
	page = ada.consent(acme, "ada", "scope", "openid orders:write").wants(t, http.StatusOK, "Includes:").wants(t, http.StatusOK, "See your orders")
	if boxes := page.boxes(); len(boxes) != 2 {
		t.Errorf("the boxes are %v", boxes)
	}
	if got := d.got(acme, ada.allow(page).answered(t, callback)); got != "openid orders:write" {
		t.Errorf("granted %q", got)
	}
	// Allowed once, it is not asked for again; what it implies is asked for by name.
	page = ada.consent(acme, "ada", "scope", "openid orders:write orders:read")
	if boxes := page.boxes(); !boxes["orders:read"].isNew || boxes["orders:write"].isNew {
		t.Errorf("the boxes are %v", boxes)
	}
}

// A deprecated scope works as before and the operator is told, once per request, who still asks for it. It is offered to
// nobody.
func TestDeprecatedScopesStillWork(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	c := d.client("confidential")
	logged := func(name string) int {
		return strings.Count(d.log.String(), `"msg":"deprecated scope asked for","scope":"orders:write","client_id":"`+name+`"`)
	}
	refresh := d.mustLogin(c, "ada", "scope", "orders:read orders:write").str("refresh_token")
	if logged(c.id) != 0 {
		t.Error("a scope is logged as deprecated that is not")
	}
	d.mustAdmin(http.MethodPatch, "/resources/demo-orders", obj{"edit_scopes": []obj{{"name": "orders:write", "deprecated": true}}})

	token := d.mustLogin(c, "ada", "scope", "orders:read orders:write").str("access_token")
	if logged(c.id) != 1 {
		t.Errorf("one request was logged %d times", logged(c.id))
	}
	wantStatus(t, d.call(http.MethodPost, "/demo/orders", token), http.StatusCreated)
	d.mustRefresh(c, refresh)
	d.mustLogin(c, "ada", "scope", "orders:read")
	if logged(c.id) != 1 {
		t.Errorf("who did not ask for it is logged: %d", logged(c.id))
	}
	d.mustRefresh(c, refresh, "scope", "orders:write")
	if logged(c.id) != 2 {
		t.Errorf("a refresh that asks for it: %d", logged(c.id))
	}
	ada.allow(ada.consent(acme, "ada", "scope", "openid orders:write"))
	if logged(acme.id) != 1 {
		t.Errorf("an authorization was logged %d times", logged(acme.id))
	}

	page := ada.open("/account/tokens")
	if _, offered := page.boxes()["orders:write"]; offered {
		t.Error("it is offered for a personal access token")
	}
	if _, offered := page.boxes()["orders:read"]; !offered {
		t.Error("the others are not offered any more")
	}
	ada.submit(page, "/account/tokens", "name", "mine", "scope", "orders:write").wants(t, http.StatusBadRequest, "")
}
