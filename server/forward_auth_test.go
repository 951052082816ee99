package server_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

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

// What a proxy asks for wrongly is refused, never passed: a route without a rule must not be open.
func TestWhatAProxyAsksWronglyDoesNotPass(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, fromLoopback)
	stock, other := d.signedAPI("stock"), d.signedAPI("other")
	off := d.signedAPI("off")
	d.user("ada")
	c := d.client("confidential", obj{"scopes": []string{"stock:read", "other:read", "off:read"}})
	token := d.mustLogin(c, "ada", "scope", "stock:read other:read off:read").str("access_token")
	d.mustAdmin(http.MethodPatch, "/resources/off", obj{"disabled": true})
	shows := func(api client) []string {
		return []string{"X-Resource-Authorization", basic(api.id, api.secret)}
	}
	for what, test := range map[string]struct {
		query   string
		headers []string
		status  int
		code    string
	}{
		"nothing":                              {"", nil, 400, "invalid_request"},
		"an empty scope":                       {"?scope=", nil, 400, "invalid_request"},
		"an unknown scope":                     {"?scope=none:such", nil, 400, "invalid_request"},
		"an unknown resource":                  {"?resource=none-such", nil, 400, "invalid_request"},
		"scopes of two resources":              {"?scope=stock:read+other:read", nil, 400, "invalid_scope"},
		"a scope that is not the resource's":   {"?resource=stock&scope=other:read", nil, 400, "invalid_scope"},
		"a known and an unknown scope":         {"?scope=stock:read+stock:none", nil, 400, "invalid_scope"},
		"a malformed scope":                    {"?scope=stock%09read", nil, 400, "invalid_request"},
		"a quote":                              {"?scope=%22", nil, 400, "invalid_request"},
		"scope twice":                          {"?scope=stock:read&scope=other:read", nil, 400, "invalid_request"},
		"a resource that is disabled":          {"?resource=off", nil, 400, "invalid_request"},
		"a scope of it":                        {"?scope=off:read", nil, 400, "invalid_request"},
		"a wrong credential":                   {"?scope=stock:read", shows(client{stock.id, "wrong"}), 401, "invalid_client"},
		"a credential of nobody":               {"?scope=stock:read", shows(client{"nobody", "x"}), 401, "invalid_client"},
		"a client's credential":                {"?scope=stock:read", shows(c), 401, "invalid_client"},
		"a credential of a disabled":           {"?scope=off:read", shows(off), 401, "invalid_client"},
		"a credential that is none":            {"?scope=stock:read", []string{"X-Resource-Authorization", "Bearer x"}, 400, "invalid_request"},
		"another's credential and scope":       {"?scope=stock:read", shows(other), 400, "invalid_scope"},
		"another's credential and resource":    {"?resource=stock", shows(other), 400, "invalid_request"},
		"its own credential, another's scopes": {"?scope=other:read", shows(stock), 400, "invalid_scope"},
	} {
		a := d.check(test.query, token, test.headers...)
		if a.status != test.status || a.str("error") != test.code || a.header.Get("X-Auth-Subject") != "" {
			t.Errorf("%s: %d %s, want %d %s", what, a.status, a.text, test.status, test.code)
		}
	}
	// Beside them the good ones.
	for query, headers := range map[string][]string{"?scope=stock:read": nil, "?resource=stock": shows(stock), "?resource=other&scope=other:read": shows(other), "": shows(stock)} {
		if a := d.check(query, token, headers...); a.status != http.StatusOK {
			t.Errorf("%q: %d %s", query, a.status, a.text)
		}
	}
}

// Who may ask is decided by where the connection comes from, never by what the request says of it; elsewhere a credential is
// needed.
func TestOnlyKnownProxiesMayAsk(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) {
		c.CheckNetworks = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	stock := d.signedAPI("stock")
	c := d.client("service", obj{"scopes": []string{"stock:read"}})
	token := d.token(c, form("grant_type", "client_credentials")).str("access_token")
	from := func(peer string, headers ...string) answer {
		r := d.request(http.MethodGet, "/oauth/check?scope=stock:read", "", "")
		r.RemoteAddr = peer
		r.Header.Set("Authorization", "Bearer "+token)
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return d.handle(r)
	}
	for _, peer := range []string{"10.1.2.3:4000", "[::ffff:10.1.2.3]:4000", "[fd00::1]:4000"} {
		wantStatus(t, from(peer), http.StatusOK)
		wantStatus(t, from(peer, "X-Forwarded-For", "203.0.113.9"), http.StatusOK)
	}
	for _, peer := range []string{"10.2.0.1:4000", "203.0.113.9:4000", "192.0.2.1:4000", "[2001:db8::1]:4000", "127.0.0.1:4000", "", "@", "10.1.2.3"} {
		for _, headers := range [][]string{nil, {"X-Forwarded-For", "10.1.2.3"}, {"X-Real-Ip", "10.1.2.3"}, {"Forwarded", "for=10.1.2.3"}, {"X-Forwarded-For", "10.1.2.3, 10.1.2.3"}} {
			a := from(peer, headers...)
			if a.status != http.StatusForbidden || a.str("error") != "access_denied" || a.header.Get("X-Auth-Subject") != "" {
				t.Errorf("from %q with %q: %d %s, want 403", peer, headers, a.status, a.text)
			}
		}
		wantStatus(t, from(peer, "X-Resource-Authorization", basic(stock.id, stock.secret)), http.StatusOK)
	}
	nobody := deployBolt(t) // nobody is known unless the operator says so
	wantError(t, nobody.check("?scope=orders:read", "x"), http.StatusForbidden, "access_denied")
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

// A proxy that cannot be answered is told so, with a time to come again, and lets nobody pass.
func TestCheckIsUnavailableWithTheStore(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, fromLoopback)
	stock := d.signedAPI("stock")
	c := d.client("service", obj{"scopes": []string{"stock:read", "orders:read"}})
	signed := d.token(c, form("grant_type", "client_credentials", "scope", "stock:read")).str("access_token")
	opaque := d.token(c, form("grant_type", "client_credentials", "scope", "orders:read")).str("access_token")
	wantStatus(t, d.check("?scope=stock:read", signed), http.StatusOK)
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(time.Second)
	for what, a := range map[string]answer{
		"signed": d.check("?scope=stock:read", signed), "opaque": d.check("?scope=orders:read", opaque),
		"with a credential": d.check("", signed, "X-Resource-Authorization", basic(stock.id, stock.secret)),
	} {
		if a.status != http.StatusServiceUnavailable || a.str("error") != "temporarily_unavailable" || a.header.Get("Retry-After") == "" || a.header.Get("X-Auth-Subject") != "" {
			t.Errorf("%s: %d %s, Retry-After %q", what, a.status, a.text, a.header.Get("Retry-After"))
		}
	}
}
