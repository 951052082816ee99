package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// The JWS algorithms (RFC 7518 §3.1, RFC 8037 §3.1).
const (
	RS256 = "RS256"
	ES256 = "ES256"
	EdDSA = "EdDSA"
)

// Algorithms are all of them. Signatures that prove nothing (none), or that whoever verifies them could make (HS256), are
// not among them.
func Algorithms() []string { return []string{RS256, ES256, EdDSA} }

const (
	rsaBits = 2048
	// coordinateSize is the size of one half of an ES256 signature (RFC 7518 §3.4).
	coordinateSize = 32
)

// generate draws a private key for an algorithm.
func generate(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return nil, fmt.Errorf("the signing algorithm %q is not known", algorithm)
}

// fits reports whether private is a key for algorithm.
func fits(algorithm string, private any) bool {
	switch k := private.(type) {
	case *rsa.PrivateKey:
		return algorithm == RS256
	case *ecdsa.PrivateKey:
		return algorithm == ES256 && k.Curve == elliptic.P256()
	case ed25519.PrivateKey:
		return algorithm == EdDSA
	}
	return false
}

// signature signs input as a JWS of the key's algorithm does. The same input has the same signature, so that an answer
// that is given again is the same to the byte.
func signature(private crypto.Signer, input []byte) ([]byte, error) {
	if k, is := private.(ed25519.PrivateKey); is {
		return ed25519.Sign(k, input), nil
	}
	digest := sha256.Sum256(input)
	// Without a source of random bytes ECDSA draws its nonce from key and digest (RFC 6979); RSA needs none.
	signed, err := private.Sign(nil, digest[:], crypto.SHA256)
	if _, is := private.(*ecdsa.PrivateKey); !is || err != nil {
		return signed, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signed, &pair); err != nil {
		return nil, err
	}
	halves := make([]byte, 2*coordinateSize)
	pair.R.FillBytes(halves[:coordinateSize])
	pair.S.FillBytes(halves[coordinateSize:])
	return halves, nil
}
