package keys_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/keys"
)

// secretsApart draws n secrets that have different IDs, as a ring wants them.
func secretsApart(t *testing.T, n int) []keys.Secret {
	t.Helper()
	var secrets []keys.Secret
	for len(secrets) < n {
		candidate := append(slices.Clone(secrets), keys.NewSecret())
		if _, err := keys.NewRing(candidate...); err == nil {
			secrets = candidate
		}
	}
	return secrets
}

func ringOf(t *testing.T, secrets ...keys.Secret) *keys.Ring {
	t.Helper()
	ring, err := keys.NewRing(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// The first secret signs and all verify, so a secret is changed by putting a new one in front.
func TestRingSignsWithTheFirstAndVerifiesWithAll(t *testing.T) {
	secrets := secretsApart(t, 3)
	ring := ringOf(t, secrets...)
	if got, want := ring.Fingerprints()[0], secrets[0].Fingerprint(); got != want {
		t.Errorf("the signing fingerprint is %s, want %s", got, want)
	}
	subkeys := ring.Subkeys("access")
	if len(subkeys) != 3 {
		t.Fatalf("got %d subkeys, want 3", len(subkeys))
	}
	first := ringOf(t, secrets[0])
	if string(subkeys[ring.Current()]) != string(first.Subkeys("access")[first.Current()]) {
		t.Error("the current subkey is not the first secret's")
	}
	turned := ringOf(t, secrets[2], secrets[0], secrets[1]).Subkeys("access")
	for id, key := range subkeys {
		if string(turned[id]) != string(key) {
			t.Error("the order of the secrets changed a subkey")
		}
	}
}

// A key for one kind of token must be of no use for another.
func TestRingDerivesADifferentKeyForEachPurpose(t *testing.T) {
	ring := ringOf(t, keys.NewSecret())
	access, refresh := ring.Subkeys("access")[ring.Current()], ring.Subkeys("refresh")[ring.Current()]
	if len(access) != keys.SubkeySize || string(access) == string(refresh) {
		t.Errorf("got keys of %d bytes, equal: %v", len(access), string(access) == string(refresh))
	}
}

func TestRingRefusesSecretsThatCannotBeToldApart(t *testing.T) {
	secret := keys.NewSecret()
	if _, err := keys.NewRing(secret, secret); err == nil || !strings.Contains(err.Error(), secret.Fingerprint()) {
		t.Errorf("got %v, want an error that names %s", err, secret.Fingerprint())
	}
	if _, err := keys.NewRing(); err == nil {
		t.Error("a ring without secrets was made")
	}
}

// The list may not change under the hands of those who verify.
func TestRingKeepsItsOwnList(t *testing.T) {
	secrets := secretsApart(t, 2)
	ring := ringOf(t, secrets...)
	before := ring.Fingerprints()
	secrets[0], secrets[1] = secrets[1], secrets[0]
	if !slices.Equal(before, ring.Fingerprints()) {
		t.Error("the ring changed with the caller's slice")
	}
}

func TestSecretsReadBackAsWritten(t *testing.T) {
	a, b := keys.NewSecret(), keys.NewSecret()
	got, err := keys.ParseSecrets("# first\n\n  " + a.Text() + " \r\n#second\n" + b.Text())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != a || got[1] != b {
		t.Errorf("got %d secrets, or other ones", len(got))
	}
}

// An error ends up in a terminal, a log, an issue: it may name the line and nothing of what is in it.
func TestSecretErrorsNameTheLineAndNotTheContent(t *testing.T) {
	good := keys.NewSecret().Text()
	for name, bad := range map[string]string{
		"too short":        base64.StdEncoding.EncodeToString([]byte("canary-canary")),
		"too long":         base64.StdEncoding.EncodeToString([]byte(strings.Repeat("canary", 10))),
		"not base64":       "canary canary canary!",
		"two on one line":  good + " " + good,
		"password instead": "canary-Tr0ub4dor",
	} {
		_, err := keys.ParseSecrets("# head\n" + good + "\n" + bad + "\n")
		if err == nil {
			t.Errorf("%s was accepted", name)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "line 3") || strings.Contains(text, "canary") || strings.Contains(text, good[:8]) || strings.Contains(text, bad) {
			t.Errorf("%s: the error is %q", name, text)
		}
	}
	if _, err := keys.ParseSecrets("# nothing\n\n"); err == nil {
		t.Error("a list without secrets was accepted")
	}
}

// Whoever prints a configuration must not print a secret with it.
func TestSecretsPrintAsNothing(t *testing.T) {
	secret := keys.NewSecret()
	raw, err := base64.StdEncoding.DecodeString(secret.Text())
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(map[string]any{"secret": secret})
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprint(secret), fmt.Sprintf("%+v", secret), fmt.Sprintf("%#v", secret), fmt.Sprintf("%x", secret),
		fmt.Sprintf("%q", secret), fmt.Sprintf("%d", secret), fmt.Sprint([]keys.Secret{secret}), string(asJSON),
	} {
		if strings.Contains(printed, secret.Text()) || strings.Contains(printed, fmt.Sprintf("%x", raw[:4])) || strings.Contains(printed, string(raw[:4])) || strings.Contains(printed, strings.Trim(fmt.Sprint(raw[:4]), "[]")) {
			t.Errorf("a secret shows in %q", printed)
		}
	}
}

// A fingerprint stands in logs and in the store: it names the secret and is none.
func TestFingerprintIsStableAndTellsNothing(t *testing.T) {
	secret := keys.NewSecret()
	again, err := keys.ParseSecrets(secret.Text())
	if err != nil {
		t.Fatal(err)
	}
	if again[0].Fingerprint() != secret.Fingerprint() || len(secret.Fingerprint()) != 16 {
		t.Errorf("got %q and %q", again[0].Fingerprint(), secret.Fingerprint())
	}
}
