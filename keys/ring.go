// Package keys holds the system secrets, what is derived from them, and the keys that sign.
//
// The packages of rules ask a Ring for a key by purpose. It never hands out a system secret itself, and writes none to a
// store, a log or an error.
//
// A Signing signs JWTs (RFC 7519) for those who verify them far away, by the key set that it publishes (RFC 7517). Its
// keys are made, published ahead of their use, replaced and dropped by themselves; any number of processes agree on
// them through the store, which sees the private halves only encrypted under a system secret. It knows nothing of what
// it signs.
package keys

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// SecretSize is the size of a system secret in bytes.
const SecretSize = 32

// SubkeySize is the size of a derived key in bytes.
const SubkeySize = 32

// ID names a system secret inside the tokens made under it. It is a part of the secret's fingerprint.
type ID byte

// Secret is a system secret: everything that Safeconduct issues hangs on it.
type Secret struct{ bytes [SecretSize]byte }

// Format keeps a secret that is printed by mistake, by whatever verb, out of logs and errors.
func (Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "(secret)") }

// NewSecret draws a system secret.
func NewSecret() Secret {
	var s Secret
	rand.Read(s.bytes[:])
	return s
}

// Text is the secret's written form, one line without the line's end. Only the file that keeps the secret may see it.
func (s Secret) Text() string { return base64.StdEncoding.EncodeToString(s.bytes[:]) }

// Fingerprint names the secret in messages and in the store. It tells nothing about the secret.
func (s Secret) Fingerprint() string { return hex.EncodeToString(s.derive("fingerprint")[:8]) }

func (s Secret) id() ID { return ID(s.derive("id")[0]) }

// derive makes the subkey for a purpose (RFC 5869).
func (s Secret) derive(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, s.bytes[:], nil, "safeconduct/v1/"+purpose, SubkeySize)
	if err != nil {
		panic("keys: HKDF of a fixed length failed: " + err.Error()) // only for lengths over 255 hashes
	}
	return key
}

// ParseSecrets reads system secrets, one per line in base64; blank lines and lines that start with # are skipped.
// Errors name the line and never its content.
func ParseSecrets(text string) ([]Secret, error) {
	var secrets []Secret
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != SecretSize {
			return nil, fmt.Errorf("line %d is not a system secret: want %d bytes in base64, as `openssl rand -base64 %d` prints them", i+1, SecretSize, SecretSize)
		}
		var s Secret
		copy(s.bytes[:], raw)
		secrets = append(secrets, s)
	}
	if len(secrets) == 0 {
		return nil, errors.New("no system secret found: want at least one line of base64")
	}
	return secrets, nil
}

// Ring is the list of system secrets of a process: the first signs, all verify. It is immutable.
type Ring struct {
	secrets []Secret
}

// NewRing makes a ring of secrets. Two secrets with the same ID cannot be told apart in a token and are refused.
func NewRing(secrets ...Secret) (*Ring, error) {
	if len(secrets) == 0 {
		return nil, errors.New("at least one system secret is needed")
	}
	seen := make(map[ID]string)
	for _, s := range secrets {
		if other, taken := seen[s.id()]; taken {
			return nil, fmt.Errorf("system secrets %s and %s have the same id; generate another in place of the newer one", other, s.Fingerprint())
		}
		seen[s.id()] = s.Fingerprint()
	}
	return &Ring{secrets: append([]Secret(nil), secrets...)}, nil
}

// Current is the ID of the secret that signs.
func (r *Ring) Current() ID { return r.secrets[0].id() }

// Subkeys derives the key for purpose from every secret, by the secret's ID.
func (r *Ring) Subkeys(purpose string) map[ID][]byte {
	keys := make(map[ID][]byte, len(r.secrets))
	for _, s := range r.secrets {
		keys[s.id()] = s.derive(purpose)
	}
	return keys
}

// subkey derives the key for purpose from the secret of a fingerprint, if the ring has it.
func (r *Ring) subkey(fingerprint, purpose string) ([]byte, bool) {
	for _, s := range r.secrets {
		if s.Fingerprint() == fingerprint {
			return s.derive(purpose), true
		}
	}
	return nil, false
}

// Fingerprints names the secrets of the ring, the signing one first.
func (r *Ring) Fingerprints() []string {
	names := make([]string, len(r.secrets))
	for i, s := range r.secrets {
		names[i] = s.Fingerprint()
	}
	return names
}
