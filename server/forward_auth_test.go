package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/server"
)

// fromLoopback lets proxies on this machine ask without a credential.
func fromLoopback(c *server.Config) {
	c.CheckNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// check asks whether a request with a token may pass, with more headers as names and values in turn.
func (d *deployment) check(query, token string, headers ...string) answer {
	d.t.Helper()
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}
	return d.send(http.MethodGet, "/oauth/check"+query, "", "", headers...)
}

// A proxy is told who it may let through, and with what; whoever it may not, gets the answer that the API would give (RFC
// 6750 §3). It asks by whatever method the request has.
func TestProxyIsToldWhoMayPass(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, fromLoopback)
	d.signedAPI("stock")
	ada := d.user("ada")
	c := d.client("confidential", obj{"scopes": []string{"stock:read", "stock:write", "orders:read"}})
	signed := d.mustLogin(c, "ada", "scope", "stock:read").str("access_token")
	opaque := d.mustLogin(c, "ada", "scope", "orders:read").str("access_token")
	machine := d.token(c, form("grant_type", "client_credentials", "scope", "stock:write")).str("access_token")
	root := d.person()
	root.enter("ada")
	key := root.makeToken("script", "orders:read")

	for what, test := range map[string]struct{ query, token, subject, client, username, scope string }{
		"signed":           {"?scope=stock:read", signed, ada, c.id, "ada", "stock:read"},
		"opaque":           {"?scope=orders:read", opaque, ada, c.id, "ada", "orders:read"},
		"an API key":       {"?scope=orders:read", key, ada, "personal_access_token", "ada", "orders:read"},
		"a machine's":      {"?scope=stock:read+stock:write", machine, c.id, c.id, "", "stock:write stock:read"},
		"by the resource":  {"?resource=stock", signed, ada, c.id, "ada", "stock:read"},
		"both are named":   {"?resource=stock&scope=stock:read", signed, ada, c.id, "ada", "stock:read"},
		"an implied scope": {"?scope=stock:read", machine, c.id, c.id, "", "stock:write stock:read"},
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			a := d.send(method, "/oauth/check"+test.query, "", "", "Authorization", "Bearer "+test.token)
			h := a.header
			if a.status != http.StatusOK || a.text != "" || h.Get("X-Auth-Subject") != test.subject || h.Get("X-Auth-Client-Id") != test.client || h.Get("X-Auth-Username") != test.username ||
				sortedWords(h.Get("X-Auth-Scope")) != sortedWords(test.scope) || h.Get("X-Auth-Token-Id") == "" || h.Get("X-Auth-Expires") == "" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("%s by %s: %d %v", what, method, a.status, h)
			}
		}
	}
	// Who comes from other frameworks writes Api-Key before a key, and before nothing else.
	for word, want := range map[string]int{"Bearer ": 200, "Api-Key ": 200, "api-key ": 200, "Token ": 401} {
		wantStatus(t, d.check("?scope=orders:read", "", "Authorization", word+key), want)
	}
	wantError(t, d.check("?scope=orders:write", "", "Authorization", "Api-Key "+key), http.StatusForbidden, "insufficient_scope")
	wantStatus(t, d.check("?scope=orders:read", "", "Authorization", "Api-Key "+opaque), http.StatusUnauthorized)
	wantStatus(t, d.check("", signed, "X-Required-Scope", "stock:read"), http.StatusOK)
	wantError(t, d.check("?scope=stock:write", signed, "X-Required-Scope", "stock:read"), http.StatusForbidden, "insufficient_scope") // what the proxy says counts

	for method := range map[string]bool{"GET": true, "POST": true, "DELETE": true} {
		a := d.send(method, "/oauth/check?scope=stock:read+stock:write", "", "", "Authorization", "Bearer "+signed)
		wantError(t, a, http.StatusForbidden, "insufficient_scope")
		if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="stock", error="insufficient_scope"`) || !strings.Contains(got, `scope="stock:read stock:write"`) {
			t.Errorf("challenge %q", got)
		}
	}
	for what, a := range map[string]answer{
		"garbage": d.check("?scope=stock:read", "garbage"), "another API's": d.check("?scope=stock:read", opaque), "an API key for another": d.check("?scope=stock:read", key),
		"an API's of which it has no scope": d.check("?resource=stock", opaque),
	} {
		if a.status != http.StatusUnauthorized || a.str("error") != "invalid_token" || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) || a.header.Get("X-Auth-Subject") != "" {
			t.Errorf("%s: %d %s %v", what, a.status, a.text, a.header)
		}
	}
	if a := d.check("?scope=stock:read", ""); a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") != `Bearer realm="stock"` {
		t.Errorf("without a token: %d %v", a.status, a.header)
	}
	wantError(t, d.check("?scope=stock:read&access_token="+signed, ""), http.StatusUnauthorized, "unauthorized")
	wantError(t, d.check("?scope=stock:read", signed, "Authorization", "Bearer "+machine), http.StatusBadRequest, "invalid_request")
	d.mustAdmin(http.MethodPost, "/tokens/revoke", obj{"token": signed})
	wantError(t, d.check("?scope=stock:read", signed), http.StatusUnauthorized, "invalid_token")
}

// proxyRequests are what proxies send when they ask, word for word, about PUT /orders/1?scope=stock:read at
// api.example.com, which needs stock:write, whatever its sender would rather be asked for.
var proxyRequests = map[string]string{
	"nginx": "GET /oauth/check?scope=stock:write HTTP/1.0\r\nX-Resource-Authorization: CREDENTIAL\r\nX-Original-URI: /orders/1?scope=stock:read\r\nX-Original-Method: PUT\r\n" +
		"Host: safeconduct:8080\r\nConnection: close\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\nX-Required-Scope: stock:read\r\n\r\n",
	"Traefik": "GET /oauth/check?scope=stock:write HTTP/1.1\r\nHost: safeconduct:8080\r\nUser-Agent: Go-http-client/1.1\r\nAuthorization: Bearer TOKEN\r\nX-Forwarded-For: 203.0.113.7\r\n" +
		"X-Forwarded-Host: api.example.com\r\nX-Forwarded-Method: PUT\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Server: traefik\r\nX-Forwarded-Uri: /orders/1?scope=stock:read\r\nAccept-Encoding: gzip\r\n\r\n",
	"Envoy": "PUT /oauth/check/orders/1?scope=stock:read HTTP/1.1\r\nhost: api.example.com\r\ncontent-length: 0\r\nauthorization: Bearer TOKEN\r\nx-required-scope: stock:write\r\n" +
		"x-resource-authorization: CREDENTIAL\r\nx-envoy-internal: true\r\nx-forwarded-for: 10.0.0.1\r\nx-envoy-expected-rq-timeout-ms: 1000\r\n\r\n",
	"Caddy": "GET /oauth/check?scope=stock:write HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\nX-Forwarded-For: 203.0.113.7\r\n" +
		"X-Forwarded-Host: api.example.com\r\nX-Forwarded-Method: PUT\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Uri: /orders/1?scope=stock:read\r\nX-Required-Scope: stock:read\r\nX-Resource-Authorization: CREDENTIAL\r\nAccept-Encoding: gzip\r\n\r\n",
}

// Proxies ask each in its own way: under the user's host or the server's address, by the user's method or GET, with the
// user's path behind ours or in a header. All are answered alike, by the scopes that the proxy names.
func TestEachProxyAsksInItsOwnWay(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, fromLoopback)
	stock := d.signedAPI("stock")
	c := d.client("service", obj{"scopes": []string{"stock:read", "stock:write"}})
	reads := d.token(c, form("grant_type", "client_credentials", "scope", "stock:read")).str("access_token")
	writes := d.token(c, form("grant_type", "client_credentials", "scope", "stock:write")).str("access_token")
	for proxy, request := range proxyRequests {
		for what, test := range map[string]struct {
			token  string
			status int
		}{"enough": {writes, 200}, "too little": {reads, 403}, "garbage": {"garbage", 401}} {
			filled := strings.NewReplacer("TOKEN", test.token, "CREDENTIAL", basic(stock.id, stock.secret)).Replace(request)
			status, header, body := d.raw(t, filled)
			if status != test.status || (header.Get("X-Auth-Subject") == c.id) != (status == 200) {
				t.Errorf("%s, %s: %d %s %v, want %d", proxy, what, status, body, header, test.status)
			}
		}
	}
}

// The user's path behind ours is asked about however it is spelled; ours has one spelling, for what stands in between.
func TestThePathBehindACheckIsTheUsers(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, fromLoopback)
	c := d.client("service")
	token := d.token(c, form("grant_type", "client_credentials", "scope", "orders:read")).str("access_token")
	for path, want := range map[string]int{
		"/oauth/check/": 200, "/oauth/check//": 200, "/oauth/check/orders/1": 200, "/oauth/check/orders%2F1": 200, "/oauth/check/%6frders/%C3%A4": 200,
		"/oauth/check/../token": 200, "/oauth/check/a?scope=%zz&scope=": 200, "/oauth/check/orders%2f..%2f": 200,
		"/oauth/checks": 404, "/oauth%2fcheck/orders": 404, "/oauth/%63heck/orders": 404, "/oauth/check%2Forders": 404, "/%6fauth/check": 404,
	} {
		r := httptest.NewRequest(http.MethodDelete, path, nil)
		r.Host, r.RemoteAddr = strings.TrimPrefix(d.url, "http://"), "127.0.0.1:4000"
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("X-Required-Scope", "orders:read")
		if a := d.handle(r); a.status != want {
			t.Errorf("%s: %d %s, want %d", path, a.status, a.text, want)
		}
		r.Header.Set("X-Required-Scope", "orders:write")
		if a := d.handle(r); a.status == http.StatusOK {
			t.Errorf("%s with a token that does not suffice: %d %s", path, a.status, a.text)
		}
	}
}

// A proxy that names the scope in the header may pass the user's query on, and one that names it in the query his headers. What
// he adds can only make him need more, and never lets a token of another API in.
func TestAUserCannotAskForLess(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, fromLoopback)
	d.signedAPI("toys")
	c := d.client("service", obj{"scopes": []string{"orders:read", "orders:write", "toys:read"}})
	token := func(scope string) string {
		return d.token(c, form("grant_type", "client_credentials", "scope", scope)).str("access_token")
	}
	reader, writer, toy := token("orders:read"), token("orders:read orders:write"), token("toys:read")
	for _, asked := range [][2]string{
		{"", "orders:write"}, {"?scope=orders:read", "orders:write"}, {"?scope=orders:write", "orders:read"}, {"?scope=", "orders:write"},
		{"?resource=demo-orders&scope=orders:read", "orders:write"},
	} {
		for token, want := range map[string]int{reader: http.StatusForbidden, writer: http.StatusOK} {
			if a := d.check(asked[0], token, "X-Required-Scope", asked[1]); a.status != want {
				t.Errorf("%q and %q: %d %s, want %d", asked[0], asked[1], a.status, a.text, want)
			}
		}
	}
	for _, asked := range [][2]string{{"?scope=toys:read", "orders:write"}, {"?resource=toys", "orders:write"}, {"?resource=toys&scope=toys:read", "orders:write"}, {"?scope=orders:write", "toys:read"}} {
		for _, token := range []string{reader, writer, toy} {
			if a := d.check(asked[0], token, "X-Required-Scope", asked[1]); a.status == http.StatusOK {
				t.Errorf("%q and %q let a token of another API in: %v", asked[0], asked[1], a.header)
			}
		}
	}
}

// CWE-113: what people call themselves cannot end a header or begin another, and what a request brings along as X-Auth is
// never given back.
func TestAuthHeadersAreOurs(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, fromLoopback)
	c := d.client("confidential")
	machine := d.token(c, form("grant_type", "client_credentials", "scope", "orders:read")).str("access_token")
	planted := []string{"X-Auth-Subject", "root", "X-Auth-Username", "root", "X-Auth-Scope", "admin:users", "X-Auth-Client-Id", "root", "X-Auth-Token-Id", "root", "X-Auth-Expires", "9999999999", "X-Auth-Role", "root"}
	for _, token := range []string{machine, "garbage", ""} {
		a := d.check("?scope=orders:read", token, planted...)
		for i := 0; a.status == http.StatusOK && i < 12; i += 2 { // absent, a proxy would let the user's own through
			if values := a.header.Values(planted[i]); len(values) != 1 {
				t.Errorf("%s is there %d times", planted[i], len(values))
			}
		}
		for name, values := range a.header {
			if strings.Contains(fmt.Sprint(values), "root") || strings.Contains(fmt.Sprint(values), "9999999999") || name == "X-Auth-Role" {
				t.Errorf("%s: %q came back", name, values)
			}
		}
	}
	spelled := 0
	for _, name := range []string{"ada", "ada.lovelace@example.com", "Ünïcödé", "名前", "a+b", "x%0d%0ax-evil%3a1"} {
		a := d.admin(http.MethodPost, "/users", obj{"username": name, "password": password})
		if a.status != http.StatusCreated {
			continue // no such name can be had
		}
		spelled++
		token := d.mustLogin(c, a.str("username"), "scope", "orders:read").str("access_token")
		got := d.check("?scope=orders:read", token).header
		back, err := url.PathUnescape(got.Get("X-Auth-Username"))
		if err != nil || back != a.str("username") || len(got.Values("X-Auth-Username")) != 1 || got.Get("X-Evil") != "" {
			t.Errorf("%q: X-Auth-Username %q %v", name, got.Values("X-Auth-Username"), err)
		}
		for _, letter := range got.Get("X-Auth-Username") {
			if letter <= ' ' || letter > '~' {
				t.Errorf("%q is spelled %q", name, got.Get("X-Auth-Username"))
			}
		}
	}
	if spelled < 3 {
		t.Errorf("only %d of the names could be had", spelled)
	}
	for _, name := range []string{"eve\r\nX-Evil: 1", "eve\nx", "eve\x00"} {
		if a := d.admin(http.MethodPost, "/users", obj{"username": name, "password": password}); a.status != http.StatusBadRequest {
			t.Errorf("a user may be called %q: %d", name, a.status)
		}
	}
}
