package server_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// OpenID Connect Core §2, §3.1.3.6: what an ID token says, whatever it is signed with; RS256 for who registered nothing.
func TestIDTokenSaysWhoLoggedInWhenAndHow(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	user, ada := d.user("ada"), d.person()
	kids := make(map[any]bool)
	for registered, hash := range map[string]func(string) []byte{"": half256, "RS256": half256, "ES256": half256, "EdDSA": half512} {
		a := d.webApp(obj{"id_token_signed_response_alg": registered})
		began := d.clock.Now()
		d.clock.Advance(time.Minute)
		code := ada.goThrough(a, "ada", "nonce", "n-0S6_WzA2Mj")
		d.clock.Advance(time.Second)
		tokens := d.redeem(a.client, code)
		wantStatus(t, tokens, http.StatusOK)
		header, claims := d.signed(tokens.str("id_token"))
		algorithm := registered
		if algorithm == "" {
			algorithm = "RS256"
		}
		wantMembers(t, "the header", header, "alg", "kid")
		kids[header["kid"]] = true
		now := d.clock.Now().Unix()
		if header["alg"] != algorithm {
			t.Errorf("signed with %v, want %s", header["alg"], algorithm)
		}
		// azp has nothing to add to one audience; no claim of another kind of token is there.
		wantMembers(t, "the ID token", claims, append([]string{"nonce", "preferred_username", "updated_at"}, always...)...)
		for name, want := range map[string]any{
			"iss": d.url, "sub": user, "aud": a.id, "nonce": "n-0S6_WzA2Mj", "acr": "urn:safeconduct:acr:password", "amr": []any{"pwd"},
			"iat": float64(now), "exp": float64(now + 600), "at_hash": base64.RawURLEncoding.EncodeToString(hash(tokens.str("access_token"))),
		} {
			if !reflect.DeepEqual(claims[name], want) {
				t.Errorf("%s: %s is %v, want %v", algorithm, name, claims[name], want)
			}
		}
		// The login of the first round serves them all.
		if at := int64(claims["auth_time"].(float64)); at > began.Unix()+60 || at < noon.Unix() {
			t.Errorf("%s: auth_time is %d; the login began at %d", algorithm, at, began.Unix())
		}
		if claims["sid"] == user {
			t.Errorf("sid is the user's id")
		}
	}
	if len(kids) != 3 {
		t.Errorf("%d keys sign for three algorithms", len(kids))
	}
	a := d.webApp()
	if _, claims := d.signed(ada.identify(a, "ada", "nonce", "").str("id_token")); claims["nonce"] != nil {
		t.Errorf("a request without a nonce gave the nonce %v", claims["nonce"])
	}
	// What none of this can be: a signature that proves nothing, or that the app could make itself.
	for _, algorithm := range []string{"none", "HS256", "RS384", "PS256", "rs256"} {
		wantError(t, d.admin(http.MethodPatch, "/clients/"+a.id, obj{"id_token_signed_response_alg": algorithm}), http.StatusBadRequest, "invalid_request")
	}
}

func half256(text string) []byte { sum := sha256.Sum256([]byte(text)); return sum[:16] }
func half512(text string) []byte { sum := sha512.Sum512([]byte(text)); return sum[:32] }

// RFC 8725 §3.12: one kind of token is never taken for another. An ID token opens nothing, and nothing but an ID token
// is a hint.
func TestIDTokenOpensNothing(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	acme, api, ada := d.webApp(obj{"first_party": true}), d.api(), d.person()
	tokens := ada.identify(acme, "ada", "scope", "openid offline_access orders:read")
	id, access, refresh := tokens.str("id_token"), tokens.str("access_token"), tokens.str("refresh_token")

	d.wantActive(api, access)
	d.wantInactive(api, id)
	for _, path := range []string{"/oauth/userinfo", "/demo/orders", "/api/v1/me", "/api/v1/users"} {
		wantError(t, d.call(http.MethodGet, path, id), http.StatusUnauthorized, "invalid_token")
	}
	wantError(t, d.post("/oauth/userinfo", "", "", form("access_token", id)), http.StatusUnauthorized, "invalid_token")
	wantError(t, d.refresh(acme.client, id), http.StatusBadRequest, "invalid_grant")
	wantError(t, d.redeem(acme.client, id), http.StatusBadRequest, "invalid_grant")
	wantError(t, d.token(client{acme.id, id}, form("grant_type", "refresh_token", "refresh_token", refresh)), http.StatusUnauthorized, "invalid_client")
	wantStatus(t, d.revoke(acme.client, id), http.StatusOK) // unknown to RFC 7009, and nothing is revoked
	d.wantActive(api, access)

	code := ada.goThrough(acme, "ada")
	for what, hint := range map[string]string{"an access token": access, "a refresh token": refresh, "a code": code, "a session": sessionOf(ada)} {
		d.wantNoHint(t, ada, acme, what, hint)
	}
	if got := ada.open(acme.ask("prompt", "none", "scope", "openid orders:read", "id_token_hint", id)).answered(t, acme.callback); got.Get("code") == "" {
		t.Errorf("the ID token is no hint: %v", got)
	}
}

// sessionOf is the cookie of somebody who is logged in.
func sessionOf(p *person) string {
	at, _ := url.Parse(p.d.url)
	longest := ""
	for _, cookie := range p.client.Jar.Cookies(at) {
		if len(cookie.Value) > len(longest) {
			longest = cookie.Value
		}
	}
	return longest
}

// wantNoHint wants a hint refused at the authorization endpoint, by its error to the app, and at the logout, by a page;
// and the session untouched.
func (d *deployment) wantNoHint(t testing.TB, p *person, a app, what, hint string) {
	t.Helper()
	values, err := url.ParseQuery(strings.TrimPrefix(a.ask("prompt", "none", "id_token_hint", hint), "/oauth/authorize?"))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.post("/oauth/authorize", values).answered(t, a.callback); got.Get("error") != "invalid_request" || got.Get("code") != "" {
		t.Errorf("%s as a hint of an authorization request: %v", what, got)
	}
	out := p.follow(p.post("/oauth/logout", form("id_token_hint", hint)))
	if out.status != http.StatusBadRequest && out.status != http.StatusRequestURITooLong {
		t.Errorf("%s as a hint of a logout: %d %s", what, out.status, out.words())
	}
	if at := p.open("/account"); at.url.Path != "/account" {
		t.Fatalf("%s logged the person out", what)
	}
}

// RFC 8725 §2, §3: what is not signed by one of our keys for exactly this is no hint, whatever its header says; and
// nobody is asked about the keys that it points to (CVE-2018-0114, CVE-2015-9235).
func TestForgedIDTokenIsNoHint(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("eve")
	acme, other, ada := d.webApp(obj{"first_party": true}), d.webApp(obj{"name": "Other", "id_token_signed_response_alg": "ES256"}), d.person()
	good, another := ada.identify(acme, "ada").str("id_token"), ada.identify(other, "ada").str("id_token")
	header, claims := d.signed(good)
	otherHeader, _ := d.signed(another)
	keySet := d.call(http.MethodGet, "/.well-known/jwks.json", "").text
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(keySet), &set); err != nil {
		t.Fatal(err)
	}
	visited, canary := listen(t)

	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	parts := strings.Split(good, ".")
	with := func(change obj) obj { // the header of the good token, changed
		out := obj{}
		for _, from := range []obj{header, change} {
			for name, value := range from {
				out[name] = value
			}
		}
		return out
	}
	theirs, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forge := func(key any, algorithm jose.SignatureAlgorithm, extra obj) string {
		options := &jose.SignerOptions{}
		for name, value := range extra {
			options.WithHeader(jose.HeaderKey(name), value)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
		if err != nil {
			t.Fatal(err)
		}
		payload, _ := json.Marshal(claims)
		signed, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		token, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	public, kid := set.Key(header["kid"].(string))[0], header["kid"]
	eve := obj{}
	for name, value := range claims {
		eve[name] = value
	}
	eve["sub"] = "00000000-0000-0000-0000-000000000000"
	thumbprint, _ := public.Thumbprint(crypto.SHA256)
	jwk := jose.JSONWebKey{Key: theirs.Public(), KeyID: "theirs", Algorithm: "ES256", Use: "sig"}
	forged := map[string]string{
		"alg none":                            encode(obj{"alg": "none", "kid": kid}) + "." + parts[1] + ".",
		"alg none in capitals":                encode(obj{"alg": "NoNe", "kid": kid}) + "." + parts[1] + ".",
		"alg none with the signature":         encode(obj{"alg": "none"}) + "." + parts[1] + "." + parts[2],
		"no alg":                              encode(obj{"kid": kid}) + "." + parts[1] + "." + parts[2],
		"no signature":                        parts[0] + "." + parts[1] + ".",
		"no third part":                       parts[0] + "." + parts[1],
		"a fourth part":                       good + ".x",
		"HS256 by the public key's text":      forge([]byte(keySet), jose.HS256, obj{"kid": kid}),
		"HS256 by the public key":             forge(thumbprint, jose.HS256, obj{"kid": kid}),
		"a key of theirs under our kid":       forge(theirs, jose.ES256, obj{"kid": otherHeader["kid"]}),
		"a key of theirs in jwk":              forge(theirs, jose.ES256, obj{"jwk": jwk}),
		"a key of theirs at a jku":            forge(theirs, jose.ES256, obj{"kid": "theirs", "jku": canary + "/jwks.json"}),
		"a key of theirs at an x5u":           forge(theirs, jose.ES256, obj{"kid": "theirs", "x5u": canary + "/key.pem"}),
		"a kid that is a path":                forge(theirs, jose.ES256, obj{"kid": "../../dev/null"}),
		"a kid that is an address":            forge(theirs, jose.ES256, obj{"kid": canary + "/kid"}),
		"no kid":                              forge(theirs, jose.ES256, nil),
		"the kid of another of our keys":      encode(with(obj{"kid": otherHeader["kid"]})) + "." + parts[1] + "." + parts[2],
		"the alg of another of our keys":      encode(with(obj{"alg": "ES256"})) + "." + parts[1] + "." + parts[2],
		"a jku added":                         encode(with(obj{"jku": canary})) + "." + parts[1] + "." + parts[2],
		"crit":                                encode(with(obj{"crit": []string{"exp"}, "exp": 1})) + "." + parts[1] + "." + parts[2],
		"another payload":                     parts[0] + "." + encode(eve) + "." + parts[2],
		"another type":                        encode(with(obj{"typ": "at+jwt"})) + "." + parts[1] + "." + parts[2],
		"a bit of the signature":              parts[0] + "." + parts[1] + "." + flip(parts[2]),
		"a stray bit at the end":              good[:len(good)-1] + string(good[len(good)-1]+1),
		"padding":                             good + "==",
		"a line break":                        parts[0] + ".\n" + parts[1] + "." + parts[2],
		"a space before it":                   " " + good,
		"20 KB":                               parts[0] + "." + parts[1] + "." + strings.Repeat("A", 20<<10),
		"a claim of 20 KB":                    forge(theirs, jose.ES256, obj{"kid": strings.Repeat("k", 20<<10)}),
		"the JSON serialization":              `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"a header that is a list":             base64.RawURLEncoding.EncodeToString([]byte("[1]")) + "." + parts[1] + "." + parts[2],
		"a header with a member twice":        base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","alg":"RS256","kid":"`+kid.(string)+`"}`)) + "." + parts[1] + "." + parts[2],
		"a header with null":                  encode(with(obj{"kid": nil})) + "." + parts[1] + "." + parts[2],
		"a header that is no JSON":            base64.RawURLEncoding.EncodeToString([]byte(`{"alg":`)) + "." + parts[1] + "." + parts[2],
		"a header with deep brackets":         base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 9000))) + "." + parts[1] + "." + parts[2],
		"dots alone":                          "..",
		"no token":                            "x",
		"an encrypted token of unknown parts": "a.b.c.d.e",
	}
	for what, hint := range forged {
		d.wantNoHint(t, ada, acme, what, hint)
	}
	// A token for another app is ours, and says nothing to this one.
	if got := ada.open(acme.ask("prompt", "none", "id_token_hint", another)).answered(t, acme.callback); got.Get("error") != "invalid_request" {
		t.Errorf("another app's ID token as a hint: %v", got)
	}
	// The good one is good also when it has expired (Core §3.1.2.1).
	d.clock.Advance(30 * time.Minute)
	if got := ada.open(acme.ask("prompt", "none", "id_token_hint", good)).answered(t, acme.callback); got.Get("code") == "" {
		t.Errorf("the good one as a hint: %v", got)
	}
	if n := visited.Load(); n != 0 {
		t.Errorf("the address in a header was visited %d times", n)
	}
}

// flip changes a bit in the middle of a part of a token.
func flip(part string) string {
	at := len(part) / 2
	other := byte('A')
	if part[at] == 'A' {
		other = 'B'
	}
	return part[:at] + string(other) + part[at+1:]
}

// listen counts who comes to an address that nobody should ever visit.
func listen(t testing.TB) (*atomic.Int64, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var visited atomic.Int64
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			visited.Add(1)
			connection.Close()
		}
	}()
	return &visited, "http://" + listener.Addr().String()
}
