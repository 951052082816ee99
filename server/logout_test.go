package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const farewell = "https://app.example/bye?x=1"

// leaving is the path of a logout that an app asks for.
func leaving(pairs ...string) string { return "/oauth/logout?" + form(pairs...).Encode() }

// signed gets a person an ID token at an app.
func (p *person) signed(a app, username string) string {
	p.t.Helper()
	tokens := p.d.redeem(a.client, p.goThrough(a, username, "scope", "openid offline_access orders:read"))
	wantStatus(p.t, tokens, http.StatusOK)
	return tokens.str("id_token")
}

// asksToLeave checks that a logout is asked about, and that nobody is logged out meanwhile.
func (p *person) asksToLeave(s sight, what string) {
	p.t.Helper()
	if s.status != http.StatusOK || !strings.Contains(s.words(), "Sign out?") {
		p.t.Errorf("%s: %d %s, want to be asked", what, s.status, s.words())
	}
	p.d.wantSession(p.cookie("sc-session"), true)
}

// OpenID Connect RP-Initiated Logout §2: an app that shows an ID token of this very session has the person logged out and
// sent back with its state. For any other hint the person is asked, or told that the app made a mistake.
func TestAppsLogPeopleOut(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("bob")
	acme := d.webApp(obj{"post_logout_redirect_uris": []string{farewell, "https://app.example/"}})
	other := d.webApp(obj{"name": "Other Invoices", "post_logout_redirect_uris": []string{"https://other.example/"}})
	ada, elsewhere, bob := d.person(), d.person(), d.person()
	own, ofOther := ada.signed(acme, "ada"), ada.signed(other, "ada")
	earlier, bobs := elsewhere.signed(acme, "ada"), bob.signed(acme, "bob")
	secret := ada.cookie("sc-session")

	// 1. Whoever has no proof that he may, or has somebody else's, has the person asked.
	ada.asksToLeave(ada.get("/oauth/logout"), "nothing")
	ada.asksToLeave(ada.get(leaving("client_id", acme.id)), "a client without a hint")
	ada.asksToLeave(ada.get(leaving("client_id", "nobody")), "a client that nobody knows")
	ada.asksToLeave(ada.get(leaving("client_id", acme.id, "post_logout_redirect_uri", farewell)), "an address without a hint")
	ada.asksToLeave(ada.get(leaving("id_token_hint", earlier)), "a hint of another session")
	ada.asksToLeave(ada.get(leaving("id_token_hint", bobs, "post_logout_redirect_uri", farewell)), "a hint of another person")

	// 2. What is not ours, or leads where it may not, is the app's mistake, and nobody is sent anywhere.
	header, rest, _ := strings.Cut(own, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	for what, path := range map[string]string{
		"a hint of nobody": leaving("id_token_hint", "x.y.z"), "a hint without its signature": leaving("id_token_hint", header+"."+payload+"."),
		"a modified hint": leaving("id_token_hint", header+"."+payload[:len(payload)-4]+"AAAA."+signature), "a hint of no algorithm": leaving("id_token_hint", "eyJhbGciOiJub25lIn0."+payload+"."),
		"a hint of another client":              leaving("id_token_hint", own, "client_id", other.id),
		"an address of another client":          leaving("id_token_hint", own, "post_logout_redirect_uri", "https://other.example/"),
		"an address with a letter more":         leaving("id_token_hint", own, "post_logout_redirect_uri", farewell+"&y=1"),
		"an address in capitals":                leaving("id_token_hint", own, "post_logout_redirect_uri", "HTTPS://app.example/bye?x=1"),
		"an address without its query":          leaving("id_token_hint", own, "post_logout_redirect_uri", "https://app.example/bye"),
		"an address of the redirect_uris":       leaving("id_token_hint", own, "post_logout_redirect_uri", callback),
		"an address of nobody":                  leaving("post_logout_redirect_uri", farewell),
		"an address of a client nobody knows":   leaving("post_logout_redirect_uri", farewell, "client_id", "nobody"),
		"a script":                              leaving("id_token_hint", own, "post_logout_redirect_uri", "javascript:alert(1)"),
		"a state that is longer than it may be": leaving("id_token_hint", own, "post_logout_redirect_uri", farewell, "state", strings.Repeat("x", 2049)),
		"the same thing twice":                  leaving("id_token_hint", own, "client_id", acme.id, "client_id", acme.id),
	} {
		if s := ada.get(path); s.status != http.StatusBadRequest || !strings.Contains(s.words(), "The app made a mistake") || s.location() != "" {
			t.Errorf("%s: %d to %q %s", what, s.status, s.location(), s.words())
		}
	}
	d.wantSession(secret, true)

	// 3. The session's own app. A hint does not grow too old: it says whom the app knows.
	d.clock.Advance(30 * time.Minute)
	back := ada.get(leaving("id_token_hint", ofOther, "post_logout_redirect_uri", "https://other.example/", "state", "a b&c=d")).answered(t, "https://other.example/?")
	if back.Get("state") != "a b&c=d" {
		t.Errorf("the state came back as %q", back.Get("state"))
	}
	d.wantSession(secret, false)
	if got := ada.get(acme.ask("prompt", "none")).answered(t, callback).Get("error"); got != "login_required" {
		t.Errorf("without asking after the logout: %q, want login_required", got)
	}
	d.wantSession(elsewhere.cookie("sc-session"), true)
	d.wantSession(bob.cookie("sc-session"), true)

	// 4. Who is not logged in has nothing to be asked.
	if s := ada.get(leaving("id_token_hint", own, "post_logout_redirect_uri", farewell, "state", "s")); s.location() != farewell+"&state=s" {
		t.Errorf("logged out already: %d to %q", s.status, s.location())
	}
	ada.open("/oauth/logout").wants(t, http.StatusOK, "You are signed out")
	// 5. The shortest way, by a form of the app's page too.
	elsewhere.origin = "https://app.example"
	elsewhere.follow(elsewhere.post("/oauth/logout", form("id_token_hint", earlier))).wants(t, http.StatusOK, "You are signed out")
	d.wantSession(elsewhere.cookie("sc-session"), false)
	// 6. A client that was disabled sends nobody anywhere.
	d.mustAdmin(http.MethodPatch, "/clients/"+acme.id, obj{"disabled": true})
	if s := bob.get(leaving("id_token_hint", bobs, "post_logout_redirect_uri", farewell)); s.status != http.StatusBadRequest {
		t.Errorf("a disabled client: %d to %q", s.status, s.location())
	}
}

// Who is asked decides: to stay, or to leave and go back to the app. Both take the form of this very session.
func TestPeopleAnswerWhetherToLogOut(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada, eve := d.webApp(obj{"post_logout_redirect_uris": []string{farewell}}), d.person(), d.person()
	ada.enter("ada")
	page := ada.get(leaving("client_id", acme.id, "post_logout_redirect_uri", farewell, "state", "s")).wants(t, http.StatusOK, "Acme Invoices asks to sign you out.")
	stay := ada.submit(page, "/oauth/logout/confirm", "decision", "stay").wants(t, http.StatusOK, "Your account")
	d.wantSession(ada.cookie("sc-session"), true)
	// What goes through the browser is checked anew.
	for name, value := range map[string]string{"post_logout_redirect_uri": "https://evil.example/", "client_id": "nobody"} {
		ada.submit(page, "/oauth/logout/confirm", "decision", "logout", name, value).wants(t, http.StatusBadRequest, "The app made a mistake")
	}
	_, token := stay.form(t, "/account/logout")
	ada.submit(page, "/oauth/logout/confirm", "decision", "logout", "form_token", token.Get("form_token")).wants(t, http.StatusForbidden, "not sent from our page")
	d.wantSession(ada.cookie("sc-session"), true)
	secret := ada.cookie("sc-session")
	if s := ada.submit(page, "/oauth/logout/confirm", "decision", "logout"); s.location() != farewell+"&state=s" {
		t.Errorf("%d to %q %s", s.status, s.location(), s.words())
	}
	d.wantSession(secret, false)
	eve.submit(page, "/oauth/logout/confirm", "decision", "logout").wants(t, http.StatusOK, "You are signed out") // nobody is logged in there
	ada.enter("ada")
	ada.submit(ada.get("/oauth/logout"), "/oauth/logout/confirm", "decision", "logout").wants(t, http.StatusOK, "You are signed out")
}

// OWASP ASVS 3.5.3: a picture, a script or a fetch of another page logs nobody out, whatever hint it holds.
func TestPicturesLogNobodyOut(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	hint := ada.signed(acme, "ada")
	secret := ada.cookie("sc-session")
	for _, mode := range []string{"no-cors", "cors", "same-origin", "websocket"} {
		r := d.request(http.MethodGet, leaving("id_token_hint", hint), "", "")
		r.Header.Set("Sec-Fetch-Mode", mode)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		ada.asksToLeave(ada.send(r), mode)
	}
	for _, path := range []string{"/account/logout", "/account/logout-everywhere", "/oauth/logout/confirm"} {
		if s := ada.get(path); s.status != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", path, s.status)
		}
	}
	d.wantSession(secret, true)
	r := d.request(http.MethodGet, leaving("id_token_hint", hint), "", "")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if s := ada.send(r); s.location() != "/signed-out" {
		t.Errorf("a navigation: %d to %q", s.status, s.location())
	}
	d.wantSession(secret, false)
}

// OpenID Connect Core §11: to log out here ends this browser's session and what was granted in it. Other browsers, access
// that was given for the time away, and tokens of one's own go on.
func TestLogoutHereLeavesTheRest(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, api, ada, elsewhere := d.webApp(), d.api(), d.person(), d.person()
	elsewhere.enter("ada")
	online := d.redeem(acme.client, ada.goThrough(acme, "ada", "scope", "openid orders:read"))
	offline := d.redeem(acme.client, ada.goThrough(acme, "ada", "scope", "openid offline_access orders:read"))
	own, secret := ada.makeToken("script", "orders:read"), ada.cookie("sc-session")
	pending := ada.allow(ada.consent(acme, "ada", "scope", "openid orders:read")).answered(t, callback).Get("code")
	waiting := ada.consent(acme, "ada")

	ada.submit(ada.open("/account"), "/account/logout").wants(t, http.StatusOK, "You are signed out of Safeconduct in this browser.")
	if ada.cookie("sc-session") != "" {
		t.Error("the browser holds the session still")
	}
	d.wantSession(secret, false)
	d.wantInactive(api, online.str("access_token"))
	wantError(t, d.refresh(acme.client, online.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	wantError(t, d.redeem(acme.client, pending), http.StatusBadRequest, "invalid_grant")
	if s := ada.allow(waiting); s.url.Path != "/login" {
		t.Errorf("a consent that waited: %d %s", s.status, s.url)
	}
	d.wantSession(elsewhere.cookie("sc-session"), true)
	d.wantActive(api, offline.str("access_token"))
	d.wantActive(api, own)
	wantStatus(t, d.refresh(acme.client, offline.str("refresh_token")), http.StatusOK)
	if got := ada.get(acme.ask("prompt", "none")).answered(t, callback).Get("error"); got != "login_required" {
		t.Errorf("without asking after the logout: %q, want login_required", got)
	}
	ada.post("/account/logout", url.Values{}) // once more: there is nothing to log out of
}
