package users

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Bounds of what a stored hash may ask for: a damaged record must not take the machine.
const (
	memoryMax  = 1 << 20 // KiB
	passesMax  = 64
	threadsMax = 64
	partMax    = 64 // bytes of salt, of tag
)

var errDamagedHash = errors.New("users: a stored password hash is damaged")

// phc is a hash in the form of the Password Hashing Competition: $argon2id$v=19$m=…,t=…,p=…$salt$tag.
type phc struct {
	params    Params
	salt, tag []byte
}

// String spells the hash.
func (p phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.params.MemoryKiB, p.params.Passes, p.params.Threads,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.tag))
}

// digest is how a password comes to the tag. A tag of zeroes says how long it is to be.
func (p phc) digest() digest {
	return digest{p.tag, func(password string) []byte {
		return argon2.IDKey([]byte(password), p.salt, p.params.Passes, p.params.MemoryKiB, p.params.Threads, uint32(len(p.tag)))
	}}
}

func parsePHC(encoded string) (phc, error) {
	var p phc
	var version int
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return p, errDamagedHash
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return p, errDamagedHash
	}
	_, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.params.MemoryKiB, &p.params.Passes, &p.params.Threads)
	if err != nil {
		return p, errDamagedHash
	}
	salt, errSalt := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	tag, errTag := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	p.salt, p.tag = salt, tag
	sound := errSalt == nil && errTag == nil &&
		within(uint32(len(salt)), 8, partMax) && within(uint32(len(tag)), 16, partMax) &&
		within(p.params.MemoryKiB, 1, memoryMax) && within(p.params.Passes, 1, passesMax) && within(uint32(p.params.Threads), 1, threadsMax)
	// One spelling: what reads otherwise than it would be written was not written here.
	if !sound || p.String() != encoded {
		return p, errDamagedHash
	}
	return p, nil
}

func within(n, low, high uint32) bool { return low <= n && n <= high }
