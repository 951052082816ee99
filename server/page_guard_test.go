package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// openPages are the pages that somebody without a session gets, with the answer when nothing was asked for, and where it
// leads. All others lead to the login. Whoever adds one writes it down here.
var openPages = map[string]struct {
	status   int
	location string
}{
	"GET /oauth/authorize":             {http.StatusBadRequest, ""},
	"POST /oauth/authorize":            {http.StatusBadRequest, ""},
	"GET /oauth/continue":              {http.StatusBadRequest, ""},
	"POST /oauth/cancel":               {http.StatusBadRequest, ""},
	"GET /oauth/logout":                {http.StatusSeeOther, "/signed-out"},
	"POST /oauth/logout":               {http.StatusSeeOther, "/oauth/logout?"},
	"POST /oauth/logout/confirm":       {http.StatusSeeOther, "/signed-out"},
	"GET /login":                       {http.StatusOK, ""},
	"POST /login":                      {http.StatusForbidden, ""},
	"GET /select":                      {http.StatusBadRequest, ""},
	"POST /select":                     {http.StatusBadRequest, ""},
	"GET /consent":                     {http.StatusBadRequest, ""},
	"POST /consent":                    {http.StatusBadRequest, ""},
	"GET /signed-out":                  {http.StatusOK, ""},
	"GET /":                            {http.StatusSeeOther, "/account"},
	"GET /.well-known/change-password": {http.StatusSeeOther, "/account/password"},
}

// wantPageHeaders checks what every page has, errors too.
func wantPageHeaders(t testing.TB, what string, h http.Header) {
	t.Helper()
	if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Location") == "" && h.Get("X-Frame-Options") != "DENY" {
		t.Errorf("%s: headers %v", what, h)
	}
	if policy := h.Get("Referrer-Policy"); policy != "no-referrer" && policy != "same-origin" {
		t.Errorf("%s: Referrer-Policy %q", what, policy)
	}
	policy := h.Get("Content-Security-Policy")
	if h.Get("Location") == "" && (!strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe")) {
		t.Errorf("%s: Content-Security-Policy %q", what, policy)
	}
}

// OWASP ASVS 8.2: a page is in the list above, or leads who is not logged in to the login and does nothing else.
func TestEveryPageIsGuarded(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	seen := 0
	for _, route := range d.server.MountedRoutes() {
		if !route.Page {
			continue
		}
		name := route.Method + " " + route.Path
		for _, cookie := range []string{"", "sc-session=garbage", "sc-session=", "sc-session=a; sc-session=b"} {
			a := d.send(route.Method, route.Path, formType, "", "Cookie", cookie)
			want, open := openPages[name]
			if !open {
				want.status, want.location = http.StatusSeeOther, "/login?to="
			}
			if a.status != want.status || !strings.HasPrefix(a.header.Get("Location"), want.location) || want.location == "" && a.header.Get("Location") != "" {
				t.Errorf("%s with cookie %q: %d to %q, want %d to %q", name, cookie, a.status, a.header.Get("Location"), want.status, want.location)
			}
			if strings.HasPrefix(want.location, "/") && !strings.HasPrefix(a.header.Get("Location"), "/login?to=") && !open {
				t.Errorf("%s leads to %q", name, a.header.Get("Location"))
			}
			wantPageHeaders(t, name, a.header)
		}
		seen++
	}
	if seen < 30 {
		t.Errorf("only %d pages were looked at", seen)
	}
}

// CVE-2014-8144, RFC 9700 §4.7: of somebody who is logged in every page opens, and no form is taken that another site
// sent, or that does not carry the token of this session.
func TestEveryFormIsGuardedAgainstForgery(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	user := d.user("ada", obj{"name": "Ada"})
	d.user("eve")
	ada, eve := d.person(), d.person()
	ada.login(ada.open("/account"), "ada")
	eve.login(eve.open("/account"), "eve")
	_, hers := eve.open("/account").form(t, "/account")
	before := d.mustAdmin(http.MethodGet, "/users/"+user, nil).text
	home, err := url.Parse(d.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range d.server.MountedRoutes() {
		_, open := openPages[route.Method+" "+route.Path]
		switch {
		case !route.Page || open && route.Method == http.MethodGet:
		case route.Method == http.MethodGet:
			ada.get(route.Path).wants(t, http.StatusOK, "Sign out")
		default:
			values := form("decision", "allow", "name", "Mallory", "label", "x", "session", user, "client", "x", "username", "eve", "password", password)
			for what, token := range map[string]string{"none": "", "of another session": hers.Get("form_token"), "garbage": "x"} {
				values.Set("form_token", token)
				s := ada.post(route.Path, values)
				if s.status < 400 && !route.FromApps {
					t.Errorf("POST %s with the token %s: %d to %q", route.Path, what, s.status, s.location())
				}
			}
			for _, headers := range [][2]string{{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
				r := httptest.NewRequest(http.MethodPost, d.url+route.Path, strings.NewReader(values.Encode()))
				r.Header.Set("Content-Type", formType)
				r.Header.Set(headers[0], headers[1])
				for _, cookie := range ada.client.Jar.Cookies(home) {
					r.AddCookie(cookie)
				}
				if a := d.handle(r); (a.status != http.StatusForbidden || a.header.Get("Location") != "") && !route.FromApps {
					t.Errorf("POST %s with %v: %d to %q, want 403", route.Path, headers, a.status, a.header.Get("Location"))
				}
			}
		}
	}
	if after := d.mustAdmin(http.MethodGet, "/users/"+user, nil).text; after != before {
		t.Errorf("the user was %s and is %s", before, after)
	}
	_, own := ada.get("/account").wants(t, http.StatusOK, "ada").form(t, "/account") // she is still logged in
	own.Set("name", "Countess")
	ada.follow(ada.post("/account", own)).wants(t, http.StatusOK, "saved")
	if got := d.mustAdmin(http.MethodGet, "/users/"+user, nil).str("name"); got != "Countess" {
		t.Errorf("the name is %q after a good form", got)
	}
}
