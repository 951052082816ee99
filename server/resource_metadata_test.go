package server_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// RFC 9728 §3, §5.1: our own protected resources describe themselves at the address that follows from their identifier, and
// an answer that refuses a token points there.
func TestOwnResourcesDescribeThemselves(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	for path, test := range map[string]struct {
		asked   []string
		scopes  []string
		methods string
	}{
		"/api/v1":         {[]string{"/api/v1/me", "/api/v1/users", "/api/v1/keys"}, apiScopes, "[header]"},
		"/oauth/userinfo": {[]string{"/oauth/userinfo"}, []string{"openid", "profile", "email", "offline_access"}, "[header body]"},
	} {
		at := "/.well-known/oauth-protected-resource" + path
		a := d.call(http.MethodGet, at, "")
		wantPublic(t, a, "application/json; charset=utf-8")
		wantMembers(t, path, a.json, "resource", "resource_name", "authorization_servers", "scopes_supported", "bearer_methods_supported")
		if a.str("resource") != d.url+path || fmt.Sprint(a.json["authorization_servers"]) != "["+d.url+"]" || fmt.Sprint(a.json["bearer_methods_supported"]) != test.methods ||
			fmt.Sprint(a.json["scopes_supported"]) != fmt.Sprint(test.scopes) {
			t.Errorf("%s: %s", path, a.text)
		}
		// What it says of its servers is true.
		if issuer := d.call(http.MethodGet, "/.well-known/oauth-authorization-server", "").str("issuer"); issuer != d.url {
			t.Errorf("the server calls itself %s", issuer)
		}
		for _, asked := range test.asked {
			for what, token := range map[string]string{"no token": "", "garbage": "garbage"} {
				refused := d.call(http.MethodGet, asked, token)
				if got := refused.header.Get("WWW-Authenticate"); refused.status != http.StatusUnauthorized || !strings.Contains(got, `resource_metadata="`+d.url+at+`"`) {
					t.Errorf("%s with %s: %d, challenge %q", asked, what, refused.status, got)
				}
			}
		}
		wantStatus(t, d.call(http.MethodPost, at, ""), http.StatusMethodNotAllowed)
	}
	short := d.adminToken("account:read")
	if a := d.call(http.MethodGet, "/api/v1/users", short); a.status != http.StatusForbidden || !strings.Contains(a.header.Get("WWW-Authenticate"), "resource_metadata=") {
		t.Errorf("a token that lacks a scope: %d, challenge %q", a.status, a.header.Get("WWW-Authenticate"))
	}
	// Other people's resources describe themselves.
	if got := d.call(http.MethodGet, "/demo/orders", "").header.Get("WWW-Authenticate"); strings.Contains(got, "resource_metadata") {
		t.Errorf("the demo API points to %q", got)
	}
	for _, path := range []string{"", "/", "/demo", "/api/v1/", "/api/v1/me", "/../api/v1"} {
		if a := d.call(http.MethodGet, "/.well-known/oauth-protected-resource"+path, ""); a.status == http.StatusOK {
			t.Errorf("there is a description under %q: %s", path, a.text)
		}
	}
}

// Every issuer that the configuration allows has metadata, also one in the clear on this machine.
func TestMetadataOfAnyIssuer(t *testing.T) {
	t.Parallel()
	for _, issuer := range []string{"https://id.example.com", "http://id.localhost:8080", "http://[::1]:8080", "http://127.0.0.2"} {
		d := deployBolt(t, func(c *server.Config) { c.Issuer = issuer })
		a := d.handle(d.request(http.MethodGet, "/.well-known/oauth-protected-resource/api/v1", "", ""))
		if a.status != http.StatusOK || a.str("resource") != issuer+"/api/v1" {
			t.Errorf("%s: %d %s", issuer, a.status, a.text)
		}
	}
	s, _ := bolttest.Open(t, noon)
	for _, issuer := range []string{"http://id.example.com", "http://notlocalhost", "ftp://localhost", "https://"} {
		if _, err := server.New(t.Context(), server.Config{Issuer: issuer, Store: s, Keys: newRing(t), Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("%s can be an issuer", issuer)
		}
	}
}

// RFC 9701 §5: who asks for a signed answer of introspection gets one that verifies with the published keys, names its
// audience, and says what the plain one says. It is of a type of its own and no access token.
func TestSignedIntrospection(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	for alg, format := range map[string]string{"RS256": "jwt", "ES256": "jwt", "EdDSA": "jwt", "": "opaque"} {
		slug, change := "plain", obj{"token_format": format}
		if alg != "" {
			slug, change["signing_alg"] = strings.ToLower(alg), alg
		}
		api := d.signedAPI(slug, change)
		app := d.client("confidential", obj{"scopes": []string{slug + ":read"}})
		token := d.mustLogin(app, "ada", "scope", slug+":read").str("access_token")
		for what, text := range map[string]string{"a good token": token, "garbage": "garbage"} {
			plain := d.introspect(api, text)
			header, claims := d.aboutIn(api, text)
			wantMembers(t, what, claims, "iss", "aud", "iat", "token_introspection")
			if want := map[bool]string{true: "ES256", false: alg}[alg == ""]; header["alg"] != want || header["typ"] != "token-introspection+jwt" {
				t.Errorf("%s at %s: header %v", what, slug, header)
			}
			if claims["iss"] != d.url || claims["aud"] != "https://"+slug+".example" || claims["iat"] != float64(noon.Unix()) {
				t.Errorf("%s at %s: claims %v", what, slug, claims)
			}
			if fmt.Sprint(claims["token_introspection"]) != fmt.Sprint(plain.json) {
				t.Errorf("%s at %s: signed %v, plain %v", what, slug, claims["token_introspection"], plain.json)
			}
		}
	}
	api := d.api()
	signed := []string{"Accept", "application/token-introspection+jwt"}
	wantError(t, d.send(http.MethodPost, "/oauth/introspect", formType, "token=x", append(signed, "Authorization", basic(api.id, "wrong"))...), http.StatusUnauthorized, "invalid_client")
	wantError(t, d.send(http.MethodPost, "/oauth/introspect", formType, "", append(signed, "Authorization", basic(api.id, api.secret))...), http.StatusBadRequest, "invalid_request")
}
