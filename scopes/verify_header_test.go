package scopes_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/safeconduct/safeconduct/scopes"
)

// forge makes a JWT whose signature is what sign returns for what is signed.
func forge(header, payload string, sign func(signed []byte) []byte) string {
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	return signed + "." + b64(sign([]byte(signed)))
}

func hs256(secret []byte) func([]byte) []byte {
	return func(signed []byte) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write(signed)
		return mac.Sum(nil)
	}
}

// RFC 8725 §2.1, §3.1: the key decides the algorithm. Everything that somebody without the private key can sign with is
// refused, for each key that is published.
func TestVerifierRefusesOtherAlgorithms(t *testing.T) {
	keys := []signingKey{es(), rs(), ed()}
	inBubble(t, func(t *testing.T) {
		v := newVerifier(t, newIssuer(t, keys...).feedless(t))
		payload := good(1).String()
		for _, key := range keys {
			wants(t, v, key.algorithm, key.sign(key.header(), payload), nil)
			header := func(algorithm string) string {
				return fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, algorithm, key.id)
			}
			der, err := x509.MarshalPKIXPublicKey(key.signer.Public())
			must(err)
			jwk, err := json.Marshal(key.jwk())
			must(err)
			armoured := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
			for what, secret := range map[string][]byte{"PEM": armoured, "PEM without its last line break": bytes.TrimSpace(armoured),
				"DER": der, "JWK": jwk, "empty": {}, "the name": []byte(key.id)} {
				for _, algorithm := range []string{"HS256", "hs256", key.algorithm} {
					wants(t, v, algorithm+" with the "+what+" of "+key.id, forge(header(algorithm), payload, hs256(secret)), scopes.ErrInactive)
				}
			}
			for _, algorithm := range []string{"none", "None", "NONE", "nOnE", "", "HS384", "HS512", "PS256", "RS384", "RS512", "ES384", "ES512",
				"ES256K", "Ed25519", "Ed448", strings.ToLower(key.algorithm), key.algorithm + " ", "dir", "ECDH-ES"} {
				wants(t, v, algorithm+" without signature", forge(header(algorithm), payload, func([]byte) []byte { return nil }), scopes.ErrInactive)
				wants(t, v, algorithm+" in the header of "+key.id, key.sign(header(algorithm), payload), scopes.ErrInactive)
			}
			for _, other := range keys {
				if other.id != key.id {
					wants(t, v, other.algorithm+" in the header of "+key.id, key.sign(header(other.algorithm), payload), scopes.ErrInactive)
					wants(t, v, "signed by "+other.id+" in the name of "+key.id, other.sign(header(other.algorithm), payload), scopes.ErrInactive)
					wants(t, v, "signed by "+other.id+" with the header of "+key.id, other.sign(key.header(), payload), scopes.ErrInactive)
				}
			}
			stranger := map[string]signingKey{"ES256": {key.id, key.algorithm, newEC(elliptic.P256())}}[key.algorithm]
			if stranger.signer != nil {
				wants(t, v, "a stranger's key", stranger.sign(key.header(), payload), scopes.ErrInactive)
			}
		}
		pss := func(signed []byte) []byte {
			digest := sha256.Sum256(signed)
			signature, err := rsa.SignPSS(rand.Reader, rs().signer.(*rsa.PrivateKey), crypto.SHA256, digest[:], nil)
			must(err)
			return signature
		}
		wants(t, v, "a PSS signature called RS256", forge(rs().header(), payload, pss), scopes.ErrInactive)
		wants(t, v, "a PSS signature called PS256", forge(`{"alg":"PS256","kid":"rs","typ":"at+jwt"}`, payload, pss), scopes.ErrInactive)
	})
}

// RFC 7518 §3.4: a signature has 64 bytes, and zeros are none (the "psychic signature").
func TestVerifierRefusesOddSignatures(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		v := newVerifier(t, newIssuer(t, es()).feedless(t))
		token := es().token(good(1))
		wants(t, v, "good", token, nil)
		for _, size := range []int{0, 1, 63, 64, 65, 72, 128} {
			wants(t, v, fmt.Sprint(size, " zeros"), forge(es().header(), good(1).String(), func([]byte) []byte { return make([]byte, size) }), scopes.ErrInactive)
		}
		order := elliptic.P256().Params().N.Bytes()
		wants(t, v, "the order of the curve twice", forge(es().header(), good(1).String(),
			func([]byte) []byte { return append(bytes.Clone(order), order...) }), scopes.ErrInactive)
		signed, signature := token[:strings.LastIndexByte(token, '.')], token[strings.LastIndexByte(token, '.')+1:]
		raw, err := base64.RawURLEncoding.DecodeString(signature)
		must(err)
		longer := b64(slices.Insert(raw, 32, 0)) // the same two numbers, written longer
		for name, odd := range map[string]string{
			"no signature":         signed + ".",
			"no third part":        signed,
			"a fourth part":        token + ".x",
			"five parts, as a JWE": token + ".x.y",
			"padding":              token + "==",
			"a byte more":          signed + "." + longer,
			"a byte of base64":     strings.ReplaceAll(signed, "e", "/") + "." + signature,
			"a bit in the rest":    token[:len(token)-1] + string(token[len(token)-1]+1),
			"dots":                 strings.Repeat(".", scopes.MaxTokenBytes),
			"two dots":             "..",
			"another payload":      strings.Join([]string{strings.Split(token, ".")[0], b64([]byte(good(2).String())), signature}, "."),
		} {
			wants(t, v, name, odd, scopes.ErrInactive)
		}
	})
}

// RFC 8725 §3.11, RFC 9068 §4: no other JWT of the issuer passes for an access token. RFC 7515 §4.1.11, RFC 7797 §6: what is
// critical must be understood.
func TestVerifierRefusesHeaders(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		v := newVerifier(t, newIssuer(t, es()).feedless(t))
		for header, want := range map[string]error{
			`{"alg":"ES256","kid":"es","typ":"at+jwt"}`:                                 nil,
			`{"alg":"ES256","kid":"es","typ":"AT+JWT"}`:                                 nil,
			`{"alg":"ES256","kid":"es","typ":"application/at+jwt"}`:                     nil,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","cty":"x","x":{"y":[1]}}`:         nil,
			`{"alg":"ES256","kid":"es"}`:                                                scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"JWT"}`:                                    scopes.ErrInactive, // an ID token
			`{"alg":"ES256","kid":"es","typ":"logout+jwt"}`:                             scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"token-introspection+jwt"}`:                scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"statuslist+jwt"}`:                         scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"dpop+jwt"}`:                               scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt "}`:                                scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":["at+jwt"]}`:                               scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":null}`:                                     scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"JWT","typ":"at+jwt"}`:                     scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","alg":"ES256"}`:                   scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","TYP":"at+jwt"}`:                                 scopes.ErrInactive,
			`{"alg":["ES256"],"kid":"es","typ":"at+jwt"}`:                               scopes.ErrInactive,
			`{"alg":null,"kid":"es","typ":"at+jwt"}`:                                    scopes.ErrInactive,
			`{"kid":"es","typ":"at+jwt"}`:                                               scopes.ErrInactive,
			`{"alg":"ES256","typ":"at+jwt"}`:                                            scopes.ErrInactive,
			`{"alg":"ES256","kid":"","typ":"at+jwt"}`:                                   scopes.ErrInactive,
			`{"alg":"ES256","kid":null,"typ":"at+jwt"}`:                                 scopes.ErrInactive,
			`{"alg":"ES256","kid":7,"typ":"at+jwt"}`:                                    scopes.ErrInactive,
			`{"alg":"ES256","kid":["es"],"typ":"at+jwt"}`:                               scopes.ErrInactive,
			`{"alg":"ES256","kid":"../../../dev/null","typ":"at+jwt"}`:                  scopes.ErrInactive,
			`{"alg":"ES256","kid":"` + strings.Repeat("k", 9<<10) + `","typ":"at+jwt"}`: scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","crit":["exp"]}`:                  scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","crit":["x"],"x":1}`:              scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","crit":[]}`:                       scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","crit":null}`:                     scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","b64":false,"crit":["b64"]}`:      scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","b64":false}`:                     scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","b64":true}`:                      scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt"`:                                  scopes.ErrInactive,
			`["ES256"]`: scopes.ErrInactive,
			``:          scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","x":` + strings.Repeat("[", 5<<10):  scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","x":"` + strings.Repeat("x", 6000):  scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt"}{"alg":"none"}`:                     scopes.ErrInactive,
			"\xef\xbb\xbf" + `{"alg":"ES256","kid":"es","typ":"at+jwt"}`:                  scopes.ErrInactive,
			`{"alg":"ES256","kid":"es","typ":"at+jwt","zip":"DEF","enc":"A128GCM","x":1}`: nil, // says nothing in a JWS
		} {
			wants(t, v, fmt.Sprintf("%.80s", header), es().sign(header, good(1).String()), want)
		}
	})
}

// RFC 8725 §3.10: what a token says about where its key is, is not listened to: the canary stays silent, and a key that
// comes with the token verifies nothing.
func TestVerifierAsksNobodyWhomATokenNames(t *testing.T) {
	var sung atomic.Int64
	var stranger signingKey
	canary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		sung.Add(1)
		fmt.Fprint(w, keySetOf(stranger))
	}))
	defer canary.Close()
	stranger = signingKey{"stranger", "ES256", newEC(elliptic.P256())}
	jwk := text(stranger.jwk())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, keySetOf(es())) }))
	defer server.Close()
	v := newVerifier(t, scopes.VerifierConfig{Issuer: server.URL, Audience: audience, NoFeed: true})
	c := good(1).with("iss", `"`+server.URL+`"`)
	wants(t, v, "good", es().token(c), nil)
	for _, id := range []string{"stranger", "es", canary.URL} {
		for _, member := range []string{`"jku":"` + canary.URL + `"`, `"x5u":"` + canary.URL + `"`, `"jwk":` + jwk, `"x5c":["` + canary.URL + `"]`,
			`"jku":"` + canary.URL + `","jwk":` + jwk} {
			header := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt",%s}`, id, member)
			wants(t, v, header, stranger.sign(header, c.String()), scopes.ErrInactive)
		}
	}
	wants(t, v, "ignored beside the right key", es().sign(`{"alg":"ES256","kid":"es","typ":"at+jwt","jku":"`+canary.URL+`","jwk":`+jwk+`}`, c.String()), nil)
	if n := sung.Load(); n != 0 {
		t.Errorf("the canary was asked %d times", n)
	}
}

// What cannot be a token of the issuer costs the issuer nothing, not even the first fetch of its keys.
func TestVerifierFetchesNoKeysForGarbage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.feedless(t))
		for _, header := range []string{`{"alg":"none","kid":"es","typ":"at+jwt"}`, `{"alg":"HS256","kid":"es","typ":"at+jwt"}`,
			`{"alg":"ES256","typ":"at+jwt"}`, `{"alg":"ES256","kid":"es","typ":"JWT"}`, `{"alg":"ES256","kid":"es","typ":"at+jwt","crit":["x"]}`} {
			wants(t, v, header, es().sign(header, good(1).String()), scopes.ErrInactive)
		}
		for _, token := range []string{"", "a", "a.b.c", "a b", "é", es().header(), "sca_abc", strings.Repeat("eyJ9", 100)} {
			wants(t, v, token, token, scopes.ErrInactive)
		}
		if n := is.fetched(); n != 0 {
			t.Errorf("the keys were fetched %d times", n)
		}
		wants(t, v, "good", es().token(good(1)), nil)
	})
}

// A token of more than 16 KB is refused before anything of it is decoded, however good it is.
func TestVerifierRefusesLongTokens(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.feedless(t))
		wants(t, v, "100 KB", es().token(good(1).with("x", `"`+strings.Repeat("x", 75<<10)+`"`)), scopes.ErrInactive)
		wants(t, v, "a header of 1 MB", strings.Repeat("e", 1<<20)+".e30.AA", scopes.ErrInactive)
		wants(t, v, "a million dots", strings.Repeat(".", 1e6), scopes.ErrInactive)
		if n := is.fetched(); n != 0 {
			t.Errorf("the keys were fetched %d times for tokens that are too long", n)
		}
		wants(t, v, "12 KB", es().token(good(1).with("x", `"`+strings.Repeat("x", 8<<10)+`"`)), nil)
		long := strings.Repeat("A", 100<<10)
		if allocated := testing.AllocsPerRun(10, func() { v.Check(t.Context(), long) }); allocated > 5 {
			t.Errorf("%v allocations for a token that is too long", allocated)
		}
	})
}
