package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
)

// inside is the network of a browser whose server is in the same process, whatever name it goes by.
type inside struct{ handler http.Handler }

func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RemoteAddr = "192.0.2.7:50000"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	i.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// deployTLS is deployBolt for a server that people reach over TLS.
func deployTLS(t testing.TB, change ...func(*server.Config)) *deployment {
	t.Helper()
	return deployBolt(t, append([]func(*server.Config){func(c *server.Config) { c.Issuer = "https://id.example.com" }}, change...)...)
}

// personTLS is a person whose browser reaches the server of deployTLS.
func (d *deployment) personTLS() *person {
	p := d.person()
	p.client.Transport = inside{d.server.Handler()}
	return p
}

func (p *person) home() *url.URL {
	u, err := url.Parse(p.d.url + "/")
	if err != nil {
		p.t.Fatal(err)
	}
	return u
}

// cookie is what a browser holds under a name, nothing if it holds none.
func (p *person) cookie(name string) string {
	for _, c := range p.client.Jar.Cookies(p.home()) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// plant puts a cookie into a browser, as a sibling host can.
func (p *person) plant(name, value string) {
	p.client.Jar.SetCookies(p.home(), []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// holding opens the account with this session cookie alone.
func (d *deployment) holding(secret string) sight {
	p := d.person()
	p.plant("sc-session", secret)
	return p.get("/account")
}

// wantSession checks whether a session cookie opens the account.
func (d *deployment) wantSession(secret string, lives bool) {
	d.t.Helper()
	s := d.holding(secret)
	if opens := s.status == http.StatusOK; opens != lives || !opens && s.location() != "/login?to=account" {
		d.t.Fatalf("a session that should open %v: %d to %q", lives, s.status, s.location())
	}
}

// OWASP ASVS 7.2.4, CVE-2024-28197: a login makes a new session, and the one that the browser held before is dead, whoever
// it belonged to: nothing that was planted before the login is worth anything after it.
func TestLoginMakesANewSession(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("eve")
	ada, eve := d.person(), d.person()
	ada.enter("ada")
	first := ada.cookie("sc-session")
	ada.login(ada.open("/login?as=other"), "ada").wants(t, http.StatusOK, "Your account")
	second := ada.cookie("sc-session")
	if second == "" || second == first {
		t.Fatal("the session is the one before")
	}
	d.wantSession(first, false)
	d.wantSession(second, true)

	eve.enter("eve")
	planted := eve.cookie("sc-session")
	victim := d.person()
	victim.plant("sc-session", planted)
	victim.login(victim.open("/login?as=other"), "ada").wants(t, http.StatusOK, "ada")
	if victim.cookie("sc-session") == planted {
		t.Error("a planted session was adopted")
	}
	d.wantSession(planted, false)
}

// OWASP ASVS 7.3.1 and 7.3.2: a session is over after an hour without use, after a day with it, and after thirty days if
// it is to be remembered, whatever the browser keeps.
func TestSessionsEndByTheClock(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	idle, busy, kept := d.person(), d.person(), d.person()
	idle.enter("ada")
	busy.enter("ada")
	kept.enter("ada", "remember", "1")
	secrets := map[*person]string{}
	for _, p := range []*person{idle, busy, kept} {
		secrets[p] = p.cookie("sc-session")
	}
	d.clock.Advance(time.Hour - time.Second)
	d.wantSession(secrets[busy], true)
	d.clock.Advance(time.Second)
	d.wantSession(secrets[idle], false)
	for d.clock.Now().Sub(noon) < 24*time.Hour-30*time.Minute {
		d.wantSession(secrets[busy], true)
		d.clock.Advance(30 * time.Minute)
	}
	d.wantSession(secrets[busy], true)
	d.clock.Advance(30 * time.Minute)
	d.wantSession(secrets[busy], false)
	d.clock.Advance(28 * 24 * time.Hour)
	d.wantSession(secrets[kept], true) // nobody used it meanwhile
	d.clock.Advance(24 * time.Hour)
	d.wantSession(secrets[kept], false)
}

// The browser forgets a session when it is closed, unless the person asked to stay logged in.
func TestRememberedSessionOutlivesTheBrowser(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	for remember, want := range map[string]int{"": 0, "1": 30 * 24 * 3600} {
		ada := d.person()
		path, values := ada.open("/login").form(t, "/login")
		values.Set("username", "ada")
		values.Set("password", password)
		values.Set("remember", remember)
		s := ada.post(path, values)
		for _, c := range (&http.Response{Header: s.header}).Cookies() {
			if c.Name == "sc-session" && c.MaxAge != want {
				t.Errorf("remember %q: Max-Age %d, want %d", remember, c.MaxAge, want)
			}
		}
	}
}

// OWASP ASVS 7.4.2: who is disabled or logged out by an administrator is out of every page and every app at once.
func TestAdministratorsEndSessionsAtOnce(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	acme, api := d.webApp(), d.api()
	for what, act := range map[string]func(){
		"disable": func() { d.mustAdmin(http.MethodPatch, "/users/ada", obj{"disabled": true}) },
		"log out": func() { d.mustAdmin(http.MethodPost, "/users/ada/logout-everywhere", nil) },
		"reset":   func() { d.mustAdmin(http.MethodPut, "/users/ada/password", obj{"new_password": password + "!"}) },
		"delete":  func() { d.mustAdmin(http.MethodDelete, "/users/ada", nil) },
	} {
		d.user("ada")
		ada := d.person()
		tokens := d.redeem(acme.client, ada.goThrough(acme, "ada", "scope", "openid offline_access orders:read"))
		d.wantActive(api, tokens.str("access_token"))
		secret := ada.cookie("sc-session")
		waiting := ada.open(acme.ask("prompt", "consent"))
		act()
		d.wantSession(secret, false)
		d.wantInactive(api, tokens.str("access_token"))
		if a := d.refresh(acme.client, tokens.str("refresh_token")); a.str("error") != "invalid_grant" {
			t.Errorf("%s: refresh: %d %s", what, a.status, a.text)
		}
		if s := ada.allow(waiting); s.status != http.StatusOK || s.url.Path != "/login" {
			t.Errorf("%s: a consent that waited: %d %s", what, s.status, s.url)
		}
		if what != "delete" {
			d.mustAdmin(http.MethodDelete, "/users/ada", nil)
		}
	}
}
