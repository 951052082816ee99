package keys_test

import (
	"testing"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// claims are those of a typical access token (RFC 9068).
var claims = map[string]any{
	"iss": "https://id.example.com", "aud": "https://api.example.com", "sub": "0198c2f0-1111-7000-8000-000000000001",
	"client_id": "orders-app", "iat": 1893585600, "exp": 1893586200, "jti": "abcdefghijklmnop", "scope": "orders:read orders:write",
}

func benchmarked(b *testing.B) *keys.Signing {
	b.Helper()
	db, _ := bolttest.Open(b, noon)
	ring, err := keys.NewRing(keys.NewSecret())
	if err != nil {
		b.Fatal(err)
	}
	return runningOn(b, db, ring)
}

func BenchmarkSign(b *testing.B) {
	s := benchmarked(b)
	for _, algorithm := range []string{keys.RS256, keys.ES256, keys.EdDSA} {
		b.Run(algorithm, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sign(b, s, algorithm, "at+jwt", claims)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	s := benchmarked(b)
	tokens := map[string]string{"garbage": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.AAAA"}
	for _, algorithm := range []string{keys.RS256, keys.ES256, keys.EdDSA} {
		tokens[algorithm] = sign(b, s, algorithm, "at+jwt", claims)
	}
	for name, token := range tokens {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Verify(b.Context(), token, "at+jwt"); (err == nil) != (name != "garbage") {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJWKS(b *testing.B) {
	s := benchmarked(b)
	b.ReportAllocs()
	for b.Loop() {
		jwks(b, s)
	}
}
