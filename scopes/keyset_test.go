package scopes_test

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/scopes"
)

// RFC 7517 §4, §5, RFC 7518 §6: keys that must not be trusted are left out of the set, next to those that may be used.
func TestVerifierLeavesBadKeysOut(t *testing.T) {
	rs()
	ed()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	other := signingKey{"es", "ES256", newEC(elliptic.P256())}
	private := es().jwk()
	d, err := es().signer.(interface{ Bytes() ([]byte, error) }).Bytes()
	must(err)
	private["d"] = b64(d)
	beside := es().jwk()
	y, err := base64.RawURLEncoding.DecodeString(beside["y"])
	must(err)
	y[31] ^= 1
	beside["y"] = b64(y)
	modulus := rs().signer.(*rsa.PrivateKey).N
	change := func(key signingKey, pairs ...string) string {
		members := key.jwk()
		for i := 0; i < len(pairs); i += 2 {
			if members[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
				delete(members, pairs[i])
			}
		}
		return text(members)
	}
	for _, tt := range []struct {
		name string
		key  signingKey
		keys []string
		good bool
	}{
		{"an EC key", es(), []string{text(es().jwk())}, true},
		{"an RSA key", rs(), []string{text(rs().jwk())}, true},
		{"an Ed25519 key", ed(), []string{text(ed().jwk())}, true},
		{"without algorithm and use", es(), []string{change(es(), "alg", "", "use", "")}, true},
		{"with a use of its own list", es(), []string{strings.Replace(text(es().jwk()), "{", `{"key_ops":["verify"],`, 1)}, true},
		{"next to keys of other kinds", es(), []string{`{"kty":"EC","crv":"P-521","kid":"x"}`, `{"kty":"AKP","alg":"ML-DSA-44","kid":"y","pub":"AA"}`,
			`5`, `null`, `{"kty":7}`, text(es().jwk())}, true},
		{"next to keys without name", es(), []string{change(rs(), "kid", ""), change(ed(), "kid", ""), text(es().jwk())}, true},
		{"a private key", es(), []string{text(private)}, false},
		{"an RSA key with a prime", rs(), []string{change(rs(), "p", "AQAB")}, false},
		{"for encryption", es(), []string{change(es(), "use", "enc")}, false},
		{"for signing only", es(), []string{strings.Replace(text(es().jwk()), "{", `{"key_ops":["sign"],`, 1)}, false},
		{"without name", es(), []string{change(es(), "kid", "")}, false},
		{"two of one name", es(), []string{text(es().jwk()), text(other.jwk())}, false},
		{"twice the same", es(), []string{text(es().jwk()), text(es().jwk())}, false},
		{"one name with a key of another kind", es(), []string{text(es().jwk()), `{"kid":"es","kty":"oct"}`}, false},
		{"of another algorithm", es(), []string{change(es(), "alg", "ES384")}, false},
		{"of an algorithm of another kind", es(), []string{change(es(), "alg", "RS256")}, false},
		{"RSA for PSS", rs(), []string{change(rs(), "alg", "PS256")}, false},
		{"another curve", es(), []string{change(es(), "crv", "P-384")}, false},
		{"another curve of Edwards", ed(), []string{change(ed(), "crv", "X25519")}, false},
		{"another kind", es(), []string{change(es(), "kty", "RSA")}, false},
		{"a symmetric key", es(), []string{`{"kid":"es","kty":"oct","k":"AAAA","alg":"HS256"}`}, false},
		{"a point beside the curve", es(), []string{text(beside)}, false},
		{"half a point", es(), []string{change(es(), "y", "")}, false},
		{"the point at infinity", es(), []string{change(es(), "x", b64(make([]byte, 32)), "y", b64(make([]byte, 32)))}, false},
		{"a coordinate with padding", es(), []string{change(es(), "x", es().jwk()["x"]+"=")}, false},
		{"a short Ed25519 key", ed(), []string{change(ed(), "x", "AAAA")}, false},
		{"RSA of 1024 bits", signingKey{"rs", "RS256", weak}, []string{text(signingKey{"rs", "RS256", weak}.jwk())}, false},
		{"RSA of 16384 bits", rs(), []string{change(rs(), "n", b64(new(big.Int).Lsh(modulus, 14336).Bytes()))}, false},
		{"RSA with exponent 1", rs(), []string{change(rs(), "e", "AQ")}, false},
		{"RSA with an even exponent", rs(), []string{change(rs(), "e", "BA")}, false},
		{"RSA with a huge exponent", rs(), []string{change(rs(), "e", b64(append([]byte{1}, make([]byte, 16)...)))}, false},
		{"a member twice", es(), []string{strings.Replace(text(es().jwk()), "{", `{"kty":"oct",`, 1)}, false},
		{"a name that is a number", es(), []string{strings.Replace(change(es(), "kid", ""), "{", `{"kid":5,`, 1)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				is := newIssuer(t)
				spare := signingKey{"spare", "EdDSA", ed().signer}
				is.publish(`{"keys":[` + strings.Join(slices.Concat(tt.keys, []string{text(spare.jwk())}), ",") + `],"x":1}`)
				v := newVerifier(t, is.feedless(t))
				wants(t, v, "a token of it", tt.key.token(good(1)), map[bool]error{false: scopes.ErrInactive}[tt.good])
				wants(t, v, "a token of a good key beside it", spare.token(good(1)), nil)
			})
		})
	}
}

// What is no key set at all is trouble with the server, never a bad token.
func TestVerifierNeedsAKeySet(t *testing.T) {
	for _, set := range []string{"", "null", "[]", "{}", `{"keys":null}`, `{"keys":{}}`, `{"keys":[]}`, `{"keys":[{}]}`, `<html>`, strings.Replace(keySetOf(es()), `"kid":"es"`, `"x":"es"`, 1),
		`{"keys":[],"keys":` + "[" + text(es().jwk()) + "]}", keySetOf(es()) + "x", keySetOf(es())[:20],
		keySetOf(es()) + strings.Repeat(" ", 64<<10)} {
		inBubble(t, func(t *testing.T) {
			is := newIssuer(t)
			is.publish(set)
			v := newVerifier(t, is.feedless(t))
			wants(t, v, fmt.Sprintf("%.40s", set), es().token(good(1)), scopes.ErrUnavailable)
		})
	}
}
