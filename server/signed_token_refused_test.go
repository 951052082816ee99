package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// signedScene is a deployment with a signed access token that opens something of everything.
type signedScene struct {
	*deployment
	stock client // the API whose tokens are signed
	app   client
	good  answer
}

const openedByAll = "stock:read orders:read openid account:read"

func newSignedScene(t testing.TB) *signedScene {
	t.Helper()
	d := deployBolt(t)
	s := &signedScene{deployment: d, stock: d.signedAPI("stock")}
	d.user("ada")
	s.app = d.web(obj{"first_party": true, "grant_types": []string{"password", "refresh_token", "authorization_code"}, "scopes": strings.Fields(openedByAll)})
	s.good = d.mustLogin(s.app, "ada", "scope", openedByAll)
	return s
}

// as sends a request that carries a token as bearers do, without a network: no header is too long for it.
func (s *signedScene) as(token, method, path string, headers ...string) answer {
	r := s.request(method, path, "", "")
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.handle(r)
}

// doors are all places that a good access token opens.
func (s *signedScene) doors(token string) map[string]answer {
	return map[string]answer{
		"userinfo":     s.as(token, http.MethodGet, "/oauth/userinfo"),
		"our own API":  s.as(token, http.MethodGet, "/api/v1/me"),
		"the demo API": s.as(token, http.MethodGet, "/demo/orders"),
		"the check":    s.as(token, http.MethodGet, "/oauth/check?scope=stock:read", "X-Resource-Authorization", basic(s.stock.id, s.stock.secret)),
	}
}

// aboutIn asks for a signed answer of introspection (RFC 9701) and verifies it as its reader does.
func (d *deployment) aboutIn(api client, token string) (header, claims obj) {
	d.t.Helper()
	a := d.send(http.MethodPost, "/oauth/introspect", formType, form("token", token).Encode(),
		"Authorization", basic(api.id, api.secret), "Accept", "application/token-introspection+jwt")
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/token-introspection+jwt" {
		d.t.Fatalf("introspection: %d of type %s: %s", a.status, a.header.Get("Content-Type"), a.text)
	}
	return d.signed(a.text)
}

func (s *signedScene) wantOpens(t testing.TB, what, token string) {
	t.Helper()
	s.wantActive(s.stock, token)
	if _, claims := s.aboutIn(s.stock, token); claims["token_introspection"].(obj)["active"] != true {
		t.Errorf("%s: the signed answer is %v", what, claims)
	}
	for door, a := range s.doors(token) {
		if a.status != http.StatusOK {
			t.Errorf("%s at %s: %d %s, want 200", what, door, a.status, a.text)
		}
	}
}

// wantShut wants an access token refused wherever it would open something.
func (s *signedScene) wantShut(t testing.TB, what, token string) {
	t.Helper()
	if a := s.introspect(s.stock, token); a.status != http.StatusOK || a.text != inactive {
		t.Errorf("%s at introspection: %d %s", what, a.status, a.text)
	}
	if _, claims := s.aboutIn(s.stock, token); fmt.Sprint(claims["token_introspection"]) != "map[active:false]" {
		t.Errorf("%s: the signed answer is %v", what, claims)
	}
	for door, a := range s.doors(token) {
		if a.status != http.StatusUnauthorized || a.str("error") != "invalid_token" || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s at %s: %d %s, want 401 invalid_token", what, door, a.status, a.text)
		}
	}
}

// wantOpensNothing wants a token refused as whatever it may be presented, and not understood at revocation.
func (s *signedScene) wantOpensNothing(t testing.TB, what, token string) {
	t.Helper()
	s.wantShut(t, what, token)
	for use, a := range map[string]answer{"refresh token": s.refresh(s.app, token), "code": s.redeem(s.app, token)} {
		if a.status != http.StatusBadRequest || a.str("error") != "invalid_grant" {
			t.Errorf("%s as a %s: %d %s, want 400 invalid_grant", what, use, a.status, a.text)
		}
	}
	if a := s.revoke(s.app, token); a.status != http.StatusOK {
		t.Errorf("%s at revocation: %d %s, want 200", what, a.status, a.text)
	}
	if a := s.admin(http.MethodPost, "/tokens/introspect", obj{"token": token}); a.status != http.StatusOK || a.text != inactive {
		t.Errorf("%s is to the operator: %d %s", what, a.status, a.text)
	}
}

// part is a part of a token.
func part(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// changed is a copy with other members; nil takes a member out.
func changed(from, change obj) obj {
	out := maps.Clone(from)
	for name, value := range change {
		out[name] = value
		if value == nil {
			delete(out, name)
		}
	}
	return out
}

// forgeES256 signs with a key that is not ours.
func forgeES256(t testing.TB, key *ecdsa.PrivateKey, header obj, payload string) string {
	t.Helper()
	text := part(header) + "." + payload
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// RFC 8725 §2, §3: a signed access token is good if one of our keys signed it with its own algorithm; what else its header
// says, and whatever it brings along or points to, is not looked at, and nobody is asked (CVE-2015-9235, CVE-2018-0114).
func TestForgedAccessTokenOpensNothing(t *testing.T) {
	t.Parallel()
	s := newSignedScene(t)
	good := s.good.str("access_token")
	s.wantOpens(t, "the good token", good)
	header, claims := s.signed(good)
	parts := strings.Split(good, ".")
	visited, canary := listen(t)

	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(s.call(http.MethodGet, "/.well-known/jwks.json", "").text), &set); err != nil {
		t.Fatal(err)
	}
	ours := set.Key(header["kid"].(string))[0]
	der, err := x509.MarshalPKIXPublicKey(ours.Key)
	if err != nil {
		t.Fatal(err)
	}
	jwk, _ := ours.MarshalJSON()
	hs256 := func(secret []byte) string {
		text := part(changed(header, obj{"alg": "HS256"})) + "." + parts[1]
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	theirs, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	foreign := func(change obj) string { return forgeES256(t, theirs, changed(header, change), parts[1]) }
	// header edits leave the signature as it was.
	edited := func(change obj) string { return part(changed(header, change)) + "." + parts[1] + "." + parts[2] }
	rs256, err := s.server.SignClaims(context.Background(), "RS256", "at+jwt", claims)
	if err != nil {
		t.Fatal(err)
	}
	s.wantOpens(t, "the same by another of our keys", rs256)
	rsa := strings.Split(rs256, ".")
	rsaHeader := payload(t, rs256, 0)
	brought := jose.JSONWebKey{Key: theirs.Public(), KeyID: "theirs", Algorithm: "ES256", Use: "sig"}
	certificate := []string{base64.StdEncoding.EncodeToString(der)}

	forged := map[string]string{
		"no signature":              parts[0] + "." + parts[1] + ".",
		"no alg":                    edited(obj{"alg": nil}),
		"alg as a number":           edited(obj{"alg": 1}),
		"HS256 by the PEM":          hs256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"HS256 by the DER":          hs256(der),
		"HS256 by the JWK":          hs256(jwk),
		"HS256 by nothing":          hs256(nil),
		"RS256 called PS256":        part(changed(rsaHeader, obj{"alg": "PS256"})) + "." + rsa[1] + "." + rsa[2],
		"RS256 called RS384":        part(changed(rsaHeader, obj{"alg": "RS384"})) + "." + rsa[1] + "." + rsa[2],
		"RS256 called ES256":        part(changed(rsaHeader, obj{"alg": "ES256"})) + "." + rsa[1] + "." + rsa[2],
		"ES256 called RS256":        edited(obj{"alg": "RS256"}),
		"ES256 with the RSA kid":    edited(obj{"kid": rsaHeader["kid"]}),
		"a foreign key":             foreign(nil),
		"a foreign key in jwk":      foreign(obj{"jwk": brought, "kid": "theirs"}),
		"a foreign key in our jwk":  foreign(obj{"jwk": brought}),
		"a foreign key at jku":      foreign(obj{"jku": canary + "/jwks.json", "kid": "theirs"}),
		"our key set at jku":        edited(obj{"jku": canary + "/jwks.json"}),
		"a foreign key at x5u":      foreign(obj{"x5u": canary + "/key.pem"}),
		"a foreign key in x5c":      foreign(obj{"x5c": certificate}),
		"an unknown kid":            foreign(obj{"kid": "none-such"}),
		"no kid":                    foreign(obj{"kid": nil}),
		"an empty kid":              foreign(obj{"kid": ""}),
		"a kid of 10 KB":            foreign(obj{"kid": strings.Repeat("k", 8<<10)}),
		"crit":                      edited(obj{"crit": []string{"exp"}, "exp": 1}),
		"crit of a foreign key":     foreign(obj{"crit": []string{"x"}, "x": 1}),
		"an empty crit":             edited(obj{"crit": []string{}}),
		"b64 false":                 edited(obj{"b64": false, "crit": []string{"b64"}}),
		"b64 false by a foreign":    foreign(obj{"b64": false, "crit": []string{"b64"}}),
		"typ edited to JWT":         edited(obj{"typ": "JWT"}),
		"another payload":           parts[0] + "." + part(changed(claims, obj{"scope": "stock:read stock:write"})) + "." + parts[2],
		"a bit of the signature":    parts[0] + "." + parts[1] + "." + flip(parts[2]),
		"r and s are zero":          parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"a signature in ASN.1":      parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(der),
		"padding":                   good + "==",
		"a line break":              parts[0] + ".\n" + parts[1] + "." + parts[2],
		"a fourth part":             good + ".x",
		"two parts":                 parts[0] + "." + parts[1],
		"five parts":                good + ".x.y",
		"dots alone":                "..",
		"60 KB":                     parts[0] + "." + parts[1] + "." + strings.Repeat("A", 59<<10),
		"60,000 dots":               strings.Repeat(".", 60_000),
		"a header with deep lists":  base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 9000))) + "." + parts[1] + "." + parts[2],
		"a header that is no JSON":  base64.RawURLEncoding.EncodeToString([]byte(`{"alg":`)) + "." + parts[1] + "." + parts[2],
		"a header with alg twice":   base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"`+header["kid"].(string)+`"}`)) + "." + parts[1] + "." + parts[2],
		"the JSON serialization":    `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"the signature of the RSA":  parts[0] + "." + parts[1] + "." + rsa[2],
		"the header of the RSA key": rsa[0] + "." + parts[1] + "." + parts[2],
	}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
		forged["alg "+alg] = part(changed(header, obj{"alg": alg})) + "." + parts[1] + "."
		forged["alg "+alg+" with the signature"] = edited(obj{"alg": alg})
	}
	for what, kid := range map[string]any{
		"a path": "../../../../dev/null", "an absolute path": "/etc/passwd", "an address": canary + "/kid", "SQL": "x' OR '1'='1", "a key of the store": "signing/keys",
		"a number": 1, "a list": []string{header["kid"].(string)}, "null": json.RawMessage("null"), "NUL": header["kid"].(string) + "\x00",
	} {
		forged["a kid that is "+what] = foreign(obj{"kid": kid})
		forged["a good signature under a kid that is "+what] = edited(obj{"kid": kid})
	}
	for what, token := range forged {
		s.wantOpensNothing(t, what, token)
	}
	if n := visited.Load(); n != 0 {
		t.Errorf("the address in a header was visited %d times", n)
	}
	s.wantOpens(t, "the good token after all that", good)
}

// RFC 9110 §15.5.14: what is longer than any request may be is refused before anybody looks at it.
func TestEndlessAccessTokenIsRefused(t *testing.T) {
	t.Parallel()
	s := newSignedScene(t)
	good := s.good.str("access_token")
	for what, token := range map[string]string{"100 KB": good + strings.Repeat("A", 100<<10), "100,000 dots": strings.Repeat(".", 100_000)} {
		for path, c := range map[string]client{"/oauth/introspect": s.stock, "/oauth/revoke": s.app} {
			r := s.request(http.MethodPost, path, formType, url.Values{"token": {token}}.Encode())
			r.SetBasicAuth(c.id, c.secret)
			wantError(t, s.handle(r), http.StatusRequestEntityTooLarge, "invalid_request")
		}
		for door, a := range s.doors(token) {
			if a.status != http.StatusUnauthorized || a.str("error") != "invalid_token" {
				t.Errorf("%s at %s: %d %s, want 401 invalid_token", what, door, a.status, a.text)
			}
		}
	}
	s.wantOpens(t, "the good token", good)
}
