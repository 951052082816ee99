package resources_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func on(s store.Store) *resources.Registry { return resources.New(s, store.NewChanges(s)) }

func open(t *testing.T) (*resources.Registry, *bolttest.Clock) {
	t.Helper()
	s, c := bolttest.Open(t, noon)
	return on(s), c
}

// define is a resource whose scopes have the names given.
func define(slug string, scopes ...string) resources.Definition {
	d := resources.Definition{ID: "https://api.example.org/" + slug, Slug: slug, Name: strings.ToUpper(slug)}
	for _, name := range scopes {
		d.Scopes = append(d.Scopes, resources.Scope{Name: name, Title: "May " + name})
	}
	return d
}

func create(t *testing.T, r *resources.Registry, d resources.Definition) (*resources.Resource, string) {
	t.Helper()
	resource, secret, err := r.Create(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return resource, secret
}

func catalogue(t *testing.T, r *resources.Registry) *resources.Catalogue {
	t.Helper()
	c, err := r.Catalogue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// wantInvalid checks that a field was refused, with a way out.
func wantInvalid(t *testing.T, what string, err error, field string) {
	t.Helper()
	var invalid *resources.InvalidError
	if !errors.As(err, &invalid) || invalid.Field != field || invalid.Problem == "" || invalid.Fix == "" {
		t.Errorf("%s: got %v, want a refusal of %s", what, err, field)
	}
}

func TestCreateNumbersEverything(t *testing.T) {
	r, _ := open(t)
	seen := make(map[uint32]bool)
	for _, slug := range []string{"orders", "stock"} {
		resource, secret := create(t, r, define(slug, slug+":read", slug+":write"))
		if secret == "" || len(resource.Secrets) != 1 || resource.BuiltIn {
			t.Errorf("got %+v", resource)
		}
		for _, n := range []uint32{resource.Number, resource.Scopes[0].Number, resource.Scopes[1].Number} {
			if n == 0 || seen[n] {
				t.Errorf("number %d is used twice", n)
			}
			seen[n] = true
		}
		got, err := r.Get(t.Context(), slug)
		if err != nil || got.ID != resource.ID {
			t.Errorf("got %v", err)
		}
	}
	list, err := r.List(t.Context())
	if err != nil || len(list) != 2 || list[0].Slug != "orders" {
		t.Errorf("got %v and %v", list, err)
	}
	_, err = r.Get(t.Context(), "absent")
	wantErr(t, "absent", err, store.ErrNotFound)
	_, err = r.Get(t.Context(), "Not a slug")
	wantErr(t, "no slug", err, store.ErrNotFound)
}
