package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
)

// RFC 6749 §4.1: somebody logs in, allows a part of what an app asks for, and the app gets tokens for that part, its
// state, and the name of the server (RFC 9207 §2).
func TestAnAppGetsWhatAPersonAllowed(t *testing.T) {
	engines(t, func(t *testing.T, d *deployment) {
		user := d.user("ada", obj{"name": "Ada Lovelace", "email": "ada@example.com"})
		acme, api, ada := d.webApp(), d.api(), d.person()

		page := ada.open(acme.ask("scope", "openid profile email offline_access orders:read orders:write")).wants(t, http.StatusOK, "Acme Invoices")
		consent := ada.login(page, "ada").wants(t, http.StatusOK, "Acme Invoices")
		answer := ada.allow(consent, "-scope", "orders:write").answered(t, acme.callback)
		if answer.Get("state") != "state-of-the-app" || answer.Get("iss") != d.url || answer.Get("x") != "1" {
			t.Errorf("the answer is %v", answer)
		}
		tokens := d.redeem(acme.client, answer.Get("code"))
		wantStatus(t, tokens, http.StatusOK)
		if tokens.str("scope") != "openid profile email offline_access orders:read" || tokens.str("id_token") == "" || tokens.str("refresh_token") == "" {
			t.Errorf("tokens for %q: %s", tokens.str("scope"), tokens.text)
		}
		d.wantActive(api, tokens.str("access_token"))
		me := d.call(http.MethodGet, "/oauth/userinfo", tokens.str("access_token"))
		wantStatus(t, me, http.StatusOK)
		if me.str("sub") != user || me.str("name") != "Ada Lovelace" || me.str("email") != "ada@example.com" || me.json["email_verified"] != false {
			t.Errorf("userinfo: %s", me.text)
		}
	})
}

// Anybody can begin a sign-in, and each one begun lies in the store until it lapses: one network cannot fill it.
func TestOneNetworkBeginsOnlySoManySignIns(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	acme := d.deviceApp()
	begin := func(from string) answer {
		r := httptest.NewRequest(http.MethodGet, d.url+acme.ask(), nil)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("X-Forwarded-For", from)
		return d.handle(r)
	}
	crowd(100, func(int) {
		for range 20 {
			if a := begin("192.0.2.1"); a.status != http.StatusSeeOther {
				t.Errorf("one of 2000: %d %s", a.status, a.text)
			}
		}
	})
	a := begin("192.0.2.1")
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || a.header.Get("Location") != "" {
		t.Errorf("one more: %d, to %q", a.status, a.header.Get("Location"))
	}
	wantStatus(t, begin("192.0.2.2"), http.StatusSeeOther)
	d.clock.Advance(11 * time.Minute)
	wantStatus(t, begin("192.0.2.1"), http.StatusSeeOther)
}
