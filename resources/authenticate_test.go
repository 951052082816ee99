package resources_test

import (
	"errors"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// A resource proves itself by its slug and one of its live secrets, and everything else is one and the same error.
func TestAuthentication(t *testing.T) {
	r, clock := open(t)
	orders, secret := create(t, r, define("orders", "orders:read"))
	_, otherSecret := create(t, r, define("stock", "stock:read"))
	authenticate := func(slug, secret string) error {
		resource, err := r.Authenticate(t.Context(), slug, secret)
		if (resource == nil) == (err == nil) {
			t.Errorf("got %v and %v", resource, err)
		}
		return err
	}
	wantErr(t, "good", authenticate("orders", secret), nil)
	for name, bad := range map[string][2]string{
		"unknown": {"nothing", secret}, "no slug": {"", secret}, "no secret": {"orders", ""}, "wrong": {"orders", secret + "x"},
		"another's": {"orders", otherSecret}, "capitals": {"ORDERS", secret}, "endless": {"orders", string(make([]byte, 1<<20))},
	} {
		if err := authenticate(bad[0], bad[1]); err != resources.ErrUnauthenticated {
			t.Errorf("%s: got %v, want ErrUnauthenticated", name, err)
		}
	}
	next, credential, err := r.AddSecret(t.Context(), "orders", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "old", authenticate("orders", secret), nil)
	wantErr(t, "next", authenticate("orders", next), nil)
	clock.Advance(time.Hour)
	wantErr(t, "next, at its end", authenticate("orders", next), resources.ErrUnauthenticated)
	for range 2 {
		wantErr(t, "revoke", r.RevokeSecret(t.Context(), "orders", orders.Secrets[0].ID), nil)
	}
	wantErr(t, "revoked", authenticate("orders", secret), resources.ErrUnauthenticated)
	if credential.ID == orders.Secrets[0].ID {
		t.Error("two secrets have one ID")
	}
	for range 5 {
		if _, _, err := r.AddSecret(t.Context(), "orders", 0); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = r.AddSecret(t.Context(), "orders", 0)
	wantInvalid(t, "a sixth", err, "secrets")
	_, _, err = r.AddSecret(t.Context(), "orders", time.Millisecond)
	wantInvalid(t, "a secret of a moment", err, "lifetime")
}

// Infrastructure that fails must never look like a wrong secret (ory/hydra #1928).
func TestStoreTroubleIsNotAWrongSecret(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	r := on(s)
	_, secret := create(t, r, define("orders"))
	s.Close()
	for _, slug := range []string{"orders", "nothing"} {
		_, err := r.Authenticate(t.Context(), slug, secret)
		wantErr(t, slug, err, store.ErrUnavailable)
		if errors.Is(err, resources.ErrUnauthenticated) {
			t.Errorf("%s: it is ErrUnauthenticated too", slug)
		}
	}
}
