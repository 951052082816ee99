package keys_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

const signingRecord = "signing/keys"

// secretParts returns what nobody may find of a private key.
func secretParts(t *testing.T, s *keys.Signing, id string) [][]byte {
	t.Helper()
	private := s.Private(t.Context(), id)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	parts := [][]byte{der}
	switch k := private.(type) {
	case *rsa.PrivateKey:
		parts = append(parts, k.D.Bytes(), k.Primes[0].Bytes(), k.Primes[1].Bytes())
	case *ecdsa.PrivateKey:
		d, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, d)
	case ed25519.PrivateKey:
		parts = append(parts, k.Seed())
	}
	return parts
}

// A stolen store, or a backup of one, must not let anybody sign.
func TestStoreHoldsNoPrivateKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "data.db")
	db, err := bolt.Open(path, bolt.Options{Clock: bolttest.NewClock(noon).Now})
	if err != nil {
		t.Fatal(err)
	}
	secret := keys.NewSecret()
	s := signingOn(db, ringOf(t, secret))
	if err := s.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var parts [][]byte
	for _, k := range list(t, s) {
		parts = append(parts, secretParts(t, s, k.ID)...)
	}
	record, err := db.Get(t.Context(), signingRecord)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file, record.Value) {
		t.Fatal("the search would find nothing: the record is not in the file as it is")
	}
	dump := append(file, decoded(t, record.Value)...)
	raw, _ := base64.StdEncoding.DecodeString(secret.Text())
	for _, part := range append(parts, raw) {
		for _, spelled := range []string{
			string(part), hex.EncodeToString(part), base64.StdEncoding.EncodeToString(part), base64.RawURLEncoding.EncodeToString(part),
		} {
			if bytes.Contains(dump, []byte(spelled)) {
				t.Error("the file holds a private key or a system secret")
			}
		}
	}
}

// decoded returns everything in a record that is base64.
func decoded(t *testing.T, value []byte) []byte {
	t.Helper()
	var record struct{ Keys []map[string]string }
	if err := json.Unmarshal(value, &record); err != nil || len(record.Keys) == 0 {
		t.Fatalf("record of %d keys: %v", len(record.Keys), err)
	}
	var all []byte
	for _, key := range record.Keys {
		for _, text := range key {
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
				all = append(all, raw...)
			}
		}
	}
	return all
}

// The way to a new system secret: put it on top, and when all is encrypted under it, give the old one up. The keys and
// what they signed stay.
func TestNewSystemSecretEncryptsTheKeysAnew(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	secrets := secretsApart(t, 2)
	old, next := secrets[0], secrets[1]
	token := sign(t, signingOn(db, ringOf(t, old), quick...), keys.ES256, "", 1)

	both := signingOn(db, ringOf(t, next, old), quick...)
	accepted(t, both, "with both", token)
	missing(t, signingOn(db, ringOf(t, next), quick...), old)
	maintain(t, both)
	alone := signingOn(db, ringOf(t, next), quick...)
	accepted(t, alone, "with the new one alone", token)
	if again := sign(t, alone, keys.ES256, "", 1); again != token {
		t.Errorf("got %s, want %s", again, token)
	}
	missing(t, signingOn(db, ringOf(t, old), quick...), next)

	// What is encrypted under the current secret is left alone.
	before, err := db.Get(t.Context(), signingRecord)
	if err != nil {
		t.Fatal(err)
	}
	maintain(t, alone)
	if after, err := db.Get(t.Context(), signingRecord); err != nil || after.ID != before.ID {
		t.Errorf("the record was written again, or: %v", err)
	}
}

// missing holds a Signing without a secret to an error that names this one, and changes nothing.
func missing(t *testing.T, s *keys.Signing, secret keys.Secret) {
	t.Helper()
	_, signing := s.Sign(t.Context(), keys.ES256, "", 1)
	_, _, publishing := s.JWKS(t.Context())
	for name, err := range map[string]error{"sign": signing, "publish": publishing, "maintain": s.Maintain(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), secret.Fingerprint()) || !strings.Contains(err.Error(), "add the missing secret") {
			t.Errorf("%s: got %v, want an error that names %s", name, err, secret.Fingerprint())
		}
		if err != nil && strings.Contains(err.Error(), secret.Text()) {
			t.Errorf("%s: the error shows the secret", name)
		}
	}
}

// A system secret that is lost takes what was signed with it, and nothing else.
func TestDiscardNeedsNoLostSecret(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	secrets := secretsApart(t, 2)
	token := sign(t, signingOn(db, ringOf(t, secrets[0]), quick...), keys.ES256, "", 1)
	s := signingOn(db, ringOf(t, secrets[1]), quick...)
	if err := s.Discard(t.Context()); err != nil {
		t.Fatal(err)
	}
	accepted(t, s, "a new token", sign(t, s, keys.ES256, "", 1))
	refused(t, s, "an old token", token)
}

// Whoever can write to the store but has no system secret must not get a key of his trusted, nor one key for another.
func TestChangedKeyRecordIsRefused(t *testing.T) {
	for name, change := range map[string]func(keys []map[string]any){
		"another's ciphertext": func(k []map[string]any) { k[0]["sealed"] = k[1]["sealed"] },
		"cut ciphertext":       func(k []map[string]any) { k[0]["sealed"] = "" },
		"another name":         func(k []map[string]any) { k[0]["kid"] = k[1]["kid"] },
		"another algorithm":    func(k []map[string]any) { k[0]["alg"] = keys.EdDSA },
		"an unknown algorithm": func(k []map[string]any) { k[0]["alg"] = "none" },
	} {
		db, _ := bolttest.Open(t, noon)
		ring := ringOf(t, keys.NewSecret())
		s := signingOn(db, ring, keys.ES256)
		if err := s.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		rewrite(t, db, change)
		if token, err := signingOn(db, ring, keys.ES256).Sign(t.Context(), keys.ES256, "", 1); err == nil || strings.Contains(err.Error(), "missing secret") {
			t.Errorf("%s: got %q and %v", name, token, err)
		}
	}
}

func rewrite(t *testing.T, db store.Store, change func(keys []map[string]any)) {
	t.Helper()
	record, err := db.Get(t.Context(), signingRecord)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Version int              `json:"v"`
		Keys    []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(record.Value, &r); err != nil {
		t.Fatal(err)
	}
	change(r.Keys)
	value, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set(t.Context(), signingRecord, value, store.Forever); err != nil {
		t.Fatal(err)
	}
}

// A record of a later release, or none at all, is not overwritten.
func TestForeignKeyRecordIsLeftAlone(t *testing.T) {
	for _, value := range []string{`{"v":2,"keys":[]}`, `{`, ""} {
		db, _ := bolttest.Open(t, noon)
		if err := db.Set(t.Context(), signingRecord, []byte(value), store.Forever); err != nil {
			t.Fatal(err)
		}
		s := signingOn(db, ringOf(t, keys.NewSecret()), quick...)
		if err := s.Maintain(t.Context()); err == nil {
			t.Errorf("%q was maintained", value)
		}
		if token, err := s.Sign(t.Context(), keys.ES256, "", 1); err == nil {
			t.Errorf("%q: got %s", value, token)
		}
		if record, err := db.Get(t.Context(), signingRecord); err != nil || string(record.Value) != value {
			t.Errorf("%q became %q, %v", value, record.Value, err)
		}
	}
}
