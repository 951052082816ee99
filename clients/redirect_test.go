package clients_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/clients"
)

// RFC 9700 §4.1.3: a redirect URI is the registered one or it is not. Each of these got past some
// server's idea of "the same".
func TestRedirectURIIsComparedByteForByte(t *testing.T) {
	const registered = "https://app.example.org/callback?tenant=1"
	c := &clients.Client{RedirectURIs: []string{registered, "com.example.app:/done"}}
	for _, allowed := range c.RedirectURIs {
		if !c.AllowsRedirect(allowed) {
			t.Errorf("%q is registered and was refused", allowed)
		}
	}
	for name, uri := range map[string]string{
		"nothing":                     "",
		"capital scheme":              "HTTPS://app.example.org/callback?tenant=1",
		"capital host":                "https://APP.example.org/callback?tenant=1",
		"capital path":                "https://app.example.org/Callback?tenant=1",
		"http":                        "http://app.example.org/callback?tenant=1",
		"no scheme":                   "//app.example.org/callback?tenant=1",
		"host alone":                  "https://app.example.org",
		"trailing slash":              "https://app.example.org/callback/?tenant=1",
		"longer path":                 "https://app.example.org/callback/more?tenant=1",
		"longer last segment":         "https://app.example.org/callbackx?tenant=1",
		"shorter path":                "https://app.example.org/?tenant=1",
		"no query":                    "https://app.example.org/callback",
		"longer query":                registered + "&next=evil",
		"same name twice":             registered + "&tenant=2",
		"other value":                 "https://app.example.org/callback?tenant=2",
		"query with empty end":        registered + "&",
		"query as fragment":           "https://app.example.org/callback#?tenant=1",
		"fragment":                    registered + "#f",
		"empty fragment":              registered + "#",
		"escaped fragment":            registered + "%23",
		"default port":                "https://app.example.org:443/callback?tenant=1",
		"other port":                  "https://app.example.org:8443/callback?tenant=1",
		"empty port":                  "https://app.example.org:/callback?tenant=1",
		"subdomain":                   "https://x.app.example.org/callback?tenant=1",
		"parent domain":               "https://example.org/callback?tenant=1",
		"evil prefix":                 "https://evilapp.example.org/callback?tenant=1",
		"evil suffix":                 "https://app.example.org.evil.com/callback?tenant=1",
		"trailing dot":                "https://app.example.org./callback?tenant=1",
		"user information":            "https://user@app.example.org/callback?tenant=1",
		"host as user information":    "https://app.example.org@evil.com/callback?tenant=1",
		"host and port as user":       "https://app.example.org:443@evil.com/callback?tenant=1",
		"two at signs":                "https://app.example.org@@evil.com/callback?tenant=1",
		"many at signs":               "https://a@app.example.org@evil.com@app.example.org/callback?tenant=1",
		"escaped at":                  "https://app.example.org%40evil.com/callback?tenant=1",
		"backslash before at":         "https://app.example.org\\@evil.com/callback?tenant=1",
		"backslash as slash":          "https://app.example.org\\callback?tenant=1",
		"backslashes after scheme":    "https:\\\\app.example.org/callback?tenant=1",
		"one slash":                   "https:/app.example.org/callback?tenant=1",
		"three slashes":               "https:///app.example.org/callback?tenant=1",
		"dot segment":                 "https://app.example.org/./callback?tenant=1",
		"double dot":                  "https://app.example.org/x/../callback?tenant=1",
		"double dot at the end":       "https://app.example.org/callback/../callback?tenant=1",
		"double dot with semicolon":   "https://app.example.org/x/..;/callback?tenant=1",
		"escaped double dot":          "https://app.example.org/x/%2e%2e/callback?tenant=1",
		"escaped letter":              "https://app.example.org/%63allback?tenant=1",
		"escaped twice":               "https://app.example.org/%2563allback?tenant=1",
		"escaped slash":               "https://app.example.org%2fcallback?tenant=1",
		"double slash in the path":    "https://app.example.org//callback?tenant=1",
		"path parameter":              "https://app.example.org/callback;x?tenant=1",
		"tab inside":                  "https://app.example.org/call\tback?tenant=1",
		"line feed inside":            "https://app.example.org/call\nback?tenant=1",
		"carriage return at the end":  registered + "\r",
		"line break and header":       registered + "\r\nSet-Cookie: a=b",
		"NUL inside":                  "https://app.example.org/callback\x00?tenant=1",
		"NUL at the end":              registered + "\x00",
		"blank before":                " " + registered,
		"blank after":                 registered + " ",
		"escaped blank after":         registered + "%20",
		"plus after":                  registered + "+",
		"invalid UTF-8":               registered + "\xff",
		"Cyrillic letter":             "https://\u0430pp.example.org/callback?tenant=1",
		"fullwidth dot":               "https://app\uff0eexample.org/callback?tenant=1",
		"fullwidth slash":             "https://app.example.org\uff0fcallback?tenant=1",
		"zero-width space":            "https://app.example\u200b.org/callback?tenant=1",
		"punycode look-alike":         "https://xn--pp-6kc.example.org/callback?tenant=1",
		"other client's":              "https://other.example.org/callback",
		"javascript":                  "javascript:alert(1)//https://app.example.org/callback?tenant=1",
		"data":                        "data:text/html,https://app.example.org/callback?tenant=1",
		"two URIs":                    registered + " " + registered,
		"wildcard":                    "https://app.example.org/*",
		"private scheme, more slash":  "com.example.app:///done",
		"private scheme, other path":  "com.example.app:/done2",
		"private scheme, in capitals": "com.example.APP:/done",
		"a megabyte":                  registered + strings.Repeat("x", 1<<20),
	} {
		if c.AllowsRedirect(uri) {
			t.Errorf("%s: %q was allowed", name, uri)
		}
	}
}

// RFC 8252 §7.3: a native application listens where there is room, so the port of a loopback
// address may be any, and nothing else. The name localhost may resolve to anything.
func TestOnlyThePortOfALoopbackAddressMayDiffer(t *testing.T) {
	c := &clients.Client{RedirectURIs: []string{
		"http://127.0.0.1/cb", "http://127.0.0.1:7777/port?a=b", "http://[::1]:9/six", "http://localhost:3000/name", "https://127.0.0.1:8443/tls",
	}}
	for _, uri := range []string{
		"http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://127.0.0.1:80/cb",
		"http://127.0.0.1/port?a=b", "http://127.0.0.1:1234/port?a=b", "http://[::1]/six", "http://[::1]:4321/six",
		"http://localhost:3000/name", "https://127.0.0.1:8443/tls",
	} {
		if !c.AllowsRedirect(uri) {
			t.Errorf("%q was refused", uri)
		}
	}
	for _, uri := range []string{
		"http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb", "http://127.0.0.1:99999999999999999999/cb", "http://127.0.0.1:080/cb",
		"http://127.0.0.1:/cb", "http://127.0.0.1:+80/cb", "http://127.0.0.1:8o/cb", "http://127.0.0.1:80:80/cb", "http://127.0.0.1:-1/cb",
		"http://127.0.0.1:80@evil.com/cb", "http://127.0.0.1@evil.com/cb", "http://127.0.0.1.evil.com/cb", "http://127.0.0.1%2eevil.com/cb",
		"http://127.0.0.1:80\\@evil.com/cb", "http://127.0.0.1:80#@evil.com/cb", "http://127.0.0.1:80/cb#", "http://x@127.0.0.1:80/cb",
		"http://127.0.0.1:80/cb/", "http://127.0.0.1:80/CB", "http://127.0.0.1:80/cb?x", "http://127.0.0.1:80/other", "http://127.0.0.1:80",
		"http://127.0.0.1:7777/port", "http://127.0.0.1:7777/port?a=c", "http://127.0.0.1:7777/port?a=b&c",
		"http://127.0.0.2/cb", "http://127.1/cb", "http://2130706433/cb", "http://0x7f000001/cb", "http://127.000.000.001/cb", "http://0.0.0.0/cb",
		"http://[::1]/cb", "http://[::2]/six", "http://[0:0:0:0:0:0:0:1]/six", "http://[::ffff:127.0.0.1]/cb", "http://[::1%25lo]/six", "http://[::1/six",
		"http://localhost/cb", "http://localhost:3001/name", "http://localhost/name", "HTTP://127.0.0.1/cb",
		"https://127.0.0.1/cb", "https://127.0.0.1:8444/tls", "https://127.0.0.1/tls", "http://127.0.0.1:8443/tls",
	} {
		if c.AllowsRedirect(uri) {
			t.Errorf("%q was allowed", uri)
		}
	}
}

// Nothing that runs a script, no wildcard (RFC 9700 §4.1.3), no fragment (RFC 6749 §3.1.2), no plain http (RFC 9700
// §2.6), no parameter that we add ourselves, and nothing that two parsers read in two ways.
func TestRegistrationRefusesBadRedirectURIs(t *testing.T) {
	r, _ := open(t)
	for name, uri := range map[string]string{
		"empty":                        "",
		"blank":                        " ",
		"relative":                     "/callback",
		"no scheme":                    "app.example.org/callback",
		"javascript":                   "javascript:alert(1)",
		"javascript in capitals":       "JavaScript:alert(1)",
		"javascript with slashes":      "javascript://app.example.org/%0aalert(1)",
		"javascript with blank":        " javascript:alert(1)",
		"javascript with tab":          "java\tscript:alert(1)",
		"javascript with line break":   "java\nscript:alert(1)",
		"javascript with NUL":          "\x00javascript:alert(1)",
		"javascript with soft hyphen":  "java\u00adscript:alert(1)",
		"data":                         "data:text/html;base64,PHNjcmlwdD4=",
		"vbscript":                     "vbscript:msgbox(1)",
		"blob":                         "blob:https://app.example.org/1",
		"file":                         "file:///etc/passwd",
		"about":                        "about:blank",
		"view-source":                  "view-source:https://app.example.org/",
		"scheme without dot":           "myapp:/callback",
		"scheme in capitals":           "HTTPS://app.example.org/callback",
		"scheme that starts with dot":  ".com:/callback",
		"scheme that starts with 1":    "1com.example:/callback",
		"private scheme without path":  "com.example.app:callback",
		"private scheme alone":         "com.example.app:",
		"private scheme with user":     "com.example.app://user@host/callback",
		"wildcard path":                "https://app.example.org/*",
		"wildcard host":                "https://*.example.org/",
		"wildcard query":               "https://app.example.org/?next=*",
		"fragment":                     "https://app.example.org/callback#f",
		"empty fragment":               "https://app.example.org/callback#",
		"http":                         "http://app.example.org/callback",
		"http with loopback in front":  "http://127.0.0.1.example.org/callback",
		"http with loopback as user":   "http://127.0.0.1@example.org/callback",
		"http to the whole network":    "http://0.0.0.0/callback",
		"http to a private address":    "http://192.168.1.1/callback",
		"http without host":            "http:/callback",
		"https without host":           "https:///callback",
		"https with one slash":         "https:/app.example.org/callback",
		"https without slash":          "https:app.example.org",
		"user information":             "https://user@app.example.org/callback",
		"user and password":            "https://user:pass@app.example.org/callback",
		"empty user information":       "https://@app.example.org/callback",
		"host in capitals":             "https://App.example.org/callback",
		"host with escape":             "https://app%2eexample.org/callback",
		"host with two dots":           "https://app..example.org/callback",
		"host with trailing dot":       "https://app.example.org./callback",
		"host with hyphen in front":    "https://-app.example.org/callback",
		"host with underscore":         "https://my_app.example.org/callback",
		"host outside ASCII":           "https://äpp.example.org/callback",
		"short address":                "https://127.1/callback",
		"decimal address":              "https://2130706433/callback",
		"hexadecimal address":          "https://0x7f.1/callback",
		"octal address":                "https://0177.0.0.1/callback",
		"unfinished IPv6":              "https://[::1/callback",
		"IPv6 in long form":            "https://[0:0:0:0:0:0:0:1]/callback",
		"IPv6 with zone":               "https://[fe80::1%25eth0]/callback",
		"IPv4 in IPv6":                 "https://[::ffff:127.0.0.1]/callback",
		"bad port":                     "https://app.example.org:http/callback",
		"port zero":                    "https://app.example.org:0/callback",
		"port too high":                "https://app.example.org:65536/callback",
		"port with zero":               "https://app.example.org:0443/callback",
		"empty port":                   "https://app.example.org:/callback",
		"backslash":                    "https://app.example.org\\callback",
		"double dot":                   "https://app.example.org/x/../callback",
		"double dot with semicolon":    "https://app.example.org/x/..;/callback",
		"escaped double dot":           "https://app.example.org/%2e%2e/callback",
		"half-escaped double dot":      "https://app.example.org/.%2E/callback",
		"dot":                          "https://app.example.org/./callback",
		"escaped slash":                "https://app.example.org/a%2Fb",
		"escaped backslash":            "https://app.example.org/a%5Cb",
		"bad escape":                   "https://app.example.org/%zz",
		"cut escape":                   "https://app.example.org/%2",
		"escaped line break":           "https://app.example.org/%0d%0aSet-Cookie:a=b",
		"escaped NUL":                  "https://app.example.org/%00",
		"blank inside":                 "https://app.example.org/a b",
		"line break inside":            "https://app.example.org/a\r\nb",
		"quote":                        "https://app.example.org/\"><script>",
		"brace":                        "https://app.example.org/{id}",
		"non-ASCII path":               "https://app.example.org/é",
		"invalid UTF-8":                "https://app.example.org/\xff",
		"longer than 2 KB":             "https://app.example.org/" + strings.Repeat("x", 2048),
		"query with semicolon":         "https://app.example.org/?a=1;b=2",
		"query with code":              "https://app.example.org/?code=1",
		"query with escaped code":      "https://app.example.org/?%63ode=1",
		"query with code in capitals":  "https://app.example.org/?CODE=1",
		"query with state":             "https://app.example.org/?a=b&state=1",
		"query with iss":               "https://app.example.org/?iss=https://evil.example",
		"query with error":             "https://app.example.org/?error",
		"query with error_description": "https://app.example.org/?error_description=x",
		"query with response":          "https://app.example.org/?response=x",
		"query with id_token":          "https://app.example.org/?id_token=x",
		"query with access_token":      "https://app.example.org/?access_token=x",
	} {
		n := confidential()
		n.RedirectURIs = []string{callback, uri}
		_, _, err := r.Create(t.Context(), n)
		wantInvalid(t, name, err, "redirect_uris[1]")
	}
}

func TestRegistrationAcceptsGoodRedirectURIs(t *testing.T) {
	r, _ := open(t)
	n := public()
	n.RedirectURIs = []string{
		callback, "https://app.example.org", "https://app.example.org/", "https://app.example.org:8443/a/b.c~d_e-f/",
		"https://app.example.org/?tenant=1&next=%2Fhome", "https://app.example.org/a;b/c,d", "https://xn--bcher-kva.example/cb",
		"https://192.0.2.1/cb", "https://[2001:db8::1]:8443/cb", "http://127.0.0.1/cb", "http://127.0.0.1:8080/cb", "http://[::1]/cb",
		"http://localhost:3000/cb", "com.example.app:/cb", "com.example.app://oauth/cb", "https://localhost/cb", "https://intranet/cb",
	}
	c, _ := create(t, r, n)
	for _, uri := range n.RedirectURIs {
		if !c.AllowsRedirect(uri) {
			t.Errorf("%q is registered and was refused", uri)
		}
	}
	if !slices.Equal(c.RedirectURIs, n.RedirectURIs) {
		t.Error("the list was changed")
	}
	n.RedirectURIs = []string{callback, callback}
	_, _, err := r.Create(t.Context(), n)
	wantInvalid(t, "twice", err, "redirect_uris[1]")
	n.RedirectURIs = nil
	for i := range 21 {
		n.RedirectURIs = append(n.RedirectURIs, "https://app.example.org/"+strings.Repeat("x", i))
	}
	_, _, err = r.Create(t.Context(), n)
	wantInvalid(t, "21", err, "redirect_uris")
}
