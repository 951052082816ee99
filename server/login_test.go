package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/users"
)

// What the login page says.
const (
	wrongLogin   = "That did not work."
	limitedLogin = "Too many attempts."
)

// enter logs in at the account pages.
func (p *person) enter(username string, changes ...string) sight {
	p.t.Helper()
	return p.login(p.open("/login"), username, changes...).wants(p.t, http.StatusOK, "Your account")
}

// OWASP ASVS 6.3.1, CVE-2025-24806, CVE-2026-47203: an account has one counter, however its name is spelled and whichever
// door the guess comes through.
func TestLoginPageCountsOneAccountInAllSpellings(t *testing.T) {
	t.Parallel()
	var hasher *users.Hasher
	d := deployBolt(t, hashes(&hasher))
	d.user("ada")
	back, ada := d.client("confidential"), d.person()
	page := ada.open("/login")
	for _, spelling := range []string{"ada", "ADA", "Ａda"} {
		page = ada.login(page, spelling, "password", "a wrong password").wants(t, http.StatusForbidden, wrongLogin)
	}
	for range 2 {
		wantError(t, d.login(back, "aDa", "password", "a wrong password"), http.StatusBadRequest, "invalid_grant")
	}
	before := hasher.Computed()
	limited := d.person()
	refused := limited.login(limited.open("/login"), "ᴬda").wants(t, http.StatusTooManyRequests, limitedLogin)
	if got := refused.header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After %q, want 1", got)
	}
	wantError(t, d.login(back, "ada"), http.StatusTooManyRequests, "temporarily_unavailable")
	if hasher.Computed() != before {
		t.Error("a password was looked at that should have waited")
	}
	d.clock.Advance(time.Second)
	ada.login(page, "ada").wants(t, http.StatusOK, "Your account")
}

// OWASP ASVS 6.3.1: who tries one password at many accounts is counted by the network, and a header that anybody can write
// names no other one (CVE-2020-28483).
func TestLoginPageLimitsANetwork(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	eve := d.person()
	page := eve.open("/login")
	path, values := page.form(t, "/login")
	guess := func(i int, username, password string) sight {
		t.Helper()
		values.Set("username", username)
		values.Set("password", password)
		r := d.request(http.MethodPost, path, formType, values.Encode())
		r.Header.Set("Origin", d.url)
		r.Header.Set("X-Forwarded-For", "203.0.113."+string(rune('0'+i%10)))
		return eve.send(r)
	}
	for i := range 30 {
		guess(i, "nobody"+strings.Repeat("x", i), "a wrong password").wants(t, http.StatusForbidden, wrongLogin)
	}
	guess(1, "ada", password).wants(t, http.StatusTooManyRequests, limitedLogin)
	d.clock.Advance(15 * time.Minute)
	if s := guess(1, "ada", password); s.status != http.StatusSeeOther {
		t.Errorf("after the window: %d %s", s.status, s.words())
	}
}

// OWASP ASVS 6.3.8: the login page says the same of a wrong password, an unknown, disabled or password-less user, and one
// who needs a second factor, in words, status and headers, after the same work.
func TestLoginPageTellsNothingAboutAccounts(t *testing.T) {
	t.Parallel()
	var hasher *users.Hasher
	d := deployBolt(t, hashes(&hasher))
	d.user("adalovelace")
	d.mustAdmin(http.MethodPatch, "/users/"+d.user("adadisabled"), obj{"disabled": true})
	d.mustAdmin(http.MethodPatch, "/users/"+d.user("adacautious"), obj{"second_factor": true})
	d.user("adapassless", obj{"password": ""})
	want := ""
	var wantHeader http.Header
	for _, attempt := range [][2]string{
		{"adalovelace", "a wrong password"}, {"adaisnobody", password}, {"adadisabled", password}, {"adacautious", password},
		{"adapassless", password}, {"adapassless", "undefined"},
	} {
		before := hasher.Computed()
		ada := d.person()
		got := ada.login(ada.open("/login"), attempt[0], "password", attempt[1])
		token := got.wants(t, http.StatusForbidden, wrongLogin)
		_, values := token.form(t, "/login")
		if n := hasher.Computed() - before; n != 1 {
			t.Errorf("%s: %d hashes, want 1", attempt[0], n)
		}
		for _, name := range []string{"X-Request-Id", "Date"} {
			got.header.Del(name)
		}
		text := strings.NewReplacer(values.Get("form_token"), "", attempt[0], "").Replace(got.text)
		if want == "" {
			want, wantHeader = text, got.header
		}
		if text != want {
			t.Errorf("%s: another page:\n%s\nwant\n%s", attempt[0], text, want)
		}
		if len(got.header) != len(wantHeader) {
			t.Errorf("%s: other headers: %v, want %v", attempt[0], got.header, wantHeader)
		}
		for name := range wantHeader {
			if got.header.Get(name) != wantHeader.Get(name) {
				t.Errorf("%s: %s is %q, want %q", attempt[0], name, got.header.Get(name), wantHeader.Get(name))
			}
		}
	}
}

// CVE-2026-41571: nobody logs in with an empty password, the word for none, or a megabyte, and none of it keeps a hash busy.
func TestLoginPageRefusesImpossiblePasswords(t *testing.T) {
	t.Parallel()
	var hasher *users.Hasher
	d := deployBolt(t, hashes(&hasher))
	d.user("ada")
	d.user("empty", obj{"password": ""})
	ada := d.person()
	before := hasher.Computed()
	page := ada.open("/login")
	ada.login(page, "empty", "password", "").wants(t, http.StatusBadRequest, "Please enter both")
	ada.login(page, "empty", "-password", "").wants(t, http.StatusBadRequest, "Please enter both")
	ada.login(page, "", "password", password).wants(t, http.StatusBadRequest, "Please enter both")
	ada.login(page, "empty", "password", "null").wants(t, http.StatusForbidden, wrongLogin)
	ada.login(page, "ada", "password", strings.Repeat("x", 60_000)).wants(t, http.StatusForbidden, wrongLogin)
	path, values := page.form(t, "/login")
	values.Set("password", strings.Repeat("x", 1<<20))
	r := d.request(http.MethodPost, path, formType, values.Encode())
	r.Header.Set("Accept", "text/html")
	if a := d.handle(r); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a megabyte: %d, want 413", a.status)
	}
	if got := hasher.Computed() - before; got != 0 {
		t.Errorf("%d hashes for passwords that nobody can have", got)
	}
	ada.enter("ada")
}

// OWASP ASVS 3.5.1, RFC 6749 §10.12: a login form works in the browser that it was made for, for the request that it was
// made for. A login that somebody else prepared would make people work in his account.
func TestLoginFormBelongsToItsBrowser(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada, eve := d.webApp(), d.person(), d.person()
	alone, parked := ada.open("/login"), ada.open(acme.ask())
	_, other := eve.open("/login").form(t, "/login")
	_, own := alone.form(t, "/login")
	_, ofRequest := parked.form(t, "/login")
	_, ofOther := eve.open(acme.ask()).form(t, "/login")
	_, second := ada.open(acme.ask()).form(t, "/login")
	for what, attempt := range map[string]struct {
		page  sight
		token string
	}{
		"no token": {alone, ""}, "another browser's": {alone, other.Get("form_token")}, "a request's": {alone, ofRequest.Get("form_token")},
		"a request without a token": {parked, ""}, "another browser's request": {parked, ofOther.Get("form_token")},
		"another request's": {parked, second.Get("form_token")}, "one without a request": {parked, own.Get("form_token")},
		"a token with a letter more": {parked, ofRequest.Get("form_token") + "A"},
	} {
		s := ada.login(attempt.page, "ada", "form_token", attempt.token)
		if s.status != http.StatusForbidden || !strings.Contains(s.words(), "Please sign in once more") {
			t.Errorf("%s: %d %s", what, s.status, s.words())
		}
		if cookie := ada.cookie("sc-session"); cookie != "" {
			t.Errorf("%s: logged in", what)
		}
	}
	// The form that came back is a good one.
	again := ada.login(parked, "ada", "form_token", "")
	ada.login(again, "ada").wants(t, http.StatusOK, "wants access")
}

// Pages that are kept for all must hold nothing that is somebody's own: two people get the same page but for their tokens,
// the second time as the first, and each in the language of his browser.
func TestKeptLoginPagesDifferInTheirTokensAlone(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	pages := make(map[string]string)
	for range 2 {
		for _, path := range []string{"/login", "/login?to=sessions"} {
			for _, language := range []string{"en", "de"} {
				r := d.request(http.MethodGet, path, "", "")
				r.Header.Set("Accept-Language", language)
				page := d.person().send(r)
				_, values := page.form(t, "/login")
				token := values.Get("form_token")
				if strings.Count(page.text, token) != 1 {
					t.Fatalf("the token stands %d times on the page", strings.Count(page.text, token))
				}
				rest := strings.ReplaceAll(page.text, token, "")
				if before, known := pages[path+language]; known && before != rest {
					t.Errorf("%s in %s differs from one person to the next", path, language)
				}
				pages[path+language] = rest
				if strings.Contains(rest, "Sign in") != (language == "en") {
					t.Errorf("%s is not in %s", path, language)
				}
			}
		}
	}
}

// A token that was made for the choice of an account opens no login, and that of a login makes no choice.
func TestFormTokensHaveOnePurpose(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	ada.enter("ada")
	choice := ada.open(acme.ask("prompt", "select_account")).wants(t, http.StatusOK, "Which account?")
	_, values := choice.form(t, "/select")
	login := ada.submit(choice, "/select", "decision", "other").wants(t, http.StatusOK, "Sign in")
	_, other := login.form(t, "/login")
	if s := ada.login(login, "ada", "form_token", values.Get("form_token")); s.status != http.StatusForbidden {
		t.Errorf("the token of a choice at the login: %d %s", s.status, s.words())
	}
	ada.submit(choice, "/select", "decision", "continue", "form_token", other.Get("form_token")).wants(t, http.StatusForbidden, "not sent from our page")
	consent := ada.submit(choice, "/select", "decision", "continue").wants(t, http.StatusOK, "wants access")
	ada.allow(consent, "form_token", values.Get("form_token")).wants(t, http.StatusForbidden, "not sent from our page")
	ada.allow(consent).answered(t, acme.callback)
}

// OWASP ASVS 3.5.1: browsers say where a form comes from. One that another site sends is refused before anything is read.
func TestLoginFromAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	ada := d.person()
	page := ada.open("/login")
	for _, origin := range []string{"https://evil.example", "null", "http://127.0.0.1"} {
		ada.origin = origin
		ada.login(page, "ada").wants(t, http.StatusForbidden, "not sent from our page")
	}
	if ada.cookie("sc-session") != "" {
		t.Error("logged in by another site's form")
	}
	ada.origin = ""
	ada.login(page, "ada").wants(t, http.StatusOK, "Your account")
}

// RFC 9110 §15.6.4: a flood of logins does not take the machine. Who finds no room is told when to come again, by a page.
func TestBusyLoginIsAPage(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) { c.Hasher = users.NewHasher(users.Params{MemoryKiB: 8192, Passes: 8}, 1, -1) })
	const flood = 24
	var people [flood]*person
	var pages, answers [flood]sight
	for i := range people {
		people[i] = d.person()
		pages[i] = people[i].open("/login")
	}
	crowd(flood, func(i int) { answers[i] = people[i].login(pages[i], "nobody"+strings.Repeat("x", i)) })
	busy := 0
	for _, s := range answers {
		if s.status != http.StatusServiceUnavailable {
			s.wants(t, http.StatusForbidden, wrongLogin)
			continue
		}
		busy++
		s.wants(t, http.StatusServiceUnavailable, "Too many people are signing in")
		if s.header.Get("Retry-After") != "2" {
			t.Errorf("Retry-After %q, want 2", s.header.Get("Retry-After"))
		}
		s.form(t, "/login")
	}
	if busy == 0 {
		t.Error("nobody was turned away")
	}
}

// OWASP ASVS 3.7.2: a login leads to a page of ours that has a name, and never to a URL that came with the link.
func TestLoginLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	for to, want := range map[string]string{
		"": "/account", "tokens": "/account/tokens", "sessions": "/account/sessions", "https://evil.example/": "/account", "//evil.example": "/account",
		"/account/password": "/account", `/\evil.example`: "/account", "javascript:alert(1)": "/account",
	} {
		ada := d.person()
		s := ada.login(ada.open("/login?"+url.Values{"to": {to}}.Encode()), "ada")
		if s.status != http.StatusOK || s.url.Path != want {
			t.Errorf("to %q: %d at %s, want %s", to, s.status, s.url, want)
		}
	}
}
