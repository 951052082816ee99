package clients_test

import (
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/clients"
)

// A page may read answers only if it is the client's: the origin of one of its redirect URIs, as browsers write it.
func TestOriginsAreThoseOfTheRedirectURIs(t *testing.T) {
	c := &clients.Client{RedirectURIs: []string{
		"https://app.example.org/callback", "https://other.example.org:8443/cb?a=b", "https://bare.example.org", "https://query.example.org?a=b",
		"https://explicit.example.org:443/cb", "http://127.0.0.1/cb", "http://[::1]:9/cb", "http://localhost:3000/cb", "http://localhost:80/cb",
		"https://127.0.0.1:8443/cb", "com.example.app:/cb", "com.example.app://oauth/cb", "https://[2001:db8::1]:8443/cb",
	}}
	for _, origin := range []string{
		"https://app.example.org", "https://other.example.org:8443", "https://bare.example.org", "https://query.example.org",
		"https://explicit.example.org", "http://127.0.0.1", "http://127.0.0.1:3000", "http://127.0.0.1:65535", "http://[::1]", "http://[::1]:3000",
		"http://localhost:3000", "http://localhost", "https://127.0.0.1:8443", "https://[2001:db8::1]:8443",
	} {
		if !c.AllowsOrigin(origin) {
			t.Errorf("%q was refused", origin)
		}
	}
	for _, origin := range []string{
		"", "null", "NULL", "*", "https://", "http://", "://", "https", "app.example.org", "//app.example.org",
		"http://app.example.org", "HTTPS://app.example.org", "https://App.example.org", "https://app.example.org/", "https://app.example.org/callback",
		"https://app.example.org:443", "https://app.example.org:8443", "https://app.example.org.", "https://app.example.org.evil.com",
		"https://evilapp.example.org", "https://example.org", "https://x.app.example.org", "https://app.example.org@evil.com", "https://user@app.example.org",
		"https://app.example.org ", " https://app.example.org", "https://app.example.org\x00", "https://app.example.org\r\n", "https://app.example.org#", "https://app.example.org?",
		"https://app.example.org,https://evil.com", "https://app.example.org https://evil.com",
		"https://other.example.org", "https://explicit.example.org:443", "https://explicit.example.org:4430",
		"http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:080", "http://127.0.0.1:", "http://127.0.0.1/", "http://127.0.0.1:3000/cb", "http://127.0.0.1?", "http://127.0.0.1@evil.com",
		"http://127.0.0.1:80@evil.com", "http://127.0.0.1.evil.com", "http://127.0.0.2", "http://127.1", "https://127.0.0.1", "https://127.0.0.1:9", "http://[::2]", "http://[::1].evil.com",
		"http://localhost:3001", "https://localhost:3000", "com.example.app", "com.example.app:", "com.example.app://", "com.example.app://oauth", "com.example.app:/cb",
		"javascript:alert(1)", "data:text/html,x", "file://", "file:///", "blob:https://app.example.org/1", "about:blank", "chrome-extension://abc",
		"https://app.example.org" + strings.Repeat("x", 1<<20),
	} {
		if c.AllowsOrigin(origin) {
			t.Errorf("%q was allowed", origin)
		}
	}
	for _, origin := range []string{"", "null", "https://", "http://127.0.0.1"} {
		if (&clients.Client{}).AllowsOrigin(origin) || (&clients.Client{RedirectURIs: []string{"com.example.app:/cb"}}).AllowsOrigin(origin) {
			t.Errorf("%q was allowed without any page", origin)
		}
	}
}
