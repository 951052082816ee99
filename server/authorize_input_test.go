package server_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// readyToAnswer is an app of our own and somebody who has logged in, so that a good request is answered at once.
func readyToAnswer(t testing.TB) (*deployment, app, *person) {
	t.Helper()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(obj{"first_party": true}), d.person()
	ada.goThrough(acme, "ada")
	return d, acme, ada
}

// RFC 6749 §3.1, CVE-2026-9689: a parameter that is there twice is refused by a page: of two readers each could believe
// another one of the two. RFC 8707 §2 lets resource alone come again.
func TestRepeatedParametersAreRefused(t *testing.T) {
	t.Parallel()
	_, acme, ada := readyToAnswer(t)
	values, err := url.ParseQuery(strings.TrimPrefix(acme.ask("response_mode", "query", "max_age", "3600", "login_hint", "ada", "ui_locales", "en", "prompt", "none", "unknown", "x"), "/oauth/authorize?"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range values {
		for _, second := range []string{values.Get(name), "x", "https://evil.example/"} {
			for _, twice := range []string{values.Encode() + "&" + form(name, second).Encode(), form(name, second).Encode() + "&" + values.Encode()} {
				wantErrorPage(t, name+" twice", ada.get("/oauth/authorize?"+twice))
			}
		}
		// RFC 6749 §3.1: without a value it is as if it were not there.
		if got := ada.get("/oauth/authorize?"+name+"=&"+values.Encode()).answered(t, callback); got.Get("code") == "" {
			t.Errorf("an empty %s: %v", name, got)
		}
	}
	twice := url.Values{}
	for name, list := range values {
		twice[name] = slices.Concat(list, list)
	}
	wantErrorPage(t, "all twice by POST", ada.post("/oauth/authorize", twice))
	wantErrorPage(t, "in query and body", ada.post(acme.ask(), values))
	wantErrorPage(t, "the client in the query, the rest in the body", ada.post("/oauth/authorize?client_id="+acme.id, values))
	again := ada.get(acme.ask("scope", "orders:read", "resource", "urn:safeconduct:demo-orders") + "&resource=urn:safeconduct:demo-orders")
	if got := again.answered(t, callback); got.Get("code") == "" {
		t.Errorf("resource twice: %v", got)
	}
}

// RFC 6749 §3.1: parameters that nobody knows are ignored, those of other protocols and of other endpoints too.
func TestUnknownParametersAreIgnored(t *testing.T) {
	t.Parallel()
	d, acme, ada := readyToAnswer(t)
	d.user("eve")
	path := acme.ask("extra", "x", "client_secret", "x", "grant_type", "password", "username", "eve", "user_id", "eve", "sub", "eve", "code", "x", "iss", "https://evil.example", "error", "x",
		"next", "//evil.example", "return_to", "https://evil.example", "dpop_jkt", "x", "acr_values", "x", "display", "wap", "claims", `{"id_token":{"sub":{"value":"x"}}}`, "scope ", "admin:users", "<script>", "x")
	answer := ada.get(path).answered(t, callback)
	if len(answer) != 4 || answer.Get("code") == "" || answer.Get("state") != "state-of-the-app" || answer.Get("iss") != d.url || answer.Get("x") != "1" {
		t.Fatalf("the answer is %v", answer)
	}
	tokens := d.redeem(acme.client, answer.Get("code"))
	if tokens.str("scope") != "openid profile orders:read" {
		t.Errorf("granted %q", tokens.str("scope"))
	}
	if me := d.call(http.MethodGet, "/oauth/userinfo", tokens.str("access_token")); me.str("preferred_username") != "ada" {
		t.Errorf("the token is for %s", me.text)
	}
}

// RFC 9700 §2.1.2, CVE-2026-7571: a code in the query, or in a form to the app, is all that there is. No token is ever
// sent through the browser, and no answer goes into a fragment.
func TestNoOtherResponseTypeOrModeWorks(t *testing.T) {
	t.Parallel()
	_, acme, ada := readyToAnswer(t)
	refused := func(code string, changes ...string) {
		t.Helper()
		s := ada.get(acme.ask(changes...))
		answer := s.answered(t, callback)
		if answer.Get("error") != code || answer.Get("state") != "state-of-the-app" || answer.Has("code") || strings.Contains(s.location(), "#") || strings.Contains(s.location(), "token=") {
			t.Errorf("%v: %s, want the error %s", changes, s.location(), code)
		}
	}
	for _, responseType := range []string{"token", "id_token", "id_token token", "code token", "code id_token", "code id_token token", "token code", "none", "CODE", "Code", "code code", " code", "code ", "code\n", "device_code", "x"} {
		refused("unsupported_response_type", "response_type", responseType)
		refused("unsupported_response_type", "response_type", responseType, "response_mode", "query")
	}
	refused("invalid_request", "response_type", "")
	for _, mode := range []string{"fragment", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt", "web_message", "web_message_allow_list", "QUERY", "Form_Post", "query form_post", "none", "cookie", "x"} {
		refused("invalid_request", "response_mode", mode)
	}
	refused("request_not_supported", "request", "eyJhbGciOiJub25lIn0.e30.")
	refused("request_uri_not_supported", "request_uri", "urn:ietf:params:oauth:request_uri:x")
	refused("request_uri_not_supported", "request_uri", "http://127.0.0.1:1/") // and nobody fetches it
	for _, scope := range []string{"x", "openid x", "admin:users", "orders:delete", "orders:read\x01", "\u00e9", `orders:read"`, strings.Repeat("x", 3000)} {
		refused("invalid_scope", "scope", scope)
	}
	refused("invalid_target", "resource", "https://evil.example/")
}

// RFC 6749 §4.1.2, OpenID Connect Core §3.1.2.1: what the app said comes back to the byte, state in the answer and nonce
// in the ID token, however they are spelled. What is too long is refused and never cut.
func TestStateAndNonceComeBackToTheByte(t *testing.T) {
	t.Parallel()
	d, acme, ada := readyToAnswer(t)
	for _, text := range []string{
		"x", " ", "  two  ", "a b", "a+b", "a%20b", "%", "%%25", "%zz", "&", "=", "a&code=x&b=c", "#", "#access_token=x", "?", "/../", `\`, `"`, "'", "<script>", `"><script>alert(1)</script>`,
		"é", "日本語", "🔑", "e\u0301", "\u202eabc", "\ufeff", "a\r\nX-Evil: 1", "\t", "\x01", "\x7f", "\u2028", "null", "{}", strings.Repeat("s", 1<<10), strings.Repeat("&", 512), strings.Repeat("é", 256), strings.Repeat("<", 512), strings.Repeat("\x01", 512),
	} {
		nonce := text[:min(len(text), 512)]
		for _, way := range []struct{ mode, prompt string }{{"query", ""}, {"form_post", ""}, {"query", "consent"}} {
			if way.mode == "form_post" && strings.ContainsAny(text, "\r\n") {
				continue // HTML §4.10.21.4: forms have line ends of their own
			}
			s := ada.open(acme.ask("state", text, "nonce", nonce, "response_mode", way.mode, "prompt", way.prompt))
			if way.prompt != "" {
				s = ada.allow(s)
			}
			var answer url.Values
			if way.mode == "form_post" {
				_, answer = s.form(t, callback)
			} else {
				if strings.ContainsAny(s.location(), "\r\n#<>\"' ") || s.header.Get("X-Evil") != "" {
					t.Errorf("state %q leads to %q", text, s.location())
				}
				answer = s.answered(t, callback)
			}
			if answer.Get("state") != text || len(answer["code"]) != 1 || answer.Get("iss") != d.url {
				t.Fatalf("state %q: the answer is %q", text, answer)
			}
			tokens := d.redeem(acme.client, answer.Get("code"))
			wantStatus(t, tokens, http.StatusOK)
			if _, claims := d.signed(tokens.str("id_token")); claims["nonce"] != nonce {
				t.Errorf("the nonce %q is %q in the ID token", nonce, claims["nonce"])
			}
			if way.mode == "query" && way.prompt == "" {
				refused := ada.get(acme.ask("state", text, "scope", "x")).answered(t, callback)
				if refused.Get("state") != text || refused.Get("error") != "invalid_scope" {
					t.Errorf("state %q: the error is %q", text, refused)
				}
			}
		}
	}
	without := ada.get(acme.ask("state", "", "nonce", "")).answered(t, callback)
	if without.Has("state") {
		t.Errorf("a state came of nothing: %q", without)
	}
	if _, claims := d.signed(d.redeem(acme.client, without.Get("code")).str("id_token")); claims["nonce"] != nil {
		t.Errorf("a nonce came of nothing: %q", claims["nonce"])
	}
	if got := ada.get(acme.ask("state", strings.Repeat("s", 2<<10), "nonce", strings.Repeat("n", 512))).answered(t, callback); len(got.Get("state")) != 2<<10 || got.Get("code") == "" {
		t.Errorf("the longest that are allowed: %v", got)
	}
	wantErrorPage(t, "a state of 2 KB and a byte", ada.get(acme.ask("state", strings.Repeat("s", 2<<10+1))))
	for _, long := range [][2]string{{"nonce", strings.Repeat("n", 513)}, {"login_hint", strings.Repeat("l", 321)}, {"ui_locales", strings.Repeat("e", 321)}} {
		if got := ada.get(acme.ask(long[:]...)).answered(t, callback); got.Get("error") != "invalid_request" || got.Has("code") {
			t.Errorf("a long %s: %v", long[0], got)
		}
	}
	for _, size := range []int{8 << 10, 16 << 10} {
		if s := ada.get(acme.ask("x", strings.Repeat("x", size))); s.status != http.StatusRequestURITooLong || s.location() != "" {
			t.Errorf("a URL of %d bytes: %d to %q", size, s.status, s.location())
		}
	}
}

// RFC 6749 §4.1.2.1 allows a few characters in what is said about an error: none that a header, a URL or a page would read
// as its own, and nothing that the request brought.
func TestErrorsOfTheAppAreHarmlessText(t *testing.T) {
	t.Parallel()
	_, acme, ada := readyToAnswer(t)
	for _, changes := range [][]string{
		{"scope", "x\r\nX-Evil:1"}, {"scope", "<script>"}, {"scope", `a"b`}, {"prompt", "<script>"}, {"response_mode", "\"><script>"}, {"response_type", "\r\nX-Evil: 1"}, {"max_age", "<b>"}, {"resource", "<script>"},
		{"code_challenge", "<script>"}, {"code_challenge_method", "\"><script>"}, {"id_token_hint", "<script>"}, {"scope", "orders:read", "resource", "https://x.example/\r\n"},
	} {
		s := ada.get(acme.ask(changes...))
		answer := s.answered(t, callback)
		text := answer.Get("error_description")
		if answer.Get("error") == "" || text == "" || strings.ContainsAny(text, "<>\"\\\r\n&#") || strings.Contains(strings.ToLower(text), "script") || s.header.Get("X-Evil") != "" {
			t.Errorf("%q: %q", changes, answer)
		}
		for _, letter := range text {
			if letter < 0x20 || letter > 0x7e {
				t.Errorf("%q: the description has %q", changes, letter)
			}
		}
	}
}
