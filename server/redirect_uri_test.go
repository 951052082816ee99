package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// wantErrorPage wants a page that says that the app made a mistake, and no redirect to anywhere.
func wantErrorPage(t testing.TB, what string, s sight) {
	t.Helper()
	if s.status < 400 || s.status >= 500 || s.location() != "" || s.header.Get("Refresh") != "" || !strings.HasPrefix(s.header.Get("Content-Type"), "text/html") {
		t.Errorf("%s: %d to %q, want an error page", what, s.status, s.location())
	}
	for _, cookie := range s.header.Values("Set-Cookie") {
		t.Errorf("%s: the cookie %s is set", what, cookie)
	}
	wantPageHeaders(t, what, s.header)
}

// RFC 9700 §2.1 and §4.1, CVE-2026-28512, CVE-2020-15234: a redirect URI is the registered one to the byte. Nothing is
// ever sent to another, whoever is logged in and whatever was allowed before, by GET as by POST.
func TestRedirectURIIsComparedByteForByte(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	const registered = "https://app.example/cb/in?x=1&y=a%20b"
	acme, ada := d.webApp(obj{"redirect_uris": []string{registered}, "first_party": true}), d.person()
	acme.callback = registered
	d.webApp(obj{"redirect_uris": []string{"https://other.example/cb"}})
	ada.goThrough(acme, "ada")
	for what, uri := range map[string]string{
		"host in capitals": "https://APP.example/cb/in?x=1&y=a%20b", "path in capitals": "https://app.example/CB/in?x=1&y=a%20b",
		"scheme in capitals": "HTTPS://app.example/cb/in?x=1&y=a%20b", "http": "http://app.example/cb/in?x=1&y=a%20b", "no scheme": "//app.example/cb/in?x=1&y=a%20b",
		"a path alone": "/cb/in?x=1&y=a%20b", "a slash more": "https://app.example/cb/in/?x=1&y=a%20b", "a slash less": "https://app.example/cb?x=1&y=a%20b",
		"two slashes": "https://app.example//cb/in?x=1&y=a%20b", "more path": "https://app.example/cb/in/x?x=1&y=a%20b", "a parameter more": registered + "&z=1",
		"a parameter less": "https://app.example/cb/in?x=1", "no query": "https://app.example/cb/in", "an empty query": "https://app.example/cb/in?",
		"parameters in another order": "https://app.example/cb/in?y=a%20b&x=1", "a query in another spelling": "https://app.example/cb/in?x=1&y=a+b",
		"a query decoded": "https://app.example/cb/in?x=1&y=a b", "an ampersand more": registered + "&", "a port": "https://app.example:443/cb/in?x=1&y=a%20b",
		"another port": "https://app.example:8443/cb/in?x=1&y=a%20b", "an empty port": "https://app.example:/cb/in?x=1&y=a%20b",
		"a subdomain": "https://x.app.example/cb/in?x=1&y=a%20b", "a prefix of the host": "https://evilapp.example/cb/in?x=1&y=a%20b",
		"a suffix of the host": "https://app.example.evil.example/cb/in?x=1&y=a%20b", "a dot behind the host": "https://app.example./cb/in?x=1&y=a%20b",
		"dot encoded": "https://app%2eexample/cb/in?x=1&y=a%20b", "path encoded": "https://app.example/%63b/in?x=1&y=a%20b", "slash encoded": "https://app.example/cb%2fin?x=1&y=a%20b",
		"encoded twice": "https://app.example/%2563b/in?x=1&y=a%20b", "up": "https://app.example/cb/../cb/in?x=1&y=a%20b", "up, encoded": "https://app.example/cb/%2e%2e/cb/in?x=1&y=a%20b",
		"up, with a semicolon": "https://app.example/x/..;/cb/in?x=1&y=a%20b", "here": "https://app.example/./cb/in?x=1&y=a%20b", "a backslash": `https://app.example\@evil.example/cb/in?x=1&y=a%20b`,
		"backslashes": `https:\\app.example\cb\in?x=1&y=a%20b`, "a user": "https://u@app.example/cb/in?x=1&y=a%20b", "a user that looks like a host": "https://app.example@evil.example/cb/in?x=1&y=a%20b",
		"two ats": "https://app.example@@evil.example/cb/in?x=1&y=a%20b", "a user with a password": "https://app.example:x@evil.example/cb/in?x=1&y=a%20b", "a fragment": registered + "#f",
		"an empty fragment": registered + "#", "a fragment before the path": "https://evil.example#app.example/cb/in?x=1&y=a%20b", "a tab inside": "https://app.exam\tple/cb/in?x=1&y=a%20b",
		"a line feed inside": "https://app.example/cb\n/in?x=1&y=a%20b", "a header": registered + "\r\nX-Evil: 1", "a NUL": registered + "\x00", "a NUL inside": "https://app.example\x00.evil.example/cb/in?x=1&y=a%20b",
		"a blank before": " " + registered, "a blank behind": registered + " ", "a look-alike": "https://аpp.example/cb/in?x=1&y=a%20b", "full-width": "https://app。example/cb/in?x=1&y=a%20b",
		"a soft hyphen": "https://app\u00ad.example/cb/in?x=1&y=a%20b", "not UTF-8": registered + "\xff", "another client's": "https://other.example/cb", "two": registered + " https://evil.example/",
		"two with a comma": registered + ",https://evil.example/", "javascript": "javascript:alert(1)//https://app.example/cb/in?x=1&y=a%20b", "data": "data:text/html,<script>alert(1)</script>",
		"loopback": "http://127.0.0.1/cb/in?x=1&y=a%20b", "the server itself": d.url + "/account", "a wildcard": "https://*.example/cb/in?x=1&y=a%20b", "very long": registered + "&" + strings.Repeat("z", 4000),
		"an answer inside": registered + "&code=x", "out of band": "urn:ietf:wg:oauth:2.0:oob", "about": "about:blank", "a word": "x",
	} {
		for _, more := range [][]string{nil, {"prompt", "none"}, {"response_type", "token"}, {"response_mode", "form_post"}} {
			s := ada.get(acme.ask(append(more, "redirect_uri", uri)...))
			wantErrorPage(t, what, s)
			if strings.Contains(s.text, "evil.example") {
				t.Errorf("%s: the page repeats the address", what)
			}
		}
		values, err := url.ParseQuery(strings.TrimPrefix(acme.ask("redirect_uri", uri), "/oauth/authorize?"))
		if err != nil {
			t.Fatal(err)
		}
		wantErrorPage(t, what+" by POST", ada.post("/oauth/authorize", values))
	}
	if got := ada.get(acme.ask()).answered(t, registered); got.Get("code") == "" {
		t.Errorf("the registered one: %v", got)
	}
}

// RFC 6749 §4.1.2.1, CVE-2019-9837: until it is known which client asks and where its answer goes, nothing is redirected,
// not even an error, whatever else is wrong with the request.
func TestNothingIsRedirectedBeforeClientAndAddressAreKnown(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, gone, off, ada := d.webApp(obj{"first_party": true}), d.webApp(), d.webApp(), d.person()
	several := d.webApp(obj{"redirect_uris": []string{callback, "https://app.example/two"}})
	machine := app{d.client("service"), callback}
	d.mustAdmin(http.MethodDelete, "/clients/"+gone.id, nil)
	d.mustAdmin(http.MethodPatch, "/clients/"+off.id, obj{"disabled": true})
	ada.goThrough(acme, "ada")
	for what, path := range map[string]func(...string) string{
		"an unknown client": func(more ...string) string { return acme.ask(append(more, "client_id", "none-such")...) },
		"no client":         func(more ...string) string { return acme.ask(append(more, "client_id", "")...) },
		"a deleted client":  gone.ask,
		"a disabled client": off.ask,
		"a machine":         machine.ask,
		"a URI as client":   func(more ...string) string { return acme.ask(append(more, "client_id", "https://evil.example/")...) },
		"another's redirect": func(more ...string) string {
			return acme.ask(append(more, "client_id", several.id, "redirect_uri", "https://x.example/")...)
		},
		"no redirect URI":    func(more ...string) string { return several.ask(append(more, "redirect_uri", "")...) },
		"none with openid":   func(more ...string) string { return acme.ask(append(more, "redirect_uri", "", "scope", "openid")...) },
		"a bad redirect URI": func(more ...string) string { return acme.ask(append(more, "redirect_uri", "https://evil.example/")...) },
		"a long state":       func(more ...string) string { return acme.ask(append(more, "state", strings.Repeat("x", 2049))...) },
	} {
		for _, more := range [][]string{
			nil, {"prompt", "none"}, {"response_type", ""}, {"response_type", "token"}, {"response_mode", "web_message"}, {"response_mode", "form_post"},
			{"scope", "x"}, {"code_challenge", ""}, {"request", "x"}, {"request_uri", "https://evil.example/"}, {"nonce", strings.Repeat("x", 600)},
		} {
			if what == "none with openid" && len(more) > 0 && more[0] == "scope" {
				continue
			}
			wantErrorPage(t, what, ada.get(path(more...)))
		}
	}
	for what, page := range map[string]sight{
		"no parameters": ada.get("/oauth/authorize"), "broken encoding": ada.get(acme.ask() + "&x=%zz"), "broken UTF-8": ada.get(acme.ask() + "&x=%ff"), "a NUL": ada.get(acme.ask() + "&x=%00"),
		"too many": ada.get(acme.ask() + strings.Repeat("&a=1", 70)), "too long": ada.get(acme.ask() + "&x=" + strings.Repeat("y", 9<<10)),
	} {
		wantErrorPage(t, what, page)
	}
}

// RFC 8252 §7.3 and §8.3, CVE-2020-15233, CVE-2024-8883: an app on the person's own machine takes whatever port is free,
// on the loopback addresses alone. The name localhost is compared like any other, and so is all but the port.
func TestLoopbackRedirectsMayTakeAnyPort(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	pocket, ada := d.deviceApp(obj{"redirect_uris": []string{"http://127.0.0.1/cb?x=1", "http://[::1]:7000/cb", "http://localhost:8000/cb"}}), d.person()
	ada.login(ada.open("/account"), "ada")
	for _, uri := range []string{
		"http://127.0.0.1/cb?x=1", "http://127.0.0.1:1/cb?x=1", "http://127.0.0.1:65535/cb?x=1", "http://[::1]/cb", "http://[::1]:7000/cb", "http://[::1]:51234/cb", "http://localhost:8000/cb",
	} {
		page := ada.open(pocket.ask("redirect_uri", uri)).wants(t, http.StatusOK, "Pocket Invoices")
		if !strings.Contains(page.header.Get("Content-Security-Policy"), "form-action 'self' http:") {
			t.Errorf("%s: Content-Security-Policy %q keeps the browser from going there", uri, page.header.Get("Content-Security-Policy"))
		}
		code := ada.allow(page).answered(t, uri).Get("code")
		wantStatus(t, d.redeem(pocket.client, code, "redirect_uri", uri), http.StatusOK)
	}
	for _, uri := range []string{
		"http://localhost/cb", "http://localhost:8001/cb", "http://localhost:8000/cb?x=1", "https://127.0.0.1/cb?x=1", "http://127.0.0.1/cb", "http://127.0.0.1:1/cb?x=2", "http://127.0.0.1:1/cb?x=1&y",
		"http://127.0.0.1:1/x?x=1", "http://127.0.0.1:0/cb?x=1", "http://127.0.0.1:65536/cb?x=1", "http://127.0.0.1:080/cb?x=1", "http://127.0.0.1:/cb?x=1", "http://127.0.0.1:1a/cb?x=1",
		"http://127.0.0.1:1@evil.example/cb?x=1", "http://127.0.0.1.evil.example/cb?x=1", "http://127.0.0.1:80.evil.example/cb?x=1", "http://127.0.0.2/cb?x=1", "http://127.1/cb?x=1", "http://0.0.0.0/cb?x=1",
		"http://2130706433/cb?x=1", "http://0x7f.0.0.1/cb?x=1", "http://[0:0:0:0:0:0:0:1]:7000/cb", "http://[::ffff:127.0.0.1]/cb?x=1", "http://[::1%25lo]:7000/cb", "http://u@127.0.0.1/cb?x=1", `http://127.0.0.1:1\cb?x=1`,
		"http://127.0.0.1:1/cb?x=1#f", "http://127.0.0.1:+1/cb?x=1", "http://127.0.0.1: 1/cb?x=1", "http://127.0.0.1:１/cb?x=1",
	} {
		wantErrorPage(t, uri, ada.get(pocket.ask("redirect_uri", uri)))
	}
	// The port of the authorization request is the port of the redemption (RFC 6749 §4.1.3).
	code := ada.allow(ada.open(pocket.ask("redirect_uri", "http://127.0.0.1:1234/cb?x=1"))).answered(t, "http://127.0.0.1:1234/cb?x=1").Get("code")
	wantError(t, d.redeem(pocket.client, code, "redirect_uri", "http://127.0.0.1:1235/cb?x=1"), http.StatusBadRequest, "invalid_grant")
}

// RFC 6749 §3.1.2.3 and §4.1.3: a redirect URI may be left out where only one is registered, and then not at the redemption
// either. OpenID Connect Core §3.1.2.1 demands it always.
func TestRedirectURIMayBeOmitted(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(obj{"first_party": true}), d.person()
	ada.goThrough(acme, "ada")
	ask := acme.ask("redirect_uri", "", "scope", "orders:read")
	code := func() string { return ada.get(ask).answered(t, callback).Get("code") }
	wantError(t, d.redeem(acme.client, code()), http.StatusBadRequest, "invalid_grant")
	wantStatus(t, d.redeem(acme.client, code(), "redirect_uri", ""), http.StatusOK)
	given := ada.get(acme.ask("scope", "orders:read")).answered(t, callback).Get("code")
	wantError(t, d.redeem(acme.client, given, "redirect_uri", ""), http.StatusBadRequest, "invalid_grant")
	wantErrorPage(t, "with openid", ada.get(acme.ask("redirect_uri", "")))
	// Where a second one is registered meanwhile, an answer that is under way still goes where it was to go.
	waiting := ada.open(acme.ask("redirect_uri", "", "scope", "orders:read", "prompt", "consent"))
	d.mustAdmin(http.MethodPatch, "/clients/"+acme.id, obj{"redirect_uris": []string{"https://app.example/new", callback}})
	ada.allow(waiting).answered(t, callback)
	wantErrorPage(t, "with two registered", ada.get(ask))
	waiting = ada.open(acme.ask("prompt", "consent"))
	d.mustAdmin(http.MethodPatch, "/clients/"+acme.id, obj{"redirect_uris": []string{"https://app.example/new"}})
	wantErrorPage(t, "of an address that is registered no more", ada.allow(waiting))
}

// RFC 6749 §3.1.2, CVE-2026-9689: of a registered URI no byte is changed, and what is added comes behind its query.
func TestRegisteredRedirectURIIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	ada := d.person()
	ada.login(ada.open("/account"), "ada")
	for uri, joint := range map[string]string{
		"https://app.example/cb": "?", "https://app.example/cb?": "", "https://app.example": "?", "https://app.example/cb?x=1": "&", "https://app.example/cb?b=2&a=1&b=3": "&", "https://app.example/cb?x=1&": "",
		"https://app.example/cb?q=a%2Fb%2fc+d%20e": "&", "https://app.example/c%C3%A4b/?=&x": "&", "https://app.example/cb?next=https://x.example/?y=1": "&", "com.example.app:/cb": "?", "com.example.app:/cb?x": "&",
		"https://app.example/cb;v=1,2?x=!$'()": "&",
	} {
		a := d.admin(http.MethodPost, "/clients", obj{"name": "x", "type": "confidential", "first_party": true, "grant_types": []string{"authorization_code"}, "redirect_uris": []string{uri}, "scopes": []string{"orders:read"}})
		if a.status != http.StatusCreated {
			t.Errorf("%s cannot be registered: %d %s", uri, a.status, a.text)
			continue
		}
		c := app{client{a.str("client_id"), a.str("client_secret")}, uri}
		if to := ada.get(c.ask("scope", "orders:read")).location(); !strings.HasPrefix(to, uri+joint+"code=") {
			t.Errorf("%s becomes %s", uri, to)
		}
		if to := ada.get(c.ask("scope", "x")).location(); !strings.HasPrefix(to, uri+joint+"error=invalid_scope&") {
			t.Errorf("%s becomes %s", uri, to)
		}
	}
}
