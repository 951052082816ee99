package server_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// A sign-in whose every step another process may answer is one sign-in: what one of them parks, begins or ends, the other
// knows.
func TestTwoProcessesLeadOnePersonThrough(t *testing.T) {
	t.Parallel()
	onEachShared(t, leadThrough)
}

func leadThrough(t *testing.T, p *pair) {
	balanced := &deployment{t: t, url: p.front, local: p.one.local, server: p.one.server}
	p.one.user("ada")
	acme, api, ada := p.one.webApp(), p.one.api(), balanced.person()
	eventually(t, time.Second, "both servers know the client", func() bool {
		return p.two.redeem(acme.client, "x").str("error") == "invalid_grant"
	})
	code := ada.goThrough(acme, "ada", "scope", "openid offline_access orders:read")

	t.Run("RFC 6749 §4.1.2: of a crowd with one code, at both, one gets tokens", func(t *testing.T) {
		for range 10 {
			var won atomic.Int64
			crowd(16, func(i int) {
				switch a := []*deployment{p.one, p.two}[i%2].redeem(acme.client, code); {
				case a.status == http.StatusOK:
					won.Add(1)
				case a.status != http.StatusBadRequest || a.str("error") != "invalid_grant":
					t.Errorf("a loser: %d %s", a.status, a.text)
				}
			})
			if won.Load() != 1 {
				t.Fatalf("%d got tokens for one code", won.Load())
			}
			code = ada.goThrough(acme, "ada", "scope", "openid offline_access orders:read", "prompt", "consent")
		}
	})

	tokens := p.two.redeem(acme.client, code)
	wantStatus(t, tokens, http.StatusOK)
	p.one.wantActive(api, tokens.str("access_token"))

	t.Run("an app that is removed at one has lost everything at the other, at once", func(t *testing.T) {
		ada.submit(ada.open("/account/apps"), "/account/apps/revoke").wants(t, http.StatusOK, "Connected apps")
		for _, d := range []*deployment{p.one, p.two} {
			d.wantInactive(api, tokens.str("access_token"))
			wantError(t, d.refresh(acme.client, tokens.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		}
	})

	t.Run("a session that is ended at one is refused at the other, at once", func(t *testing.T) {
		cookie := "sc-session=" + ada.cookie("sc-session")
		for _, d := range []*deployment{p.one, p.two} {
			wantStatus(t, d.send(http.MethodGet, "/account", "", "", "Cookie", cookie), http.StatusOK)
		}
		p.one.mustAdmin(http.MethodPost, "/users/ada/logout-everywhere", nil)
		for _, d := range []*deployment{p.two, p.one} {
			wantStatus(t, d.send(http.MethodGet, "/account", "", "", "Cookie", cookie), http.StatusSeeOther)
		}
	})
}
