package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// identified is an app of a third party that ada uses, with somebody else about.
func identified(t testing.TB) (*deployment, app, *person) {
	t.Helper()
	d := deployBolt(t)
	d.user("ada")
	d.user("eve")
	return d, d.webApp(), d.person()
}

// wantAnswer wants an app to be told of an error, with its state and our name.
func (p *person) wantAnswer(s sight, code string) {
	p.t.Helper()
	answer := s.answered(p.t, callback)
	if answer.Get("error") != code || answer.Get("state") != "state-of-the-app" || answer.Get("iss") != p.d.url || answer.Has("code") {
		p.t.Errorf("the answer is %v, want the error %s", answer, code)
	}
}

// idTokenOf redeems the code of an answer and returns the ID token and its claims.
func (p *person) idTokenOf(a app, s sight) (string, obj) {
	p.t.Helper()
	tokens := p.d.redeem(a.client, s.answered(p.t, callback).Get("code"))
	wantStatus(p.t, tokens, http.StatusOK)
	_, claims := p.d.signed(tokens.str("id_token"))
	return tokens.str("id_token"), claims
}

// OpenID Connect Core §3.1.2.1 and §3.1.2.6: with prompt=none nobody is shown anything. The app hears what would have had
// to be asked, or gets its code.
func TestPromptNoneAsksNobody(t *testing.T) {
	t.Parallel()
	d, acme, ada := identified(t)
	own, console := d.webApp(obj{"first_party": true}), d.webApp(obj{"first_party": true, "scopes": []string{"openid", "admin:users"}})
	none := func(a app, changes ...string) sight { return ada.get(a.ask(append(changes, "prompt", "none")...)) }
	ada.wantAnswer(none(acme), "login_required")
	ada.wantAnswer(none(own), "login_required")
	ada.enter("ada")
	ada.wantAnswer(none(acme), "consent_required")
	if got := none(own).answered(t, callback); got.Get("code") == "" || got.Get("state") != "state-of-the-app" {
		t.Errorf("our own app got %v", got)
	}
	ada.wantAnswer(none(d.deviceApp()), "consent_required") // its users are always asked: anybody can pass for it
	ada.wantAnswer(none(console, "scope", "openid admin:users"), "access_denied")

	ada.allow(ada.open(acme.ask("scope", "openid orders:read")), "remember", "1").answered(t, callback)
	if got := none(acme, "scope", "openid orders:read").answered(t, callback); got.Get("code") == "" {
		t.Errorf("after a remembered consent: %v", got)
	}
	ada.wantAnswer(none(acme, "scope", "openid orders:read orders:write"), "consent_required")
	d.clock.Advance(10 * time.Second)
	ada.wantAnswer(none(own, "max_age", "5"), "login_required")
	ada.wantAnswer(none(own, "max_age", "0"), "login_required")
	if got := none(own, "max_age", "3600").answered(t, callback); got.Get("code") == "" {
		t.Errorf("with a login that is fresh enough: %v", got)
	}
	for _, both := range []string{"none login", "none consent", "login none", "none select_account", "none none"} {
		ada.wantAnswer(ada.get(own.ask("prompt", both)), "invalid_request")
	}
	if page := none(own, "response_mode", "form_post"); page.status != http.StatusOK {
		t.Errorf("with form_post: %d", page.status)
	} else if _, values := page.form(t, callback); values.Get("code") == "" {
		t.Errorf("with form_post: %v", values)
	}
	d.mustAdmin(http.MethodPost, "/users/ada/logout-everywhere", nil)
	ada.wantAnswer(none(own), "login_required")
}

// OpenID Connect Core §3.1.2.1, GHSA-hp74-gm6m-2qm5: prompt=login and a max_age that has passed make somebody log in who
// has a session. The ID token tells of the new login, and what the session's cookie was before opens nothing.
func TestALoginThatIsTooOldIsRepeated(t *testing.T) {
	t.Parallel()
	d, _, ada := identified(t)
	own := d.webApp(obj{"first_party": true})
	_, first := ada.idTokenOf(own, ada.login(ada.open(own.ask()), "ada"))
	for _, changes := range [][]string{{"prompt", "login"}, {"max_age", "0"}, {"max_age", "5"}, {"prompt", "login", "max_age", "3600"}, {"prompt", "login", "id_token_hint", ""}, {"prompt", "login", "response_mode", "query"}} {
		d.clock.Advance(10 * time.Second)
		asked := d.store.Now().Unix()
		page := ada.open(own.ask(changes...)).wants(t, http.StatusOK, "once more")
		if page.url.Path != "/login" {
			t.Fatalf("%v leads to %s", changes, page.url)
		}
		// No way around: neither the next step, nor another page, nor another tab lets the old session through.
		tx := "?" + page.url.RawQuery
		for _, path := range []string{"/oauth/continue", "/consent", "/select"} {
			if s := ada.open(path + tx); s.status == http.StatusSeeOther || s.url.Path != "/login" && s.url.Path != "/select" {
				t.Errorf("%v: %s leads to %s (%q)", changes, path, s.url, s.location())
			}
		}
		ada.login(page, "ada", "password", "a wrong password").wants(t, http.StatusForbidden, "did not work")
		d.clock.Advance(2 * time.Second)
		before := ada.cookie("sc-session")
		_, again := ada.idTokenOf(own, ada.login(page, "ada"))
		d.wantSession(before, false)
		d.wantSession(ada.cookie("sc-session"), true)
		if again["auth_time"].(float64) < float64(asked) || again["auth_time"] == first["auth_time"] {
			t.Errorf("%v: the login is of %v, before it was of %v", changes, again["auth_time"], first["auth_time"])
		}
		first = again
	}
	d.clock.Advance(10 * time.Second)
	for _, changes := range [][]string{{"max_age", "60"}, {"max_age", "3600"}, {"max_age", "9223372036854775807"}, nil} {
		_, same := ada.idTokenOf(own, ada.get(own.ask(changes...)))
		if same["auth_time"] != first["auth_time"] || same["sid"] != first["sid"] {
			t.Errorf("%v: the login is of %v, want that of %v", changes, same["auth_time"], first["auth_time"])
		}
	}
	for _, age := range []string{"-1", "x", "1.5", "1e3", " 1", "0x10", "99999999999999999999", "５"} {
		ada.wantAnswer(ada.get(own.ask("max_age", age)), "invalid_request")
	}
	for _, prompt := range []string{"x", "create", "Login", "login,consent", "login x"} {
		ada.wantAnswer(ada.get(own.ask("prompt", prompt)), "invalid_request")
	}
}

// OpenID Connect Core §3.1.2.1: prompt=consent asks who was not asked before; prompt=select_account lets people choose
// whom to be, once. Whoever logs in meanwhile has chosen.
func TestPeopleAreAskedAgainWhereTheAppWantsIt(t *testing.T) {
	t.Parallel()
	d, _, ada := identified(t)
	own := d.webApp(obj{"first_party": true})
	ada.goThrough(own, "ada")
	d.clock.Advance(time.Second)
	ada.open(own.ask("prompt", "consent")).wants(t, http.StatusOK, "This app belongs to")

	choice := ada.open(own.ask("prompt", "select_account")).wants(t, http.StatusOK, "ada")
	for _, path := range []string{"/oauth/continue", "/consent"} {
		if s := ada.open(path + "?" + choice.url.RawQuery); s.url.Path != "/select" {
			t.Errorf("%s goes around the choice to %s", path, s.url)
		}
	}
	_, stays := ada.idTokenOf(own, ada.submit(choice, "/select", "decision", "continue"))
	d.clock.Advance(time.Second)
	choice = ada.open(own.ask("prompt", "select_account"))
	login := ada.submit(choice, "/select", "decision", "other")
	d.clock.Advance(time.Second)
	_, other := ada.idTokenOf(own, ada.login(login, "eve"))
	if stays["sub"] == other["sub"] {
		t.Errorf("both are %v", other["sub"])
	}
	d.clock.Advance(time.Second)
	both := ada.open(own.ask("prompt", "select_account consent login")).wants(t, http.StatusOK, "once more")
	d.clock.Advance(time.Second)
	ada.login(both, "eve").wants(t, http.StatusOK, "wants access")

	// A double click on the choice is one choice.
	d.clock.Advance(time.Second)
	choice = ada.open(own.ask("prompt", "select_account"))
	action, values := choice.form(t, "/select")
	values.Set("decision", "continue")
	crowd(8, func(int) {
		if s := ada.post(action, values); s.status != http.StatusSeeOther || !strings.HasPrefix(s.location(), "/oauth/continue?") {
			t.Errorf("a click leads to %d %q", s.status, s.location())
		}
	})
	if got := ada.open("/oauth/continue?"+choice.url.RawQuery).answered(t, callback); got.Get("code") == "" {
		t.Errorf("the answer is %v", got)
	}
}

// OpenID Connect Core §3.1.2.1 and §3.1.2.2: an ID token says whom the app expects. It logs nobody in, works when it has
// expired, and the app never gets anything of another person. What is no ID token of ours for this app is refused.
func TestIDTokenHintNamesThePerson(t *testing.T) {
	t.Parallel()
	d, acme, ada := identified(t)
	own, other := d.webApp(obj{"first_party": true}), d.webApp(obj{"first_party": true})
	hint, mine := ada.idTokenOf(own, ada.login(ada.open(own.ask()), "ada"))
	foreign, _ := ada.idTokenOf(other, ada.get(other.ask()))
	eve := d.person()
	d.clock.Advance(time.Second)
	ask := func(changes ...string) string { return own.ask(append([]string{"id_token_hint", hint}, changes...)...) }

	eve.wantAnswer(eve.get(ask("prompt", "none")), "login_required") // a hint is no login
	eve.enter("eve")
	d.clock.Advance(time.Second)
	eve.wantAnswer(eve.get(ask("prompt", "none")), "login_required")
	page := eve.open(ask())
	if page.url.Path != "/login" || strings.Contains(page.words(), "once more") {
		t.Errorf("somebody else is led to %s: %s", page.url, page.words())
	}
	d.clock.Advance(time.Second)
	eve.wantAnswer(eve.login(page, "eve"), "login_required")
	d.clock.Advance(time.Second)
	page = eve.open(ask())
	d.clock.Advance(time.Second)
	_, changed := eve.idTokenOf(own, eve.login(page, "ada")) // whoever that is: he has the password
	if changed["sub"] != mine["sub"] {
		t.Errorf("the app expected %v and got %v", mine["sub"], changed["sub"])
	}

	if got := ada.get(ask("prompt", "none")).answered(t, callback); got.Get("code") == "" {
		t.Errorf("of the person herself: %v", got)
	}
	d.clock.Advance(30 * time.Minute) // far beyond the life of the ID token, within that of the session
	ada.open("/account")
	d.clock.Advance(50 * time.Minute)
	if got := ada.get(ask("prompt", "none")).answered(t, callback); got.Get("code") == "" {
		t.Errorf("by an expired hint: %v", got)
	}
	access := d.redeem(own.client, ada.get(own.ask()).answered(t, callback).Get("code")).str("access_token")
	for what, bad := range map[string]string{
		"another client's": foreign, "garbage": "x", "an access token": access, "no signature": strings.Join(strings.Split(hint, ".")[:2], ".") + ".",
		"not signed": "eyJhbGciOiJub25lIn0." + strings.Split(hint, ".")[1] + ".", "another payload": strings.Split(hint, ".")[0] + "." + strings.Split(foreign, ".")[1] + "." + strings.Split(hint, ".")[2],
		"cut": hint[:len(hint)-2], "in JSON": `{"sub":"x"}`, "a blank behind": hint + " ",
	} {
		for _, prompt := range []string{"none", ""} {
			s := ada.get(own.ask("id_token_hint", bad, "prompt", prompt))
			if got := s.answered(t, callback); got.Get("error") != "invalid_request" || got.Has("code") {
				t.Errorf("%s: %v", what, got)
			}
		}
	}
	ada.wantAnswer(ada.get(acme.ask("id_token_hint", hint)), "invalid_request")
}

// OpenID Connect Core §3.1.2.1: a login_hint fills in the name and decides nothing, and ui_locales picks the language of
// the pages that follow, among those that there are.
func TestHintsOnlyHelp(t *testing.T) {
	t.Parallel()
	_, acme, ada := identified(t)
	for _, name := range []string{"eve", "nobody", `"><script>alert(1)</script>`, "é@example.com"} {
		page := ada.open(acme.ask("login_hint", name))
		_, values := page.form(t, "/login")
		if values.Get("username") != name || strings.Contains(page.text, "<script>alert") {
			t.Errorf("login_hint %q fills in %q", name, values.Get("username"))
		}
	}
	page := ada.login(ada.open(acme.ask("login_hint", "eve")), "ada").wants(t, http.StatusOK, "signed in as ada")
	ada.allow(page).answered(t, callback)
	ada.open(acme.ask("login_hint", "eve", "prompt", "consent")).wants(t, http.StatusOK, "signed in as ada")

	for locales, want := range map[string]string{"de": "de", "fr de": "de", "de-AT": "de", "en de": "en", "x": "en", "<script>": "en", "../../etc/passwd": "en", strings.Repeat("x ", 160): "en"} {
		for _, stop := range []string{"consent", "login", "select_account"} {
			page := ada.open(acme.ask("ui_locales", locales, "prompt", stop))
			if !strings.Contains(page.text, `<html lang="`+want+`"`) {
				t.Errorf("ui_locales %q, prompt=%s: the page is not in %s: %.60s", locales, stop, want, page.text)
			}
		}
	}
	// The language stays until the request is answered, errors too.
	waiting := ada.open(acme.ask("ui_locales", "de", "prompt", "consent"))
	values := url.Values{"decision": {"allow"}, "form_token": {"x"}}
	if s := ada.post("/consent?"+waiting.url.RawQuery, values); s.status != http.StatusForbidden || !strings.Contains(s.text, `<html lang="de"`) {
		t.Errorf("a stale form: %d %.60s", s.status, s.text)
	}
}
