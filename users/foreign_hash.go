package users

import (
	"slices"
	"strings"
)

// What a hash that was made elsewhere may cost. Whoever signs in pays for it once, in the same queue as everybody else,
// so the dearest that is taken holds one worker for seconds, not for minutes. Django's own defaults are far below.
const (
	foreignMax       = 512       // bytes of the whole hash
	foreignSaltMax   = 128       // bytes
	foreignMemoryMax = 256 << 10 // KiB; there are as many at once as there are workers
	foreignSweepMax  = 512 << 10 // KiB written by all passes together
	pbkdf2Max        = 5_000_000 // iterations
	bcryptMin        = 4
	bcryptMax        = 14 // each step doubles it
)

// digest is a stored hash as it was read: what to compare with, and how a password comes to it.
type digest struct {
	tag     []byte
	compute func(password string) []byte
}

// foreignFormats are the hashes that other systems made and that are verified here, by the name that stands before the
// first dollar sign: those of Django (django.contrib.auth.hashers), each with the reader of what stands behind.
var foreignFormats = map[string]func(rest string) (digest, bool){
	"pbkdf2_sha256": pbkdf2SHA256,
	"pbkdf2_sha1":   pbkdf2SHA1,
	"argon2":        djangoArgon2,
	"bcrypt_sha256": bcryptSHA256,
	"bcrypt":        plainBcrypt,
	"scrypt":        djangoScrypt,
}

// retiredFormats are hashes of Django that are not taken: they give most passwords away to whoever reads them.
var retiredFormats = []string{"md5", "sha1", "unsalted_md5", "unsalted_sha1", "crypt"}

// isForeign tells a hash of another system from one of ours, which begins with a dollar sign.
func isForeign(encoded string) bool { return !strings.HasPrefix(encoded, "$") }

// parseForeign reads a hash of another system.
func parseForeign(encoded string) (digest, error) {
	name, rest, _ := strings.Cut(encoded, "$")
	read, known := foreignFormats[name]
	// The decoder of base64 would overlook line ends.
	if !known || len(encoded) > foreignMax || strings.ContainsFunc(encoded, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return digest{}, errDamagedHash
	}
	d, sound := read(rest)
	if !sound {
		return digest{}, errDamagedHash
	}
	return d, nil
}

// imported is what is stored of a hash that comes from elsewhere: itself, or nothing for the mark of an unusable password.
// It returns an *InvalidError, which shows nothing of the hash, for one that cannot be verified here.
func imported(encoded string) (string, error) {
	refuse := func(problem, fix string) (string, error) {
		return "", &InvalidError{Field: "password_hash", Problem: problem, Fix: fix}
	}
	if strings.HasPrefix(encoded, "!") {
		return "", nil
	}
	if len(encoded) > foreignMax {
		return refuse("is longer than 512 bytes", "send the hash as Django stores it")
	}
	name, _, _ := strings.Cut(encoded, "$")
	if slices.Contains(retiredFormats, name) {
		return refuse("is of Django's "+name+", which is too weak to keep", `send "!" in its place and set a new password`)
	}
	if _, known := foreignFormats[name]; !known {
		return refuse("is of no known form", "send the hash as Django stores it, such as pbkdf2_sha256$…")
	}
	if _, err := parseForeign(encoded); err != nil {
		return refuse("is no sound "+name+" hash, or asks for too much work", `send "!" in its place and set a new password`)
	}
	return encoded, nil
}
