package server_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/server"
)

// wantErrorShape checks what every error answer has, whichever part of the server gave it: one JSON object with a code,
// and a description of the characters that RFC 6749 §5.2 allows.
func wantErrorShape(t testing.TB, what string, a answer) {
	t.Helper()
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("%s: type %q, want JSON", what, got)
	}
	decoder := json.NewDecoder(strings.NewReader(a.text))
	var body map[string]any
	if err := decoder.Decode(&body); err != nil {
		t.Errorf("%s: %v in %s", what, err, a.text)
		return
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Errorf("%s: more than one JSON document: %s", what, a.text)
	}
	code, _ := body["error"].(string)
	description, _ := body["error_description"].(string)
	if code == "" || description == "" {
		t.Errorf("%s: %s", what, a.text)
	}
	for _, text := range []string{code, description} {
		for i := range len(text) {
			if c := text[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
				t.Errorf("%s: %q has a character that RFC 6749 §5.2 forbids", what, text)
				break
			}
		}
	}
}

// RFC 6749 §5.2: every mistake has its code, and all codes but invalid_client come with 400: clients take a 401 for a
// wrong secret.
func TestErrorCodesOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, other, user := d.web(obj{"grant_types": []string{"authorization_code", "refresh_token", "password"}}), d.web(), d.user("ada")
	_, refresh := d.mustLogin(c, "ada").tokens()
	for what, each := range map[string]struct {
		answer answer
		status int
		code   string
	}{
		"no grant type":                {d.token(c, form()), 400, "invalid_request"},
		"a parameter missing":          {d.token(c, form("grant_type", "password")), 400, "invalid_request"},
		"an unknown grant type":        {d.token(c, form("grant_type", "x")), 400, "unsupported_grant_type"},
		"a grant type not allowed":     {d.token(c, form("grant_type", "client_credentials")), 400, "unauthorized_client"},
		"an unknown client":            {d.token(client{"none", "x"}, form("grant_type", "password", "username", "a", "password", "b")), 401, "invalid_client"},
		"a wrong secret":               {d.token(client{c.id, "x"}, form("grant_type", "password", "username", "a", "password", "b")), 401, "invalid_client"},
		"a wrong password":             {d.login(c, "ada", "password", "a wrong password"), 400, "invalid_grant"},
		"an unknown refresh token":     {d.refresh(c, "x"), 400, "invalid_grant"},
		"another's refresh token":      {d.refresh(other, refresh), 400, "invalid_grant"},
		"an unknown code":              {d.redeem(c, "x"), 400, "invalid_grant"},
		"another's code":               {d.redeem(other, d.code(c, user)), 400, "invalid_grant"},
		"a wrong redirect URI":         {d.redeem(c, d.code(c, user), "redirect_uri", "https://b.example/"), 400, "invalid_grant"},
		"a verifier missing":           {d.redeem(c, d.code(c, user), "code_verifier", ""), 400, "invalid_grant"},
		"a verifier without challenge": {d.redeem(c, d.code(c, user, withoutChallenge)), 400, "invalid_grant"},
		"an access token as a code":    {d.redeem(c, d.mustLogin(c, "ada").str("access_token")), 400, "invalid_grant"},
		"an unknown scope":             {d.login(c, "ada", "scope", "x"), 400, "invalid_scope"},
		"a wider scope":                {d.refresh(c, refresh, "scope", "orders:write"), 400, "invalid_scope"},
		"an unknown resource":          {d.login(c, "ada", "resource", "x:y"), 400, "invalid_target"},
		"a body that is no form":       {d.send("POST", "/oauth/token", "text/plain", "x"), 400, "invalid_request"},
	} {
		if each.answer.status != each.status || each.answer.str("error") != each.code {
			t.Errorf("%s: %d %s, want %d %s", what, each.answer.status, each.answer.text, each.status, each.code)
		}
		wantErrorShape(t, what, each.answer)
		for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "application/json; charset=utf-8"} {
			if got := each.answer.header.Get(name); got != want {
				t.Errorf("%s: %s %q, want %q", what, name, got, want)
			}
		}
		if challenged := each.answer.header.Get("WWW-Authenticate") != ""; challenged != (each.status == 401) {
			t.Errorf("%s: challenged %v", what, challenged)
		}
	}
}

// everyKindOfAnswer collects one answer of each kind that the server can give.
func everyKindOfAnswer(d *deployment) map[string]answer {
	c := d.client("confidential")
	d.user("ada")
	token := d.mustLogin(c, "ada").str("access_token")
	foreign := d.request(http.MethodGet, "/api/v1/me", "", "")
	foreign.Host = "evil.example"
	d.server.Mount("/panic", func() { panic("a panic") })
	return map[string]answer{
		"200 token":      d.token(c, form("grant_type", "client_credentials")),
		"200 metadata":   d.call(http.MethodGet, "/.well-known/oauth-authorization-server", ""),
		"200 live":       d.call(http.MethodGet, "/livez", ""),
		"200 API":        d.call(http.MethodGet, "/demo/orders", token),
		"200 revocation": d.revoke(c, "x"),
		"400":            d.token(c, form()),
		"401 client":     d.token(client{"none", "x"}, form("grant_type", "client_credentials")),
		"401 no token":   d.call(http.MethodGet, "/api/v1/me", ""),
		"401 bad token":  d.call(http.MethodGet, "/api/v1/me", "x"),
		"403 scope":      d.call(http.MethodPost, "/demo/orders", token),
		"404":            d.call(http.MethodGet, "/nowhere", ""),
		"404 in the API": d.call(http.MethodGet, "/api/v1/nowhere", token),
		"405":            d.call(http.MethodGet, "/oauth/token", ""),
		"405 in the API": d.call(http.MethodPut, "/api/v1/me", token),
		"405 OPTIONS":    d.call(http.MethodOptions, "/api/v1/me", ""),
		"413":            d.post("/oauth/token", c.id, c.secret, form("x", strings.Repeat("x", 70_000))),
		"421":            d.do(foreign),
		"500":            d.call(http.MethodGet, "/panic", ""),
	}
}

// OWASP ASVS 16.5.1: an error is a JSON object whatever gave it, the router and a panic included.
func TestEveryErrorIsJSON(t *testing.T) {
	t.Parallel()
	for what, a := range everyKindOfAnswer(deployBolt(t)) {
		if !strings.HasPrefix(what, strconv.Itoa(a.status)) {
			t.Errorf("%s: got %d %s", what, a.status, a.text)
		}
		if a.status >= 400 {
			wantErrorShape(t, what, a)
		}
	}
}

// OWASP ASVS 3.4: every answer forbids guessing its type and leaking its address, and names no software; none but the
// metadata may be kept or read by other origins. Behind https it demands to come back by https.
func TestEveryAnswerHasSecurityHeaders(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	for what, a := range everyKindOfAnswer(d) {
		want := map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
			"Server": "", "X-Powered-By": "", "Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "", "Set-Cookie": "", "Strict-Transport-Security": "",
		}
		if what == "200 metadata" {
			want["Cache-Control"], want["Access-Control-Allow-Origin"], want["Cross-Origin-Resource-Policy"] = "public, max-age=300", "*", ""
		}
		for name, value := range want {
			if got := a.header.Get(name); got != value {
				t.Errorf("%s: %s %q, want %q", what, name, got, value)
			}
		}
		if len(a.header.Get("X-Request-Id")) < 16 {
			t.Errorf("%s: X-Request-Id %q", what, a.header.Get("X-Request-Id"))
		}
	}
	secure := deployBolt(t, func(c *server.Config) { c.Issuer = "https://id.example.com" })
	for _, path := range []string{"/livez", "/nowhere", "/api/v1/me", "/.well-known/oauth-authorization-server"} {
		a := secure.handle(httptest.NewRequest(http.MethodGet, "https://id.example.com"+path, nil))
		if got := a.header.Get("Strict-Transport-Security"); !strings.Contains(got, "max-age=31536000") {
			t.Errorf("%s: Strict-Transport-Security %q", path, got)
		}
	}
}

// RFC 9700 §2.6: no page of another origin reads tokens. Its origin is not echoed in any answer; only where apps call that
// are pages themselves does a preflight let them send, without cookies.
func TestOtherOriginsAreNotLetIn(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, user := d.web(obj{"scopes": []string{"openid"}}), d.user("ada")
	token := d.redeem(c, d.code(c, user, func(o *server.CodeOrder) { o.Scope = "openid" })).str("access_token")
	body := form("grant_type", "authorization_code", "client_id", c.id, "token", "x").Encode()
	for _, origin := range []string{
		"https://evil.example", "null", d.url, "http://localhost", "https://" + strings.TrimPrefix(d.url, "http://"), "http://app.example", "https://app.example:8443",
		"https://app.example.evil.example", "https://evilapp.example", "https://app.example/", "https://app.example/callback", "file://", "data:x", "chrome-extension://abc",
	} {
		for _, path := range []string{"/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/userinfo", "/api/v1/me", "/demo/orders", "/livez", "/oauth/authorize", "/login", "/account"} {
			for _, method := range []string{http.MethodOptions, http.MethodPost, http.MethodGet} {
				a := d.send(method, path, formType, body, "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization", "Authorization", "Bearer "+token)
				want := map[string]string{}
				if method == http.MethodOptions && strings.HasPrefix(origin, "http") && slices.Contains([]string{"/oauth/token", "/oauth/revoke", "/oauth/userinfo"}, path) {
					want = map[string]string{"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": "GET, POST",
						"Access-Control-Allow-Headers": "Authorization, Content-Type", "Access-Control-Max-Age": "600",
						"Access-Control-Expose-Headers": "WWW-Authenticate, Retry-After, X-Request-Id"}
				}
				for name := range a.header {
					if strings.HasPrefix(name, "Access-Control-") && a.header.Get(name) != want[name] {
						t.Errorf("%s %s for %s: %s: %s", method, path, origin, name, a.header.Get(name))
					}
				}
				for name, value := range want {
					if got := a.header.Get(name); got != value {
						t.Errorf("%s %s for %s: %s %q, want %q", method, path, origin, name, got, value)
					}
				}
			}
		}
		a := d.send(http.MethodGet, "/.well-known/oauth-authorization-server", "", "", "Origin", origin)
		if a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("metadata for %s: %v", origin, a.header)
		}
	}
}

// OWASP ASVS 16.5.4: a panic ends one request with a 500, tells the client nothing, and the server goes on. The log has
// the stack, and not the value: a panic may carry anything.
func TestAPanicEndsOneRequest(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	var nothing map[string]int
	for path, f := range map[string]func(){
		"/panic/text": func() { panic("canary-in-a-panic") }, "/panic/error": func() { panic(errors.New("canary-in-a-panic")) },
		"/panic/runtime": func() { nothing["x"] = 1 }, "/panic/slice": func() { panic([]string{"canary-in-a-panic"}) },
	} {
		d.server.Mount(path, f)
		a := d.call(http.MethodGet, path, "")
		wantError(t, a, http.StatusInternalServerError, "server_error")
		wantErrorShape(t, path, a)
		if strings.Contains(a.text, "canary") || strings.Contains(a.text, "goroutine") || strings.Contains(a.text, ".go:") {
			t.Errorf("%s: the client reads %s", path, a.text)
		}
	}
	wantStatus(t, d.call(http.MethodGet, "/livez", ""), http.StatusOK)
	log := d.log.String()
	if strings.Contains(log, "canary-in-a-panic") {
		t.Error("the value of a panic is in the log")
	}
	if !strings.Contains(log, "errors_test.go") || !strings.Contains(log, "assignment to entry in nil map") {
		t.Error("the log does not tell where it was")
	}
}

// CVE-2019-8400: what was sent does not come back as something that a browser runs.
func TestErrorsDoNotReflectMarkup(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	const markup = "<script>alert(1)</script>"
	for what, a := range map[string]answer{
		"path": d.call(http.MethodGet, "/"+form("x", markup).Encode(), ""), "API path": d.admin(http.MethodGet, "/clients/%3Cscript%3E", nil),
		"scope": d.token(c, form("grant_type", "client_credentials", "scope", markup)), "grant type": d.token(c, form("grant_type", markup)),
		"member": d.admin(http.MethodPost, "/clients", obj{markup: markup}), "value": d.admin(http.MethodPost, "/clients", obj{"name": markup, "type": markup}),
		"unknown scope": d.admin(http.MethodPost, "/clients", obj{"name": "x", "type": "service", "grant_types": []string{"client_credentials"}, "scopes": []string{markup}}),
	} {
		if a.status < 400 || strings.Contains(a.text, "<script") {
			t.Errorf("%s: %d %s", what, a.status, a.text)
		}
	}
}
