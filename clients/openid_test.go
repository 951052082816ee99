package clients_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/clients"
)

// neverVisited are addresses that neither a browser nor this server may be sent to, by any of the names that a client
// gives: scripts and local files, addresses of two meanings, and plain http to another machine.
var neverVisited = map[string]string{
	"blank":                       " ",
	"relative":                    "/out",
	"no scheme":                   "app.example.org/out",
	"another host alone":          "//app.example.org/out",
	"javascript":                  "javascript:alert(1)",
	"javascript in capitals":      "JavaScript:alert(1)",
	"javascript with slashes":     "javascript://app.example.org/%0aalert(1)",
	"javascript with blank":       " javascript:alert(1)",
	"javascript with tab":         "java\tscript:alert(1)",
	"javascript with line break":  "java\nscript:alert(1)",
	"javascript with NUL":         "\x00javascript:alert(1)",
	"javascript with soft hyphen": "java\u00adscript:alert(1)",
	"data":                        "data:text/html;base64,PHNjcmlwdD4=",
	"data in capitals":            "DATA:text/html,x",
	"vbscript":                    "vbscript:msgbox(1)",
	"blob":                        "blob:https://app.example.org/1",
	"file":                        "file:///etc/passwd",
	"about":                       "about:blank",
	"view-source":                 "view-source:https://app.example.org/",
	"scheme in capitals":          "HTTPS://app.example.org/out",
	"fragment":                    "https://app.example.org/out#f",
	"empty fragment":              "https://app.example.org/out#",
	"wildcard":                    "https://*.example.org/",
	"user information":            "https://user:pass@app.example.org/out",
	"host as user information":    "https://app.example.org@evil.com/",
	"http":                        "http://app.example.org/out",
	"http to a private address":   "http://192.168.1.1/out",
	"http with loopback in front": "http://127.0.0.1.example.org/out",
	"http to the whole network":   "http://0.0.0.0/out",
	"https without host":          "https:///out",
	"https without slashes":       "https:app.example.org",
	"decimal address":             "https://2130706433/out",
	"host in capitals":            "https://App.example.org/out",
	"host outside ASCII":          "https://äpp.example.org/out",
	"bad port":                    "https://app.example.org:99999/out",
	"backslash":                   "https://app.example.org\\out",
	"double dot":                  "https://app.example.org/x/../out",
	"escaped slash":               "https://app.example.org/a%2Fb",
	"escaped line break":          "https://app.example.org/%0d%0aSet-Cookie:a=b",
	"blank inside":                "https://app.example.org/a b",
	"line break inside":           "https://app.example.org/a\r\nb",
	"blank after":                 "https://app.example.org/out ",
	"NUL":                         "https://app.example.org/\x00",
	"quote":                       "https://app.example.org/\"><script>",
	"invalid UTF-8":               "https://app.example.org/\xff",
	"longer than 2 KB":            "https://app.example.org/" + strings.Repeat("x", 2048),
}

func TestAddressesThatAreNeverVisited(t *testing.T) {
	r, _ := open(t)
	for name, uri := range neverVisited {
		for field, give := range map[string]func(*clients.Registration){
			"client_uri":                   func(n *clients.Registration) { n.ClientURI = uri },
			"backchannel_logout_uri":       func(n *clients.Registration) { n.BackchannelLogoutURI = uri },
			"post_logout_redirect_uris[0]": func(n *clients.Registration) { n.PostLogoutRedirectURIs = []string{uri} },
		} {
			n := confidential()
			give(&n)
			_, _, err := r.Create(t.Context(), n)
			wantInvalid(t, name+" as "+field, err, field)
		}
	}
	// An application's own scheme leads to no page and to no server; after a logout it leads back to the application.
	const own = "com.example.app:/out"
	n := public()
	n.ClientURI = own
	_, _, err := r.Create(t.Context(), n)
	wantInvalid(t, "an application as home page", err, "client_uri")
	n = public()
	n.BackchannelLogoutURI = own
	_, _, err = r.Create(t.Context(), n)
	wantInvalid(t, "an application as server", err, "backchannel_logout_uri")
	n = public()
	n.PostLogoutRedirectURIs = []string{own}
	create(t, r, n)
}

func TestGoodAddressesAreKept(t *testing.T) {
	r, _ := open(t)
	for _, uri := range []string{
		"https://app.example.org", "https://app.example.org/", "https://app.example.org:8443/a?state=1&code=2", "https://192.0.2.1/",
		"http://127.0.0.1/out", "http://127.0.0.1:8080/out", "http://[::1]:3000/", "http://localhost:3000/out",
	} {
		for _, n := range []clients.Registration{confidential(), public()} {
			n.ClientURI, n.BackchannelLogoutURI, n.BackchannelLogoutSession = uri, uri, true
			c, _ := create(t, r, n)
			stored, err := r.Fresh(t.Context(), c.Number)
			if err != nil || stored.ClientURI != uri || stored.BackchannelLogoutURI != uri || !stored.BackchannelLogoutSession {
				t.Errorf("got %+v: %v", stored, err)
			}
		}
	}
}

// OIDC RP-Initiated Logout §3: the browser goes where the client registered and nowhere else. Not even the port of a
// loopback address differs: no application listens any more once it has logged out.
func TestPostLogoutURIIsComparedByteForByte(t *testing.T) {
	r, _ := open(t)
	n := confidential()
	n.PostLogoutRedirectURIs = []string{"https://app.example.org/out?tenant=1", "http://127.0.0.1:8080/out"}
	c, _ := create(t, r, n)
	for _, uri := range n.PostLogoutRedirectURIs {
		if !c.AllowsPostLogout(uri) {
			t.Errorf("%q is registered and was refused", uri)
		}
	}
	for _, uri := range []string{
		"", callback, "https://app.example.org/out", "https://app.example.org/out?tenant=2", "https://app.example.org/out?tenant=1&a=b",
		"https://app.example.org/Out?tenant=1", "https://app.example.org:443/out?tenant=1", "HTTPS://app.example.org/out?tenant=1",
		"https://app.example.org/out?tenant=1#", "https://app.example.org/out?tenant=1 ", "https://app.example.org@evil.com/out?tenant=1",
		"http://127.0.0.1:8081/out", "http://127.0.0.1/out", "http://localhost:8080/out", "javascript:alert(1)",
	} {
		if c.AllowsPostLogout(uri) {
			t.Errorf("%q was allowed", uri)
		}
	}
	if without, _ := create(t, r, confidential()); without.AllowsPostLogout("") || without.AllowsPostLogout(callback) {
		t.Error("a client without any has one")
	}
}

func TestPostLogoutURIsObeyTheRulesOfRedirectURIs(t *testing.T) {
	r, _ := open(t)
	refused := func(name, field string, uris ...string) {
		t.Helper()
		n := confidential()
		n.PostLogoutRedirectURIs = uris
		_, _, err := r.Create(t.Context(), n)
		wantInvalid(t, name, err, field)
	}
	refused("empty", "post_logout_redirect_uris[0]", "")
	refused("twice", "post_logout_redirect_uris[1]", callback, callback)
	refused("query with state, which the answer has", "post_logout_redirect_uris[1]", callback, "https://app.example.org/?state=1")
	var many []string
	for i := range 21 {
		many = append(many, fmt.Sprintf("https://app.example.org/%d", i))
	}
	refused("21", "post_logout_redirect_uris", many...)
	n := confidential()
	n.PostLogoutRedirectURIs = many[:20]
	if c, _ := create(t, r, n); !slices.Equal(c.PostLogoutRedirectURIs, many[:20]) {
		t.Error("the list was changed")
	}
}

// RFC 8725 §3.1, CVE-2015-9235: a signature that proves nothing, or that whoever holds the client's secret could make,
// is not to be had.
func TestIDTokenAlgorithms(t *testing.T) {
	r, _ := open(t)
	for given, want := range map[string]string{"": "RS256", "RS256": "RS256", "ES256": "ES256", "EdDSA": "EdDSA"} {
		n := public()
		n.IDTokenAlg = given
		if c, _ := create(t, r, n); c.IDTokenAlgorithm() != want || c.IDTokenAlg != given {
			t.Errorf("%q: got %s", given, c.IDTokenAlgorithm())
		}
	}
	for _, bad := range []string{"none", "None", "NONE", "HS256", "HS512", "rs256", "RS512", "PS256", "ES384", "RS256 ", "\x00"} {
		n := confidential()
		n.IDTokenAlg = bad
		_, _, err := r.Create(t.Context(), n)
		wantInvalid(t, bad, err, "id_token_signed_response_alg")
	}
}

func TestRequiredScopesAreAmongTheScopes(t *testing.T) {
	r, _ := open(t)
	n := confidential()
	n.RequiredScopes = []string{"orders:read"}
	if c, _ := create(t, r, n); !slices.Equal(c.RequiredScopes, n.RequiredScopes) {
		t.Errorf("got %+v", c)
	}
	for name, scopes := range map[string][]string{"another one": {"orders:read", "orders:delete"}, "twice": {"orders:read", "orders:read"}, "empty": {"orders:read", ""}} {
		n.RequiredScopes = scopes
		_, _, err := r.Create(t.Context(), n)
		wantInvalid(t, name, err, "required_scopes[1]")
	}
	n.RequiredScopes = []string{"orders:read"}
	c, _ := create(t, r, n)
	_, err := r.Update(t.Context(), c.ID, func(c *clients.Client) error {
		c.Scopes = []string{"orders:write"}
		return nil
	})
	wantInvalid(t, "a scope that goes away", err, "required_scopes[0]")
}

// RFC 9700 §2.1.1: public clients must use PKCE. A confidential client of old that cannot may go without.
func TestPKCEIsRequired(t *testing.T) {
	r, _ := open(t)
	for _, test := range []struct {
		name     string
		n        clients.Registration
		pkce     string
		requires bool
	}{
		{"confidential", confidential(), "", true},
		{"confidential that may go without", confidential(), clients.PKCEOptional, false},
		{"public", public(), "", true},
		{"service", service(), "", true},
	} {
		test.n.PKCE = test.pkce
		if c, _ := create(t, r, test.n); c.RequiresPKCE() != test.requires {
			t.Errorf("%s: requires it %v", test.name, c.RequiresPKCE())
		}
	}
	for name, n := range map[string]clients.Registration{"public": public(), "service": service()} {
		n.PKCE = clients.PKCEOptional
		_, _, err := r.Create(t.Context(), n)
		wantInvalid(t, name, err, "pkce")
	}
	for _, bad := range []string{"Optional", "never", "required", "false", " "} {
		n := confidential()
		n.PKCE = bad
		_, _, err := r.Create(t.Context(), n)
		wantInvalid(t, bad, err, "pkce")
	}
	// Even a record that says otherwise does not excuse a public client.
	if c := (&clients.Client{Type: clients.Public, PKCE: clients.PKCEOptional}); !c.RequiresPKCE() {
		t.Error("a public client goes without")
	}
}

// A service acts for itself: nobody logs in to it, and nobody logs out.
func TestServicesHaveNothingForUsers(t *testing.T) {
	r, _ := open(t)
	for field, give := range map[string]func(*clients.Registration){
		"client_uri":                          func(n *clients.Registration) { n.ClientURI = callback },
		"post_logout_redirect_uris":           func(n *clients.Registration) { n.PostLogoutRedirectURIs = []string{callback} },
		"backchannel_logout_uri":              func(n *clients.Registration) { n.BackchannelLogoutURI = callback },
		"backchannel_logout_session_required": func(n *clients.Registration) { n.BackchannelLogoutSession = true },
		"id_token_signed_response_alg":        func(n *clients.Registration) { n.IDTokenAlg = "ES256" },
		"required_scopes":                     func(n *clients.Registration) { n.Scopes, n.RequiredScopes = []string{"a"}, []string{"a"} },
	} {
		n := service()
		give(&n)
		_, _, err := r.Create(t.Context(), n)
		wantInvalid(t, field, err, field)
	}
}
