package server_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
)

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
		"a wrong credential":                   {"?scope=stock:read", shows(client{stock.id, "wrong"}), 503, "temporarily_unavailable"},
		"a credential of nobody":               {"?scope=stock:read", shows(client{"nobody", "x"}), 503, "temporarily_unavailable"},
		"a client's credential":                {"?scope=stock:read", shows(c), 503, "temporarily_unavailable"},
		"a credential of a disabled":           {"?scope=off:read", shows(off), 503, "temporarily_unavailable"},
		"a credential that is none":            {"?scope=stock:read", []string{"X-Resource-Authorization", "Bearer x"}, 400, "invalid_request"},
		"two credentials":                      {"?scope=stock:read", append(shows(stock), shows(stock)...), 400, "invalid_request"},
		"two headers of scopes":                {"", append(shows(stock), "X-Required-Scope", "stock:read", "X-Required-Scope", "stock:write"), 400, "invalid_request"},
		"two of them beside the query":         {"?scope=stock:read", []string{"X-Required-Scope", "stock:read", "X-Required-Scope", "stock:read"}, 400, "invalid_request"},
		"a path without required scopes":       {"/books?scope=stock:read", shows(stock), 400, "invalid_request"},
		"a slash too many":                     {"/?scope=stock:read", shows(stock), 400, "invalid_request"},
		"a path, and an empty header":          {"/books", append(shows(stock), "X-Required-Scope", ""), 400, "invalid_request"},
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
			if a.status != http.StatusServiceUnavailable || a.str("error") != "temporarily_unavailable" || a.header.Get("X-Auth-Subject") != "" {
				t.Errorf("from %q with %q: %d %s, want 503", peer, headers, a.status, a.text)
			}
		}
		wantStatus(t, from(peer, "X-Resource-Authorization", basic(stock.id, stock.secret)), http.StatusOK)
	}
	nobody := deployBolt(t) // nobody is known unless the operator says so
	wantError(t, nobody.check("?scope=orders:read", "x"), http.StatusServiceUnavailable, "temporarily_unavailable")
}

// A proxy hands 401 and 403 to the user, whom a fault of the proxy's own would then log out, together with everybody else:
// that is 503, with words for who set the proxy up, and one line in the log. Neither repeats a secret.
func TestAProxysOwnFaultIsNotTheUsers(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	stock := d.signedAPI("stock")
	c := d.client("service", obj{"scopes": []string{"stock:read"}})
	token := d.token(c, form("grant_type", "client_credentials")).str("access_token")
	rotated := "was-the-secret-until-yesterday"
	for what, test := range map[string]struct {
		headers   []string
		told, log string
	}{
		"a secret that was rotated":       {[]string{"X-Resource-Authorization", basic(stock.id, rotated)}, "X-Resource-Authorization is wrong", `in the name of \"stock\"`},
		"a secret in the place of a slug": {[]string{"X-Resource-Authorization", basic(rotated, "x")}, "X-Resource-Authorization is wrong", `in the name of \"\"`},
		"a network that is not known":     {nil, "server.check_networks", "127.0.0.1:"},
	} {
		before := len(d.log.String())
		a := d.check("?scope=stock:read", token, test.headers...)
		wantError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
		if !strings.Contains(a.str("error_description"), test.told) || a.header.Get("Retry-After") == "" || a.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %s %v", what, a.text, a.header)
		}
		var lines []string
		for line := range strings.Lines(d.log.String()[before:]) {
			if strings.Contains(line, a.str("request_id")) && !strings.Contains(line, `"level":"INFO"`) {
				lines = append(lines, line)
			}
		}
		if len(lines) != 1 || !strings.Contains(lines[0], `"level":"ERROR"`) || !strings.Contains(lines[0], test.told) || !strings.Contains(lines[0], test.log) {
			t.Errorf("%s: the log says %q, want one error with %s", what, lines, test.log)
		}
		if strings.Contains(a.text+d.log.String(), rotated) || strings.Contains(d.log.String(), token) {
			t.Errorf("%s: a secret is told again", what)
		}
	}
	wantStatus(t, d.check("?scope=stock:read", token, "X-Resource-Authorization", basic(stock.id, stock.secret)), http.StatusOK)
	wantError(t, d.check("?scope=stock:read", "garbage", "X-Resource-Authorization", basic(stock.id, stock.secret)), http.StatusUnauthorized, "invalid_token")
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
