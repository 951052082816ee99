package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// OAuth 2.0 Form Post Response Mode §2, CVE-2023-6927: the answer may be a form that the browser sends to the app. It goes
// to the registered address alone, what the app said stays text in it, and it needs no script of its own in the page.
func TestFormPostAnswersByAForm(t *testing.T) {
	t.Parallel()
	d, acme, ada := readyToAnswer(t)
	d.clock.Advance(time.Second)
	for _, state := range []string{"plain", `"><script>alert(1)</script>`, `' onfocus='alert(1)`, "</form><form action=https://evil.example>", "&quot;&#34;", "{{.}}", "${x}", "日本語 +%&="} {
		for _, changes := range [][]string{nil, {"scope", "x"}, {"prompt", "consent"}} {
			s := ada.open(acme.ask(append(changes, "response_mode", "form_post", "state", state)...))
			if s.url.Path == "/consent" {
				if policy := s.header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://app.example") {
					t.Errorf("the consent page may not lead to the app: %s", policy)
				}
				s = ada.allow(s)
			}
			to, values := s.form(t, callback)
			if s.status != http.StatusOK || to != callback || values.Get("state") != state || values.Get("iss") != d.url || values.Has("code") == values.Has("error") || len(values) != 3 && values.Get("error_description") == "" {
				t.Errorf("state %q: %d, a form to %s with %v", state, s.status, to, values)
			}
			if strings.Count(s.text, "<form") != 1 || strings.Contains(s.text, "alert(1)</script>") || strings.Contains(s.text, "<script>") {
				t.Errorf("state %q is read as markup: %s", state, s.text)
			}
			policy := s.header.Get("Content-Security-Policy")
			if !strings.HasSuffix(policy, "form-action 'self' https://app.example") || !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
				t.Errorf("Content-Security-Policy %q", policy)
			}
			wantPageHeaders(t, "form_post", s.header)
			if strings.Contains(s.text, "postMessage") {
				t.Error("the answer is posted as a message")
			}
			if code := values.Get("code"); code != "" {
				wantStatus(t, d.redeem(acme.client, code), http.StatusOK)
			}
		}
	}
	pocket := d.deviceApp(obj{"redirect_uris": []string{"http://[::1]/cb", "com.example.app:/cb"}})
	const uri = "http://[::1]:7000/cb"
	s := ada.allow(ada.open(pocket.ask("redirect_uri", uri, "response_mode", "form_post")))
	if to, values := s.form(t, uri); to != uri || values.Get("code") == "" || !strings.HasSuffix(s.header.Get("Content-Security-Policy"), "form-action 'self' http:") {
		t.Errorf("%s: a form to %s with %v under %q", uri, to, values, s.header.Get("Content-Security-Policy"))
	}
	// No browser sends a form to a private-use scheme (RFC 8252 §7.1): the app is told so by its address.
	refused := ada.get(pocket.ask("redirect_uri", "com.example.app:/cb", "response_mode", "form_post")).answered(t, "com.example.app:/cb?")
	if refused.Get("error") != "invalid_request" || refused.Get("state") != "state-of-the-app" {
		t.Errorf("a form to a private-use scheme: %v", refused)
	}
	page := ada.open(pocket.ask("redirect_uri", "com.example.app:/cb"))
	if policy := page.header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "form-action 'self' com.example.app:") {
		t.Errorf("the page may not lead to the app: %s", policy)
	}
	if got := ada.allow(page).answered(t, "com.example.app:/cb?"); got.Get("code") == "" {
		t.Errorf("a private-use scheme: %v", got)
	}
}

// OpenID Connect Core §3.1.2.1: a request may come by POST from the app's own site. The browser leaves our cookies out
// then (SameSite=Lax) and brings them to the next step, so nobody is asked to log in who has.
func TestRequestsByPostKeepTheSession(t *testing.T) {
	t.Parallel()
	d, acme, ada := readyToAnswer(t)
	home, err := url.Parse(d.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, origin := range []string{"https://app.example", "null"} {
		values, err := url.ParseQuery(strings.TrimPrefix(acme.ask("state", strings.Repeat("s", 2<<10), "scope", "openid profile orders:read"), "/oauth/authorize?"))
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, d.url+"/oauth/authorize", strings.NewReader(values.Encode()))
		r.Header.Set("Content-Type", formType)
		r.Header.Set("Origin", origin)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		first := d.handle(r) // without cookies
		if first.status != http.StatusSeeOther || !strings.HasPrefix(first.header.Get("Location"), "/oauth/continue?tx=") || strings.Contains(first.header.Get("Location"), "state") {
			t.Fatalf("%d to %q", first.status, first.header.Get("Location"))
		}
		cookies := (&http.Response{Header: first.header}).Cookies()
		if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode {
			t.Fatalf("cookies %v", first.header.Values("Set-Cookie"))
		}
		stranger := d.person()
		stranger.get(first.header.Get("Location")).wants(t, http.StatusForbidden, "This did not begin here")
		ada.client.Jar.SetCookies(home, cookies)
		answer := ada.get(first.header.Get("Location")).answered(t, callback)
		if answer.Get("state") != strings.Repeat("s", 2<<10) {
			t.Errorf("the answer is %v", answer)
		}
		wantStatus(t, d.redeem(acme.client, answer.Get("code")), http.StatusOK)
		ada.open(first.header.Get("Location")).wants(t, http.StatusBadRequest, "") // answered before
	}
	values, err := url.ParseQuery(strings.TrimPrefix(acme.ask("prompt", "none", "max_age", "0"), "/oauth/authorize?"))
	if err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(time.Second)
	ada.wantAnswer(ada.follow(ada.post("/oauth/authorize", values)), "login_required")
	// What is wrong with the request is told before anything is kept.
	values.Set("scope", "x")
	ada.wantAnswer(ada.post("/oauth/authorize", values), "invalid_scope")
	for what, r := range map[string]*http.Request{
		"JSON": d.request(http.MethodPost, "/oauth/authorize", "application/json", `{"client_id":"`+acme.id+`"}`),
		"text": d.request(http.MethodPost, "/oauth/authorize", "text/plain", values.Encode()), "nothing": d.request(http.MethodPost, "/oauth/authorize", "", ""),
		"too much": d.request(http.MethodPost, "/oauth/authorize", formType, values.Encode()+"&x="+strings.Repeat("x", 70<<10)),
	} {
		wantErrorPage(t, what, ada.send(r))
	}
}

// A forgotten tab is no reason to fill the header of every request: a browser keeps a dozen waiting requests, and the
// newest of them work.
func TestABrowserKeepsADozenRequests(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	home, err := url.Parse(d.url)
	if err != nil {
		t.Fatal(err)
	}
	var pages []sight
	for range 20 {
		d.clock.Advance(time.Second)
		pages = append(pages, ada.open(acme.ask()))
	}
	waiting := slices.DeleteFunc(ada.client.Jar.Cookies(home), func(c *http.Cookie) bool { return !strings.HasPrefix(c.Name, "sc-tx-") })
	if len(waiting) != 12 {
		t.Errorf("%d requests are kept", len(waiting))
	}
	ada.get(pages[0].url.String()).wants(t, http.StatusForbidden, "This did not begin here")
	ada.login(pages[8], "ada").wants(t, http.StatusOK, "wants access")
	ada.allow(ada.open("/consent?"+pages[19].url.RawQuery)).answered(t, callback)
}
