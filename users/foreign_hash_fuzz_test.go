package users_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/users"
)

// Whatever stands in a column of passwords, it is taken as a hash whose cost is bounded, or refused without being shown.
func FuzzForeignHash(f *testing.F) {
	for _, v := range django {
		f.Add(v.encoded)
	}
	for _, seed := range append(djangoDefaults, "", "!", "!x", "$", "md5$a$b", "argon2$", "bcrypt$$2b$99$", "scrypt$2$a$4294967295$4294967295$", "pbkdf2_sha256$$$") {
		f.Add(seed)
	}
	r := open(f)
	f.Fuzz(func(t *testing.T, encoded string) {
		err := r.Check(t.Context(), users.NewUser{Username: "ada", PasswordHash: encoded})
		if err != nil {
			var invalid *users.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != "password_hash" {
				t.Fatalf("got %v", err)
			}
			return
		}
		if encoded == "" || encoded[0] == '!' {
			return
		}
		if len(encoded) > 512 || strings.ContainsFunc(encoded, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Errorf("taken: %q", encoded)
		}
		if cost := costOf(t, encoded); cost > 1 {
			t.Errorf("%s costs %.1f times what is allowed", encoded, cost)
		}
	})
}

// costOf reads the cost of a hash that was taken, as a part of what is allowed.
func costOf(t *testing.T, encoded string) float64 {
	t.Helper()
	n := func(text string) float64 {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n == 0 {
			t.Fatalf("%s was taken with the number %q", encoded, text)
		}
		return float64(n)
	}
	parts := strings.Split(encoded, "$")
	switch parts[0] {
	case "pbkdf2_sha256", "pbkdf2_sha1":
		return n(parts[1]) / 5e6
	case "scrypt":
		return n(parts[1]) * n(parts[3]) * n(parts[4]) * 128 / (512 << 20)
	case "bcrypt", "bcrypt_sha256":
		return n(parts[3]) / 14
	case "argon2":
		var of = map[string]float64{}
		for _, parameter := range strings.Split(parts[3], ",") {
			name, value, _ := strings.Cut(parameter, "=")
			of[name] = n(value)
		}
		return max(of["m"]*of["t"]*1024/(512<<20), of["m"]*1024/(256<<20), of["p"]/64)
	}
	t.Fatalf("taken: %q", encoded)
	return 0
}
