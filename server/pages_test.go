package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// policy is what every page lets a browser do; the targets of its forms follow.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; " +
	"frame-ancestors 'none'; form-action 'self'"

// wantGuarded checks what every page has: it cannot be framed, kept, or made to run what is not ours.
func (s sight) wantGuarded(t testing.TB, what string, targets ...string) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": strings.Join(append([]string{policy}, targets...), " "), "X-Frame-Options": "DENY", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Content-Type": "text/html; charset=utf-8", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := s.header.Get(name); got != want || len(s.header.Values(name)) != 1 {
			t.Errorf("%s: %s is %q, want %q", what, name, s.header.Values(name), want)
		}
	}
	if s.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%s may be read by other sites", what)
	}
	walk(s.tree, func(n *html.Node) {
		if n.Type != html.ElementNode {
			return
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key != "value" && strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:") {
				t.Errorf("%s: <%s %s=%q>", what, n.Data, a.Key, a.Val)
			}
		}
		source, has := attribute(n, "src")
		if n.Data == "style" || n.Data == "script" && (!strings.HasPrefix(source, "/assets/") || n.FirstChild != nil) || has && !strings.HasPrefix(source, "/") {
			t.Errorf("%s: <%s src=%q>", what, n.Data, source)
		}
	})
}

// RFC 9700 §4.16, OWASP ASVS 3.4: no page, the ones of errors included, can be framed, kept by a cache, or made to load or
// run what is not ours; and forms lead to ourselves alone.
func TestNoPageCanBeFramedOrKept(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("off", obj{"password": ""})
	acme, ada, stranger := d.webApp(), d.person(), d.person()
	login := stranger.open("/login")
	for what, s := range map[string]sight{
		"login": login, "a refused login": stranger.login(login, "off", "password", "x"), "a stale login": stranger.login(login, "ada", "form_token", ""),
		"no such page": stranger.get("/nowhere"), "no such method": stranger.get("/account/logout"), "no request": stranger.get("/consent?tx=x"),
		"an app's mistake": stranger.get("/oauth/authorize?client_id=nobody"), "a forged form": stranger.post("/oauth/logout/confirm", form("x", "x", "x", "y")),
		"signed out": stranger.get("/signed-out"), "signed out everywhere": stranger.get("/signed-out?everywhere=yes"),
	} {
		s.wantGuarded(t, what)
	}
	ada.enter("ada")
	for _, path := range []string{"/account", "/account/password", "/account/sessions", "/account/apps", "/account/tokens", "/oauth/logout", "/login?as=other"} {
		ada.get(path).wants(t, http.StatusOK, "Safeconduct").wantGuarded(t, path)
	}
	ada.submit(ada.get("/account/tokens"), "/account/tokens", tokenFields("script", []string{"orders:read"})...).wantGuarded(t, "a new token")
	redirect := ada.get("/account/none")
	redirect.wantGuarded(t, "no such page of the account")
	if got := ada.allow(ada.consent(acme, "ada")).header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("the redirect with the code: Cache-Control %q", got)
	}
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	down := ada.get("/account").wants(t, http.StatusServiceUnavailable, "Please try again in a moment")
	down.wantGuarded(t, "while the store is down")
	if down.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}

// Chromium applies form-action to the redirect that follows a form, so each page of a request names where that ends,
// whatever kind of app it is: and nothing but that.
func TestPagesNameWhereTheirFormsEnd(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	for uri, want := range map[string]string{
		"https://app.example/callback?x=1": "https://app.example", "https://app.example:8443/callback": "https://app.example:8443",
		"http://127.0.0.1/callback": "http://127.0.0.1", "http://localhost:4711/callback": "http://localhost:4711", "http://[::1]/callback": "http:",
		"com.example.app:/callback": "com.example.app:", "com.example.app://host/callback": "com.example.app:",
	} {
		app, ada := d.deviceApp(obj{"redirect_uris": []string{uri}}), d.person()
		app.callback = uri
		ask := app.ask("prompt", "select_account")
		login := ada.open(ask)
		login.wants(t, http.StatusOK, "Sign in").wantGuarded(t, "login for "+uri, want)
		ada.login(login, "ada", "password", "wrong password").wants(t, http.StatusForbidden, wrongLogin).wantGuarded(t, "refused login for "+uri, want)
		choice := ada.login(login, "ada").wants(t, http.StatusOK, "Which account?")
		choice.wantGuarded(t, "choice for "+uri, want)
		consent := ada.submit(choice, "/select", "decision", "continue").wants(t, http.StatusOK, "wants access")
		consent.wantGuarded(t, "consent for "+uri, want)
		ada.allow(consent, "-scope", "", "-scope", "openid").answered(t, uri)
		ada.allow(ada.consent(app, "ada", "scope", "orders:read"), "-scope", "").wants(t, http.StatusBadRequest, "Nothing was chosen").wantGuarded(t, "nothing ticked for "+uri, want)
	}
	// The port of a loopback address is that of the moment (RFC 8252 §7.3).
	app, ada := d.deviceApp(obj{"redirect_uris": []string{"http://127.0.0.1/callback"}}), d.person()
	app.callback = "http://127.0.0.1:51004/callback"
	page := ada.consent(app, "ada")
	page.wantGuarded(t, "consent for a port of the moment", "http://127.0.0.1:51004")
	ada.allow(page).answered(t, app.callback)
}

// RFC 8252 §8.12, OWASP ASVS 10.4.7: people see which app it is, where it lives, where they will be sent to, and whether it
// can prove who it is.
func TestPagesSayWhoAsks(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, pocket := d.webApp(obj{"client_uri": "https://www.acme.example/about"}), d.deviceApp(obj{"redirect_uris": []string{"com.example.app:/back"}})
	pocket.callback = "com.example.app:/back"
	ada := d.person()
	login := ada.open(acme.ask()).wants(t, http.StatusOK, "to go on to Acme Invoices")
	page := ada.login(login, "ada")
	for _, text := range []string{"www.acme.example", "https://app.example", "This app is not run by Safeconduct", "signed in as ada"} {
		page.wants(t, http.StatusOK, text)
	}
	page = ada.consent(pocket, "ada")
	for _, text := range []string{"This app cannot prove who it is.", "com.example.app:"} {
		page.wants(t, http.StatusOK, text)
	}
}

// RFC 9111 §5.2.2: what pages are made of has a name that changes with it, so it is kept for ever; there is nothing else
// under that path.
func TestAssetsAreKeptForEver(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	p := d.person()
	seen := 0
	walk(p.get("/login").tree, func(n *html.Node) {
		for _, name := range []string{"src", "href"} {
			path, _ := attribute(n, name)
			if !strings.HasPrefix(path, "/assets/") {
				continue
			}
			seen++
			s := p.get(path)
			if s.status != http.StatusOK || s.header.Get("Cache-Control") != "public, max-age=31536000, immutable" || s.header.Get("X-Content-Type-Options") != "nosniff" || len(s.header.Values("Set-Cookie")) > 0 {
				t.Errorf("%s: %d %v", path, s.status, s.header)
			}
		}
	})
	if seen < 3 {
		t.Errorf("%d files are linked", seen)
	}
	for _, path := range []string{"/assets/", "/assets/x", "/assets/style.css", "/assets/..%2fserver.go", "/assets/../login", "/assets/layout.html"} {
		if s := p.get(path); s.status != http.StatusNotFound || s.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, Cache-Control %q", path, s.status, s.header.Get("Cache-Control"))
		}
	}
}

// RFC 9110 §7.4: a server that is called by a name that is not its own says so, to people by a page, to programs in JSON,
// wherever they knock; and never repeats the name.
func TestWrongHostIsToldInAPage(t *testing.T) {
	t.Parallel()
	for _, d := range []*deployment{deployBolt(t), deployTLS(t)} {
		for _, path := range []string{"/", "/login", "/account", "/oauth/authorize?client_id=x", "/nowhere", "/consent"} {
			for _, host := range []string{"evil.example", "EVIL.example:443", "id.example.com.evil.example", "127.0.0.1:1"} {
				r := d.request(http.MethodGet, path, "", "")
				r.Host = host
				r.Header.Set("Accept", "text/html,*/*;q=0.8")
				p := d.person()
				p.client.Transport = inside{d.server.Handler()}
				s := p.send(r).wants(t, http.StatusMisdirectedRequest, "Wrong address")
				s.wantGuarded(t, path+" at "+host)
				if strings.Contains(strings.ToLower(s.text), "evil") || len(s.header.Values("Set-Cookie")) > 0 {
					t.Errorf("%s at %s: %v %s", path, host, s.header, s.text)
				}
				r.Header.Del("Accept")
				wantError(t, d.handle(r), http.StatusMisdirectedRequest, "invalid_request")
			}
		}
		r := d.request(http.MethodPost, "/oauth/token", formType, "grant_type=client_credentials")
		r.Host = "evil.example"
		r.Header.Set("Accept", "text/html")
		wantError(t, d.handle(r), http.StatusMisdirectedRequest, "invalid_request")
	}
}

// What does not exist is told by a page to who asks for one, and in JSON to everybody else and under the API.
func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	p := d.person()
	for _, path := range []string{"/nowhere", "/account/", "/account/nothing", "/login/", "/.well-known/nothing", "/Login"} {
		p.get(path).wants(t, http.StatusNotFound, "There is no such page")
		wantError(t, d.handle(d.request(http.MethodGet, path, "", "")), http.StatusNotFound, "not_found")
	}
	for _, path := range []string{"/api/v1/nothing", "/api/v1"} {
		if s := p.get(path); s.status != http.StatusNotFound || !strings.HasPrefix(s.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %s", path, s.status, s.header.Get("Content-Type"))
		}
	}
}

// W3C: A Well-Known URL for Changing Passwords. Password managers find the page, by way of a login.
func TestWellKnownPasswordPage(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	ada := d.person()
	page := ada.open("/.well-known/change-password").wants(t, http.StatusOK, "Sign in")
	ada.login(page, "ada").wants(t, http.StatusOK, "Change your password")
	ada.open("/").wants(t, http.StatusOK, "Your account")
}

// Forms of pages that were open for long still work: their tokens are bound to the browser and not to the hour.
func TestFormsDoNotGrowStale(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	ada := d.person()
	page := ada.open("/login")
	d.clock.Advance(7 * 24 * time.Hour)
	ada.login(page, "ada").wants(t, http.StatusOK, "Your account")
}
