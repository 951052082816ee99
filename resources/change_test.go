package resources_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/store/storetest/crashtest"
)

func TestUpdateRefusesWhatHasItsOwnCall(t *testing.T) {
	r, _ := open(t)
	create(t, r, define("orders", "orders:read"))
	for field, change := range map[string]func(*resources.Resource){
		"number":         func(r *resources.Resource) { r.Number++ },
		"slug":           func(r *resources.Resource) { r.Slug = "other" },
		"built_in":       func(r *resources.Resource) { r.BuiltIn = true },
		"created":        func(r *resources.Resource) { r.Created = noon.Add(time.Hour) },
		"secrets":        func(r *resources.Resource) { r.Secrets[0].Hash[0]++ },
		"id":             func(r *resources.Resource) { r.ID = "orders" },
		"name":           func(r *resources.Resource) { r.Name = "" },
		"scopes[0].name": func(r *resources.Resource) { r.Scopes[0].Name = "" },
	} {
		_, err := r.Update(t.Context(), "orders", func(resource *resources.Resource) error {
			change(resource)
			return nil
		})
		wantInvalid(t, field, err, field)
	}
	refusal := errors.New("no")
	_, err := r.Update(t.Context(), "orders", func(*resources.Resource) error { return refusal })
	wantErr(t, "a refusing change", err, refusal)
	_, err = r.Update(t.Context(), "absent", func(*resources.Resource) error { return nil })
	wantErr(t, "absent", err, store.ErrNotFound)
}

// Every start of every process calls it: it makes what is missing, brings the rest to its definition, and else writes
// nothing.
func TestEnsureIsIdempotent(t *testing.T) {
	s, clock := bolttest.Open(t, noon)
	d := define("safeconduct", "admin:users", "openid")
	first, err := on(s).Ensure(t.Context(), d)
	if err != nil || !first.BuiltIn || len(first.Secrets) != 0 {
		t.Fatalf("got %+v and %v", first, err)
	}
	before, err := s.Get(t.Context(), "resource/safeconduct")
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if _, err := on(s).Ensure(t.Context(), d); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	after, err := s.Get(t.Context(), "resource/safeconduct")
	if err != nil || after.ID != before.ID {
		t.Errorf("the record was written again: %v", err)
	}
	// A new release brings a new scope, and the server may have moved.
	d.ID, d.Scopes = "https://new.example.org", append(d.Scopes, resources.Scope{Name: "admin:clients"})
	second, err := on(s).Ensure(t.Context(), d)
	if err != nil || second.ID != d.ID || len(second.Scopes) != 3 || second.Number != first.Number || second.Scopes[0].Number != first.Scopes[0].Number {
		t.Errorf("got %+v and %v", second, err)
	}
}

func TestEnsureByManyProcessesAtOnce(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if _, err := on(s).Ensure(t.Context(), define("safeconduct", "admin:users")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if list, err := on(s).List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%d resources: %v", len(list), err)
	}
}

// Nobody may take the place of a built-in resource, nor delete it.
func TestBuiltInResourcesAreOurs(t *testing.T) {
	r, _ := open(t)
	if _, err := r.Ensure(t.Context(), define("safeconduct", "admin:users")); err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, "delete", r.Delete(t.Context(), "safeconduct"), "slug")
	_, _, err := r.AddSecret(t.Context(), "safeconduct", 0)
	wantInvalid(t, "a secret", err, "secrets")
	_, err = r.Authenticate(t.Context(), "safeconduct", "")
	wantErr(t, "authenticate", err, resources.ErrUnauthenticated)
	create(t, r, define("orders", "orders:read"))
	_, err = r.Ensure(t.Context(), define("orders", "orders:read"))
	wantInvalid(t, "a place that is taken", err, "slug")
	_, err = r.Ensure(t.Context(), define("demo", "orders:read"))
	wantErr(t, "a scope that is taken", err, store.ErrExists)
}

func TestCreateSurvivesACrashAnywhere(t *testing.T) {
	act := func(s store.Store) error {
		_, _, err := on(s).Create(context.Background(), define("orders", "orders:read"))
		return err
	}
	prepare := func(t *testing.T) store.Store {
		s, _ := bolttest.Open(t, noon)
		return s
	}
	crashtest.Every(t, prepare, act, func(t *testing.T, s store.Store, repeated error) {
		if repeated != nil && !errors.Is(repeated, store.ErrExists) {
			t.Errorf("repeated: %v", repeated)
		}
		c := catalogue(t, on(s))
		if scope, resource, found := c.Scope("orders:read"); !found || resource.Slug != "orders" || scope.Number == 0 || len(c.All()) != 1 {
			t.Errorf("got %+v of %+v among %d", scope, resource, len(c.All()))
		}
	})
}

func TestUpdateSurvivesACrashAnywhere(t *testing.T) {
	act := func(s store.Store) error {
		_, err := on(s).Update(context.Background(), "orders", func(resource *resources.Resource) error {
			resource.Scopes = define("orders", "orders:write").Scopes
			return nil
		})
		return err
	}
	prepare := func(t *testing.T) store.Store {
		s, _ := bolttest.Open(t, noon)
		create(t, on(s), define("orders", "orders:read"))
		return s
	}
	crashtest.Every(t, prepare, act, func(t *testing.T, s store.Store, repeated error) {
		if repeated != nil {
			t.Errorf("repeated: %v", repeated)
		}
		create(t, on(s), define("other", "orders:read")) // it is free
		c := catalogue(t, on(s))
		for scope, owner := range map[string]string{"orders:write": "orders", "orders:read": "other"} {
			if _, resource, found := c.Scope(scope); !found || resource.Slug != owner {
				t.Errorf("%s belongs to %+v", scope, resource)
			}
		}
	})
}
