package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
)

// Attacks that once worked. Each test is the attack.

// The sid of a session is known to every app that somebody signs in to. Whoever names it does not make us tell the apps
// that it has ended (OpenID Connect Back-Channel Logout §2.5).
func TestNobodyIsToldOfTheEndOfAnothersSession(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, onLoopback)
	d.user("ada")
	d.user("mal")
	acme := d.receives(nil, http.StatusOK)
	ada, mal := d.person(), d.person()
	sid := payload(t, ada.identify(acme.app, "ada").str("id_token"), 1)["sid"].(string)
	mal.enter("mal")
	mal.submit(mal.open("/account/sessions"), "/account/sessions/end", "session", sid)
	ada.open("/account").wants(t, http.StatusOK, "Your account")
	// What ada ends herself is the first that the app hears of.
	ada.submit(ada.open("/account"), "/account/logout")
	for _, token := range acme.wants(t, "her own logout", 1, 1) {
		if payload(t, token, 1)["sid"] != sid {
			t.Errorf("told of %v", payload(t, token, 1))
		}
	}
}

// A page that can make a browser ask for codes again and again must not end by that what somebody uses: codes that nobody
// has redeemed make room for each other.
func TestUnredeemedCodesEndNoGrant(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	own, ada := d.webApp(obj{"first_party": true}), d.person()
	tokens := ada.identify(own, "ada", "scope", "openid offline_access orders:read")
	for range 40 {
		ada.open(own.ask()).answered(t, own.callback)
	}
	wantStatus(t, d.refresh(own.client, tokens.str("refresh_token")), http.StatusOK)
}

// Fetch Metadata: only a browser that goes to the authorization endpoint is answered. One that loads it as a picture or by
// a script, for another page, begins nothing and gets no code.
func TestOnlyANavigationIsAnsweredWithACode(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	own, ada := d.webApp(obj{"first_party": true}), d.person()
	ada.identify(own, "ada")
	for mode, want := range map[string]int{"navigate": http.StatusSeeOther, "": http.StatusSeeOther, "no-cors": http.StatusBadRequest, "cors": http.StatusBadRequest, "websocket": http.StatusBadRequest} {
		r := d.request(http.MethodGet, own.ask(), "", "")
		if mode != "" {
			r.Header.Set("Sec-Fetch-Mode", mode)
		}
		if s := ada.send(r); s.status != want || want == http.StatusBadRequest && (s.location() != "" || len(s.header["Set-Cookie"]) > 0) {
			t.Errorf("mode %q: %d to %q, want %d", mode, s.status, s.location(), want)
		}
	}
}

// OpenID Connect Core §11: without offline_access tokens last as long as the sign-in, also when nobody ended that but time
// did. An app that is used keeps it alive, up to its absolute end.
func TestASessionThatLapsedRefreshesNothing(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, ada := d.webApp(), d.person()
	bound := ada.identify(acme, "ada", "scope", "openid orders:read").str("refresh_token")
	offline := ada.identify(acme, "ada", "scope", "openid offline_access orders:read").str("refresh_token")
	for range 4 {
		d.clock.Advance(50 * time.Minute)
		wantStatus(t, d.refresh(acme.client, bound), http.StatusOK)
	}
	ada.open("/account").wants(t, http.StatusOK, "Your account")
	d.clock.Advance(61 * time.Minute)
	wantError(t, d.refresh(acme.client, bound), http.StatusBadRequest, "invalid_grant")
	wantStatus(t, d.refresh(acme.client, offline), http.StatusOK)
}

// OWASP ASVS 6.1.1: strangers who guess somebody's password do not keep him out of the browser in which he has signed in
// before, nor from changing his password.
func TestGuessesOfStrangersDoNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	ada := d.person()
	ada.enter("ada")
	back := d.client("confidential") // a back end's address is not counted
	for range 8 {
		d.login(back, "ada", "password", "a wrong guess")
	}
	if a := d.login(back, "ada"); a.status != http.StatusTooManyRequests {
		t.Fatalf("the stranger: %d %s", a.status, a.text)
	}
	const fresh = "another battery, staple and horse"
	ada.submit(ada.open("/account/password"), "/account/password", "current_password", password, "new_password", fresh, "repeat_password", fresh).
		wants(t, http.StatusOK, "Your password was changed")
	ada.submit(ada.open("/account"), "/account/logout")
	for range 8 {
		d.login(back, "ada", "password", "a wrong guess")
	}
	ada.login(ada.open("/login"), "ada", "password", fresh).wants(t, http.StatusOK, "Your account")
	// Its own guesses count for it, and the mark of another user's browser does not help.
	ada.submit(ada.open("/account"), "/account/logout")
	for range 6 {
		ada.login(ada.open("/login"), "ada", "password", "a wrong guess")
	}
	if s := ada.login(ada.open("/login"), "ada", "password", fresh); s.status != http.StatusTooManyRequests {
		t.Errorf("a known browser guesses without limit: %d", s.status)
	}
}

// Of an allowance and a refusal at once one counts, and only what counts is remembered.
func TestARefusalLeavesNoConsent(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	for range 10 {
		acme, ada := d.webApp(), d.person()
		page := ada.login(ada.open(acme.ask()), "ada").wants(t, http.StatusOK, "Acme Invoices")
		crowd(2, func(i int) {
			ada.submit(page, "/consent", "decision", []string{"allow", "deny"}[i], "remember", "1")
		})
		_, values := page.form(t, "/consent")
		values.Set("decision", "deny")
		refused := strings.Contains(ada.post(page.url.String(), values).location(), "error=access_denied")
		silent, err := url.Parse(ada.open(acme.ask("prompt", "none")).location())
		if err != nil {
			t.Fatal(err)
		}
		if got := silent.Query().Get("code") != ""; got == refused {
			t.Errorf("refused %v, and afterwards an answer without asking %v", refused, got)
		}
	}
}

// A client that was disabled, or whose redirect URI was taken away, while somebody looks at the sign-in page is sent
// nothing, not even a refusal.
func TestCancelLeadsToNoRemovedAddress(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	for name, change := range map[string]obj{"disabled": {"disabled": true}, "removed": {"redirect_uris": []string{"https://elsewhere.example/"}}} {
		acme, ada := d.webApp(), d.person()
		page := ada.open(acme.ask())
		d.mustAdmin(http.MethodPatch, "/clients/"+acme.id, change)
		_, values := page.form(t, "/login")
		if s := ada.post("/oauth/cancel?"+page.url.RawQuery, values); s.status != http.StatusBadRequest || s.location() != "" {
			t.Errorf("%s: %d to %q", name, s.status, s.location())
		}
	}
}

// Parked requests are no longer than what was sent: characters that JSON would escape for HTML take one byte.
func TestAParkedRequestIsNotBlownUp(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	acme := d.webApp()
	state := strings.Repeat("<", 2048)
	r := httptest.NewRequest(http.MethodGet, d.url+acme.ask("state", state), nil)
	a := d.handle(r)
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || to.Query().Get("tx") == "" {
		t.Fatalf("%d to %q", a.status, a.header.Get("Location"))
	}
	stored, err := d.store.Get(t.Context(), "tx/"+to.Query().Get("tx"))
	if err != nil || len(stored.Value) > 4096 || !strings.Contains(string(stored.Value), state) {
		t.Errorf("%d bytes are kept: %v", len(stored.Value), err)
	}
}
