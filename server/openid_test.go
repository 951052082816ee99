package server_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signed checks a token by the published keys, as an app does, and returns its header and its claims.
func (d *deployment) signed(token string) (header, claims obj) {
	d.t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(d.call(http.MethodGet, "/.well-known/jwks.json", "").text), &set); err != nil {
		d.t.Fatal(err)
	}
	return verified(d.t, token, set)
}

// verified checks a token by a key set: the key is the one that the header names, and of the header's algorithm.
func verified(t testing.TB, token string, set jose.JSONWebKeySet) (header, claims obj) {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	if err != nil {
		t.Fatalf("%q: %v", token, err)
	}
	named := set.Key(parsed.Signatures[0].Header.KeyID)
	if len(named) != 1 || named[0].Algorithm != parsed.Signatures[0].Header.Algorithm {
		t.Fatalf("the key set has %d keys %q for %s", len(named), parsed.Signatures[0].Header.KeyID, parsed.Signatures[0].Header.Algorithm)
	}
	payload, err := parsed.Verify(named[0])
	if err != nil {
		t.Fatalf("the signature of %s: %v", token, err)
	}
	for text, into := range map[string]*obj{decodePart(t, token, 0): &header, string(payload): &claims} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// identify lets somebody log in to an app and the app redeem its code.
func (p *person) identify(a app, username string, changes ...string) answer {
	p.t.Helper()
	tokens := p.d.redeem(a.client, p.goThrough(a, username, changes...))
	wantStatus(p.t, tokens, http.StatusOK)
	return tokens
}

func wantMembers(t testing.TB, what string, got obj, want ...string) {
	t.Helper()
	slices.Sort(want)
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
		t.Errorf("%s has the members %v, want %v", what, names, want)
	}
}

// always are the claims of every ID token of a login by password.
var always = []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "at_hash", "acr", "amr", "sid"}

// OpenID Connect Core §5.4: an app learns what the scopes give that it was granted, and nothing else, in the ID token as
// at the userinfo endpoint; without openid there is neither.
func TestClaimsFollowFromScopes(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	user := d.user("ada", obj{"name": "Ada Lovelace", "email": "ada@example.com", "email_verified": true})
	d.user("bob")
	acme, ada, bob := d.webApp(), d.person(), d.person()
	profile, email := []string{"name", "preferred_username", "updated_at"}, []string{"email", "email_verified"}

	for scope, claims := range map[string][]string{
		"openid": nil, "openid profile": profile, "openid email": email, "openid email orders:read profile": slices.Concat(profile, email),
	} {
		tokens := ada.identify(acme, "ada", "scope", scope, "prompt", "consent")
		_, got := d.signed(tokens.str("id_token"))
		wantMembers(t, "the ID token for "+scope, got, slices.Concat(always, claims, []string{"nonce"})...)
		me := d.call(http.MethodGet, "/oauth/userinfo", tokens.str("access_token"))
		wantStatus(t, me, http.StatusOK)
		wantMembers(t, "userinfo for "+scope, me.json, append(claims, "sub")...)
		for name, value := range me.json {
			if value != got[name] {
				t.Errorf("%s: userinfo says %s is %v, the ID token %v", scope, name, value, got[name])
			}
		}
		if got["sub"] != user || strings.Contains(user, "ada") {
			t.Errorf("sub is %v, want the id of the user, %s", got["sub"], user)
		}
		if has := got["email_verified"]; slices.Contains(claims, "email") && has != true {
			t.Errorf("email_verified is %#v, want the boolean true", has)
		}
		// What cannot be told of somebody is left out: an empty name is no name (Core §5.3.2).
		_, bare := d.signed(bob.identify(acme, "bob", "scope", scope, "prompt", "consent").str("id_token"))
		for _, name := range []string{"name", "email", "email_verified"} {
			if value, there := bare[name]; there {
				t.Errorf("%s: %s of somebody who has none is %v", scope, name, value)
			}
		}
	}

	// The address that is changed is an address that nobody has verified.
	d.mustAdmin(http.MethodPatch, "/users/ada", obj{"email": "ada@new.example"})
	_, got := d.signed(ada.identify(acme, "ada", "scope", "openid email", "prompt", "consent").str("id_token"))
	if got["email"] != "ada@new.example" || got["email_verified"] != false {
		t.Errorf("after a change: %v, verified: %v", got["email"], got["email_verified"])
	}

	// Without openid it is OAuth alone, whatever else is asked for.
	for _, scope := range []string{"orders:read", "profile", "email orders:read"} {
		tokens := ada.identify(acme, "ada", "scope", scope, "prompt", "consent")
		if tokens.str("id_token") != "" {
			t.Errorf("there is an ID token for %s", scope)
		}
		if refreshed := d.mustRefresh(acme.client, tokens.str("refresh_token")); refreshed.str("id_token") != "" {
			t.Errorf("there is an ID token at the refresh of %s", scope)
		}
	}
	// A password that an app was told is no login with us.
	own := d.client("confidential", obj{"scopes": []string{"openid", "profile"}})
	if tokens := d.mustLogin(own, "ada", "scope", "openid profile"); tokens.str("id_token") != "" {
		t.Error("the password grant gives an ID token")
	}
}

// OpenID Connect Core §8: a subject is never reassigned. Who gets the name or the address of somebody who is gone is
// somebody else to every app.
func TestSubjectIsNeverReassigned(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	acme := d.webApp()
	subject := func() any {
		_, claims := d.signed(d.person().identify(acme, "ada", "scope", "openid email").str("id_token"))
		return claims["sub"]
	}
	d.user("ada", obj{"email": "ada@example.com"})
	first := subject()
	if second := subject(); second != first {
		t.Errorf("one person is %v and %v", first, second)
	}
	d.mustAdmin(http.MethodPatch, "/users/ada", obj{"username": "ada-of-old"})
	d.user("ada", obj{"email": "ada@example.com"})
	renamed := subject()
	d.mustAdmin(http.MethodDelete, "/users/ada", nil)
	d.user("ada", obj{"email": "ada@example.com"})
	if last := subject(); renamed == first || last == first || last == renamed {
		t.Errorf("three people under one name are %v, %v and %v", first, renamed, last)
	}
}

// OpenID Connect Core §12.2: an ID token at a refresh tells of the login of old: the same person, app, session and time,
// a time of issue of its own, and no nonce, which belongs to a request.
func TestRefreshTellsOfTheSameLogin(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada", obj{"name": "Ada"})
	acme := d.webApp(obj{"rotation": "always"})
	for _, scope := range []string{"openid profile", "openid profile offline_access"} {
		tokens := d.person().identify(acme, "ada", "scope", scope)
		_, before := d.signed(tokens.str("id_token"))
		d.clock.Advance(10 * time.Minute)
		tokens = d.mustRefresh(acme.client, tokens.str("refresh_token"))
		_, after := d.signed(tokens.str("id_token"))
		for _, name := range []string{"iss", "sub", "aud", "auth_time", "sid", "acr", "name"} {
			if before[name] != after[name] || after[name] == nil {
				t.Errorf("%s: %s was %v and is %v", scope, name, before[name], after[name])
			}
		}
		if _, there := after["nonce"]; there {
			t.Errorf("%s: the refresh has the nonce %v", scope, after["nonce"])
		}
		if after["iat"].(float64) != before["iat"].(float64)+600 || after["exp"].(float64) <= after["iat"].(float64) || after["at_hash"] == before["at_hash"] {
			t.Errorf("%s: issued at %v, then at %v until %v", scope, before["iat"], after["iat"], after["exp"])
		}
	}
}

func decodePart(t testing.TB, token string, part int) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[part])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
