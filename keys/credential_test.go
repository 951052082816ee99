package keys_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/keys"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// A secret is changed without a pause: for a while the old one and the new one are both good, and each ends by itself.
func TestSeveralCredentialsAreLiveUntilTheirOwnEnd(t *testing.T) {
	old, first := keys.NewCredential(keys.ClientSecretPrefix, noon, noon.Add(time.Hour))
	next, second := keys.NewCredential(keys.ClientSecretPrefix, noon, time.Time{})
	both := []keys.Credential{first, second}
	for _, test := range []struct {
		name   string
		secret string
		at     time.Time
		want   bool
	}{
		{"old within its life", old, noon, true},
		{"old just before its end", old, noon.Add(time.Hour - time.Nanosecond), true},
		{"old at its end", old, noon.Add(time.Hour), false},
		{"new beside the old", next, noon, true},
		{"new much later", next, noon.AddDate(100, 0, 0), true},
		{"none", "", noon, false},
		{"a hash of one", string(first.Hash), noon, false},
		{"one in capitals", strings.ToUpper(next), noon, false},
		{"one with a line break", next + "\n", noon, false},
	} {
		if got := keys.Match(both, test.secret, test.at); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// RFC 6749 §5.2: a client without a secret is not authenticated by an empty one.
func TestNothingMatchesNoCredentials(t *testing.T) {
	for _, presented := range []string{"", "null", "undefined"} {
		if keys.Match(nil, presented, noon) {
			t.Errorf("%q matched", presented)
		}
		if keys.Match([]keys.Credential{{}}, presented, noon) {
			t.Errorf("%q matched an empty credential", presented)
		}
	}
}

// What is stored may be stolen: it must not contain, or be, anything that can be presented.
func TestStoredCredentialHoldsNoSecret(t *testing.T) {
	secret, credential := keys.NewCredential(keys.ResourceSecretPrefix, noon, time.Time{})
	stored, err := json.Marshal(credential)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(stored, []byte(secret)) || bytes.Contains(stored, []byte(secret[4:20])) {
		t.Errorf("the record shows the secret: %s", stored)
	}
	if !strings.HasPrefix(secret, "scx_") || len(secret) < 43 {
		t.Errorf("the secret has %d characters or a wrong prefix", len(secret))
	}
	var back keys.Credential
	if err := json.Unmarshal(stored, &back); err != nil {
		t.Fatal(err)
	}
	if !keys.Match([]keys.Credential{back}, secret, noon) {
		t.Error("the record does not match after it was stored")
	}
}

// Some clients do not form-encode the secret in the Basic scheme, so it must need no encoding.
func TestSecretsSurviveBasicAuthenticationUnencoded(t *testing.T) {
	for range 100 {
		secret, _ := keys.NewCredential(keys.ClientSecretPrefix, noon, time.Time{})
		if strings.ContainsAny(secret, ":%+ /=&") {
			t.Fatal("a secret has a character that needs encoding")
		}
	}
}
