package keys

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"time"
)

// credentialSize is the size of a generated secret in bytes. At 256 random bits nobody guesses, so one SHA-256 guards it
// at rest as well as a slow hash would (OWASP ASVS 5.0, 6.5.2).
const credentialSize = 32

// Credential is a secret that Safeconduct generated for a client or a resource, as it is stored: only its hash.
type Credential struct {
	ID      string    `json:"id"`
	Hash    []byte    `json:"hash"`
	Created time.Time `json:"created"`
	// Expires is the end of the secret's validity; the zero time means that it does not end by itself.
	Expires time.Time `json:"expires,omitzero"`
}

// NewCredential draws a secret and returns it with what is to be stored of it. The secret itself is not kept.
func NewCredential(prefix string, created, expires time.Time) (secret string, c Credential) {
	random := make([]byte, credentialSize)
	rand.Read(random)
	secret = Spell(prefix, random)
	hash := sha256.Sum256([]byte(secret))
	return secret, Credential{ID: credentialID(hash), Hash: hash[:], Created: created, Expires: expires}
}

// credentialID names a credential without telling anything about the secret: a digest of its digest.
func credentialID(hash [32]byte) string {
	again := sha256.Sum256(hash[:])
	return hex.EncodeToString(again[:4])
}

// Match reports whether presented is one of the credentials that is live at now. Every live credential is compared, in
// constant time, and with none at all one comparison is still made: the time taken tells nothing.
func Match(credentials []Credential, presented string, now time.Time) bool {
	var usual [128]byte // longer than any secret of ours: it need not be allocated
	hash := sha256.Sum256(append(usual[:0], presented...))
	var absent [32]byte
	found := 0
	if len(credentials) == 0 {
		subtle.ConstantTimeCompare(hash[:], absent[:])
	}
	for _, c := range credentials {
		equal := subtle.ConstantTimeCompare(hash[:], c.Hash)
		if c.Live(now) {
			found |= equal
		}
	}
	return found == 1
}

// Equal reports whether two credentials are the same in everything.
func (c Credential) Equal(other Credential) bool {
	return c.ID == other.ID && bytes.Equal(c.Hash, other.Hash) && c.Created.Equal(other.Created) && c.Expires.Equal(other.Expires)
}

// CloneCredentials copies credentials with all that they refer to: who is handed them may write into a hash.
func CloneCredentials(credentials []Credential) []Credential {
	copied := slices.Clone(credentials)
	for i := range copied {
		copied[i].Hash = bytes.Clone(copied[i].Hash)
	}
	return copied
}

// Live reports whether the credential may still be used at now.
func (c Credential) Live(now time.Time) bool {
	return c.Expires.IsZero() || now.Before(c.Expires)
}
