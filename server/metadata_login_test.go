package server_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// OpenID Connect Discovery §3: of what the metadata says about logins everything works, and nothing else does.
func TestMetadataSaysHowPeopleLogIn(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	m := d.metadata(t)
	user := d.user("ada", obj{"name": "Ada", "email": "ada@example.com"})
	acme, ada := d.webApp(obj{"first_party": true}), d.person()
	ada.goThrough(acme, "ada")
	d.clock.Advance(time.Second)
	ask := func(changes ...string) sight { return ada.get(acme.ask(changes...)) }
	refused := func(code string, changes ...string) {
		t.Helper()
		if got := ask(changes...).answered(t, callback); got.Get("error") != code || got.Has("code") {
			t.Errorf("%v: %v, want the error %s", changes, got, code)
		}
	}

	m.wants("response_types_supported", "code")
	m.wants("response_modes_supported", "form_post", "query")
	m.wants("code_challenge_methods_supported", "S256")
	m.wants("prompt_values_supported", "consent", "login", "none", "select_account")
	if got := ask().answered(t, callback); got.Get("code") == "" || got.Get("iss") != m.str("issuer") {
		t.Errorf("the answer is %v", got)
	}
	if got := ask("response_mode", "query").answered(t, callback); got.Get("code") == "" {
		t.Errorf("the answer is %v", got)
	}
	if _, values := ask("response_mode", "form_post").form(t, callback); values.Get("code") == "" {
		t.Errorf("the form holds %v", values)
	}
	for prompt, page := range map[string]string{"login": "/login?", "consent": "/consent?", "select_account": "/select?", "none": callback} {
		if s := ask("prompt", prompt); !strings.HasPrefix(s.location(), page) {
			t.Errorf("prompt=%s leads to %q", prompt, s.location())
		}
	}
	refused("invalid_request", "prompt", "create")
	refused("invalid_request", "code_challenge_method", "plain")
	refused("unsupported_response_type", "response_type", "id_token")
	refused("invalid_request", "response_mode", "fragment")

	for _, name := range []string{"authorization_response_iss_parameter_supported", "backchannel_logout_supported", "backchannel_logout_session_supported"} {
		if m.json[name] != true {
			t.Errorf("%s is %v", name, m.json[name])
		}
	}
	for _, name := range []string{"claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported"} {
		if m.json[name] != false {
			t.Errorf("%s is %v", name, m.json[name])
		}
	}
	refused("request_not_supported", "request", "eyJhbGciOiJub25lIn0.e30.")
	refused("request_uri_not_supported", "request_uri", "https://evil.example/request")

	if len(m.list("ui_locales_supported")) < 2 {
		t.Errorf("ui_locales_supported is %v", m.list("ui_locales_supported"))
	}
	for _, language := range m.list("ui_locales_supported") {
		if page := ada.open(acme.ask("prompt", "login", "ui_locales", language)); !strings.Contains(page.text, `<html lang="`+language+`"`) {
			t.Errorf("ui_locales=%s is not answered in it", language)
		}
	}

	// The scopes, and the claims that they give, in the ID token and at the userinfo endpoint.
	m.wants("scopes_supported", "email", "offline_access", "openid", "profile")
	all := strings.Join(m.list("scopes_supported"), " ")
	tokens := d.redeem(acme.client, ask("scope", all).answered(t, callback).Get("code"))
	wantStatus(t, tokens, http.StatusOK)
	_, claims := d.signed(tokens.str("id_token"))
	me := d.call(http.MethodGet, "/oauth/userinfo", tokens.str("access_token"))
	seen := map[string]bool{}
	for name := range claims {
		seen[name] = true
	}
	for name := range me.json {
		seen[name] = true
	}
	for _, name := range m.list("claims_supported") {
		if !seen[name] {
			t.Errorf("the claim %s is advertised and not given", name)
		}
	}
	for name := range seen {
		if !slices.Contains(m.list("claims_supported"), name) {
			t.Errorf("the claim %s is given and not advertised", name)
		}
	}
	m.wants("subject_types_supported", "public")
	if claims["sub"] != user || me.str("sub") != user {
		t.Errorf("the subject is %v and %v, want %s", claims["sub"], me.str("sub"), user)
	}
	m.wants("acr_values_supported", claims["acr"].(string))

	// Each algorithm signs, and its key is published.
	m.wants("id_token_signing_alg_values_supported", "ES256", "EdDSA", "RS256")
	for _, alg := range m.list("id_token_signing_alg_values_supported") {
		app := d.webApp(obj{"first_party": true, "id_token_signed_response_alg": alg})
		tokens := d.redeem(app.client, ada.get(app.ask()).answered(t, callback).Get("code"))
		wantStatus(t, tokens, http.StatusOK)
		if header, claims := d.signed(tokens.str("id_token")); header["alg"] != alg || claims["sub"] != user {
			t.Errorf("%s: the ID token is %v %v", alg, header, claims)
		}
	}
	for _, alg := range []string{"none", "HS256", "PS256", "RS1"} {
		if a := d.admin(http.MethodPost, "/clients", obj{"name": "x", "type": "confidential", "grant_types": []string{"client_credentials"}, "id_token_signed_response_alg": alg}); a.status != http.StatusBadRequest {
			t.Errorf("a client with ID tokens signed by %s: %d %s", alg, a.status, a.text)
		}
	}
	var published struct{ Keys []obj }
	if err := json.Unmarshal([]byte(d.call(http.MethodGet, "/.well-known/jwks.json", "").text), &published); err != nil || len(published.Keys) < 3 {
		t.Fatalf("keys %v: %v", published, err)
	}
	for _, key := range published.Keys {
		for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "oth"} {
			if key[secret] != nil {
				t.Errorf("the key %v shows its member %s", key["kid"], secret)
			}
		}
	}
}
