package keys_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// quick are the algorithms whose keys cost nothing to make.
var quick = []string{keys.ES256, keys.EdDSA}

// signingOn is the Signing of another process on each call.
func signingOn(s store.Store, ring *keys.Ring, algorithms ...string) *keys.Signing {
	return keys.NewSigning(keys.SigningConfig{Store: s, Changes: store.NewChanges(s), Ring: ring, Algorithms: algorithms})
}

// runningOn is signingOn with its changes running, as a process has them.
func runningOn(t testing.TB, s store.Store, ring *keys.Ring, algorithms ...string) *keys.Signing {
	t.Helper()
	changes := store.NewChanges(s)
	signing := keys.NewSigning(keys.SigningConfig{Store: s, Changes: changes, Ring: ring, Algorithms: algorithms})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = changes.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	for !changes.Fresh() {
		time.Sleep(time.Millisecond)
	}
	return signing
}

func sign(t testing.TB, s *keys.Signing, algorithm, typ string, claims any) string {
	t.Helper()
	token, err := s.Sign(t.Context(), algorithm, typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func list(t testing.TB, s *keys.Signing) []keys.SigningKey {
	t.Helper()
	list, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func maintain(t testing.TB, s *keys.Signing) {
	t.Helper()
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// On a new installation there is nothing to set up and nothing to wait for.
func TestFirstUseMakesKeysThatSignAtOnce(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret())) // all algorithms, by default
	for _, algorithm := range []string{keys.RS256, keys.ES256, keys.EdDSA} {
		token := sign(t, s, algorithm, "", map[string]string{"sub": "alice"})
		payload, err := s.Verify(t.Context(), token)
		if err != nil || string(payload) != `{"sub":"alice"}` {
			t.Errorf("%s: got %s and %v", algorithm, payload, err)
		}
	}
	made := list(t, s)
	if len(made) != 3 {
		t.Fatalf("there are %d keys, want 3", len(made))
	}
	for _, k := range made {
		if !k.Created.Equal(noon) || !k.SignsFrom.Equal(noon) || !k.SignsUntil.IsZero() || !k.PublishedUntil.IsZero() {
			t.Errorf("got %+v", k)
		}
	}
}

// A successor is published at once, signs a day later, and the old key goes when the last that it signed has lapsed.
func TestRotationIsStaged(t *testing.T) {
	db, c := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()), keys.EdDSA)
	token := sign(t, s, keys.EdDSA, "", 1)
	if err := s.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	both := list(t, s)
	if len(both) != 2 || !both[0].SignsUntil.Equal(noon.Add(ahead)) || !both[1].SignsFrom.Equal(noon.Add(ahead)) {
		t.Fatalf("got %+v", both)
	}
	for _, test := range []struct {
		at              time.Duration
		signer          string
		accepted, there bool
	}{
		{0, both[0].ID, true, true},
		{ahead - time.Second, both[0].ID, true, true},
		{ahead, both[1].ID, true, true},
		{ahead + stays - time.Second, both[1].ID, true, true},
		{ahead + stays, both[1].ID, false, false},
	} {
		c.Advance(noon.Add(test.at).Sub(c.Now()))
		if got := keyOf(t, sign(t, s, keys.EdDSA, "", 2)); got != test.signer {
			t.Errorf("after %s key %s signs, want %s", test.at, got, test.signer)
		}
		if _, err := s.Verify(t.Context(), token); (err == nil) != test.accepted {
			t.Errorf("after %s: the old token: %v", test.at, err)
		}
		body, _ := jwks(t, s)
		if there := strings.Contains(body, both[0].ID); there != test.there {
			t.Errorf("after %s: the old key is published: %v", test.at, there)
		}
	}
	// Nobody is served it any more, and nobody shall find it in a backup either.
	maintain(t, s)
	record, err := db.Get(t.Context(), signingRecord)
	if err != nil || strings.Contains(string(record.Value), both[0].ID) {
		t.Errorf("the old key is still stored, or: %v", err)
	}
}

// An impatient finger must not fill the key set that every verifier fetches.
func TestRotateIsBounded(t *testing.T) {
	db, c := bolttest.Open(t, noon)
	s := signingOn(db, ringOf(t, keys.NewSecret()), keys.EdDSA)
	maintain(t, s)
	for range 4 {
		if err := s.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Rotate(t.Context()); err == nil || len(list(t, s)) != 5 {
		t.Errorf("got %v and %d keys", err, len(list(t, s)))
	}
	c.Advance(ahead)
	if err := s.Rotate(t.Context()); err != nil {
		t.Error(err)
	}
}

// Whoever has a leaked key must be able to do nothing more with it here.
func TestDiscardEndsEverythingSigned(t *testing.T) {
	db, _ := bolttest.Open(t, noon)
	ring := ringOf(t, keys.NewSecret())
	here, there := signingOn(db, ring, quick...), signingOn(db, ring, quick...)
	token := sign(t, here, keys.ES256, "", 1)
	if err := there.Discard(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Verify(t.Context(), token); !errors.Is(err, keys.ErrNotOurs) {
		t.Errorf("got %v, want ErrNotOurs", err)
	}
	if _, err := there.Verify(t.Context(), sign(t, here, keys.ES256, "", 1)); err != nil {
		t.Error(err)
	}
	if body, _ := jwks(t, here); strings.Contains(body, keyOf(t, token)) {
		t.Error("the key is still published")
	}
}
