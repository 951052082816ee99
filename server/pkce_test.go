package server_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// challengeOf is the S256 challenge of a verifier.
func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// RFC 9700 §2.1.1: nobody gets a code without a challenge, whether or not the client keeps a secret, and by S256 alone: a
// plain challenge, or one without a method, shows the verifier to whoever reads the request.
func TestAuthorizationNeedsAChallenge(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	pocket, acme, ada := d.deviceApp(), d.webApp(obj{"first_party": true}), d.person()
	ada.goThrough(acme, "ada")
	good := challengeOf(verifier)
	for what, changes := range map[string][]string{
		"no challenge":                 {"code_challenge", "", "code_challenge_method", ""},
		"a method alone":               {"code_challenge", ""},
		"no method":                    {"code_challenge_method", ""},
		"plain":                        {"code_challenge_method", "plain"},
		"plain, with the verifier":     {"code_challenge_method", "plain", "code_challenge", verifier},
		"no method, with the verifier": {"code_challenge_method", "", "code_challenge", verifier},
		"s256":                         {"code_challenge_method", "s256"},
		"S256 and a blank":             {"code_challenge_method", "S256 "},
		"two methods":                  {"code_challenge_method", "S256 plain"},
		"S512":                         {"code_challenge_method", "S512"},
		"42 characters":                {"code_challenge", good[:42]},
		"44 characters":                {"code_challenge", good + "A"},
		"padding":                      {"code_challenge", good + "="},
		"padding in the length":        {"code_challenge", good[:42] + "="},
		"base64 of the other alphabet": {"code_challenge", "+/" + good[2:]},
		"a blank":                      {"code_challenge", good[:42] + " "},
		"a blank before":               {"code_challenge", " " + good},
		"not ASCII":                    {"code_challenge", good[:41] + "é"},
		"bits left over":               {"code_challenge", good[:42] + "B"},
		"hexadecimal":                  {"code_challenge", strings.Repeat("ab", 32)},
		"too long":                     {"code_challenge", strings.Repeat("A", 4000)},
		"a line end":                   {"code_challenge", good + "\n"},
	} {
		for _, c := range []app{pocket, acme} {
			answer := ada.get(c.ask(changes...)).answered(t, callback)
			if answer.Get("error") != "invalid_request" || answer.Get("state") != "state-of-the-app" || answer.Get("iss") != d.url || answer.Has("code") {
				t.Errorf("%s: the answer is %v", what, answer)
			}
		}
	}
	for _, c := range []app{pocket, acme} {
		code := ada.goThrough(c, "ada")
		wantError(t, d.redeem(c.client, code, "code_verifier", good), http.StatusBadRequest, "invalid_grant")
		wantStatus(t, d.redeem(c.client, ada.goThrough(c, "ada")), http.StatusOK)
	}
	// The longest and the shortest verifier, of all the characters that there are (RFC 7636 §4.1).
	for _, text := range []string{strings.Repeat("a", 43), strings.Repeat("z", 128), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"} {
		code := ada.goThrough(acme, "ada", "code_challenge", challengeOf(text))
		wantStatus(t, d.redeem(acme.client, code, "code_verifier", text), http.StatusOK)
	}
}

// RFC 7636 §4.6 and RFC 9700 §4.8: a code that was asked for with a challenge is worth nothing without the verifier, and
// with a wrong one it is spent. Of two requests of one client each has its own.
func TestCodeNeedsTheVerifierOfItsRequest(t *testing.T) {
	t.Parallel()
	d, acme, ada := readyToAnswer(t)
	other := strings.Repeat("v", 64)
	for what, wrong := range map[string]string{"none": "", "another request's": other, "in capitals": strings.ToUpper(verifier), "cut": verifier[:42]} {
		code := ada.goThrough(acme, "ada")
		wantError(t, d.redeem(acme.client, code, "code_verifier", wrong), http.StatusBadRequest, "invalid_grant")
		if a := d.redeem(acme.client, code); a.status != http.StatusBadRequest || a.str("error") != "invalid_grant" {
			t.Errorf("verifier %s: the code is still good: %d", what, a.status)
		}
	}
	one, two := ada.goThrough(acme, "ada"), ada.goThrough(acme, "ada", "code_challenge", challengeOf(other))
	wantStatus(t, d.redeem(acme.client, two, "code_verifier", other), http.StatusOK)
	wantStatus(t, d.redeem(acme.client, one), http.StatusOK)
}

// RFC 9700 §2.5: the verifier proves that the redeemer began the request, not that it is the client. Who has a secret must
// show it, and a wrong or missing one costs the owner nothing.
func TestVerifierIsNoClientAuthentication(t *testing.T) {
	t.Parallel()
	d, acme, ada := readyToAnswer(t)
	code := ada.goThrough(acme, "ada")
	wantUnauthenticated(t, d.redeem(client{acme.id, ""}, code))
	wantUnauthenticated(t, d.redeem(client{acme.id, "wrong"}, code))
	wantError(t, d.redeem(d.deviceApp().client, code), http.StatusBadRequest, "invalid_grant")
	wantStatus(t, d.redeem(acme.client, code), http.StatusOK)
}

// RFC 9700 §2.1.1: a client that keeps a secret may be let off PKCE by its registration, for software that cannot. It is
// never let off halfway: a challenge that is there counts, and a verifier without one is refused (§4.8.2).
func TestPKCEMayBeOptionalForAClientWithASecret(t *testing.T) {
	t.Parallel()
	d, _, ada := readyToAnswer(t)
	old := d.webApp(obj{"first_party": true, "pkce": "optional"})
	without := []string{"code_challenge", "", "code_challenge_method", ""}
	wantStatus(t, d.redeem(old.client, ada.goThrough(old, "ada", without...), "code_verifier", ""), http.StatusOK)
	wantError(t, d.redeem(old.client, ada.goThrough(old, "ada", without...)), http.StatusBadRequest, "invalid_grant")
	wantError(t, d.redeem(old.client, ada.goThrough(old, "ada"), "code_verifier", ""), http.StatusBadRequest, "invalid_grant")
	wantStatus(t, d.redeem(old.client, ada.goThrough(old, "ada")), http.StatusOK)
	for what, changes := range map[string][]string{
		"a method alone": {"code_challenge", ""}, "plain": {"code_challenge_method", "plain"}, "no method": {"code_challenge_method", ""}, "too short": {"code_challenge", "x"},
	} {
		if got := ada.get(old.ask(changes...)).answered(t, callback); got.Get("error") != "invalid_request" {
			t.Errorf("%s: %v", what, got)
		}
	}
	a := d.admin(http.MethodPost, "/clients", obj{"name": "x", "type": "public", "grant_types": []string{"authorization_code"}, "redirect_uris": []string{callback}, "pkce": "optional"})
	if a.status != http.StatusBadRequest {
		t.Errorf("an app without a secret is let off PKCE: %d %s", a.status, a.text)
	}
}
