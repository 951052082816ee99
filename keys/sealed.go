package keys

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// sealPurpose names the subkey that encrypts private keys.
const sealPurpose = "signing-keys"

// recordVersion is the version of the record that this release writes.
const recordVersion = 1

// keyRecord is the one record of all signing keys, in the order of their making.
type keyRecord struct {
	Version int         `json:"v"`
	Keys    []sealedKey `json:"keys"`
}

// sealedKey is a signing key as it is stored: the private half is in PKCS #8, encrypted. The public half is not stored;
// it comes from the private one, so nobody who can only write to the store makes a key that is trusted.
type sealedKey struct {
	ID        string    `json:"kid"`
	Algorithm string    `json:"alg"`
	Created   time.Time `json:"created"`
	SignsFrom time.Time `json:"from"`
	Secret    string    `json:"secret"` // the fingerprint of the system secret that encrypts it
	Sealed    []byte    `json:"sealed"`
}

func parseKeyRecord(value []byte) (keyRecord, error) {
	var r keyRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return r, fmt.Errorf("the record of the signing keys is damaged: %w", err)
	}
	if r.Version != recordVersion {
		return r, fmt.Errorf("the record of the signing keys has version %d, this release reads version %d", r.Version, recordVersion)
	}
	return r, nil
}

// stages tells of each key when it signs.
func (r keyRecord) stages(s schedule) []SigningKey {
	stages := make([]SigningKey, len(r.Keys))
	for i, k := range r.Keys {
		stages[i] = SigningKey{ID: k.ID, Algorithm: k.Algorithm, Created: k.Created, SignsFrom: k.SignsFrom}
	}
	s.place(stages)
	return stages
}

// newSealedKey draws a key and encrypts it under the current system secret. Its times are left to the caller.
func newSealedKey(ring *Ring, algorithm string) (sealedKey, error) {
	private, err := generate(algorithm)
	if err != nil {
		return sealedKey{}, err
	}
	id, err := thumbprint(private.Public())
	if err != nil {
		return sealedKey{}, err
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return sealedKey{}, err
	}
	k := sealedKey{ID: id, Algorithm: algorithm}
	return k, k.seal(ring, plain)
}

// thumbprint names a public key (RFC 7638).
func thumbprint(public crypto.PublicKey) (string, error) {
	hash, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(hash), err
}

// seal encrypts plain under the current system secret.
func (k *sealedKey) seal(ring *Ring, plain []byte) error {
	current := ring.secrets[0].Fingerprint()
	box, err := sealBox(ring, current)
	if err != nil {
		return err
	}
	k.Secret, k.Sealed = current, box.Seal(nil, nil, plain, k.bound())
	return nil
}

// open decrypts the key. Its errors name the system secret and the key, and nothing of either.
func (k *sealedKey) open(ring *Ring) ([]byte, error) {
	box, err := sealBox(ring, k.Secret)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", k.ID, err)
	}
	plain, err := box.Open(nil, nil, k.Sealed, k.bound())
	if err != nil {
		return nil, fmt.Errorf("signing key %s does not decrypt under system secret %s: its record is damaged or was tampered with", k.ID, k.Secret)
	}
	return plain, nil
}

// bound is what the encryption binds to the private key: it can be passed off neither as another key nor as one for
// another algorithm.
func (k *sealedKey) bound() []byte { return []byte(k.Algorithm + " " + k.ID) }

func sealBox(ring *Ring, fingerprint string) (cipher.AEAD, error) {
	key, has := ring.subkey(fingerprint, sealPurpose)
	if !has {
		return nil, fmt.Errorf("it is encrypted under system secret %s, but this process has only %s: "+
			"add the missing secret below the first line of the secrets file", fingerprint, strings.Join(ring.Fingerprints(), ", "))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// private decrypts and decodes the key.
func (k *sealedKey) private(ring *Ring) (crypto.Signer, error) {
	plain, err := k.open(ring)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", k.ID, errors.New("it is no private key in PKCS #8"))
	}
	private, is := parsed.(crypto.Signer)
	if !is || !fits(k.Algorithm, parsed) {
		return nil, fmt.Errorf("signing key %s is no key for %q", k.ID, k.Algorithm)
	}
	return private, nil
}
