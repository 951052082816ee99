package users

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// pbkdf2SHA256 reads iterations$salt$tag (PBKDF2PasswordHasher).
func pbkdf2SHA256(rest string) (digest, bool) { return readPBKDF2(rest, sha256.New, sha256.Size) }

// pbkdf2SHA1 reads the same of PBKDF2SHA1PasswordHasher.
func pbkdf2SHA1(rest string) (digest, bool) { return readPBKDF2(rest, sha1.New, sha1.Size) }

func readPBKDF2[H hash.Hash](rest string, make func() H, size int) (digest, bool) {
	parts := strings.Split(rest, "$")
	if len(parts) != 3 || !saltFits(parts[1]) {
		return digest{}, false
	}
	iterations, sound := number(parts[0], 1, pbkdf2Max)
	tag, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if !sound || err != nil || len(tag) != size {
		return digest{}, false
	}
	return digest{tag, func(password string) []byte {
		got, err := pbkdf2.Key(make, password, []byte(parts[1]), int(iterations), size)
		if err != nil {
			return nil // only where a policy of the machine forbids the hash
		}
		return got
	}}, true
}

// djangoScrypt reads N$salt$r$p$tag (ScryptPasswordHasher, RFC 7914).
func djangoScrypt(rest string) (digest, bool) {
	parts := strings.Split(rest, "$")
	if len(parts) != 5 || !saltFits(parts[1]) {
		return digest{}, false
	}
	n, soundN := number(parts[0], 2, 1<<20)
	r, soundR := number(parts[2], 1, 32)
	p, soundP := number(parts[3], 1, 16)
	tag, err := base64.StdEncoding.Strict().DecodeString(parts[4])
	if !soundN || !soundR || !soundP || err != nil || len(tag) != 64 || bits.OnesCount64(n) != 1 {
		return digest{}, false
	}
	if memory := n * r / 8; memory > foreignMemoryMax || memory*p > foreignSweepMax {
		return digest{}, false
	}
	return digest{tag, func(password string) []byte {
		got, err := scrypt.Key([]byte(password), []byte(parts[1]), int(n), int(r), int(p), len(tag))
		if err != nil {
			return nil
		}
		return got
	}}, true
}

// djangoArgon2 reads argon2id$v=19$m=…,t=…,p=…$salt$tag (Argon2PasswordHasher), and argon2i, which Django wrote before 3.0.
func djangoArgon2(rest string) (digest, bool) {
	kind, parameters, _ := strings.Cut(rest, "$")
	key := argon2.IDKey
	switch kind {
	case "argon2id":
	case "argon2i":
		key = argon2.Key
	default:
		return digest{}, false
	}
	p, err := parsePHC("$argon2id$" + parameters)
	if err != nil || p.params.MemoryKiB < 8*uint32(p.params.Threads) || p.params.MemoryKiB > foreignMemoryMax ||
		uint64(p.params.MemoryKiB)*uint64(p.params.Passes) > foreignSweepMax {
		return digest{}, false
	}
	return digest{p.tag, func(password string) []byte {
		return key([]byte(password), p.salt, p.params.Passes, p.params.MemoryKiB, p.params.Threads, uint32(len(p.tag)))
	}}, true
}

// bcryptSHA256 reads $2b$… of the hexadecimal SHA-256 of the password (BCryptSHA256PasswordHasher).
func bcryptSHA256(rest string) (digest, bool) {
	return readBcrypt(rest, func(password string) string {
		sum := sha256.Sum256([]byte(password))
		return hex.EncodeToString(sum[:])
	})
}

// plainBcrypt reads $2b$… of the password itself (BCryptPasswordHasher), of which bcrypt takes no more than 72 bytes.
func plainBcrypt(rest string) (digest, bool) {
	return readBcrypt(rest, func(password string) string { return password })
}

const (
	bcryptSize  = 60 // $2b$12$, 22 characters of salt, 31 of the tag
	bcryptChars = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// readBcrypt reads a bcrypt hash. It is verified by the library as a whole: its tag is that of a yes.
func readBcrypt(rest string, prepare func(string) string) (digest, bool) {
	if len(rest) != bcryptSize || rest[0] != '$' || rest[6] != '$' || strings.Trim(rest[7:], bcryptChars) != "" {
		return digest{}, false
	}
	switch rest[1:4] {
	case "2a$", "2b$", "2y$":
	default:
		return digest{}, false
	}
	cost, err := strconv.Atoi(rest[4:6])
	if err != nil || cost < bcryptMin || cost > bcryptMax || rest[4:6] != fmt.Sprintf("%02d", cost) {
		return digest{}, false
	}
	return digest{[]byte{1}, func(password string) []byte {
		if bcrypt.CompareHashAndPassword([]byte(rest), []byte(prepare(password))) == nil {
			return []byte{1}
		}
		return []byte{0}
	}}, true
}

// saltFits reports whether a salt, which Django takes as text, has a length that it may have.
func saltFits(salt string) bool { return salt != "" && len(salt) <= foreignSaltMax }

// number reads a decimal number in its one spelling.
func number(text string, low, high uint64) (uint64, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return n, err == nil && low <= n && n <= high && strconv.FormatUint(n, 10) == text
}
