package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// Fetch Standard §3.2: a page of an app's own origin may read what the token, revocation and userinfo endpoints answer,
// errors too; no other page may, no page of no origin, and never one with our cookies.
func TestPagesOfAnAppMayReadItsAnswers(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	spa := d.deviceApp(obj{"redirect_uris": []string{"https://app.example/callback?x=1", "http://127.0.0.1/back", "com.example.app:/back"}})
	other := d.deviceApp(obj{"redirect_uris": []string{"https://other.example/callback"}})
	tokens := d.person().identify(spa, "ada", "scope", "openid offline_access")
	profile := d.person().identify(spa, "ada", "scope", "profile").str("access_token")
	access := tokens.str("access_token")
	id, as := "&client_id="+spa.id, func(origin string, more ...string) []string { return append(more, "Origin", origin) }

	// What each request answers, and who may read it: the app's own pages, or every page where nobody is known.
	type request struct {
		path, body, token string
		status            int
		everybody         bool
	}
	requests := map[string]request{
		"a token":                     {"/oauth/token", "grant_type=refresh_token&refresh_token=" + tokens.str("refresh_token") + id, "", 200, false},
		"a refused grant":             {"/oauth/token", "grant_type=refresh_token&refresh_token=x" + id, "", 400, false},
		"an unknown grant type":       {"/oauth/token", "grant_type=x" + id, "", 400, false},
		"a missing code":              {"/oauth/token", "grant_type=authorization_code" + id, "", 400, false},
		"a refused client":            {"/oauth/token", "grant_type=refresh_token&refresh_token=x&client_secret=x" + id, "", 401, false},
		"a revocation":                {"/oauth/revoke", "token=x" + id, "", 200, false},
		"a revocation without token":  {"/oauth/revoke", id[1:], "", 400, false},
		"userinfo":                    {"/oauth/userinfo", "", access, 200, false},
		"userinfo without the scope":  {"/oauth/userinfo", "", profile, 403, false},
		"userinfo with a wrong token": {"/oauth/userinfo", "", "x", 401, true},
		"userinfo without a token":    {"/oauth/userinfo", "", "", 401, true},
		"userinfo with two tokens":    {"/oauth/userinfo", "access_token=x", access, 400, true},
	}
	send := func(r request, origin string) answer {
		headers := as(origin)
		if r.token != "" {
			headers = append(headers, "Authorization", "Bearer "+r.token)
		}
		return d.send(http.MethodPost, r.path, formType, r.body, headers...)
	}
	for what, r := range requests {
		for _, own := range []string{"https://app.example", "http://127.0.0.1:3000"} {
			a := send(r, own)
			wantStatus(t, a, r.status)
			if got := a.header.Get("Access-Control-Allow-Origin"); got != own || a.header.Get("Cross-Origin-Resource-Policy") != "" {
				t.Errorf("%s: allows %q, want %s", what, got, own)
			}
			if got := a.header.Get("Access-Control-Expose-Headers"); !strings.Contains(got, "WWW-Authenticate") {
				t.Errorf("%s: exposes %q", what, got)
			}
			wantNoCredentials(t, what, a)
		}
		for _, foreign := range []string{
			"https://other.example", "http://app.example", "https://app.example:8443", "https://app.example.evil.example", "https://evil.example/https://app.example",
			"https://APP.example", "https://app.example/", "null", "com.example.app:", "*", "https://app.example, https://evil.example", "http://localhost:3000",
		} {
			a := send(r, foreign)
			wantNoCredentials(t, what, a)
			got := a.header.Get("Access-Control-Allow-Origin")
			switch {
			case got == "*" || got == "null" || !r.everybody && got != "":
				t.Errorf("%s: allows %q to %s", what, got, foreign)
			case r.everybody && strings.Contains(a.text, `"ada"`):
				t.Errorf("%s: tells everybody %s", what, a.text)
			}
		}
	}
	// The form of one app, sent by the page of another.
	if got := d.send(http.MethodPost, "/oauth/token", formType, "grant_type=refresh_token&refresh_token=x&client_id="+other.id, as("https://app.example")...).header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("another app's answer allows %q", got)
	}
}

func wantNoCredentials(t testing.TB, what string, a answer) {
	t.Helper()
	if got := a.header.Values("Access-Control-Allow-Credentials"); len(got) > 0 {
		t.Errorf("%s: allows credentials: %v", what, got)
	}
	if len(a.header.Values("Access-Control-Allow-Origin")) > 1 {
		t.Errorf("%s: allows %v", what, a.header.Values("Access-Control-Allow-Origin"))
	}
	if !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Origin") {
		t.Errorf("%s: may be cached for another origin: Vary is %v", what, a.header.Values("Vary"))
	}
}

// Fetch Standard §4.8: a browser asks first. It may send what these endpoints take, without cookies; to everything else
// the answer is no.
func TestPreflightIsAnsweredWhereAppsMayCall(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	ask := func(path, origin string) answer {
		return d.send(http.MethodOptions, path, "", "", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	}
	for _, path := range []string{"/oauth/token", "/oauth/revoke", "/oauth/userinfo"} {
		a := ask(path, "https://app.example")
		wantStatus(t, a, http.StatusNoContent)
		for name, want := range map[string]string{"Origin": "https://app.example", "Methods": "GET, POST", "Headers": "Authorization, Content-Type"} {
			if got := a.header.Get("Access-Control-Allow-" + name); got != want {
				t.Errorf("%s: Access-Control-Allow-%s is %q, want %q", path, name, got, want)
			}
		}
		wantNoCredentials(t, path, a)
		for _, origin := range []string{"null", "", "file://", "com.example.app:/x", "chrome-extension://abc", "*"} {
			a := ask(path, origin)
			if got := a.header.Get("Access-Control-Allow-Origin"); got != "" || a.status != http.StatusNoContent {
				t.Errorf("%s: %d, allows %q to %q", path, a.status, got, origin)
			}
			wantNoCredentials(t, path, a)
		}
	}
	for _, path := range []string{"/oauth/authorize", "/oauth/introspect", "/oauth/logout", "/login", "/consent", "/account", "/api/v1/me", "/api/v1/users", "/nowhere"} {
		if a := ask(path, "https://app.example"); a.header.Get("Access-Control-Allow-Origin") != "" || a.status < 400 {
			t.Errorf("%s: %d, allows %q", path, a.status, a.header.Get("Access-Control-Allow-Origin"))
		}
	}
	// Where there are cookies, no page of another origin reads anything.
	for _, path := range []string{"/login", "/signed-out", "/api/v1/me", "/oauth/authorize"} {
		if a := d.send(http.MethodGet, path, "", "", "Origin", "https://app.example"); a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s may be read by %s", path, a.header.Get("Access-Control-Allow-Origin"))
		}
	}
}
