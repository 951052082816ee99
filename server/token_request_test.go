package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// tokenForms are a good form for each grant type that a confidential client can use without a code.
func tokenForms(d *deployment, c client, username string) map[string]map[string]string {
	refresh := d.mustLogin(c, username).str("refresh_token")
	return map[string]map[string]string{
		"client_credentials": {"grant_type": "client_credentials", "scope": "orders:read"},
		"password":           {"grant_type": "password", "username": username, "password": password, "scope": "orders:read"},
		"refresh_token":      {"grant_type": "refresh_token", "refresh_token": refresh, "scope": "orders:read"},
	}
}

func encode(fields map[string]string, more ...string) string {
	values := form(more...)
	for name, value := range fields {
		values.Add(name, value)
	}
	return values.Encode()
}

// RFC 6749 §3.2: POST is the only method. A GET would put secrets into URLs, a redirect would send them twice. OPTIONS is
// there for browsers that ask whether they may POST, and does nothing, whatever is sent with it.
func TestTokenEndpointTakesPostOnly(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential"), d.api()
	token := d.token(c, form("grant_type", "client_credentials")).str("access_token")
	body := form("grant_type", "client_credentials", "token", token).Encode()
	for path, allow := range map[string]string{"/oauth/token": "POST, OPTIONS", "/oauth/introspect": "POST", "/oauth/revoke": "POST, OPTIONS"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			a := d.send(method, path, formType, body, "Authorization", basic(c.id, c.secret))
			if method == http.MethodOptions && allow != http.MethodPost {
				if a.status != http.StatusNoContent || a.text != "" {
					t.Errorf("%s %s: %d %q, want 204 and nothing", method, path, a.status, a.text)
				}
				continue
			}
			if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != allow {
				t.Errorf("%s %s: %d, Allow %q; want 405, %s", method, path, a.status, a.header.Get("Allow"), allow)
			}
		}
	}
	d.wantActive(api, token)
}

// RFC 6749 §4, RFC 7662 §2.1 and RFC 7009 §2.1 name one media type. A body of another is not parsed, whatever it says.
func TestOnlyFormBodiesAreRead(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential"), d.api()
	text := encode(map[string]string{"grant_type": "client_credentials", "scope": "orders:read"})
	var parts bytes.Buffer
	w := multipart.NewWriter(&parts)
	for name, value := range map[string]string{"grant_type": "client_credentials", "token": "x", "scope": "orders:read"} {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	bodies := []struct{ mediaType, body string }{
		{"", text}, {"text/plain", text}, {"application/json", `{"grant_type":"client_credentials"}`}, {"application/xml", text},
		{w.FormDataContentType(), parts.String()}, {"multipart/form-data", text}, {"application/x-www-form-urlencoded2", text},
		{"application/x-www-form-urlencoded, application/json", text}, {";", text}, {"application/x-www-form-urlencoded; charset", text},
	}
	for _, path := range []string{"/oauth/token", "/oauth/introspect", "/oauth/revoke"} {
		caller := c
		if path == "/oauth/introspect" {
			caller = api
		}
		for _, b := range bodies {
			r := d.request(http.MethodPost, path, b.mediaType, b.body)
			r.SetBasicAuth(caller.id, caller.secret)
			a := d.do(r)
			if a.status != http.StatusBadRequest || a.str("error") != "invalid_request" {
				t.Errorf("%s with type %q: %d %s, want 400 invalid_request", path, b.mediaType, a.status, a.text)
			}
		}
	}
	for _, mediaType := range []string{formType, "Application/X-WWW-Form-URLEncoded", formType + "; charset=UTF-8"} {
		r := d.request(http.MethodPost, "/oauth/token", mediaType, text)
		r.SetBasicAuth(c.id, c.secret)
		wantStatus(t, d.do(r), http.StatusOK)
	}
}

// RFC 6749 §3.2: a parameter must not come twice. Which of the two counts would be a matter of luck.
func TestDuplicateParametersAreRefused(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	d.user("ada")
	forms := tokenForms(d, c, "ada")
	d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"auth_method": "client_secret_post"})
	for grantType, fields := range forms {
		fields["client_id"], fields["client_secret"] = c.id, c.secret
		for name, value := range fields {
			for what, body := range map[string]string{
				"the same":           encode(fields, name, value),
				"another":            encode(fields, name, "other"),
				"another spelling":   encode(fields) + "&" + spellOut(name) + "=other",
				"unlike, then again": encode(fields, "unheard_of", "1", "unheard_of", "2"),
			} {
				a := d.send(http.MethodPost, "/oauth/token", formType, body)
				if a.status != http.StatusBadRequest || a.str("error") != "invalid_request" {
					t.Errorf("%s: %s twice, %s: %d %s, want 400 invalid_request", grantType, name, what, a.status, a.text)
				}
			}
		}
		wantStatus(t, d.send(http.MethodPost, "/oauth/token", formType, encode(fields)), http.StatusOK)
	}
	for _, path := range []string{"/oauth/introspect", "/oauth/revoke"} {
		body := encode(map[string]string{"token": "a", "client_id": c.id, "client_secret": c.secret}, "token", "b")
		wantError(t, d.send(http.MethodPost, path, formType, body), http.StatusBadRequest, "invalid_request")
	}
}

// spellOut percent-encodes every byte.
func spellOut(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02x", text[i])
	}
	return b.String()
}

// RFC 6749 §2.3.1 and RFC 9700 §4.3.2: URLs end up in histories and in logs, so nothing is taken from them.
func TestParametersInTheQueryAreRefused(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential", obj{"auth_method": "client_secret_post"})
	fields := map[string]string{"grant_type": "client_credentials", "scope": "orders:read", "client_id": c.id, "client_secret": c.secret}
	for name, value := range fields {
		rest := map[string]string{}
		for other, value := range fields {
			if other != name {
				rest[other] = value
			}
		}
		path := "/oauth/token?" + form(name, value).Encode()
		wantError(t, d.send(http.MethodPost, path, formType, encode(rest)), http.StatusBadRequest, "invalid_request")
		wantError(t, d.send(http.MethodPost, path, formType, encode(fields)), http.StatusBadRequest, "invalid_request")
	}
	for _, query := range []string{"?", "?x", "?a=1", "?%zz"} {
		for _, path := range []string{"/oauth/token", "/oauth/introspect", "/oauth/revoke"} {
			wantError(t, d.send(http.MethodPost, path+query, formType, encode(fields)), http.StatusBadRequest, "invalid_request")
		}
	}
	if strings.Contains(d.log.String(), c.secret) {
		t.Error("a secret from a query string is in the log")
	}
}

// RFC 6749 Appendix B: what is not a form of UTF-8 text is the sender's mistake, never ours.
func TestBrokenEncodingIsInvalidRequest(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential"), d.api()
	broken := []string{
		"%zz", "%", "%f", "%ff", "%c0%80", "%c3%28", "%ed%a0%80", "%f8%88%80%80%80", "%00", "a%00b", "\xff", "\x00", "\xed\xb0\x80", "%u0041",
	}
	names := []string{"grant_type", "username", "password", "refresh_token", "code", "code_verifier", "redirect_uri", "scope", "resource",
		"client_id", "client_secret", "client_assertion", "token", "token_type_hint", "unheard_of"}
	for _, value := range broken {
		for _, name := range names {
			body := name + "=" + value + "&grant_type=client_credentials"
			if name == "grant_type" {
				body = name + "=" + value
			}
			for path, caller := range map[string]client{"/oauth/token": c, "/oauth/introspect": api, "/oauth/revoke": c} {
				r := d.request(http.MethodPost, path, formType, body)
				r.SetBasicAuth(caller.id, caller.secret)
				a := d.handle(r)
				if a.status != http.StatusBadRequest || a.str("error") != "invalid_request" {
					t.Errorf("%s with %s=%q: %d %s, want 400 invalid_request", path, name, value, a.status, a.text)
				}
			}
		}
		r := d.request(http.MethodPost, "/oauth/token", formType, "grant_type=client_credentials&"+value+"=x")
		r.SetBasicAuth(c.id, c.secret)
		wantError(t, d.handle(r), http.StatusBadRequest, "invalid_request")
	}
}

// RFC 6749 §5.2: a grant type that the server does not know is unsupported_grant_type, whoever asks. None is guessed.
func TestUnknownGrantTypes(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	for _, grantType := range []string{
		"implicit", "token", "__implicit", "PASSWORD", "password ", " password", "password,refresh_token", "authorization-code", "é", "\n",
		"urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange",
		"urn:ietf:params:oauth:grant-type:jwt-bearer", strings.Repeat("x", 10_000),
	} {
		wantError(t, d.token(c, form("grant_type", grantType)), http.StatusBadRequest, "unsupported_grant_type")
	}
	for _, values := range [][]string{{}, {"grant_type", ""}} {
		wantError(t, d.token(c, form(values...)), http.StatusBadRequest, "invalid_request")
	}
}

// RFC 6749 §5.2: a request without a parameter that its grant needs is invalid_request, and nothing is spent on it.
func TestMissingGrantParameters(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	for _, values := range [][]string{
		{"grant_type", "password"}, {"grant_type", "password", "username", "ada"}, {"grant_type", "password", "password", password},
		{"grant_type", "password", "username", "", "password", password}, {"grant_type", "password", "username", "ada", "password", ""},
		{"grant_type", "refresh_token"}, {"grant_type", "refresh_token", "refresh_token", ""}, {"grant_type", "authorization_code"},
	} {
		wantError(t, d.token(c, form(values...)), http.StatusBadRequest, "invalid_request")
	}
}

// RFC 6749 §3.2: a parameter without a value is as good as absent, and one that nobody knows is ignored.
func TestEmptyAndUnknownParametersDoNotMatter(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	a := d.token(c, form("grant_type", "client_credentials", "scope", "", "client_secret", "", "refresh_token", "", "unheard_of", "x"))
	wantStatus(t, a, http.StatusOK)
}

// A form of thousands of parameters is work that no client needs.
func TestFormsWithTooManyParametersAreRefused(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	values := form("grant_type", "client_credentials")
	for i := range 5000 {
		values.Set(fmt.Sprintf("p%d", i), "1")
	}
	wantError(t, d.token(c, values), http.StatusBadRequest, "invalid_request")
}

// RFC 6749 §5.1: the successful answer, its names and types, and that no cache keeps it. Clients compare scope with what
// they asked for.
func TestTokenAnswer(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	d.user("ada")
	for grantType, fields := range tokenForms(d, c, "ada") {
		r := d.request(http.MethodPost, "/oauth/token", formType, encode(fields))
		r.SetBasicAuth(c.id, c.secret)
		a := d.do(r)
		wantStatus(t, a, http.StatusOK)
		for name, want := range map[string]string{
			"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s %q, want %q", grantType, name, got, want)
			}
		}
		decoder := json.NewDecoder(strings.NewReader(a.text))
		if err := decoder.Decode(new(any)); err != nil {
			t.Errorf("%s: %v", grantType, err)
		}
		if _, err := decoder.Token(); err != io.EOF {
			t.Errorf("%s: the answer is more than one JSON document: %s", grantType, a.text)
		}
		if a.str("token_type") != "Bearer" || a.json["expires_in"] != 900.0 || a.str("scope") != "orders:read" || a.str("access_token") == "" {
			t.Errorf("%s: %s", grantType, a.text)
		}
		// RFC 6749 §4.4.3: a machine that holds its own credentials needs no refresh token.
		if _, given := a.json["refresh_token"]; given == (grantType == "client_credentials") {
			t.Errorf("%s: refresh token given: %v", grantType, given)
		}
	}
}
