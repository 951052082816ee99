package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Session fixation (OWASP ASVS 7.2.4): no value that a browser brings becomes a session, a request or the binding of a
// form.
func TestPlantedCookiesAreNotAdopted(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme := d.webApp()
	for _, planted := range []string{"x", "null", strings.Repeat("A", 64), strings.Repeat("A", 4000), "../../x", "00000000-0000-0000-0000-000000000000"} {
		ada := d.person()
		ada.plant("sc-session", planted)
		ada.plant("sc-visit", planted)
		ada.plant("sc-tx-"+strings.Repeat("a", 37), planted)
		ada.enter("ada")
		if got := ada.cookie("sc-session"); got == planted || got == "" {
			t.Errorf("planted %.20q: the session is %.20q", planted, got)
		}
		if ada.cookie("sc-visit") != "" {
			t.Error("the cookie of before the login is still there")
		}
		ada.get("/login?tx="+strings.Repeat("a", 37)).wants(t, http.StatusBadRequest, "This page is no longer good")
	}
	// Two cookies of one name: one of them is somebody else's.
	ada := d.person()
	ada.enter("ada")
	r := d.request(http.MethodGet, "/account", "", "")
	r.Header.Set("Cookie", "sc-session="+ada.cookie("sc-session")+"; sc-session=x")
	if a := d.do(r); a.status != http.StatusSeeOther {
		t.Errorf("with two sessions: %d", a.status)
	}
	// A parked request's cookie under another request's name opens nothing.
	ada.open(acme.ask())
	eve := d.person()
	page := eve.open(acme.ask())
	id := page.url.Query().Get("tx")
	ada.plant("sc-tx-"+id, "guessed")
	ada.get("/login?tx="+id).wants(t, http.StatusForbidden, "This did not begin here")
}

// OWASP ASVS 3.3.1 to 3.3.5, RFC 6265bis §4.1.3.2: over TLS every cookie is tied to this very host, kept from scripts and
// from plain connections, and small.
func TestCookiesOverTLS(t *testing.T) {
	t.Parallel()
	d := deployTLS(t)
	d.user("ada")
	acme, ada := d.webApp(), d.personTLS()
	var set []*http.Cookie
	note := func(s sight) sight {
		set = append(set, (&http.Response{Header: s.header}).Cookies()...)
		return s
	}
	note(ada.get("/login"))
	asked := note(ada.get(acme.ask()))
	path, values := ada.follow(asked).form(t, "/login")
	values.Set("username", "ada")
	values.Set("password", password)
	note(ada.post(path, values))
	names := map[string]bool{}
	for _, c := range set {
		kind, _, _ := strings.Cut(strings.TrimPrefix(c.Name, "__Host-sc-"), "-")
		names[kind] = true
		if !strings.HasPrefix(c.Name, "__Host-sc-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(c.Raw) > 4096 {
			t.Errorf("%s", c.Raw)
		}
		// The mark of a browser that is known opens nothing, and is there for the next time.
		if kind != "browser" && c.MaxAge > int((10*time.Minute).Seconds()) {
			t.Errorf("%s stays for longer than anybody asked for", c.Name)
		}
	}
	for _, name := range []string{"visit", "session", "tx"} {
		if !names[name] {
			t.Errorf("no cookie %s was set, only %v", name, names)
		}
	}
	// What lacks the prefix may have been set by a sibling host.
	ada.get("/account").wants(t, http.StatusOK, "Your account")
	other := d.personTLS()
	for _, name := range []string{"sc-session", "sc-visit", "sc-tx-" + asked.header.Get("Location")[len("/login?tx="):]} {
		other.plant(name, ada.cookie("__Host-"+name)+strings.Repeat("A", 26)[min(26, len(ada.cookie("__Host-"+name))):])
	}
	if s := other.get("/account"); s.status != http.StatusSeeOther {
		t.Errorf("a session without the prefix of its cookie: %d", s.status)
	}
	other.get(asked.header.Get("Location")).wants(t, http.StatusForbidden, "This did not begin here")
	other.get("/login")
	if visit := other.cookie("__Host-sc-visit"); visit == "" || visit == other.cookie("sc-visit") {
		t.Errorf("the binding of the login form is %q", visit)
	}
}

// RFC 9110 §15.6.5: tabs that were forgotten do not fill the header of every request until nothing works any more; the
// newest of them still do.
func TestForgottenTabsDoNotFillTheHeader(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	var tabs []sight
	for range 20 {
		d.clock.Advance(time.Second)
		tabs = append(tabs, ada.open(acme.ask()))
	}
	parked := 0
	for _, c := range ada.client.Jar.Cookies(ada.home()) {
		if strings.HasPrefix(c.Name, "sc-tx-") {
			parked++
		}
	}
	if parked > 12 {
		t.Errorf("%d requests are parked in one browser", parked)
	}
	tabs[0].wants(t, http.StatusOK, "Sign in")
	ada.login(tabs[0], "ada").wants(t, http.StatusForbidden, "This did not begin here")
	for _, tab := range tabs[len(tabs)-parked:] {
		ada.get(tab.url.String()).wants(t, http.StatusOK, "Sign in")
	}
}

// OWASP ASVS 7.2.1: what opens a session stands in Set-Cookie and nowhere else: no page, no redirect, no log.
func TestSessionSecretStaysInItsCookie(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	var seen []sight
	look := func(s sight) sight { seen = append(seen, s); return s }
	look(ada.login(look(ada.get("/login")), "ada"))
	secret := ada.cookie("sc-session")
	for _, path := range []string{"/account", "/account/password", "/account/sessions", "/account/apps", "/account/tokens", "/oauth/logout", "/", "/login", "/nowhere"} {
		look(ada.get(path))
	}
	look(ada.allow(look(ada.open(acme.ask()))))
	look(ada.submit(look(ada.get("/account")), "/account/logout"))
	for _, s := range seen {
		s.header.Del("Set-Cookie")
		for name, values := range s.header {
			if strings.Contains(strings.Join(values, " "), secret) {
				t.Errorf("%s: the header %s holds the session", s.url, name)
			}
		}
		if strings.Contains(s.text+s.url.String(), secret) {
			t.Errorf("%s shows the session", s.url)
		}
	}
	if strings.Contains(d.log.String(), secret) {
		t.Error("the log holds the session")
	}
}
