package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// refused holds Verify to ErrNotOurs.
func refused(t *testing.T, s *keys.Signing, name, token string, typ ...string) {
	t.Helper()
	if payload, err := s.Verify(t.Context(), token, typ...); !errors.Is(err, keys.ErrNotOurs) || payload != nil {
		t.Errorf("%s: got %s and %v, want ErrNotOurs", name, payload, err)
	}
}

func accepted(t *testing.T, s *keys.Signing, name, token string, typ ...string) {
	t.Helper()
	if _, err := s.Verify(t.Context(), token, typ...); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func encode(raw string) string { return base64.RawURLEncoding.EncodeToString([]byte(raw)) }

// forge signs any header and payload, as they are spelled, with Ed25519.
func forge(header, payload string, private ed25519.PrivateKey) string {
	input := encode(header) + "." + encode(payload)
	return input + "." + encode(string(ed25519.Sign(private, []byte(input))))
}

// RFC 6979: the same claims give the same token, so an answer that is given again is the same to the byte.
func TestSignaturesAreDeterministic(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	ring := ringOf(t, keys.NewSecret())
	here, there := signingOn(db, ring), signingOn(db, ring)
	for _, algorithm := range []string{keys.RS256, keys.ES256, keys.EdDSA} {
		claims := map[string]any{"sub": "alice", "aud": []string{"<a>&b"}}
		if a, b := sign(t, here, algorithm, "JWT", claims), sign(t, there, algorithm, "JWT", claims); a != b {
			t.Errorf("%s: got %s and %s", algorithm, a, b)
		}
		if a, b := sign(t, here, algorithm, "", 1), sign(t, here, algorithm, "", 2); a == b {
			t.Errorf("%s: other claims have the same token", algorithm)
		}
	}
}

func TestSignRefusesWhatItHasNoKeyFor(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()), quick...)
	for _, algorithm := range []string{keys.RS256, "none", "HS256", "PS256", "ES384", ""} {
		if token, err := s.Sign(t.Context(), algorithm, "", 1); err == nil {
			t.Errorf("%q: got %s", algorithm, token)
		}
	}
	if token, err := s.Sign(t.Context(), keys.ES256, "", func() {}); err == nil {
		t.Errorf("claims that are no JSON: got %s", token)
	}
}

// RFC 8725 §3.11: a token of one kind must not pass for one of another.
func TestVerifyTellsTypesApart(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()), keys.EdDSA)
	for _, test := range []struct {
		signed string
		want   []string
		good   bool
	}{
		{"", nil, true},
		{"", []string{""}, true},
		{"JWT", nil, true},
		{"JWT", []string{""}, true},
		{"at+jwt", []string{"at+jwt"}, true},
		{"at+jwt", []string{"", "at+jwt"}, true},
		{"", []string{"", "at+jwt"}, true},
		{"at+jwt", nil, false},
		{"at+jwt", []string{""}, false},
		{"", []string{"at+jwt"}, false},
		{"JWT", []string{"at+jwt"}, false},
		{"logout+jwt", []string{"at+jwt", ""}, false},
		{"AT+JWT", []string{"at+jwt"}, false},
		{"jwt", []string{""}, false},
	} {
		_, err := s.Verify(t.Context(), sign(t, s, keys.EdDSA, test.signed, 1), test.want...)
		if (err == nil) != test.good || err != nil && !errors.Is(err, keys.ErrNotOurs) {
			t.Errorf("signed as %q, wanted %q: %v", test.signed, test.want, err)
		}
	}
}

// RFC 8725 §3.1: the algorithm is the key's, whatever the token says. RFC 7515 §4: what a header points to or brings
// along is no key of ours, and extensions are refused even when one of our own keys signed them.
func TestVerifyRefusesWhatTheHeaderClaims(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()), quick...)
	id := keyOf(t, sign(t, s, keys.EdDSA, "", 1))
	ours := s.Private(t.Context(), id).(ed25519.PrivateKey)
	curveID := keyOf(t, sign(t, s, keys.ES256, "", 1))
	public, theirs, _ := ed25519.GenerateKey(rand.Reader)
	embedded, _ := json.Marshal(jose.JSONWebKey{Key: public, Algorithm: keys.EdDSA, KeyID: id})
	hash, _ := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	theirID := base64.RawURLEncoding.EncodeToString(hash)

	plain := fmt.Sprintf(`{"alg":"EdDSA","kid":%q}`, id)
	accepted(t, s, "signed by us", forge(plain, "1", ours))
	for name, token := range map[string]string{
		"another's key under our id": forge(plain, "1", theirs),
		"another's key, its own id":  forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q}`, theirID), "1", theirs),
		"no key id":                  forge(`{"alg":"EdDSA"}`, "1", ours),
		"an empty key id":            forge(`{"alg":"EdDSA","kid":""}`, "1", ours),
		"a key id that is a number":  forge(`{"alg":"EdDSA","kid":1}`, "1", ours),
		"a key id that is a path":    forge(`{"alg":"EdDSA","kid":"../../dev/null"}`, "1", ours),
		"the id of another key":      forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q}`, curveID), "1", ours),
		"an embedded key":            forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"jwk":%s}`, id, embedded), "1", theirs),
		"an embedded key alone":      forge(fmt.Sprintf(`{"alg":"EdDSA","jwk":%s}`, embedded), "1", theirs),
		"a pointer to a key set":     forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"jku":"https://attacker.example/jwks"}`, theirID), "1", theirs),
		"a pointer to a certificate": forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"x5u":"https://attacker.example/x5c"}`, theirID), "1", theirs),
		"a broken certificate":       forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"x5c":["AAAA"]}`, id), "1", theirs),
		"unknown critical":           forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"crit":["exp"],"exp":1}`, id), "1", ours),
		"empty critical":             forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"crit":[]}`, id), "1", ours),
		"raw payload":                forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"crit":["b64"],"b64":false}`, id), "1", ours),
		"raw payload, not critical":  forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"b64":false}`, id), "1", ours),
		"b64 that is true":           forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"b64":true}`, id), "1", ours),
		"critical b64 that is true":  forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"crit":["b64"],"b64":true}`, id), "1", ours),
		"another algorithm":          forge(fmt.Sprintf(`{"alg":"ES256","kid":%q}`, id), "1", ours),
		"an unknown algorithm":       forge(fmt.Sprintf(`{"alg":"Ed25519","kid":%q}`, id), "1", ours),
		"no algorithm":               forge(fmt.Sprintf(`{"kid":%q}`, id), "1", ours),
		"two algorithms":             forge(fmt.Sprintf(`{"alg":"none","alg":"EdDSA","kid":%q}`, id), "1", ours),
		"a type that is a number":    forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"typ":1}`, id), "1", ours),
		"an empty type":              forge(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"typ":""}`, id), "1", ours),
		"a header that is no object": forge(`"EdDSA"`, "1", ours),
		"none, unsigned":             encode(fmt.Sprintf(`{"alg":"none","kid":%q}`, id)) + "." + encode("1") + ".",
		"None, unsigned":             encode(fmt.Sprintf(`{"alg":"None","kid":%q}`, id)) + "." + encode("1") + ".",
		"EdDSA, unsigned":            encode(plain) + "." + encode("1") + ".",
	} {
		refused(t, s, name, token)
	}
	// RFC 7797: signed over the payload as it is, by one of our own keys.
	header := encode(fmt.Sprintf(`{"alg":"EdDSA","kid":%q,"b64":false}`, id))
	refused(t, s, "raw payload that is signed raw", header+"."+encode("1")+"."+encode(string(ed25519.Sign(ours, []byte(header+".1")))))
}

// CVE-2015-9235: the public key is known to everybody, it must not become a shared secret. And PS256 is not RS256.
func TestVerifyRefusesConfusionOfRSA(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()), keys.RS256, keys.ES256)
	for _, algorithm := range []string{keys.RS256, keys.ES256} {
		token := sign(t, s, algorithm, "", 1)
		accepted(t, s, algorithm, token)
		id := keyOf(t, token)
		public := s.Private(t.Context(), id).Public()
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		asJWK, _ := json.Marshal(jose.JSONWebKey{Key: public, KeyID: id})
		for _, secret := range [][]byte{der, asJWK} {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: secret, KeyID: id}}, (&jose.SignerOptions{}).WithHeader("kid", id))
			if err != nil {
				t.Fatal(err)
			}
			signed, err := signer.Sign([]byte("1"))
			if err != nil {
				t.Fatal(err)
			}
			forged, _ := signed.CompactSerialize()
			refused(t, s, "HS256 under the public key of "+algorithm, forged)
		}
	}
	id := keyOf(t, sign(t, s, keys.RS256, "", 1))
	private := s.Private(t.Context(), id).(*rsa.PrivateKey)
	for _, named := range []string{"PS256", "RS256"} {
		input := encode(fmt.Sprintf(`{"alg":%q,"kid":%q}`, named, id)) + "." + encode("1")
		digest := sha256.Sum256([]byte(input))
		pss, err := rsa.SignPSS(rand.Reader, private, crypto.SHA256, digest[:], nil)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, s, "PSS named "+named, input+"."+encode(string(pss)))
	}
}

// A token comes from anywhere: what is not spelled as we spell it is refused before a key is looked at.
func TestVerifyRefusesOtherSpellings(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()), quick...)
	token := sign(t, s, keys.EdDSA, "", "12") // the payload leaves stray bits
	parts := strings.Split(token, ".")
	accepted(t, s, "as signed", token)
	for name, other := range map[string]string{
		"empty":                "",
		"dots alone":           "..",
		"two parts":            parts[0] + "." + parts[1],
		"four parts":           token + "." + parts[2],
		"five parts":           token + "." + parts[2] + "." + parts[2],
		"padded":               parts[0] + "." + parts[1] + "=." + parts[2],
		"a blank before":       " " + token,
		"a line break after":   token + "\n",
		"a line break inside":  parts[0] + "." + parts[1][:2] + "\r\n" + parts[1][2:] + "." + parts[2],
		"stray bits, payload":  parts[0] + "." + stray(parts[1]) + "." + parts[2],
		"stray bits, signed":   parts[0] + "." + parts[1] + "." + stray(parts[2]),
		"standard base64":      strings.NewReplacer("-", "+", "_", "/").Replace(token) + "+",
		"another payload":      parts[0] + "." + encode(`"13"`) + "." + parts[2],
		"another's signature":  parts[0] + "." + parts[1] + "." + strings.Split(sign(t, s, keys.EdDSA, "", 2), ".")[2],
		"a cut signature":      token[:len(token)-4],
		"in JSON":              fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2]),
		"not text":             "\x00\xff." + parts[1] + "." + parts[2],
		"a token of this room": keys.Spell(keys.AccessPrefix, []byte("payload")),
	} {
		refused(t, s, name, other)
	}
}

// stray sets a bit of the last character that carries nothing.
func stray(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, part[len(part)-1])
	return part[:len(part)-1] + alphabet[last|1:last|1+1]
}

// A header of megabytes must cost nothing: the length is looked at first.
func TestVerifyRefusesWhatIsTooLong(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()), keys.EdDSA)
	accepted(t, s, "12 KB", sign(t, s, keys.EdDSA, "", strings.Repeat("a", 9<<10)))
	refused(t, s, "17 KB", sign(t, s, keys.EdDSA, "", strings.Repeat("a", 13<<10)))
}

// Another server on another store is another issuer, also under the same system secret.
func TestVerifyRefusesAnotherServersTokens(t *testing.T) {
	one, _ := bolttest.Open(t, noon)
	two, _ := bolttest.Open(t, noon)
	ring := ringOf(t, keys.NewSecret())
	here, there := signingOn(one, ring, quick...), signingOn(two, ring, quick...)
	token := sign(t, there, keys.ES256, "", 1)
	accepted(t, there, "there", token)
	refused(t, here, "here", token)
}

// RFC 7518 §3.4: an ES256 signature is R and S, each of 32 bytes.
func TestVerifyRefusesOtherFormsOfES256(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()), keys.ES256)
	token := sign(t, s, keys.ES256, "", 1)
	input := token[:strings.LastIndexByte(token, '.')]
	private := s.Private(t.Context(), keyOf(t, token)).(*ecdsa.PrivateKey)
	digest := sha256.Sum256([]byte(input))
	asn1, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	accepted(t, s, "as signed", token)
	refused(t, s, "ASN.1", input+"."+encode(string(asn1)))
	refused(t, s, "zeros", input+"."+encode(strings.Repeat("\x00", 64)))
	order := string(elliptic.P256().Params().N.Bytes())
	refused(t, s, "the order of the group", input+"."+encode(order+order))
}

// Whatever is accepted carries a payload that was signed.
func FuzzVerifyAcceptsOnlyWhatWasSigned(f *testing.F) {
	db, _ := bolttest.Open(f, noon)
	ring, err := keys.NewRing(keys.NewSecret())
	if err != nil {
		f.Fatal(err)
	}
	s := signingOn(db, ring, quick...)
	for _, algorithm := range quick {
		token := sign(f, s, algorithm, "", "signed")
		f.Add(token)
		f.Add(strings.Replace(token, ".", "", 1))
	}
	f.Add(encode(`{"alg":"none"}`) + "." + encode(`"signed"`) + ".")
	f.Add(encode(`{"alg":"EdDSA","crit":["b64"],"b64":false,"x5c":[""],"jwk":{"kty":"OKP"}}`) + "..")
	f.Fuzz(func(t *testing.T, token string) {
		payload, err := s.Verify(t.Context(), token)
		switch {
		case err == nil && string(payload) != `"signed"`:
			t.Errorf("%q was accepted with %q", token, payload)
		case err != nil && !errors.Is(err, keys.ErrNotOurs):
			t.Errorf("%q: got %v, want ErrNotOurs", token, err)
		}
	})
}
