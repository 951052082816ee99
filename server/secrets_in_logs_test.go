package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/server"
)

// pasteEverywhere sends a text in every place of a request where somebody could paste it.
func pasteEverywhere(d *deployment, c, api client, token, text string) {
	send := func(method, path, mediaType, body string, headers ...string) {
		r := d.request(http.MethodPost, "/", mediaType, body)
		r.Method = method
		path, query, _ := strings.Cut(path, "?")
		r.URL.Path, r.URL.RawQuery = path, query
		for i := 0; i+1 < len(headers); i += 2 {
			if headers[i] == "Host" {
				r.Host = headers[i+1]
			}
			r.Header[headers[i]] = []string{headers[i+1]}
		}
		d.handle(r)
	}
	escaped := url.QueryEscape(text)
	good, goodAPI, bearer := basic(c.id, c.secret), basic(api.id, api.secret), "Bearer "+token
	// 1. Every parameter of the protocol, for clients that are known and not.
	for _, name := range []string{
		"grant_type", "username", "password", "refresh_token", "code", "code_verifier", "redirect_uri", "scope", "resource", "audience",
		"client_id", "client_secret", "client_assertion", "client_assertion_type", "token", "token_type_hint", "state", "assertion",
	} {
		for _, grantType := range []string{"password", "refresh_token", "client_credentials", "authorization_code"} {
			values := form("grant_type", grantType, "username", "ada", "password", password, "refresh_token", "x", "code", "x")
			values.Set(name, text)
			send("POST", "/oauth/token", formType, values.Encode(), "Authorization", good)
		}
		send("POST", "/oauth/token", formType, form("grant_type", "client_credentials", name, text, "client_id", c.id).Encode())
		send("POST", "/oauth/token", formType, form("grant_type", "client_credentials", "x"+text, "1").Encode(), "Authorization", good)
		send("POST", "/oauth/introspect", formType, form(name, text).Encode(), "Authorization", goodAPI)
		send("POST", "/oauth/revoke", formType, form(name, text).Encode(), "Authorization", good)
		send("POST", "/oauth/token?"+name+"="+escaped, formType, "grant_type=client_credentials", "Authorization", good)
	}
	// 2. Headers.
	for _, path := range []string{"/oauth/token", "/oauth/introspect", "/api/v1/me", "/demo/orders", "/nowhere", "/livez"} {
		for _, name := range []string{"Authorization", "Cookie", "User-Agent", "Referer", "Origin", "X-Request-Id", "X-Forwarded-For", "Host", "Content-Type", "Accept", "Traceparent", "Dpop"} {
			send("POST", path, formType, "grant_type=client_credentials", name, text)
			send("GET", path, "", "", name, text)
		}
		send("POST", path, formType, "x", "Authorization", basic(text, text))
		send("GET", path, "", "", "Authorization", "Bearer "+text)
		send("GET", path, "", "", "Authorization", text+" x")
	}
	// 3. Paths, queries and methods.
	for _, path := range []string{"/", "/oauth/", "/api/v1/users/", "/api/v1/clients/", "/api/v1/resources/", "/api/v1/me/grants/"} {
		for _, method := range []string{"GET", "POST", "DELETE", "PATCH"} {
			send(method, path+text, "application/json", "{}", "Authorization", bearer)
			send(method, path+"x/secrets/"+text, "application/json", "{}", "Authorization", bearer)
		}
	}
	for _, path := range []string{"/api/v1/users", "/api/v1/me", "/demo/orders", "/livez", "/nowhere"} {
		send("GET", path+"?access_token="+escaped+"&after="+escaped, "", "", "Authorization", bearer)
		send("GET", path+"?"+escaped, "", "", "Authorization", bearer)
		send(text, path, "", "", "Authorization", bearer)
	}
	// 4. Members of bodies, by name and by value.
	for path, members := range map[string][]string{
		"POST /api/v1/users":                {"username", "name", "email", "password"},
		"POST /api/v1/clients":              {"client_id", "name", "type", "auth_method", "rotation", "secret_lifetime"},
		"POST /api/v1/resources":            {"slug", "identifier", "name", "access_lifetime"},
		"PUT /api/v1/me/password":           {"current_password", "new_password"},
		"PUT /api/v1/users/ada/password":    {"new_password", "current_password"},
		"POST /api/v1/tokens/introspect":    {"token"},
		"POST /api/v1/tokens/revoke":        {"token_"},
		"PATCH /api/v1/clients/" + c.id:     {"name", "rotation"},
		"PATCH /api/v1/users/ada":           {"username", "email"},
		"PATCH /api/v1/resources/" + api.id: {"name_", "access_lifetime"},
		"POST /api/v1/clients/none/secrets": {"lifetime"},
	} {
		method, path, _ := strings.Cut(path, " ")
		for _, name := range members {
			for _, body := range []obj{{name: text}, {text: name}, {name: []string{text}}, {"scopes": []string{text}, "name": "x", "type": "service", "grant_types": []string{text}}} {
				encoded, _ := json.Marshal(body)
				send(method, path, "application/json", string(encoded), "Authorization", bearer)
			}
		}
	}
	send("POST", "/api/v1/users", "application/json", text, "Authorization", bearer)
	send("POST", "/oauth/token", formType, text, "Authorization", good)
}

// wantCleanLog fails if a log holds one of the secrets, or a line that is not one JSON object of ours.
func wantCleanLog(t testing.TB, log string, secrets map[string]string) {
	t.Helper()
	for what, secret := range secrets {
		for _, spelling := range []string{secret, url.QueryEscape(secret), strings.ToLower(secret)} {
			if at := strings.Index(log, spelling); at >= 0 {
				begin := strings.LastIndexByte(log[:at], '\n') + 1
				line, _, _ := strings.Cut(log[begin:], "\n")
				t.Errorf("the log holds %s: %s", what, line)
				break
			}
		}
	}
	lines := bufio.NewScanner(strings.NewReader(log))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Time, Level, Msg string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Time == "" || line.Level == "" || line.Msg == "" {
			t.Errorf("no line of ours: %v: %s", err, lines.Text())
		}
		if strings.Contains(line.Msg, "forged") {
			t.Errorf("a forged line: %s", lines.Text())
		}
	}
}

// OWASP ASVS 16.2.5: no secret is ever logged, at any level: not where it belongs, not where somebody pasted it by
// mistake, and not while the store is down.
func TestSecretsAreNeverLogged(t *testing.T) {
	t.Parallel()
	secret := keys.NewSecret()
	ring, err := keys.NewRing(secret)
	if err != nil {
		t.Fatal(err)
	}
	d := deployBolt(t, func(c *server.Config) { c.Keys = ring })
	c := d.web(obj{"first_party": true, "grant_types": []string{"authorization_code", "refresh_token", "password", "client_credentials"}})
	inBody, app, api := d.client("confidential", obj{"auth_method": "client_secret_post"}), d.app(), d.api()
	const canaryPassword, nextPassword = "canary-password-of-ada", "canary-password-of-ada-next"
	user := d.user("ada", obj{"password": canaryPassword})

	// The main job, with every way of sending a secret.
	access, refresh := d.mustLogin(app, "ada", "password", canaryPassword).tokens()
	rotated, successor := d.mustRefresh(app, refresh).tokens()
	code := d.code(c, user)
	byCode, _ := d.redeem(c, code).tokens()
	machine := d.token(c, form("grant_type", "client_credentials")).str("access_token")
	wantStatus(t, d.machine([]string{"client_id", inBody.id, "client_secret", inBody.secret}), http.StatusOK)
	d.wantActive(api, access)
	wantStatus(t, d.call(http.MethodGet, "/demo/orders", machine), http.StatusOK)
	added := d.mustAdmin(http.MethodPost, "/clients/"+c.id+"/secrets", obj{}).str("secret")
	d.mustAdmin(http.MethodPut, "/users/ada/password", obj{"new_password": nextPassword})
	wantError(t, d.refresh(app, refresh), http.StatusBadRequest, "invalid_grant")
	d.clock.Advance(time.Minute)
	wantError(t, d.redeem(c, code), http.StatusBadRequest, "invalid_grant")
	admin := d.adminToken(strings.Join(apiScopes, " "))

	secrets := map[string]string{
		"the system secret": secret.Text(), "a password": canaryPassword, "the next password": nextPassword, "the common password": password, "a client secret": c.secret,
		"a secret in a body": inBody.secret, "an added secret": added, "a resource secret": api.secret, "an access token": access, "a refresh token": refresh,
		"a rotated access token": rotated, "a successor": successor, "a code": code, "a token by code": byCode, "a machine's token": machine, "a verifier": verifier, "an administrator's token": admin,
		"a plain text": "canary-pasted-by-mistake", "a short text": "canaryname",
	}
	paste := func() {
		for _, what := range []string{"a password", "a client secret", "an access token", "a refresh token", "a code", "a plain text", "a short text"} {
			pasteEverywhere(d, c, api, admin, secrets[what])
		}
	}
	paste()
	wantCleanLog(t, d.log.String(), secrets)
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	paste()
	wantCleanLog(t, d.log.String(), secrets)
	if !strings.Contains(d.log.String(), "temporarily_unavailable") {
		t.Error("the log does not tell that the store was down")
	}
}

// OWASP ASVS 16.4.1: nobody writes lines of his own into the log, or colours its reader's screen.
func TestLogLinesCannotBeForged(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential", obj{"first_party": true}), d.api()
	d.user("ada")
	admin := d.adminToken(strings.Join(apiScopes, " "))
	for _, forged := range []string{
		"a\r\n{\"time\":\"2026-01-01T00:00:00Z\",\"level\":\"ERROR\",\"msg\":\"forged\"}\r\n", "a\n\n\"}\n{\"msg\":\"forged\"}", "\x1b[31mred\x1b[0m", "\u2028\u2029\u0085", `"}{"msg":"forged"}`, "%0d%0aforged", "\x00\x07\x7f",
	} {
		pasteEverywhere(d, c, api, admin, forged)
	}
	log := d.log.String()
	wantCleanLog(t, log, nil)
	for _, raw := range []string{"\x1b", "\r", "\x00", "\x07", "\u2028"} {
		if strings.Contains(log, raw) {
			t.Errorf("the log holds %q", raw)
		}
	}
}

// OWASP ASVS 16.3: what an operator must know afterwards is in the log, with who, what, where and how it ended.
func TestSecurityEventsAreLogged(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, app, user := d.web(), d.app(), d.user("ada")
	other := d.client("confidential")
	audit := func(event string, want ...string) {
		t.Helper()
		for line := range strings.SplitSeq(d.log.String(), "\n") {
			if !strings.Contains(line, fmt.Sprintf(`"event":%q`, event)) {
				continue
			}
			for _, text := range want {
				if !strings.Contains(line, text) {
					t.Errorf("%s is logged without %s: %s", event, text, line)
				}
			}
			if !strings.Contains(line, `"request_id":"`) {
				t.Errorf("%s is logged without the request: %s", event, line)
			}
			return
		}
		t.Errorf("%s is not in the log", event)
	}
	d.login(other, "ada", "password", "a wrong password")
	audit("login.refused", other.id, `"network":"127.0.0.1"`, `"limited":false`)
	d.token(client{c.id, "wrong"}, form("grant_type", "refresh_token", "refresh_token", "x"))
	audit("client.refused", c.id, `"network":"127.0.0.1"`, "wrong, revoked or expired secret")

	_, refresh := d.mustLogin(app, "ada").tokens()
	d.refresh(d.app(), refresh)
	audit("token.wrong_client", user)
	_, second := d.mustRefresh(app, refresh).tokens()
	d.mustRefresh(app, second)
	d.refresh(app, refresh)
	audit("refresh_token.old", user, `"grant_ended":false`)
	d.clock.Advance(time.Minute)
	d.refresh(app, refresh)
	audit("refresh_token.reused", user, `"grant_ended":true`)
	code := d.code(c, user)
	d.redeem(c, code)
	d.clock.Advance(10 * time.Second)
	d.redeem(c, code)
	audit("code.replayed", user, `"grant_ended":true`)

	d.mustAdmin(http.MethodPatch, "/users/"+user, obj{"disabled": true})
	audit("user.edit", user, `"by":"operator"`)
	d.mustAdmin(http.MethodPost, "/clients/"+c.id+"/secrets", obj{})
	audit("client.secret.add", c.id, `"by":"operator"`)
}
