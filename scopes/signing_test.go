package scopes_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"
)

// signingKey is a key of the issuer, or of somebody who would like to be.
type signingKey struct {
	id, algorithm string
	signer        crypto.Signer
}

var (
	es = sync.OnceValue(func() signingKey { return signingKey{"es", "ES256", newEC(elliptic.P256())} })
	rs = sync.OnceValue(func() signingKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		must(err)
		return signingKey{"rs", "RS256", key}
	})
	ed = sync.OnceValue(func() signingKey {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		must(err)
		return signingKey{"ed", "EdDSA", key}
	})
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	must(err)
	return key
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// sign makes a JWT of two JSON texts, whatever they say.
func (k signingKey) sign(header, payload string) string {
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	digest := sha256.Sum256([]byte(signed))
	var signature []byte
	var err error
	switch key := k.signer.(type) {
	case *ecdsa.PrivateKey:
		r, s, failed := ecdsa.Sign(rand.Reader, key, digest[:])
		err = failed
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(signed))
	}
	must(err)
	return signed + "." + b64(signature)
}

func (k signingKey) header() string {
	return fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, k.algorithm, k.id)
}

// jwk returns the public key as the members of a JWK.
func (k signingKey) jwk() map[string]string {
	members := map[string]string{"kid": k.id, "alg": k.algorithm, "use": "sig"}
	switch key := k.signer.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		must(err)
		half := len(point) / 2
		maps.Copy(members, map[string]string{"kty": "EC", "crv": key.Params().Name, "x": b64(point[1 : half+1]), "y": b64(point[half+1:])})
	case *rsa.PublicKey:
		maps.Copy(members, map[string]string{"kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())})
	case ed25519.PublicKey:
		maps.Copy(members, map[string]string{"kty": "OKP", "crv": "Ed25519", "x": b64(key)})
	}
	return members
}

// text writes a JWK.
func text(jwk map[string]string) string {
	var members []string
	for name, value := range jwk {
		members = append(members, fmt.Sprintf("%q:%q", name, value))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func keySetOf(keys ...signingKey) string {
	var list []string
	for _, key := range keys {
		list = append(list, text(key.jwk()))
	}
	return `{"keys":[` + strings.Join(list, ",") + `]}`
}

// claims are the members of a payload as JSON texts, so that they can be anything.
type claims map[string]string

// grantUUID is a UUIDv7 of the given moment.
func grantUUID(created time.Time, number int) string {
	ms := fmt.Sprintf("%012x", created.UnixMilli())
	return fmt.Sprintf("%s-%s-7000-8000-%012x", ms[:8], ms[8:], number)
}

// good returns the claims of a good token, with a grant that was made now.
func good(number int) claims {
	now := time.Now()
	return claims{
		"iss": strconv.Quote(issuerURL), "aud": strconv.Quote(audience), "sub": `"u1"`, "client_id": `"shop"`,
		"scope": `"orders:read"`, "iat": fmt.Sprint(now.Unix()), "exp": fmt.Sprint(now.Unix() + 600), "jti": fmt.Sprintf(`"t%d"`, number),
		"sc_grant": strconv.Quote(grantUUID(now, number)),
		"sc_epoch": `"7.1"`,
	}
}

// with returns a copy with other values; "" leaves a member out.
func (c claims) with(pairs ...string) claims {
	c = maps.Clone(c)
	for i := 0; i < len(pairs); i += 2 {
		if c[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
			delete(c, pairs[i])
		}
	}
	return c
}

// granted returns a copy for a grant that was made at another time.
func (c claims) granted(created time.Time, number int) claims {
	return c.with("sc_grant", strconv.Quote(grantUUID(created, number)))
}

func (c claims) String() string {
	var members []string
	for name, value := range c {
		members = append(members, strconv.Quote(name)+":"+value)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// token signs claims as an access token.
func (k signingKey) token(c claims) string { return k.sign(k.header(), c.String()) }
