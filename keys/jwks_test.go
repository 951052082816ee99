package keys_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

func jwks(t testing.TB, s *keys.Signing) (body, etag string) {
	t.Helper()
	raw, etag, err := s.JWKS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), etag
}

// keyOf returns the key id in the header of a token.
func keyOf(t testing.TB, token string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.SplitN(token, ".", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	var header struct {
		KeyID string `json:"kid"`
	}
	if err := json.Unmarshal(raw, &header); err != nil || header.KeyID == "" {
		t.Fatalf("header %s: %v", raw, err)
	}
	return header.KeyID
}

// RFC 7517 §8.1.1, RFC 7638: the key set shows what a verifier needs and nothing private; keys are named by thumbprint.
func TestKeySetHoldsPublicMembersOnly(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()))
	body, _ := jwks(t, s)
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal([]byte(body), &set); err != nil {
		t.Fatal(err)
	}
	members := map[string][]string{ // what RFC 7638 §3.2 hashes
		"RSA": {"e", "kty", "n"}, "EC": {"crv", "kty", "x", "y"}, "OKP": {"crv", "kty", "x"},
	}
	var algorithms []string
	for _, key := range set.Keys {
		required := members[key["kty"]]
		for member := range key {
			if !slices.Contains(append(required, "use", "alg", "kid"), member) {
				t.Errorf("%s has the member %q", key["kty"], member)
			}
		}
		var hashed []string
		for _, member := range required {
			hashed = append(hashed, fmt.Sprintf("%q:%q", member, key[member]))
		}
		hash := sha256.Sum256([]byte("{" + strings.Join(hashed, ",") + "}"))
		if want := base64.RawURLEncoding.EncodeToString(hash[:]); key["kid"] != want {
			t.Errorf("%s is named %q, want %q", key["kty"], key["kid"], want)
		}
		if key["use"] != "sig" {
			t.Errorf("%s has the use %q", key["kty"], key["use"])
		}
		algorithms = append(algorithms, key["alg"])
	}
	if want := []string{keys.RS256, keys.ES256, keys.EdDSA}; !slices.Equal(algorithms, want) {
		t.Errorf("got %v, want %v", algorithms, want)
	}
}

// What is signed verifies elsewhere, with the key set alone.
func TestOthersVerifyByTheKeySet(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()))
	body, _ := jwks(t, s)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(body), &set); err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range []string{keys.RS256, keys.ES256, keys.EdDSA} {
		parsed, err := jose.ParseSignedCompact(sign(t, s, algorithm, "at+jwt", []int{1}), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := parsed.Verify(set)
		if err != nil || string(payload) != "[1]" {
			t.Errorf("%s: got %s and %v", algorithm, payload, err)
		}
		if typ := parsed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]; typ != "at+jwt" {
			t.Errorf("%s: the type is %v", algorithm, typ)
		}
	}
}

// RFC 9110 §8.8.3: an entity tag is the same for the same content, on every process, and another for another.
func TestKeySetTagFollowsItsContent(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	ring := ringOf(t, keys.NewSecret())
	here, there := signingOn(db, ring, quick...), signingOn(db, ring, quick...)
	body, tag := jwks(t, here)
	if again, same := jwks(t, there); again != body || same != tag {
		t.Errorf("got %s %s, want %s %s", again, same, body, tag)
	}
	if !strings.HasPrefix(tag, `"`) || !strings.HasSuffix(tag, `"`) || len(tag) < 20 {
		t.Errorf("the tag is %s", tag)
	}
	if err := here.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	longer, other := jwks(t, there)
	if other == tag {
		t.Error("the tag stayed")
	}
	// The keys that were there keep their places.
	if !strings.HasPrefix(longer, strings.TrimSuffix(body, "]}")) {
		t.Errorf("the order changed from %s to %s", body, longer)
	}
}
