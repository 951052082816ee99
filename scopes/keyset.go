package scopes

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// The signature algorithms that are accepted (RFC 7518 section 3.1, RFC 8037 section 3.1). None is symmetric: whoever
// may verify must not be able to sign.
const (
	es256 = "ES256"
	rs256 = "RS256"
	edDSA = "EdDSA"
)

const (
	coordinateBytes = 32 // of P-256, and of a signature half
	minModulusBits  = 2048
	maxModulusBits  = 8192 // a larger one costs its verifier too much
	maxExponent     = 1<<31 - 1
)

// privateMembers are what no published key has (RFC 7518 section 6). One that has them is known to everybody.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// publicKey is a key of the issuer. It verifies signatures of its own algorithm only, whatever a token says.
type publicKey struct {
	id, algorithm string
	key           crypto.PublicKey
}

// verifies reports whether signature is this key's under what was signed.
func (k *publicKey) verifies(signed string, signature []byte) bool {
	if key, ok := k.key.(ed25519.PublicKey); ok {
		return ed25519.Verify(key, []byte(signed), signature)
	}
	digest := digestOf(signed)
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		if len(signature) != 2*coordinateBytes { // RFC 7518 §3.4
			return false
		}
		r := new(big.Int).SetBytes(signature[:coordinateBytes])
		s := new(big.Int).SetBytes(signature[coordinateBytes:])
		return ecdsa.Verify(key, digest[:], r, s)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
	}
	return false
}

// equal reports whether both are the same key under the same name.
func (k *publicKey) equal(other *publicKey) bool {
	key, ok := k.key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.id == other.id && k.algorithm == other.algorithm && key.Equal(other.key)
}

// keySet is a JWK Set (RFC 7517 section 5), as it was fetched. It does not change.
type keySet struct {
	keys    map[string]*publicKey
	fetched time.Time
	maxAge  time.Duration
}

// readKeySet reads a JWK Set. Keys that are not understood are left out, as section 5 says, and so are keys that must not
// be trusted. A set without any key that can be used is an error.
func readKeySet(body []byte) (map[string]*publicKey, error) {
	set, err := readObject(body)
	if err != nil {
		return nil, fmt.Errorf("the key set is no good: %w", err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(set["keys"], &list); err != nil {
		return nil, errors.New("the key set has no list of keys")
	}
	keys, named := make(map[string]*publicKey), make(map[string]int)
	for _, raw := range list {
		members, err := readObject(raw)
		if err != nil {
			continue
		}
		jwk := &answer{members: members}
		id := jwk.text("kid")
		named[id]++
		if key := readKey(jwk); key != nil && jwk.fault == nil && id != "" {
			key.id = id
			keys[id] = key
		}
	}
	for id, times := range named {
		if times > 1 {
			delete(keys, id) // nobody can say which of them is meant
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key that can be used")
	}
	return keys, nil
}

// readKey reads a JWK apart from its name. It returns nil when the key cannot be used or must not be.
func readKey(jwk *answer) *publicKey {
	for _, name := range privateMembers {
		if _, present := jwk.members[name]; present {
			return nil
		}
	}
	if use := jwk.text("use"); use != "" && use != "sig" {
		return nil
	}
	var operations []string
	if jwk.take("key_ops", &operations) && !slices.Contains(operations, "verify") {
		return nil
	}
	algorithm := jwk.text("alg")
	var key *publicKey
	switch jwk.text("kty") {
	case "EC":
		key = readEC(jwk)
	case "RSA":
		key = readRSA(jwk)
	case "OKP":
		key = readOKP(jwk)
	}
	if key == nil || algorithm != "" && algorithm != key.algorithm {
		return nil
	}
	return key
}

func readEC(jwk *answer) *publicKey {
	x, y := jwk.octets("x"), jwk.octets("y")
	if jwk.text("crv") != "P-256" || len(x) != coordinateBytes || len(y) != coordinateBytes {
		return nil
	}
	// The 4 stands before uncompressed points (SEC 1 section 2.3.3). Points beside the curve are refused.
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil
	}
	return &publicKey{algorithm: es256, key: key}
}

func readRSA(jwk *answer) *publicKey {
	n, e := new(big.Int).SetBytes(jwk.octets("n")), new(big.Int).SetBytes(jwk.octets("e"))
	if bits := n.BitLen(); bits < minModulusBits || bits > maxModulusBits || n.Bit(0) == 0 {
		return nil
	}
	if !e.IsInt64() || e.Int64() < 3 || e.Int64() > maxExponent || e.Bit(0) == 0 {
		return nil
	}
	return &publicKey{algorithm: rs256, key: &rsa.PublicKey{N: n, E: int(e.Int64())}}
}

func readOKP(jwk *answer) *publicKey {
	x := jwk.octets("x")
	if jwk.text("crv") != "Ed25519" || len(x) != ed25519.PublicKeySize {
		return nil
	}
	return &publicKey{algorithm: edDSA, key: ed25519.PublicKey(x)}
}

// octets reads bytes in base64url.
func (a *answer) octets(name string) []byte {
	value, err := segments.DecodeString(a.text(name))
	if err != nil && a.fault == nil {
		a.wrong(name)
	}
	return value
}
