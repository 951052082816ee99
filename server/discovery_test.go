package server_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/safeconduct/safeconduct/server"
)

const (
	discoveryPath = "/.well-known/openid-configuration"
	jwksPath      = "/.well-known/jwks.json"
)

// OpenID Connect Discovery §4.3, RFC 8414 §3.3: both documents say the same, under the issuer's name to the byte, and
// name only what is there.
func TestDiscoveryIsOneDocument(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	m := d.metadata(t)
	wantPublic(t, m.answer, "application/json")
	d.user("ada")
	a := d.webApp()
	got := d.person()
	code := got.open(a.ask("scope", "openid")).wants(t, http.StatusOK, "Acme Invoices")
	answer := got.allow(got.login(code, "ada")).answered(t, a.callback)
	tokens := d.redeem(a.client, answer.Get("code"))
	_, claims := d.signed(tokens.str("id_token"))
	for what, issuer := range map[string]any{"the document": m.json["issuer"], "the answer to the app": answer.Get("iss"), "the ID token": claims["iss"]} {
		if issuer != d.url {
			t.Errorf("%s names the issuer %v, want %s", what, issuer, d.url)
		}
	}
	// Every claim that an ID token or the userinfo endpoint gives is listed.
	for name := range claims {
		if !slices.Contains(m.list("claims_supported"), name) {
			t.Errorf("the claim %s is given and not listed", name)
		}
	}
	// Every address leads somewhere of ours.
	for name, value := range m.json {
		address, is := value.(string)
		if !is || name == "issuer" {
			continue
		}
		path, ours := strings.CutPrefix(address, d.url)
		if !ours {
			t.Errorf("%s is at %s", name, address)
			continue
		}
		get, post := d.call(http.MethodGet, path, ""), d.send(http.MethodPost, path, formType, "")
		if get.status == http.StatusNotFound || get.status == http.StatusMethodNotAllowed && post.status == http.StatusMethodNotAllowed || get.status >= 500 || post.status >= 500 {
			t.Errorf("%s: GET %s answers %d, POST %d", name, path, get.status, post.status)
		}
	}
}

// wantPublic wants an answer that every page may read and every cache may keep for a while.
func wantPublic(t testing.TB, a answer, mediaType string) {
	t.Helper()
	for name, want := range map[string]string{"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300", "Access-Control-Allow-Credentials": "", "Set-Cookie": "", "Cross-Origin-Resource-Policy": ""} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, mediaType) {
		t.Errorf("of type %q, want %s", got, mediaType)
	}
}

// OpenID Connect Discovery §3: each value that is listed works, and what is not listed is refused.
func TestDiscoverySaysWhatWorks(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	m := d.metadata(t)
	d.user("ada")
	own, ada := d.webApp(obj{"first_party": true}), d.person()
	ada.goThrough(own, "ada")
	ask := func(changes ...string) sight { return ada.open(own.ask(changes...)) }
	errorOf := func(s sight) string { return s.answered(t, own.callback).Get("error") }
	works := map[string]func(value string) bool{
		"response_types_supported": func(v string) bool { return errorOf(ask("response_type", v)) == "" },
		"response_modes_supported": func(v string) bool {
			s := ask("response_mode", v)
			return s.location() != "" && s.answered(t, own.callback).Get("code") != "" || strings.Contains(s.text, `name="code"`)
		},
		"code_challenge_methods_supported": func(v string) bool { return errorOf(ask("code_challenge_method", v)) == "" },
		"prompt_values_supported": func(v string) bool {
			s := ask("prompt", v)
			return s.location() == "" || errorOf(s) == ""
		},
		"scopes_supported": func(v string) bool { return errorOf(ask("scope", "openid "+v)) == "" },
		"id_token_signing_alg_values_supported": func(v string) bool {
			return d.admin(http.MethodPatch, "/clients/"+own.id, obj{"id_token_signed_response_alg": v}).status == http.StatusOK
		},
		"acr_values_supported": func(v string) bool {
			_, claims := d.signed(ada.identify(own, "ada").str("id_token"))
			return claims["acr"] == v
		},
		"subject_types_supported": func(v string) bool { return v == "public" },
		"ui_locales_supported": func(v string) bool {
			return strings.Contains(d.person().open(own.ask("ui_locales", v)).text, `lang="`+v+`"`)
		},
	}
	unlisted := map[string][]string{
		"response_types_supported": {"token", "id_token", "code id_token", "code token", "none", "CODE"}, "response_modes_supported": {"fragment", "jwt", "web_message"},
		"code_challenge_methods_supported": {"plain", "s256"}, "prompt_values_supported": {"create", "NONE"}, "scopes_supported": {"address", "phone", "admin:none"},
		"id_token_signing_alg_values_supported": {"none", "HS256", "ES384", "PS256"},
	}
	for name, try := range works {
		values := m.list(name)
		if len(values) == 0 {
			t.Errorf("%s is empty", name)
		}
		for _, value := range values {
			if !try(value) {
				t.Errorf("%s: %s is listed and does not work", name, value)
			}
		}
		for _, value := range unlisted[name] {
			if slices.Contains(values, value) || try(value) {
				t.Errorf("%s: %s works or is listed", name, value)
			}
		}
	}
	for name, parameter := range map[string]string{"request_parameter_supported": "request", "request_uri_parameter_supported": "request_uri"} {
		if got := errorOf(ask(parameter, "x")); m.json[name] != false || got != parameter+"_not_supported" {
			t.Errorf("%s is %v, and %s is answered by %q", name, m.json[name], parameter, got)
		}
	}
	// Lists, not null: go-oidc and others refuse null.
	for name, value := range m.json {
		if value == nil {
			t.Errorf("%s is null", name)
		}
	}
}

// RFC 7517 §4, RFC 7638: the key set has public halves alone, each with its id, its use and its algorithm; caches may ask
// whether it has changed (RFC 9110 §13.1.2).
func TestKeySetIsPublic(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) { c.SigningKeys.Ahead = time.Hour })
	first := d.call(http.MethodGet, jwksPath, "")
	wantStatus(t, first, http.StatusOK)
	wantPublic(t, first, "application/jwk-set+json")
	wantMembers(t, "the key set", first.json, "keys")
	members := map[string][]string{"RS256": {"n", "e"}, "ES256": {"crv", "x", "y"}, "EdDSA": {"crv", "x"}}
	for _, each := range first.json["keys"].([]any) {
		key := each.(obj)
		wantMembers(t, "a key", key, append(members[key["alg"].(string)], "kty", "kid", "use", "alg")...)
		var parsed jose.JSONWebKey
		text, _ := json.Marshal(key)
		if err := parsed.UnmarshalJSON(text); err != nil || !parsed.IsPublic() || key["use"] != "sig" {
			t.Errorf("%v: %s", err, text)
		}
	}
	if n := len(first.json["keys"].([]any)); n != 3 {
		t.Errorf("%d keys, want one of each algorithm", n)
	}

	etag := first.header.Get("ETag")
	same := d.send(http.MethodGet, jwksPath, "", "", "If-None-Match", etag)
	if same.status != http.StatusNotModified || same.text != "" || same.header.Get("ETag") != etag || same.header.Get("Cache-Control") == "" {
		t.Errorf("for the same key set: %d %s %v", same.status, same.text, same.header)
	}
	for _, old := range []string{`"x"`, "x", strings.Trim(etag, `"`)} {
		if a := d.send(http.MethodGet, jwksPath, "", "", "If-None-Match", old); a.status != http.StatusOK || a.text != first.text {
			t.Errorf("for the tag %s: %d %s", old, a.status, a.text)
		}
	}
	if err := d.server.RotateKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A successor is seen before it signs.
	changed := d.send(http.MethodGet, jwksPath, "", "", "If-None-Match", etag)
	if changed.status != http.StatusOK || changed.header.Get("ETag") == etag || len(changed.json["keys"].([]any)) != 6 {
		t.Errorf("after a rotation: %d %s", changed.status, changed.text)
	}
	for _, text := range []string{`"d"`, `"p"`, `"q"`, `"dp"`, `"dq"`, `"qi"`, `"k"`, "PRIVATE"} {
		if strings.Contains(changed.text+d.log.String(), text) {
			t.Errorf("%s is published or logged", text)
		}
	}
}
