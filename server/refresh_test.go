package server_test

import (
	"net/http"
	"testing"
	"time"
)

// app registers a public client of the operator's own, which rotates its refresh tokens.
func (d *deployment) app(change ...obj) client {
	d.t.Helper()
	return d.client("public", change...)
}

// tokens are the two of a token answer.
func (a answer) tokens() (access, refresh string) {
	return a.str("access_token"), a.str("refresh_token")
}

func (d *deployment) mustRefresh(c client, token string, more ...string) answer {
	d.t.Helper()
	a := d.refresh(c, token, more...)
	if a.status != http.StatusOK {
		d.t.Fatalf("refresh: %d %s", a.status, a.text)
	}
	return a
}

// RFC 6749 §6 and §10.4: a refresh token is bound to its client. Another client gets nothing for it, an unknown one not
// even that answer, and it stays as good as before for its owner.
func TestRefreshTokenIsBoundToItsClient(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, d *deployment) {
		owner, thief, app := d.client("confidential"), d.client("confidential"), d.app()
		d.user("ada")
		for _, c := range []client{owner, app} {
			_, refresh := d.mustLogin(c, "ada").tokens()
			wantError(t, d.refresh(thief, refresh), http.StatusBadRequest, "invalid_grant")
			wantError(t, d.refresh(d.app(), refresh), http.StatusBadRequest, "invalid_grant")
			wantUnauthenticated(t, d.refresh(client{"none-such", "x"}, refresh))
			wantUnauthenticated(t, d.refresh(client{"none-such", ""}, refresh))
			d.mustRefresh(c, refresh)
		}
	})
}

// RFC 6749 §6: a client with a secret must prove itself for a refresh as for anything else.
func TestRefreshNeedsTheClientsSecret(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	d.user("ada")
	_, refresh := d.mustLogin(c, "ada").tokens()
	for _, secret := range []string{"", "wrong", c.secret + "x"} {
		wantUnauthenticated(t, d.refresh(client{c.id, secret}, refresh))
	}
	wantUnauthenticated(t, d.post("/oauth/token", c.id, "", form("grant_type", "refresh_token", "refresh_token", refresh)))
	d.mustRefresh(c, refresh)
}

// FAPI 2.0 §5.3.2.1: a client whose answer was lost asks again and gets the same answer, to the byte.
func TestRepeatedRefreshInsideTheWindowGetsTheSameAnswer(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, d *deployment) {
		d.user("ada")
		for _, c := range []client{d.app(), d.client("confidential", obj{"rotation": "always"})} {
			_, refresh := d.mustLogin(c, "ada").tokens()
			first := d.mustRefresh(c, refresh)
			for range 3 {
				if again := d.mustRefresh(c, refresh); again.text != first.text {
					t.Fatalf("the second answer differs:\n%s\n%s", first.text, again.text)
				}
			}
			_, successor := first.tokens()
			d.mustRefresh(c, successor)
		}
	})
}

// RFC 9700 §4.14.2: a refresh token of a public client that comes again outside the window has two holders. Everything
// of the grant ends.
func TestReuseOutsideTheWindowEndsThePublicClientsGrant(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.app(), d.api()
	d.user("ada")
	first := d.mustLogin(c, "ada")
	oldAccess, old := first.tokens()
	_, middle := d.mustRefresh(c, old).tokens()
	access, current := d.mustRefresh(c, middle).tokens()
	bystander, _ := d.mustLogin(c, "ada").tokens()
	d.clock.Advance(31 * time.Second)
	wantError(t, d.refresh(c, old), http.StatusBadRequest, "invalid_grant")
	for _, token := range []string{access, oldAccess} {
		d.wantInactive(api, token)
		wantError(t, d.call(http.MethodGet, "/demo/orders", token), http.StatusUnauthorized, "invalid_token")
	}
	for _, token := range []string{old, middle, current} {
		wantError(t, d.refresh(c, token), http.StatusBadRequest, "invalid_grant")
	}
	d.wantActive(api, bystander)
}

// A client that proved who it is only repeats itself: nobody stole the token from it without its secret, so its grant lives.
func TestReuseByAnAuthenticatedClientEndsNothing(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential", obj{"rotation": "always"}), d.api()
	d.user("ada")
	_, old := d.mustLogin(c, "ada").tokens()
	_, middle := d.mustRefresh(c, old).tokens()
	access, current := d.mustRefresh(c, middle).tokens()
	d.clock.Advance(5 * time.Minute)
	wantError(t, d.refresh(c, old), http.StatusBadRequest, "invalid_grant")
	d.wantActive(api, access)
	d.mustRefresh(c, middle)
	d.mustRefresh(c, current)
}

// Inside the window an older token may come from an honest client that sends twice. It gets nothing, and loses nothing.
func TestOlderTokenInsideTheWindowIsRefusedAndTheGrantLives(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, d *deployment) {
		c, api := d.app(), d.api()
		d.user("ada")
		_, first := d.mustLogin(c, "ada").tokens()
		_, second := d.mustRefresh(c, first).tokens()
		access, third := d.mustRefresh(c, second).tokens()
		wantError(t, d.refresh(c, first), http.StatusBadRequest, "invalid_grant")
		d.wantActive(api, access)
		d.mustRefresh(c, third)
	})
}

// The window is the client's own: with none, the first repetition is reuse.
func TestAWindowOfNothing(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.app(obj{"refresh_window": 0}), d.api()
	d.user("ada")
	_, first := d.mustLogin(c, "ada").tokens()
	access, _ := d.mustRefresh(c, first).tokens()
	d.clock.Advance(time.Second)
	wantError(t, d.refresh(c, first), http.StatusBadRequest, "invalid_grant")
	d.wantInactive(api, access)
}

// Rotations of one moment are ordered: a hundred as fast as they go, each successor works, each predecessor is refused,
// and no two tokens are alike.
func TestAHundredRotationsInARow(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, d *deployment) {
		c, api := d.app(), d.api()
		d.user("ada")
		access, refresh := d.mustLogin(c, "ada").tokens()
		seen := map[string]bool{access: true, refresh: true}
		var old []string
		for range 100 {
			old = append(old, refresh)
			access, refresh = d.mustRefresh(c, refresh).tokens()
			if seen[access] || seen[refresh] {
				t.Fatal("a token was given out twice")
			}
			seen[access], seen[refresh] = true, true
			d.wantActive(api, access)
			if len(old) > 1 && len(old) < 8 {
				wantError(t, d.refresh(c, old[len(old)-2]), http.StatusBadRequest, "invalid_grant")
			}
		}
		d.mustRefresh(c, refresh)
		wantError(t, d.refresh(c, old[0]), http.StatusBadRequest, "invalid_grant")
	})
}

// OWASP ASVS 10.4.8: a grant ends when nobody refreshes it, and at its absolute end whatever happens. What is given out
// shortly before an end does not outlive it.
func TestIdleAndAbsoluteLifetime(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	d := deployBolt(t)
	api := d.api()
	d.user("ada")
	for _, c := range []client{d.app(), d.client("confidential")} {
		_, refresh := d.mustLogin(c, "ada").tokens()
		d.clock.Advance(15 * day)
		wantError(t, d.refresh(c, refresh), http.StatusBadRequest, "invalid_grant")

		began := d.clock.Now()
		access, refresh := d.mustLogin(c, "ada").tokens()
		for range 6 {
			d.clock.Advance(13 * day)
			d.wantInactive(api, access)
			access, refresh = d.mustRefresh(c, refresh).tokens()
			d.wantActive(api, access)
		}
		d.clock.Advance(began.Add(90*day - 5*time.Minute).Sub(d.clock.Now()))
		last := d.mustRefresh(c, refresh)
		access, refresh = last.tokens()
		d.wantActive(api, access)
		if life := last.json["expires_in"].(float64); life > 300 {
			t.Errorf("the last access token was said to live %v s, but its grant had 300 s left", life)
		}
		d.clock.Advance(6 * time.Minute)
		wantError(t, d.refresh(c, refresh), http.StatusBadRequest, "invalid_grant")
		d.wantInactive(api, access)
	}
}

// RFC 6749 §1.5: only a client that may refresh gets a refresh token. Its access token lives its own life.
func TestRefreshTokensAreForClientsThatMayRefresh(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential", obj{"grant_types": []string{"password"}}), d.api()
	d.user("ada")
	a := d.mustLogin(c, "ada")
	if _, given := a.json["refresh_token"]; given {
		t.Error("a client that may not refresh got a refresh token")
	}
	d.clock.Advance(15*time.Minute - time.Second)
	d.wantActive(api, a.str("access_token"))
	d.clock.Advance(time.Second)
	d.wantInactive(api, a.str("access_token"))
}

// At most 25 grants of a user for a client are live. One more ends the oldest, and no other.
func TestLiveGrantsAreCapped(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, other, api := d.app(), d.app(), d.api()
	d.user("ada")
	d.user("bob")
	bystanders := []string{d.mustLogin(other, "ada").str("access_token"), d.mustLogin(c, "bob").str("access_token")}
	var logins []answer
	for range 27 {
		d.clock.Advance(time.Second)
		logins = append(logins, d.mustLogin(c, "ada"))
	}
	for i, a := range logins {
		access, refresh := a.tokens()
		if i < 2 {
			d.wantInactive(api, access)
			wantError(t, d.refresh(c, refresh), http.StatusBadRequest, "invalid_grant")
			continue
		}
		d.wantActive(api, access)
	}
	for _, token := range bystanders {
		d.wantActive(api, token)
	}
}

// A refresh that rotates is one read and one write of the store; one that does not rotate is one read.
func TestARefreshIsOneReadAndOneWrite(t *testing.T) {
	t.Parallel()
	d, watched := deployWatched(t)
	d.user("ada")
	for _, each := range []struct {
		c      client
		writes int
	}{{d.app(), 1}, {d.client("confidential"), 0}} {
		_, refresh := d.mustLogin(each.c, "ada").tokens()
		watched.settled(t, func() { _, refresh = d.mustRefresh(each.c, refresh).tokens() }, 1)
		reads, writes := watched.during(func() { d.mustRefresh(each.c, refresh) })
		if reads != 1 || writes != each.writes {
			t.Errorf("a refresh takes %d reads and %d writes, want 1 and %d", reads, writes, each.writes)
		}
	}
}

// RFC 9700 §4.14.2: reuse that one server sees ends the grant at every server on the same store.
func TestReuseIsKnownToEveryServer(t *testing.T) {
	t.Parallel()
	p := deployPair(t)
	one, two := p.one, p.two
	c, api := one.app(obj{"refresh_window": 0}), one.api()
	one.user("ada")
	_, first := one.mustLogin(c, "ada").tokens()
	access, second := two.mustRefresh(c, first).tokens()
	one.wantActive(api, access)
	eventually(t, 5*time.Second, "the window of nothing is over", func() bool {
		return one.refresh(c, first).status == http.StatusBadRequest
	})
	two.wantInactive(api, access)
	wantError(t, two.refresh(c, second), http.StatusBadRequest, "invalid_grant")
}

// A refresh whose scope and resource have nothing in common is refused, not answered with a token for nothing.
func TestARefreshForNothingIsRefused(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "two", "identifier": "https://two.example", "name": "Two", "scopes": []obj{{"name": "two:read"}}})
	c := d.client("confidential", obj{"scopes": []string{"orders:read", "two:read"}})
	d.user("ada")
	issued := d.mustLogin(c, "ada", "scope", "orders:read two:read")
	wantError(t, d.refresh(c, issued.str("refresh_token"), "scope", "orders:read", "resource", "https://two.example"), http.StatusBadRequest, "invalid_target")
	if a := d.refresh(c, issued.str("refresh_token"), "resource", "https://two.example"); a.str("scope") != "two:read" {
		t.Errorf("narrowed to one resource: %s", a.text)
	}
}

// RFC 7519 §4.1.7: no two tokens share an id, also when a refresh that writes nothing gives one beside a narrowed one.
func TestNoTwoTokensShareAnID(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential"), d.api()
	d.user("ada")
	first := d.mustLogin(c, "ada", "scope", "orders:read orders:write")
	seen := map[string]string{}
	for _, issued := range []answer{first, d.refresh(c, first.str("refresh_token"), "scope", "orders:read"), d.refresh(c, first.str("refresh_token"))} {
		token := issued.str("access_token")
		id := d.introspect(api, token).str("jti")
		if other, taken := seen[id]; taken && other != token {
			t.Errorf("two tokens have the id %s", id)
		}
		seen[id] = token
	}
}
