package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const userinfoPath = "/oauth/userinfo"

// OpenID Connect Core §5.3.1, RFC 6750 §2: the token comes in the header of a GET or a POST, or in the body of a POST;
// never in the query, never in two places, and only there.
func TestUserinfoTakesATokenInOnePlace(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	user := d.user("ada", obj{"name": "Ada Lovelace"})
	tokens := d.person().identify(d.webApp(), "ada")
	access := tokens.str("access_token")
	bearer, body := []string{"Authorization", "Bearer " + access}, form("access_token", access).Encode()
	_, claims := d.signed(tokens.str("id_token"))

	for what, a := range map[string]answer{
		"GET":                          d.call(http.MethodGet, userinfoPath, access),
		"POST":                         d.call(http.MethodPost, userinfoPath, access),
		"POST with an empty form":      d.send(http.MethodPost, userinfoPath, formType, "", bearer...),
		"POST with another form":       d.send(http.MethodPost, userinfoPath, formType, "schema=openid", bearer...),
		"POST with the body":           d.send(http.MethodPost, userinfoPath, formType, body),
		"POST with a charset":          d.send(http.MethodPost, userinfoPath, formType+"; charset=UTF-8", body),
		"POST of JSON with the header": d.send(http.MethodPost, userinfoPath, "application/json", "{}", bearer...),
	} {
		wantStatus(t, a, http.StatusOK)
		if a.str("sub") != user || a.str("sub") != claims["sub"] || a.str("name") != "Ada Lovelace" {
			t.Errorf("%s: %s, want the sub of the ID token, %v", what, a.text, claims["sub"])
		}
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: of type %q, cached by %q", what, got, a.header.Get("Cache-Control"))
		}
	}
	for what, refused := range map[string]struct {
		answer
		status int
		code   string
	}{
		"in the query":                {d.call(http.MethodGet, userinfoPath+"?access_token="+access, ""), 401, "unauthorized"},
		"in the query of a POST":      {d.send(http.MethodPost, userinfoPath+"?access_token="+access, formType, ""), 400, "invalid_request"},
		"in the body of a GET":        {d.send(http.MethodGet, userinfoPath, formType, body), 401, "unauthorized"},
		"in a body of JSON":           {d.send(http.MethodPost, userinfoPath, "application/json", `{"access_token":"`+access+`"}`), 401, "unauthorized"},
		"in header and body":          {d.send(http.MethodPost, userinfoPath, formType, body, bearer...), 400, "invalid_request"},
		"in the body, another header": {d.send(http.MethodPost, userinfoPath, formType, body, "Authorization", "Basic eDp5"), 400, "invalid_request"},
		"twice in the body":           {d.send(http.MethodPost, userinfoPath, formType, body+"&"+body), 400, "invalid_request"},
		"in two headers":              {d.send(http.MethodGet, userinfoPath, "", "", append(bearer, bearer...)...), 400, "invalid_request"},
		"in a cookie":                 {d.send(http.MethodGet, userinfoPath, "", "", "Cookie", "access_token="+access), 401, "unauthorized"},
		"nowhere":                     {d.call(http.MethodGet, userinfoPath, ""), 401, "unauthorized"},
		"nowhere in a form":           {d.send(http.MethodPost, userinfoPath, formType, "access_token="), 401, "unauthorized"},
		"with a line break in it":     {d.send(http.MethodPost, userinfoPath, formType, form("access_token", access+"\r\nX-A: b").Encode()), 401, "invalid_token"},
		"a changed one":               {d.call(http.MethodGet, userinfoPath, flip(access)), 401, "invalid_token"},
	} {
		if refused.answer.status != refused.status || refused.str("error") != refused.code {
			t.Errorf("%s: %d %s, want %d %s", what, refused.answer.status, refused.text, refused.status, refused.code)
		}
		// RFC 6750 §3: a 401 says how to do better.
		if challenge := refused.header.Get("WWW-Authenticate"); refused.status == 401 && !strings.HasPrefix(challenge, `Bearer realm="identity"`) {
			t.Errorf("%s: challenged by %q", what, challenge)
		}
	}
	if strings.Contains(d.log.String(), access) {
		t.Error("the log has the token that came in the query")
	}
}

// OpenID Connect Core §5.3: the token must have the scope openid and speak for somebody. RFC 6750 §3.1: who lacks it is
// told so.
func TestUserinfoIsForTokensWithOpenID(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()

	profile := d.call(http.MethodGet, userinfoPath, ada.identify(acme, "ada", "scope", "profile").str("access_token"))
	wantError(t, profile, http.StatusForbidden, "insufficient_scope")
	if got := profile.header.Get("WWW-Authenticate"); !strings.Contains(got, `error="insufficient_scope"`) || !strings.Contains(got, `scope="openid"`) {
		t.Errorf("challenged by %q", got)
	}
	// A token for other APIs alone is not for this one (RFC 9068 §4, RFC 8707 §2).
	wantError(t, d.call(http.MethodGet, userinfoPath, ada.identify(acme, "ada", "scope", "orders:read").str("access_token")), http.StatusUnauthorized, "invalid_token")
	// A machine is nobody: it is never given the scope, and what it has is refused.
	machine := d.client("service", obj{"scopes": []string{"orders:read", "openid"}})
	wantError(t, d.token(machine, form("grant_type", "client_credentials", "scope", "openid")), http.StatusBadRequest, "invalid_scope")
	issued := d.token(machine, form("grant_type", "client_credentials"))
	wantStatus(t, issued, http.StatusOK)
	wantError(t, d.call(http.MethodGet, userinfoPath, issued.str("access_token")), http.StatusUnauthorized, "invalid_token")

	// What ends a token ends it here.
	for what, end := range map[string]func(access string){
		"a revocation": func(access string) { wantStatus(t, d.revoke(acme.client, access), http.StatusOK) },
		"its expiry":   func(string) { d.clock.Advance(16 * time.Minute) },
		"a scope taken": func(string) {
			d.mustAdmin(http.MethodPatch, "/clients/"+acme.id, obj{"remove_scopes": []string{"openid"}})
		},
		"a deleted user":  func(string) { d.mustAdmin(http.MethodDelete, "/users/grace", nil) },
		"a disabled user": func(string) { d.mustAdmin(http.MethodPatch, "/users/grace", obj{"disabled": true}) },
	} {
		if d.admin(http.MethodGet, "/users/grace", nil).status == http.StatusNotFound {
			d.user("grace")
		}
		d.mustAdmin(http.MethodPatch, "/users/grace", obj{"disabled": false})
		d.mustAdmin(http.MethodPatch, "/clients/"+acme.id, obj{"add_scopes": []string{"openid"}})
		access := d.person().identify(acme, "grace", "scope", "openid profile").str("access_token")
		wantStatus(t, d.call(http.MethodGet, userinfoPath, access), http.StatusOK)
		end(access)
		if a := d.call(http.MethodGet, userinfoPath, access); a.status != http.StatusUnauthorized && a.status != http.StatusForbidden || a.str("sub") != "" {
			t.Errorf("after %s: %d %s", what, a.status, a.text)
		}
	}
}
