package server_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/server"
)

const (
	verifier    = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 Appendix B
	callback    = "https://app.example/callback?x=1"
	codeLife    = time.Minute
	orderScopes = "orders:read orders:write"
)

// web registers a confidential client that redeems codes.
func (d *deployment) web(change ...obj) client {
	d.t.Helper()
	in := []obj{{"grant_types": []string{"authorization_code", "refresh_token"}, "redirect_uris": []string{callback}}}
	return d.client("confidential", append(in, change...)...)
}

// code makes a code for the client in the user's name, with a challenge for verifier and the redirect URI callback.
func (d *deployment) code(c client, user string, change ...func(*server.CodeOrder)) string {
	d.t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	order := server.CodeOrder{Client: c.id, User: user, Scope: orderScopes,
		Code: grants.Code{Challenge: sum[:], RedirectURI: callback, Life: codeLife}}
	for _, f := range change {
		f(&order)
	}
	code, err := d.server.IssueCode(context.Background(), order)
	if err != nil {
		d.t.Fatal(err)
	}
	return code
}

func withoutRedirect(o *server.CodeOrder)  { o.RedirectURI = "" }
func withoutChallenge(o *server.CodeOrder) { o.Challenge = nil }

// redeem redeems a code as its owner would, but for the changes given as names and values in turn; an empty value leaves
// a parameter out.
func (d *deployment) redeem(c client, code string, change ...string) answer {
	d.t.Helper()
	values := form("grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier)
	for i := 0; i+1 < len(change); i += 2 {
		values.Set(change[i], change[i+1])
	}
	return d.token(c, values)
}

// RFC 6749 §4.1.2: a code works once. Of many redemptions at once exactly one gets tokens, and these are good.
func TestCodeIsSingleUse(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, d *deployment) {
		c, api, user := d.web(), d.api(), d.user("ada")
		for range 10 {
			body := form("grant_type", "authorization_code", "code", d.code(c, user), "redirect_uri", callback, "code_verifier", verifier).Encode()
			good := ""
			for text, count := range d.burst(t, 64, c, body) {
				switch {
				case text == "Bad Request invalid_grant" && count == 63:
				case strings.HasPrefix(text, "{") && count == 1:
					good = text
				default:
					t.Fatalf("%d × %s", count, text)
				}
			}
			d.wantActive(api, member(t, good, "access_token"))
			d.mustRefresh(c, member(t, good, "refresh_token"))
		}
	})
}

// RFC 6749 §4.1.2: a code that comes again ends what it gave, if who presents it holds all that the client holds. Honest
// clients that send twice are spared, and nobody else can end a grant with an old code.
func TestReplayedCodeEndsItsGrant(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, other, api, user := d.web(), d.web(), d.api(), d.user("ada")
	code := d.code(c, user)
	first := d.redeem(c, code)
	wantStatus(t, first, http.StatusOK)
	access, refresh := first.tokens()
	wantError(t, d.redeem(c, code), http.StatusBadRequest, "invalid_grant")
	d.wantActive(api, access)
	d.clock.Advance(3 * time.Second)
	for what, a := range map[string]answer{
		"another client": d.redeem(other, code), "another verifier": d.redeem(c, code, "code_verifier", strings.Repeat("x", 43)),
		"another redirect URI": d.redeem(c, code, "redirect_uri", "https://evil.example/"), "no verifier": d.redeem(c, code, "code_verifier", ""),
	} {
		if a.status != http.StatusBadRequest || a.str("error") != "invalid_grant" {
			t.Errorf("%s: %d %s, want 400 invalid_grant", what, a.status, a.text)
		}
		d.wantActive(api, access)
	}
	d.clock.Advance(codeLife) // the code's own end changes nothing about its replay
	_, refresh = d.mustRefresh(c, refresh).tokens()
	wantError(t, d.redeem(c, code), http.StatusBadRequest, "invalid_grant")
	d.wantInactive(api, access)
	wantError(t, d.refresh(c, refresh), http.StatusBadRequest, "invalid_grant")
}

// RFC 6749 §4.1.3: a code is bound to its client. Who else presents it gets nothing and spoils nothing.
func TestCodeIsBoundToItsClient(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, other, user := d.web(), d.web(), d.user("ada")
	public := d.app(obj{"grant_types": []string{"authorization_code"}, "redirect_uris": []string{callback}})
	code := d.code(c, user)
	for _, thief := range []client{other, public} {
		wantError(t, d.redeem(thief, code), http.StatusBadRequest, "invalid_grant")
	}
	// A client library that tries one method of authentication after the other must not have lost its code.
	wantUnauthenticated(t, d.redeem(client{c.id, "wrong"}, code))
	wantUnauthenticated(t, d.redeem(client{c.id, ""}, code))
	wantError(t, d.redeem(d.client("confidential"), code), http.StatusBadRequest, "unauthorized_client")
	a := d.redeem(c, code)
	wantStatus(t, a, http.StatusOK)
	if a.str("scope") != orderScopes {
		t.Errorf("scope %q", a.str("scope"))
	}
	mine := d.code(public, user)
	wantStatus(t, d.redeem(public, mine), http.StatusOK)
}

// RFC 6749 §4.1.3 and RFC 9700 §2.1: the redirect URI of the token request is that of the authorization request, byte
// for byte, and is not there if it was not there.
func TestRedirectURIAtRedemption(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, user := d.web(), d.user("ada")
	code := d.code(c, user)
	for _, uri := range []string{
		"", "absent:", callback + "/", callback + "#", "HTTPS://app.example/callback?x=1", "https://app.example/callback", "https://APP.example/callback?x=1",
		"https://app.example:443/callback?x=1", "http://app.example/callback?x=1", "https://app.example/callback?x=2", "https://app.example/%63allback?x=1",
		"https://evilapp.example/callback?x=1", "javascript://app.example/callback?x=1", "https://u@app.example/callback?x=1", " " + callback, "\x7f", "::",
	} {
		a := d.redeem(c, code, "redirect_uri", uri)
		if a.status != http.StatusBadRequest || a.str("error") != "invalid_grant" {
			t.Errorf("redirect_uri %q: %d %s, want 400 invalid_grant", uri, a.status, a.text)
		}
	}
	wantStatus(t, d.redeem(c, code), http.StatusOK)

	bare := d.code(c, user, withoutRedirect)
	for _, uri := range []string{callback, "https://evil.example/"} {
		wantError(t, d.redeem(c, bare, "redirect_uri", uri), http.StatusBadRequest, "invalid_grant")
	}
	wantStatus(t, d.redeem(c, bare, "redirect_uri", ""), http.StatusOK)
}

// RFC 7636 §4.1 and §4.6: the verifier is 43 to 128 unreserved characters and its hash is the challenge; the plain method
// does not exist. A wrong one of the right client spends the code: somebody is guessing, or put the code there.
func TestCodeVerifier(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, user := d.web(), d.user("ada")
	for what, wrong := range map[string]string{
		"none": "", "one character": "a", "42 characters": verifier[:42], "the challenge itself": challengeOf(verifier), "another case": strings.ToUpper(verifier),
		"129 characters": strings.Repeat("a", 129), "a character more": verifier + "a", "padding": verifier + "=", "blanks": strings.Repeat(" ", 43), "not ASCII": strings.Repeat("é", 43),
	} {
		code := d.code(c, user)
		a := d.redeem(c, code, "code_verifier", wrong)
		if a.status != http.StatusBadRequest || a.str("error") != "invalid_grant" {
			t.Errorf("%s: %d %s, want 400 invalid_grant", what, a.status, a.text)
		}
		wantError(t, d.redeem(c, code), http.StatusBadRequest, "invalid_grant")
	}
}

// RFC 7636 §4.1: a verifier that is too short can be guessed, so it is refused even where its hash is the challenge.
func TestVerifierOfWrongLengthIsRefused(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, user := d.web(), d.user("ada")
	for _, weak := range []string{"a", verifier[:42], strings.Repeat("a", 129), strings.Repeat("é", 40), strings.Repeat(" ", 43)} {
		code := d.code(c, user, func(o *server.CodeOrder) { sum := sha256.Sum256([]byte(weak)); o.Challenge = sum[:] })
		wantError(t, d.redeem(c, code, "code_verifier", weak), http.StatusBadRequest, "invalid_grant")
	}
}

// RFC 9700 §4.8.2: a verifier for a code without a challenge is refused: the challenge was taken out on the way.
func TestVerifierWithoutChallengeIsRefused(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, user := d.web(), d.user("ada")
	wantError(t, d.redeem(c, d.code(c, user, withoutChallenge)), http.StatusBadRequest, "invalid_grant")
	wantStatus(t, d.redeem(c, d.code(c, user, withoutChallenge), "code_verifier", ""), http.StatusOK)
}

// RFC 6749 §4.1.2: a code is over after a minute, redeemed or not.
func TestCodeExpires(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, user := d.web(), d.user("ada")
	code, late := d.code(c, user), d.code(c, user)
	d.clock.Advance(codeLife - time.Second)
	wantStatus(t, d.redeem(c, code), http.StatusOK)
	d.clock.Advance(time.Second)
	wantError(t, d.redeem(c, late), http.StatusBadRequest, "invalid_grant")
}

// RFC 6749 §4.1.3: the token request for a code has no scope of its own, so it neither widens nor fails.
func TestScopeAtRedemptionIsIgnored(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, user := d.web(), d.user("ada")
	code := d.code(c, user, func(o *server.CodeOrder) { o.Scope = "orders:read" })
	a := d.redeem(c, code, "scope", orderScopes)
	wantStatus(t, a, http.StatusOK)
	if a.str("scope") != "orders:read" {
		t.Errorf("scope %q, want orders:read", a.str("scope"))
	}
}
