package server_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// secretsOfBrowser goes through all that people do in a browser, and returns every secret that was in play.
func secretsOfBrowser(d *deployment) map[string]string {
	d.t.Helper()
	const typed, next = "canary-password-of-ada", "canary-password-of-ada-next"
	secrets := map[string]string{"a password": typed, "the next password": next, "a verifier": verifier}
	note := func(what, secret string) string {
		d.t.Helper()
		if secret == "" {
			d.t.Fatalf("there is no %s", what)
		}
		secrets[what] = secret
		return secret
	}
	token := func(what string, s sight, action string) sight {
		d.t.Helper()
		_, values := s.form(d.t, action)
		note(what, values.Get("form_token"))
		return s
	}
	d.user("ada", obj{"password": typed})
	acme, ada, elsewhere := d.webApp(obj{"post_logout_redirect_uris": []string{farewell}}), d.person(), d.person()
	note("a client secret", acme.secret)
	alone := token("a login form's token", elsewhere.open("/login"), "/login")
	note("the cookie of who has not logged in", elsewhere.cookie("sc-visit"))
	elsewhere.login(alone, typed, "password", typed) // the password in the wrong field
	elsewhere.login(alone, "ada", "password", next)
	elsewhere.login(alone, "ada", "password", typed)
	note("another session", elsewhere.cookie("sc-session"))

	login := token("a request's login token", ada.open(acme.ask("scope", "openid offline_access orders:read", "prompt", "select_account")), "/login")
	note("a request's cookie", ada.cookie("sc-tx-"+login.url.Query().Get("tx")))
	choice := token("a choice's token", ada.login(login, "ada", "password", typed), "/select")
	note("a session", ada.cookie("sc-session"))
	consent := token("a consent's token", ada.submit(choice, "/select", "decision", "continue"), "/consent")
	code := note("a code", ada.allow(consent).answered(d.t, callback).Get("code"))
	tokens := d.redeem(acme.client, code)
	note("an access token", tokens.str("access_token"))
	note("a refresh token", tokens.str("refresh_token"))
	hint := note("an ID token", tokens.str("id_token"))
	note("a code that waits", ada.allow(ada.consent(acme, "ada")).answered(d.t, callback).Get("code"))
	note("a personal access token", ada.makeToken("script", "orders:read"))
	keysPage := token("an account form's token", ada.open("/account/tokens"), "/account/tokens")
	_, values := keysPage.form(d.t, "/account/tokens")
	note("a token for once", values.Get("once"))
	ada.submit(keysPage, "/account/tokens", "name", "spent", "scope", "orders:read")
	ada.submit(ada.open("/account/password"), "/account/password", "current_password", "wrong", "new_password", next, "repeat_password", next)
	ada.submit(ada.open("/account/password"), "/account/password", "current_password", typed, "new_password", next, "repeat_password", next)
	note("the session after the new password", ada.cookie("sc-session"))
	note("a personal access token that lives", ada.makeToken("script", "orders:read"))
	token("a logout's token", ada.open(leaving("id_token_hint", hint)), "/oauth/logout/confirm")
	ada.submit(ada.open("/account/sessions"), "/account/logout-everywhere")
	return secrets
}

// pasteInPages sends secrets in every place of a page where somebody could paste them, with a session and without.
func pasteInPages(p *person, secrets map[string]string) {
	p.t.Helper()
	acme, stranger := p.d.webApp(), p.d.person()
	_, own := p.get("/account").form(p.t, "/account/logout")
	for _, secret := range secrets {
		q := url.QueryEscape(secret)
		for _, path := range []string{
			"/login?tx=", "/login?to=", "/consent?tx=", "/account?done=", "/oauth/logout?id_token_hint=", "/oauth/logout?client_id=", "/assets/", "/nowhere/",
			"/oauth/authorize?client_id=", "/oauth/authorize?client_id=" + acme.id + "&redirect_uri=",
			acme.ask() + "&login_hint=", acme.ask() + "&prompt=", acme.ask("state", "") + "&state=", acme.ask("scope", "") + "&scope=",
		} {
			p.get(path + q)
		}
		for _, path := range []string{
			"/login", "/consent?tx=" + q, "/account", "/account/password", "/account/sessions/name", "/account/apps/revoke", "/account/tokens",
			"/account/tokens/revoke", "/oauth/logout/confirm", "/oauth/logout", "/oauth/authorize", "/oauth/cancel?tx=" + q,
		} {
			wrong, everywhere := form("form_token", secret), form("form_token", own.Get("form_token"), "days", "30")
			for _, name := range []string{"once", "session", "name", "client", "token", "decision", "username", "scope", "id_token_hint"} {
				everywhere.Set(name, secret)
			}
			for _, values := range []url.Values{wrong, everywhere} {
				p.post(path, values)
				stranger.post(path, values)
			}
		}
	}
}

// OWASP ASVS 16.2.5: nothing of what opens something in the browser's part is ever logged: no password, cookie, code,
// token, nor what binds a form.
func TestBrowserSecretsAreNeverLogged(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	secrets := secretsOfBrowser(d)
	ada := d.person()
	ada.enter("ada", "password", secrets["the next password"])
	pasteInPages(ada, secrets)
	wantCleanLog(t, d.log.String(), secrets)
	for _, event := range []string{"login.refused", `"event":"login"`, "user.password.change", "token.create", "user.logout_everywhere"} {
		if !strings.Contains(d.log.String(), event) {
			t.Errorf("the log does not tell of %s", event)
		}
	}
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/account", "/login", "/oauth/authorize?client_id=" + url.QueryEscape(secrets["a session"])} {
		ada.get(path)
	}
	wantCleanLog(t, d.log.String(), secrets)
}

// OWASP ASVS 7.2.3 and 13.3.1: who reads the data file finds no cookie, code, token, password, nor what binds a form, and
// nothing that stands in it opens a session.
func TestBrowserSecretsAreNotStored(t *testing.T) {
	t.Parallel()
	ring, err := keys.NewRing(keys.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "data", "data.db")
	d := deployFile(t, path, ring, bolttest.NewClock(noon))
	secrets := secretsOfBrowser(d)
	last := d.person()
	last.enter("ada", "password", secrets["the next password"])
	secrets["a session that lives"] = last.cookie("sc-session")
	dump, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, secret := range secrets {
		needles := [][]byte{[]byte(secret)}
		if raw, err := base64.RawURLEncoding.DecodeString(secret); err == nil && len(raw) >= 32 {
			needles = append(needles, raw, raw[len(raw)-32:]) // what the spelling stands for, and the part that proves it
		}
		for _, needle := range needles {
			if bytes.Contains(dump, needle) {
				t.Errorf("%s stands in the data file", what)
			}
		}
	}
	seen := map[string]bool{}
	for _, found := range regexp.MustCompile(`[A-Za-z0-9+/_=-]{20,}`).FindAll(dump, -1) {
		text := string(found)
		if seen[text] || len(seen) == 200 {
			continue
		}
		seen[text] = true
		if s := d.holding(text); s.status != http.StatusSeeOther {
			t.Errorf("%q of the data file opens a session", text)
		}
	}
	if len(seen) == 0 {
		t.Error("no string was found in the data file; the test looks at the wrong one")
	}
}
