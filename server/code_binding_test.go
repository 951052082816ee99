package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// RFC 8707 §2.2: the access token that comes for a code may be narrowed to some of the APIs that were allowed. The refresh
// token keeps all of them, and who names another API than was allowed loses nothing.
func TestCodeMayBeRedeemedForOneResource(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	api, ada := d.api(), d.person()
	both := d.webApp(obj{"first_party": true, "scopes": []string{"openid", "orders:read", "account:read"}})
	const scope, orders = "openid orders:read account:read", "urn:safeconduct:demo-orders"
	account := d.url + "/api/v1"
	audience := func(token string) any { return d.introspect(api, token).json["aud"] }

	code := ada.goThrough(both, "ada", "scope", scope)
	for _, wrong := range []string{"https://evil.example/", "urn:none", "x", d.url, account + "/", "URN:safeconduct:demo-orders"} {
		wantError(t, d.redeem(both.client, code, "resource", wrong), http.StatusBadRequest, "invalid_target")
	}
	tokens := d.redeem(both.client, code, "resource", orders)
	wantStatus(t, tokens, http.StatusOK)
	if got := audience(tokens.str("access_token")); got != orders {
		t.Errorf("the audience is %v", got)
	}
	if !strings.Contains(tokens.str("scope"), "orders:read") || strings.Contains(tokens.str("scope"), "account:read") || tokens.str("id_token") == "" {
		t.Errorf("tokens for one API: %s", tokens.text)
	}
	wantError(t, d.call(http.MethodGet, "/api/v1/me", tokens.str("access_token")), http.StatusUnauthorized, "invalid_token")
	wide := d.mustRefresh(both.client, tokens.str("refresh_token"))
	wantStatus(t, d.call(http.MethodGet, "/api/v1/me", wide.str("access_token")), http.StatusOK)
	d.wantActive(api, wide.str("access_token"))

	tokens = d.redeem(both.client, ada.goThrough(both, "ada", "scope", scope))
	wantStatus(t, d.call(http.MethodGet, "/api/v1/me", tokens.str("access_token")), http.StatusOK)
	d.wantActive(api, tokens.str("access_token"))

	// What the request for authorization left out cannot come back.
	narrow := ada.goThrough(both, "ada", "scope", "openid orders:read", "resource", orders)
	wantError(t, d.redeem(both.client, narrow, "resource", account), http.StatusBadRequest, "invalid_target")
	wantStatus(t, d.redeem(both.client, narrow, "resource", orders), http.StatusOK)
}

// press sends the form of an account page whose action is this path.
func (p *person) press(page, action string, changes ...string) sight {
	p.t.Helper()
	_, values := p.open(page).form(p.t, action)
	for i := 0; i+1 < len(changes); i += 2 {
		values.Set(changes[i], changes[i+1])
	}
	return p.follow(p.post(action, values))
}

// OpenID Connect Core §11: without offline_access what an app was given is a part of the login and ends with it. With it,
// or where the app knows nothing of logins, it lives on. Codes end in any case: an app that still waits for its tokens asks again.
func TestGrantsEndWithTheirSessionUnlessOffline(t *testing.T) {
	t.Parallel()
	for ending, end := range map[string]func(d *deployment, p *person){
		"signed out": func(_ *deployment, p *person) {
			p.press("/account", "/account/logout").wants(p.t, http.StatusOK, "signed out")
		},
		"somebody else came": func(d *deployment, p *person) { d.user("eve"); p.login(p.open("/login?as=other"), "eve") },
		"ended from afar": func(d *deployment, p *person) {
			other := d.person()
			other.enter("ada")
			other.press("/account/sessions", "/account/sessions/end-others")
		},
		"a day has gone by": func(d *deployment, _ *person) { d.clock.Advance(24 * time.Hour) },
	} {
		t.Run(ending, func(t *testing.T) {
			t.Parallel()
			d := deployBolt(t)
			d.user("ada")
			acme, api, ada, elsewhere := d.webApp(obj{"first_party": true}), d.api(), d.person(), d.person()
			ada.enter("ada")
			const bound, offline, plain = "openid orders:read", "openid offline_access orders:read", "orders:read"
			tokens := map[string]answer{}
			waiting := map[string]string{}
			for _, scope := range []string{bound, offline, plain} {
				tokens[scope] = d.redeem(acme.client, ada.goThrough(acme, "ada", "scope", scope))
				wantStatus(t, tokens[scope], http.StatusOK)
				d.wantActive(api, tokens[scope].str("access_token"))
				tokens[scope] = d.mustRefresh(acme.client, tokens[scope].str("refresh_token"))
				waiting[scope] = ada.goThrough(acme, "ada", "scope", scope)
			}
			another := d.redeem(acme.client, elsewhere.goThrough(acme, "ada", "scope", bound))
			// Who only logs in again goes on in the same session.
			ada.login(ada.open("/login?as=other"), "ada")
			d.wantActive(api, tokens[bound].str("access_token"))
			end(d, ada)
			d.wantInactive(api, tokens[bound].str("access_token"))
			wantError(t, d.refresh(acme.client, tokens[bound].str("refresh_token")), http.StatusBadRequest, "invalid_grant")
			if a := d.call(http.MethodGet, "/oauth/userinfo", tokens[bound].str("access_token")); a.status != http.StatusUnauthorized {
				t.Errorf("userinfo: %d", a.status)
			}
			for _, scope := range []string{bound, offline, plain} {
				wantError(t, d.redeem(acme.client, waiting[scope]), http.StatusBadRequest, "invalid_grant")
			}
			for _, scope := range []string{offline, plain} {
				d.mustRefresh(acme.client, tokens[scope].str("refresh_token"))
			}
			if ending == "signed out" || ending == "somebody else came" { // other sessions have nothing to do with it
				d.wantActive(api, another.str("access_token"))
			}
		})
	}
}

// RFC 6749 §10.5: between its making and its redemption a code ends with all that it stands on.
func TestCodeEndsWithWhatItStandsOn(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	acme, other := d.webApp(), d.webApp(obj{"name": "Other"})
	for what, end := range map[string]func(ada *person, id string){
		"user disabled": func(_ *person, id string) { d.mustAdmin(http.MethodPatch, "/users/"+id, obj{"disabled": true}) },
		"user deleted":  func(_ *person, id string) { d.mustAdmin(http.MethodDelete, "/users/"+id, nil) },
		"password set": func(_ *person, id string) {
			d.mustAdmin(http.MethodPut, "/users/"+id+"/password", obj{"new_password": password + "!"})
		},
		"logged out by the operator": func(_ *person, id string) { d.mustAdmin(http.MethodPost, "/users/"+id+"/logout-everywhere", nil) },
		"logged out everywhere":      func(ada *person, _ string) { ada.press("/account/sessions", "/account/logout-everywhere") },
		"signed out":                 func(ada *person, _ string) { ada.press("/account", "/account/logout") },
		"password changed": func(ada *person, _ string) {
			ada.press("/account/password", "/account/password", "current_password", password, "new_password", password+"?", "repeat_password", password+"?").wants(t, http.StatusOK, "was changed")
		},
		"consent withdrawn": func(ada *person, _ string) {
			ada.press("/account/apps", "/account/apps/revoke", "client", acme.id).wants(t, http.StatusOK, "no access any more")
		},
		"user disabled and enabled": func(_ *person, id string) {
			d.mustAdmin(http.MethodPatch, "/users/"+id, obj{"disabled": true})
			d.mustAdmin(http.MethodPatch, "/users/"+id, obj{"disabled": false})
		},
		"nothing": nil,
	} {
		name := strings.ReplaceAll(what, " ", "-")
		id := d.user(name)
		ada := d.person()
		ada.allow(ada.consent(other, name), "remember", "1").answered(t, callback)
		ada.allow(ada.consent(acme, name), "remember", "1").answered(t, callback)
		bound, offline := ada.goThrough(acme, name, "scope", "openid orders:read", "prompt", ""), ""
		page := ada.open(acme.ask("scope", "openid offline_access orders:read"))
		offline = ada.allow(page).answered(t, callback).Get("code")
		if end == nil {
			wantStatus(t, d.redeem(acme.client, bound), http.StatusOK)
			wantStatus(t, d.redeem(acme.client, offline), http.StatusOK)
			continue
		}
		end(ada, id)
		for kind, code := range map[string]string{"bound to the session": bound, "offline": offline} {
			a := d.redeem(acme.client, code)
			if a.status != http.StatusBadRequest || a.str("error") != "invalid_grant" {
				t.Errorf("%s, a code %s: %d %s", what, kind, a.status, a.text)
			}
		}
	}
	// What is withdrawn is asked for again, even where it had been remembered, and other apps keep what they have.
	eve := d.person()
	d.user("eve")
	eve.allow(eve.consent(acme, "eve"), "remember", "1").answered(t, callback)
	kept := d.redeem(other.client, eve.allow(eve.consent(other, "eve"), "remember", "1").answered(t, callback).Get("code"))
	if got := eve.get(acme.ask("prompt", "none")).answered(t, callback); got.Get("code") == "" {
		t.Errorf("a remembered consent: %v", got)
	}
	eve.press("/account/apps", "/account/apps/revoke", "client", acme.id)
	if got := eve.get(acme.ask("prompt", "none")).answered(t, callback); got.Get("error") != "consent_required" {
		t.Errorf("a withdrawn consent: %v", got)
	}
	d.mustRefresh(other.client, kept.str("refresh_token"))
}

// A code that is being made when everything of its user or client ends is ended too: the person gets a page, or the app a
// code that is worth nothing.
func TestCodeOvertakenByAnEndIsWorthNothing(t *testing.T) {
	t.Parallel()
	for _, ending := range []string{"a new password", "log-out everywhere", "client disabled", "user disabled", "signed out"} {
		for _, step := range []string{"Enroll", "Add"} {
			t.Run(fmt.Sprintf("%s before %s", ending, step), func(t *testing.T) {
				t.Parallel()
				d, interrupted := deployInterrupted(t)
				d.user("ada")
				acme, ada := d.webApp(), d.person()
				page := ada.consent(acme, "ada")
				action, values := page.form(t, "/consent")
				values.Set("decision", "allow")
				act := endings(d, acme.client)[ending]
				if ending == "signed out" {
					_, leave := ada.open("/account").form(t, "/account/logout")
					act = func() error { ada.post("/account/logout", leave); return nil }
				}
				interrupted.before(step, act)
				s := ada.post(action, values)
				if s.status != http.StatusSeeOther {
					wantPageHeaders(t, ending, s.header)
					if s.status >= 500 || s.location() != "" {
						t.Errorf("%d to %q: %s", s.status, s.location(), s.words())
					}
					return
				}
				to, err := url.Parse(s.location())
				if err != nil || to.Query().Get("code") == "" {
					t.Fatalf("%d to %q", s.status, s.location())
				}
				if a := d.redeem(acme.client, to.Query().Get("code")); a.status == http.StatusOK {
					t.Errorf("a code that was overtaken gives tokens: %s", a.text)
				}
			})
		}
	}
}
