package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// changePassword fills the page for it.
func (p *person) changePassword(current, next, repeat string) sight {
	p.t.Helper()
	return p.submit(p.open("/account/password"), "/account/password", "current_password", current, "new_password", next, "repeat_password", repeat)
}

const nextPassword = "another good long sentence"

// OWASP ASVS 7.4.3: a new password ends every session, every app's access and every token that came of the old one. The
// browser that changed it goes on, in a session of its own.
func TestPasswordChangeEndsEverythingElse(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, api, ada, elsewhere := d.webApp(), d.api(), d.person(), d.person()
	elsewhere.enter("ada")
	tokens := d.redeem(acme.client, ada.goThrough(acme, "ada", "scope", "openid offline_access orders:read"))
	own := ada.makeToken("script", "orders:read")
	old := ada.cookie("sc-session")

	ada.changePassword("not the password", nextPassword, nextPassword).wants(t, http.StatusForbidden, "the current password is not right")
	ada.changePassword(password, nextPassword, nextPassword+"!").wants(t, http.StatusBadRequest, "the two new passwords differ")
	ada.changePassword(password, "short", "short").wants(t, http.StatusBadRequest, "does not follow the rules")
	d.wantActive(api, tokens.str("access_token"))
	d.wantSession(elsewhere.cookie("sc-session"), true)

	ada.changePassword(password, nextPassword, nextPassword).wants(t, http.StatusOK, "Your password was changed.")
	if now := ada.cookie("sc-session"); now == old || now == "" {
		t.Error("the session is the one before")
	}
	d.wantSession(ada.cookie("sc-session"), true)
	d.wantSession(old, false)
	d.wantSession(elsewhere.cookie("sc-session"), false)
	d.wantInactive(api, tokens.str("access_token"))
	d.wantInactive(api, own)
	wantError(t, d.refresh(acme.client, tokens.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	again := d.person()
	again.login(again.open("/login"), "ada").wants(t, http.StatusForbidden, wrongLogin)
	again.enter("ada", "password", nextPassword)
}

// OWASP ASVS 6.3.1: a browser that somebody left open is no way around the limit on guessing. It has a counter of its own, so
// that strangers who guess elsewhere do not keep its user from changing his password.
func TestPasswordPageHasALimitOfItsOwn(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	ada, eve := d.person(), d.person()
	ada.enter("ada")
	page := eve.open("/login")
	for range 5 {
		ada.changePassword("not the password", nextPassword, nextPassword).wants(t, http.StatusForbidden, "the current password is not right")
		eve.login(page, "ada", "password", "not the password").wants(t, http.StatusForbidden, wrongLogin)
	}
	limited := ada.changePassword(password, nextPassword, nextPassword).wants(t, http.StatusTooManyRequests, "too many attempts")
	if limited.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q, want 1", limited.header.Get("Retry-After"))
	}
	eve.login(page, "ada").wants(t, http.StatusTooManyRequests, limitedLogin)
	d.clock.Advance(time.Second)
	ada.changePassword(password, nextPassword, nextPassword).wants(t, http.StatusOK, "Your password was changed.")
}

// accountActs are all forms of the account pages with what they need beside their token. Logging out comes last.
func accountActs(session uuid.UUID) [][2]string {
	return [][2]string{
		{"/account", "name=Mallory"}, {"/account/password", form("current_password", password, "new_password", nextPassword, "repeat_password", nextPassword).Encode()},
		{"/account/sessions/end", "session=" + session.String()}, {"/account/sessions/end-others", ""}, {"/account/sessions/name", "name=x&session=" + session.String()},
		{"/account/apps/revoke", "client=acme"}, {"/account/tokens", "name=x&scope=orders:read&days=30&once=x"}, {"/account/tokens/revoke", "token=" + session.String()},
		{"/account/logout", ""}, {"/account/logout-everywhere", ""}, {"/oauth/logout/confirm", "decision=logout"},
	}
}

// OWASP ASVS 3.5.1: no form of the account does anything without the token of this very session, or for another site.
func TestAccountFormsAreOurs(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada", obj{"name": "Ada"})
	d.user("eve")
	acme, ada, eve, earlier := d.webApp(obj{"client_id": "acme"}), d.person(), d.person(), d.person()
	eve.enter("eve")
	earlier.enter("ada")
	ada.goThrough(acme, "ada", "scope", "orders:read")
	_, eves := eve.open("/account").form(t, "/account/logout")
	_, earliers := earlier.open("/account").form(t, "/account/logout")
	_, own := ada.open("/account").form(t, "/account/logout")
	_, asking := ada.open("/oauth/logout").form(t, "/oauth/logout/confirm")
	secret := ada.cookie("sc-session")
	for _, act := range accountActs(uuid.New()) {
		values, err := url.ParseQuery(act[1])
		if err != nil {
			t.Fatal(err)
		}
		foreign := asking.Get("form_token")
		if act[0] == "/oauth/logout/confirm" {
			foreign = own.Get("form_token")
		}
		for what, token := range map[string]string{
			"none": "", "nonsense": "x", "another person's": eves.Get("form_token"), "another session's": earliers.Get("form_token"), "of another purpose": foreign,
		} {
			values.Set("form_token", token)
			if s := ada.post(act[0], values); s.status != http.StatusForbidden || !strings.Contains(s.words(), "not sent from our page") {
				t.Errorf("%s with the token %s: %d %s", act[0], what, s.status, s.words())
			}
		}
		values.Set("form_token", own.Get("form_token"))
		if act[0] == "/oauth/logout/confirm" {
			values.Set("form_token", asking.Get("form_token"))
		}
		for _, origin := range []string{"https://evil.example", "null"} {
			ada.origin = origin
			ada.post(act[0], values).wants(t, http.StatusForbidden, "not sent from our page")
		}
		ada.origin = ""
		// A browser without a session is led to the login, and nothing is done.
		if s := d.person().post(act[0], values); s.status != http.StatusSeeOther {
			t.Errorf("%s without a session: %d", act[0], s.status)
		}
	}
	d.wantSession(secret, true)
	d.wantSession(earlier.cookie("sc-session"), true)
	ada.open("/account").wants(t, http.StatusOK, "1 app has access")
	ada.open("/account").wants(t, http.StatusOK, "0 tokens of your own")
	if _, values := ada.open("/account").form(t, "/account"); values.Get("name") != "Ada" {
		t.Errorf("the name is %q", values.Get("name"))
	}
}

// What a page says was done comes from a list of ours: a link cannot put words on it.
func TestDoneSaysOnlyWhatWeSay(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	ada := d.person()
	ada.enter("ada")
	ada.open("/account?done=profile").wants(t, http.StatusOK, "Your name was saved.")
	plain := ada.open("/account").words()
	for _, done := range []string{"x", "Profile", "profile ", "Your account was hacked", "<b>x</b>", "password&done=profile", ""} {
		if got := ada.open("/account?done=" + url.QueryEscape(done)).words(); got != plain {
			t.Errorf("done=%q: %s", done, got)
		}
	}
	if got := ada.open("/account?done=profile&done=password").words(); got != plain {
		t.Errorf("done twice: %s", got)
	}
}

// People change the name by which they are shown, and nothing else of themselves.
func TestPeopleRenameThemselves(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	id := d.user("ada", obj{"name": "Ada", "email": "ada@example.com"})
	ada := d.person()
	page := ada.enter("ada")
	ada.submit(page, "/account", "name", "Ada Lovelace", "username", "root", "admin", "true", "email", "x@example.com", "disabled", "1").wants(t, http.StatusOK, "Your name was saved.")
	me := d.mustAdmin(http.MethodGet, "/users/"+id, nil)
	if me.str("name") != "Ada Lovelace" || me.str("username") != "ada" || me.str("email") != "ada@example.com" || me.json["admin"] != false {
		t.Errorf("the user is %s", me.text)
	}
	for _, bad := range []string{strings.Repeat("x", 201), "Ada\u202eecalevol", "a\tb", " x", "a\u200bb"} {
		ada.submit(page, "/account", "name", bad).wants(t, http.StatusBadRequest, "too long, or has characters that cannot be seen")
	}
	ada.submit(page, "/account", "name", "").wants(t, http.StatusOK, "Your name was saved.")
}

// sessionRows are the ids of the sessions that the page lists, by the order in which it does.
func (p *person) sessionRows() (ids []string) {
	p.t.Helper()
	page := p.open("/account/sessions").wants(p.t, http.StatusOK, "Browsers that are signed in")
	for text := page.text; ; {
		_, rest, more := strings.Cut(text, `action="/account/sessions/end"`)
		if !more {
			return ids
		}
		_, rest, _ = strings.Cut(rest, `name="session" value="`)
		id, after, _ := strings.Cut(rest, `"`)
		ids, text = append(ids, id), after
	}
}

// OWASP ASVS 7.5.2: people see where they are logged in, know each browser by a name, and end one or all others.
func TestPeopleSeeAndEndTheirSessions(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	phone, laptop, library := d.person(), d.person(), d.person()
	phone.agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
	library.agent = "curl/8.0"
	acme := d.webApp()
	phone.goThrough(acme, "ada", "scope", "openid orders:read")
	for _, p := range []*person{laptop, library} {
		d.clock.Advance(time.Second)
		p.enter("ada")
	}
	page := laptop.open("/account/sessions").wants(t, http.StatusOK, "Firefox on Linux")
	page.wants(t, http.StatusOK, "Safari on iOS")
	page.wants(t, http.StatusOK, "Network 127.0.0.1")
	page.wants(t, http.StatusOK, "Acme Invoices")
	ids := laptop.sessionRows()
	if len(ids) != 3 {
		t.Fatalf("%d sessions are listed, want 3", len(ids))
	}
	_, values := page.form(t, "/account/sessions/end")
	values.Set("session", ids[2])
	values.Set("name", "Telephone")
	laptop.follow(laptop.post("/account/sessions/name", values)).wants(t, http.StatusOK, "Telephone")
	for _, bad := range []string{strings.Repeat("x", 101), "a\u202eb", "\x07"} {
		values.Set("name", bad)
		laptop.post("/account/sessions/name", values).wants(t, http.StatusBadRequest, "too long, or has characters that cannot be seen")
	}
	values.Del("name")
	laptop.follow(laptop.post("/account/sessions/end", values)).wants(t, http.StatusOK, "That browser is signed out.")
	d.wantSession(phone.cookie("sc-session"), false)
	d.wantSession(library.cookie("sc-session"), true)
	laptop.submit(laptop.open("/account/sessions"), "/account/sessions/end-others").wants(t, http.StatusOK, "All other browsers are signed out.")
	d.wantSession(library.cookie("sc-session"), false)
	d.wantSession(laptop.cookie("sc-session"), true)
	values.Set("session", laptop.sessionRows()[0])
	laptop.follow(laptop.post("/account/sessions/end", values)).wants(t, http.StatusOK, "You are signed out")
}

// OWASP ASVS 8.2.2: nobody ends, names or sees another person's session, whatever id the form holds.
func TestSessionsOfOthersCannotBeReached(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("eve")
	ada, eve := d.person(), d.person()
	ada.enter("ada")
	eve.enter("eve")
	theirs := ada.sessionRows()[0]
	page := eve.open("/account/sessions")
	_, values := page.form(t, "/account/sessions/end")
	values.Set("session", theirs)
	eve.post("/account/sessions/end", values)
	d.wantSession(ada.cookie("sc-session"), true)
	values.Set("name", "owned")
	eve.post("/account/sessions/name", values).wants(t, http.StatusNotFound, "There is no such page")
	eve.submit(page, "/account/sessions/end-others")
	d.wantSession(ada.cookie("sc-session"), true)
	if text := ada.open("/account/sessions").text; strings.Contains(text, "owned") || strings.Contains(eve.open("/account/sessions").text, theirs) {
		t.Error("a session of somebody else was named or is shown")
	}
	for _, id := range []string{"", "x", "../" + theirs, uuid.Nil.String()} {
		values.Set("session", id)
		if s := eve.post("/account/sessions/end", values); s.status != http.StatusSeeOther {
			t.Errorf("session %q: %d", id, s.status)
		}
	}
}

// "Sign out everywhere" is for whoever fears that somebody else got in: nothing is left, this browser included.
func TestLogoutEverywhereLeavesNothing(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, api, ada, elsewhere := d.webApp(), d.api(), d.person(), d.person()
	elsewhere.enter("ada")
	tokens := d.redeem(acme.client, ada.goThrough(acme, "ada", "scope", "openid offline_access orders:read"))
	own := ada.makeToken("script", "orders:read")
	d.wantActive(api, own)
	secret := ada.cookie("sc-session")
	ada.submit(ada.open("/account/sessions"), "/account/logout-everywhere").wants(t, http.StatusOK, "All browsers are signed out, and no app has access any more.")
	d.wantSession(secret, false)
	d.wantSession(elsewhere.cookie("sc-session"), false)
	d.wantInactive(api, tokens.str("access_token"))
	d.wantInactive(api, own)
	wantError(t, d.refresh(acme.client, tokens.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	ada.enter("ada")
}
