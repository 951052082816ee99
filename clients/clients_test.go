package clients_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/store/storetest/crashtest"
)

const callback = "https://app.example.org/callback"

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func on(s store.Store) *clients.Registry { return clients.New(s, store.NewChanges(s)) }

func open(t *testing.T) (*clients.Registry, *bolttest.Clock) {
	t.Helper()
	s, c := bolttest.Open(t, noon)
	return on(s), c
}

func confidential() clients.Registration {
	return clients.Registration{
		Name: "Orders App", Type: clients.Confidential,
		GrantTypes:   []string{clients.AuthorizationCode, clients.RefreshToken},
		Scopes:       []string{"orders:read", "orders:write"},
		RedirectURIs: []string{callback},
	}
}

func public() clients.Registration {
	r := confidential()
	r.Name, r.Type = "Orders on the Phone", clients.Public
	return r
}

func service() clients.Registration {
	return clients.Registration{Name: "Nightly Job", Type: clients.Service, GrantTypes: []string{clients.ClientCredentials}}
}

func create(t *testing.T, r *clients.Registry, n clients.Registration) (*clients.Client, string) {
	t.Helper()
	c, secret, err := r.Create(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return c, secret
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
	var invalid *clients.InvalidError
	if !errors.As(err, &invalid) || invalid.Field != field || invalid.Problem == "" || invalid.Fix == "" {
		t.Errorf("%s: got %v, want a refusal of %s", what, err, field)
	}
}

func TestClientIsFoundByIDAndNumber(t *testing.T) {
	r, _ := open(t)
	a, _ := create(t, r, confidential())
	b, _ := create(t, r, confidential())
	if a.ID == b.ID || a.Number == b.Number || a.Number == 0 || a.Epoch == 0 {
		t.Errorf("got %s #%d and %s #%d", a.ID, a.Number, b.ID, b.Number)
	}
	byID, err := r.Get(t.Context(), a.ID)
	if err != nil || byID.Number != a.Number {
		t.Errorf("by ID: got %v", err)
	}
	byNumber, err := r.ByNumber(t.Context(), b.Number)
	if err != nil || byNumber.ID != b.ID {
		t.Errorf("by number: got %v", err)
	}
	fresh, err := r.Fresh(t.Context(), b.Number)
	if err != nil || fresh.ID != b.ID {
		t.Errorf("fresh: got %v", err)
	}
	for _, absent := range []string{"", "nobody", "Nobody", "a/b", strings.Repeat("a", 100), "a\x00"} {
		_, err := r.Get(t.Context(), absent)
		wantErr(t, absent, err, store.ErrNotFound)
	}
	_, err = r.ByNumber(t.Context(), 999)
	wantErr(t, "an absent number", err, store.ErrNotFound)
	list, err := r.List(t.Context(), "", 10)
	if err != nil || len(list) != 2 {
		t.Errorf("%d are listed: %v", len(list), err)
	}
}

// The server chooses an ID that tells people which client it is and nobody foresees.
func TestServerChoosesReadableIDs(t *testing.T) {
	r, _ := open(t)
	for name, want := range map[string]string{
		"Orders App":                          `^orders-app-[a-z2-7]{12}$`,
		"  x":                                 "",
		"李雷's Café №5":                        `^s-caf-5-[a-z2-7]{12}$`,
		"李":                                   `^client-[a-z2-7]{12}$`,
		"--- ---":                             `^client-[a-z2-7]{12}$`,
		strings.Repeat("very-long ", 9) + "x": `^[a-z-]{1,33}-[a-z2-7]{12}$`,
	} {
		n := confidential()
		n.Name = name
		c, _, err := r.Create(t.Context(), n)
		if want == "" {
			wantInvalid(t, name, err, "name")
			continue
		}
		if err != nil || !regexp.MustCompile(want).MatchString(c.ID) {
			t.Errorf("%q: got %+v and %v, want %s", name, c, err, want)
		}
	}
}

func TestGivenIDsAreKeptAndUnique(t *testing.T) {
	r, _ := open(t)
	n := confidential()
	n.ID = "orders"
	if c, _ := create(t, r, n); c.ID != "orders" {
		t.Errorf("got %s", c.ID)
	}
	_, _, err := r.Create(t.Context(), n)
	wantErr(t, "again", err, store.ErrExists)
	for _, bad := range []string{"Orders", "or ders", "-orders", "orders-", "or:ders", "or/ders", "örders", strings.Repeat("a", 65), "orders\n", "."} {
		n.ID = bad
		_, _, err := r.Create(t.Context(), n)
		wantInvalid(t, bad, err, "client_id")
	}
}

// Some clients form-encode ID and secret and some do not, so neither may need it.
func TestIDsAndSecretsNeedNoEncoding(t *testing.T) {
	r, _ := open(t)
	c, secret := create(t, r, confidential())
	if !regexp.MustCompile(`^[A-Za-z0-9._~-]+$`).MatchString(c.ID + secret) {
		t.Errorf("got %s and a secret of %d characters", c.ID, len(secret))
	}
}

// A secret is shown once. Nothing that is kept contains it.
func TestSecretIsNotKept(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	_, secret := create(t, on(s), confidential())
	list, err := on(s).List(t.Context(), "", 10)
	if err != nil || len(list) != 1 {
		t.Fatal(err)
	}
	record, err := s.Get(t.Context(), "client/"+list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(record.Value), secret) || strings.Contains(string(record.Value), secret[4:30]) {
		t.Error("the record shows the secret")
	}
}

// Numbers stand in grants. Should the counter be set back, by a restored backup or a failover, no client may get the
// number of another.
func TestNumbersAreNotReusedWhenTheCounterIsLost(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	r := on(s)
	seen := make(map[uint32]bool)
	for range 3 {
		c, _ := create(t, r, service())
		seen[c.Number] = true
	}
	if err := s.Delete(t.Context(), "client:number"); err != nil {
		t.Fatal(err)
	}
	c, _ := create(t, r, service())
	if seen[c.Number] {
		t.Errorf("number %d was given twice", c.Number)
	}
}

// A registration that was cut short can be repeated. Only when it had been done in full, and the answer was lost, is
// the answer that the ID is taken.
func TestCreateSurvivesACrashAnywhere(t *testing.T) {
	act := func(s store.Store) error {
		n := confidential()
		n.ID = "orders"
		_, _, err := on(s).Create(context.Background(), n)
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
		r := on(s)
		list, err := r.List(t.Context(), "", 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d are listed: %v", len(list), err)
		}
		c, err := r.ByNumber(t.Context(), list[0].Number)
		if err != nil || c.ID != "orders" || len(c.Secrets) != 1 {
			t.Errorf("got %+v and %v", c, err)
		}
	})
}

// Disabling and deleting can be repeated when they were cut short.
func TestEndingsSurviveACrashAnywhere(t *testing.T) {
	for name, act := range map[string]func(*clients.Registry) error{
		"Disable": func(r *clients.Registry) error {
			_, err := r.Disable(context.Background(), "orders")
			return err
		},
		"Delete": func(r *clients.Registry) error { return r.Delete(context.Background(), "orders") },
	} {
		t.Run(name, func(t *testing.T) {
			prepare := func(t *testing.T) store.Store {
				s, _ := bolttest.Open(t, noon)
				n := confidential()
				n.ID = "orders"
				create(t, on(s), n)
				return s
			}
			run := func(s store.Store) error { return act(on(s)) }
			crashtest.Every(t, prepare, run, func(t *testing.T, s store.Store, repeated error) {
				if repeated != nil {
					t.Errorf("repeated: %v", repeated)
				}
				c, err := on(s).Get(t.Context(), "orders")
				if name == "Delete" {
					wantErr(t, "the client", err, store.ErrNotFound)
				} else if err != nil || !c.Disabled || c.Epoch < 2 {
					t.Errorf("got %+v and %v", c, err)
				}
			})
		})
	}
}
