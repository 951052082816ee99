package clients_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/clients"
)

// Whatever passes registration means the same to a parser as it does to the eye, matches itself, and leads to
// nowhere that runs a script.
func FuzzRegisteredRedirectURI(f *testing.F) {
	for _, seed := range []string{callback, "http://127.0.0.1:80/cb", "http://[::1]/", "com.example.app:/x", "https://a/?b=c", "javascript:alert(1)", "https://a@b/", "https://a/%2e%2e/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		c := &clients.Client{ID: "a", Name: "A", Type: clients.Public, AuthMethod: clients.None, GrantTypes: []string{clients.AuthorizationCode}, RedirectURIs: []string{uri}}
		if clients.Validate(c) != nil {
			return
		}
		if !c.AllowsRedirect(uri) {
			t.Errorf("%q does not match itself", uri)
		}
		u, err := url.Parse(uri)
		if err != nil || u.String() != uri || u.Fragment != "" || u.User != nil || u.Opaque != "" {
			t.Fatalf("%q is read as %+v, %v", uri, u, err)
		}
		safe := u.Scheme == "https" || strings.Contains(u.Scheme, ".") ||
			u.Scheme == "http" && slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname())
		if !safe || strings.ContainsAny(uri, " \t\r\n\x00\\<>\"*#") {
			t.Errorf("%q was accepted", uri)
		}
	})
}

// Whatever is allowed is registered, up to the port of a loopback address.
func FuzzAllowedRedirectURI(f *testing.F) {
	registered := []string{callback, "http://127.0.0.1/cb?x=y", "http://[::1]:7/cb"}
	for _, seed := range append(registered, "http://127.0.0.1:80/cb?x=y", "http://127.0.0.1:80@e/cb?x=y", "http://[::1]:70000/cb") {
		f.Add(seed)
	}
	c := &clients.Client{RedirectURIs: registered}
	f.Fuzz(func(t *testing.T, uri string) {
		if !c.AllowsRedirect(uri) || slices.Contains(registered, uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatalf("%q was allowed and cannot be read", uri)
		}
		without := uri
		if u.Port() != "" {
			without = strings.Replace(uri, ":"+u.Port()+"/", "/", 1)
		}
		if without != "http://127.0.0.1/cb?x=y" && without != "http://[::1]/cb" {
			t.Errorf("%q was allowed", uri)
		}
	})
}
