package keys_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/store/storetest/crashtest"
)

const keep = 100 * 24 * time.Hour

func enroll(t *testing.T, s store.Store, secrets ...keys.Secret) error {
	t.Helper()
	return ringOf(t, secrets...).Enroll(t.Context(), s, keep)
}

func enrolls(t *testing.T, s store.Store, secrets ...keys.Secret) {
	t.Helper()
	if err := enroll(t, s, secrets...); err != nil {
		t.Fatal(err)
	}
}

// A process without a secret that the store was used with could check nothing of what was issued under it, and would
// answer every such token with "invalid".
func TestEnrollRefusesWithoutASecretOfTheStore(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	secrets := secretsApart(t, 2)
	enrolls(t, s, secrets[0])
	enrolls(t, s, secrets[0]) // at each start
	err := enroll(t, s, secrets[1])
	var missing *keys.MissingSecretError
	if !errors.As(err, &missing) {
		t.Fatalf("got %v, want a MissingSecretError", err)
	}
	if len(missing.Fingerprints) != 1 || missing.Fingerprints[0] != secrets[0].Fingerprint() || !missing.Lapses.Equal(noon.Add(keep)) {
		t.Errorf("got %+v", missing)
	}
	for _, want := range []string{secrets[0].Fingerprint(), secrets[1].Fingerprint(), "add the missing secret"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	// The refused secret left no mark.
	enrolls(t, s, secrets[0])
}

// The way to a new secret: put it first and keep the old one, until nothing is left that the old one signed.
func TestRetiredSecretLapses(t *testing.T) {
	s, c := bolttest.Open(t, noon)
	secrets := secretsApart(t, 2)
	old, next := secrets[0], secrets[1]
	enrolls(t, s, old)
	c.Advance(10 * 24 * time.Hour)
	enrolls(t, s, old)
	enrolls(t, s, next, old)
	for day := range 99 {
		c.Advance(24 * time.Hour)
		enrolls(t, s, next, old)
		if enroll(t, s, next) == nil {
			t.Fatalf("the old secret could be left out after %d days", day+1)
		}
	}
	c.Advance(24 * time.Hour)
	enrolls(t, s, next)
	if enroll(t, s, old) == nil {
		t.Error("the new secret could be left out")
	}
}

// A shorter life of what is issued now does not shorten the life of what was issued before.
func TestEnrollNeverShortensAnEarlierPromise(t *testing.T) {
	s, c := bolttest.Open(t, noon)
	secrets := secretsApart(t, 2)
	enrolls(t, s, secrets[0])
	if err := ringOf(t, secrets[0]).Enroll(t.Context(), s, time.Hour); err != nil {
		t.Fatal(err)
	}
	c.Advance(2 * time.Hour)
	if enroll(t, s, secrets[1]) == nil {
		t.Error("the secret has lapsed too early")
	}
}

// Two processes with different secrets must not both go on, whichever way they meet.
func TestRacingProcessesWithDifferentSecretsDoNotBothStart(t *testing.T) {
	for range 20 {
		s, _ := bolttest.Open(t, noon)
		secrets := secretsApart(t, 2)
		errs := make([]error, 2)
		var wait sync.WaitGroup
		for i := range errs {
			ring := ringOf(t, secrets[i])
			wait.Go(func() { errs[i] = ring.Enroll(t.Context(), s, keep) })
		}
		wait.Wait()
		if errs[0] == nil && errs[1] == nil {
			t.Fatal("both went on")
		}
		// The one that gave way does not keep the other from starting again.
		for i, err := range errs {
			if err == nil {
				enrolls(t, s, secrets[i])
			}
		}
	}
}

func TestEnrollSurvivesACrashAnywhere(t *testing.T) {
	secret := keys.NewSecret()
	act := func(s store.Store) error { return ringOf(t, secret).Enroll(t.Context(), s, keep) }
	prepare := func(t *testing.T) store.Store {
		s, _ := bolttest.Open(t, noon)
		return s
	}
	crashtest.Every(t, prepare, act, func(t *testing.T, s store.Store, repeated error) {
		if repeated != nil {
			t.Error(repeated)
		}
		members, err := s.Members(t.Context(), "secrets", "", 10)
		if err != nil || len(members) != 1 || members[0].Name != secret.Fingerprint() {
			t.Errorf("got %v and %v", members, err)
		}
	})
}

// A store that cannot be read proves nothing.
func TestEnrollFailsWhenTheStoreDoes(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	s.Close()
	if err := enroll(t, s, keys.NewSecret()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}
