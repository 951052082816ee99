package users_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/users"
)

// endings are the calls that end everything granted in a user's name.
var endings = map[string]func(context.Context, *room, uuid.UUID) error{
	"SetPassword": func(ctx context.Context, r *room, id uuid.UUID) error {
		return r.SetPassword(ctx, id, "a whole new password")
	},
	"Disable": func(ctx context.Context, r *room, id uuid.UUID) error {
		_, err := r.Disable(ctx, id)
		return err
	},
	"EndSessions": func(ctx context.Context, r *room, id uuid.UUID) error { return r.EndSessions(ctx, id) },
	"Delete":      func(ctx context.Context, r *room, id uuid.UUID) error { return r.Delete(ctx, id) },
	"taking administration away": func(ctx context.Context, r *room, id uuid.UUID) error {
		_, err := r.Update(ctx, id, func(u *users.User) error {
			u.Admin = false
			return nil
		})
		return err
	},
	"demanding a second factor": func(ctx context.Context, r *room, id uuid.UUID) error {
		_, err := r.Update(ctx, id, func(u *users.User) error {
			u.SecondFactor = true
			return nil
		})
		return err
	},
}

func (r *room) createAdmin(t *testing.T) *users.User {
	t.Helper()
	u, err := r.Create(t.Context(), users.NewUser{Username: "alice", Password: password, Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// The epoch goes first: a token that is being issued meanwhile is then refused by its issuer, whereas grants that were
// ended first could be followed by one more.
func TestEpochIsRaisedBeforeGrantsAreEnded(t *testing.T) {
	for name, act := range endings {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			u := r.createAdmin(t)
			if err := act(t.Context(), r, u.ID); err != nil {
				t.Fatal(err)
			}
			epochs := r.ender.ended(u.ID)
			if len(epochs) != 1 || epochs[0] != u.Epoch+1 {
				t.Errorf("the grants were ended at epochs %v, want %d", epochs, u.Epoch+1)
			}
		})
	}
}

// What was not ended must not look ended, and the repetition must end it.
func TestEndingThatFailsIsAnErrorAndCanBeRepeated(t *testing.T) {
	for name, act := range endings {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			u := r.createAdmin(t)
			r.ender.fail(store.ErrUnavailable)
			wantErr(t, "while grants cannot be ended", act(t.Context(), r, u.ID), store.ErrUnavailable)
			if now, err := r.Fresh(t.Context(), u.ID); err != nil || now.Epoch == u.Epoch {
				t.Errorf("the epoch was not raised: %v", err)
			}
			r.ender.fail(nil)
			if err := act(t.Context(), r, u.ID); err != nil {
				t.Fatal(err)
			}
			if len(r.ender.ended(u.ID)) == 0 {
				t.Error("the repetition ended nothing")
			}
		})
	}
}

// A disabled user is shut out with the right password too, and let in again when enabled.
func TestDisabledUserIsShutOut(t *testing.T) {
	r := open(t)
	u := r.create(t, "alice")
	for range 2 {
		if now, err := r.Disable(t.Context(), u.ID); err != nil || !now.Disabled {
			t.Fatalf("got %+v and %v", now, err)
		}
	}
	wantErr(t, "disabled", r.try(t, "alice", password), users.ErrCredentials)
	now, err := r.Enable(t.Context(), u.ID)
	if err != nil || now.Disabled || now.Epoch <= u.Epoch {
		t.Fatalf("got %+v and %v", now, err)
	}
	wantErr(t, "enabled", r.try(t, "alice", password), nil)
}

// A new password ends the old one. It does not let a disabled user in.
func TestSetPassword(t *testing.T) {
	r := open(t)
	u := r.create(t, "alice")
	r.clock.Advance(time.Hour)
	if err := r.SetPassword(t.Context(), u.ID, "a whole new password"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "old password", r.try(t, "alice", password), users.ErrCredentials)
	wantErr(t, "new password", r.try(t, "alice", "a whole new password"), nil)
	if now, err := r.Fresh(t.Context(), u.ID); err != nil || !now.PasswordChanged.Equal(noon.Add(time.Hour)) {
		t.Errorf("got %+v and %v", now, err)
	}
	var invalid *users.InvalidError
	if err := r.SetPassword(t.Context(), u.ID, "short"); !errors.As(err, &invalid) {
		t.Errorf("a short password: got %v", err)
	}
	wantErr(t, "nobody's password", r.SetPassword(t.Context(), uuid.New(), password), store.ErrNotFound)
	if _, err := r.Disable(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	if err := r.SetPassword(t.Context(), u.ID, password); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "disabled with a new password", r.try(t, "alice", password), users.ErrCredentials)
}

// A deleted user's name may go to somebody else, his ID never.
func TestDeleteFreesTheNameAndNotTheID(t *testing.T) {
	r := open(t)
	u := r.create(t, "alice")
	r.fail(t, "alice", 6)
	for range 2 {
		if err := r.Delete(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.Get(t.Context(), u.ID)
	wantErr(t, "Get", err, store.ErrNotFound)
	again := r.create(t, "alice")
	if again.ID == u.ID {
		t.Error("the ID was used again")
	}
	wantErr(t, "the new user", r.try(t, "alice", password), nil)
}

func TestUpdateChangesAndValidates(t *testing.T) {
	r := open(t)
	u := r.create(t, "alice")
	r.create(t, "bob")
	r.clock.Advance(time.Hour)
	now, err := r.Update(t.Context(), u.ID, func(u *users.User) error {
		u.Username, u.Name, u.Email, u.Admin = "ALICIA", "Alicia", "a@example.org", true
		return nil
	})
	if err != nil || now.Username != "alicia" || now.Name != "Alicia" || !now.Admin || !now.Updated.Equal(noon.Add(time.Hour)) {
		t.Fatalf("got %+v and %v", now, err)
	}
	if len(r.ender.ended(u.ID)) != 0 || now.Epoch != u.Epoch {
		t.Error("more rights ended the grants")
	}
	wantErr(t, "login", r.try(t, "alicia", password), nil)
	_, err = r.Update(t.Context(), u.ID, func(u *users.User) error {
		u.Username = "Bob"
		return nil
	})
	wantErr(t, "a taken name", err, store.ErrExists)
	refusal := errors.New("no")
	_, err = r.Update(t.Context(), u.ID, func(*users.User) error { return refusal })
	wantErr(t, "a refusing change", err, refusal)
}

// A mark that somebody earned with one address must not pass on to another, or whoever may change his own address
// becomes, to every client that goes by addresses, whomever he likes.
func TestANewEmailIsNotVerified(t *testing.T) {
	r := open(t)
	edit := func(t *testing.T, id uuid.UUID, change func(*users.User)) *users.User {
		t.Helper()
		u, err := r.Update(t.Context(), id, func(u *users.User) error {
			change(u)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for name, test := range map[string]struct {
		change func(*users.User)
		want   bool
	}{
		"new email":                       {func(u *users.User) { u.Email = "b@example.org" }, false},
		"new email in other letters":      {func(u *users.User) { u.Email = "A@example.org" }, false},
		"new email with its own mark":     {func(u *users.User) { u.Email, u.EmailVerified = "b@example.org", true }, true},
		"new email and another name":      {func(u *users.User) { u.Email, u.Name = "b@example.org", "Bea" }, false},
		"no email":                        {func(u *users.User) { u.Email = "" }, false},
		"the same email again":            {func(u *users.User) { u.Email = "a@example.org" }, true},
		"something else":                  {func(u *users.User) { u.Name = "Bea" }, true},
		"the mark taken off":              {func(u *users.User) { u.EmailVerified = false }, false},
		"the mark taken off and set":      {func(u *users.User) { u.EmailVerified = false; u.EmailVerified = true }, true},
		"new email, and the mark denied":  {func(u *users.User) { u.Email, u.EmailVerified = "b@example.org", false }, false},
		"administration and a new e-mail": {func(u *users.User) { u.Email, u.Admin = "b@example.org", true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := r.Create(t.Context(), users.NewUser{Username: uuid.NewString()[:8] + "x", Email: "a@example.org", EmailVerified: true})
			if err != nil || !u.EmailVerified {
				t.Fatalf("got %+v: %v", u, err)
			}
			edit(t, u.ID, test.change)
			if now, err := r.Fresh(t.Context(), u.ID); err != nil || now.EmailVerified != test.want {
				t.Errorf("got %+v, want verified %v: %v", now, test.want, err)
			}
		})
	}
	u := edit(t, r.create(t, "alice").ID, func(u *users.User) { u.Email = "a@example.org" })
	if u.EmailVerified {
		t.Error("a first address is verified by itself")
	}
	if u = edit(t, u.ID, func(u *users.User) { u.EmailVerified = true }); !u.EmailVerified {
		t.Error("an address cannot be verified")
	}
	var invalid *users.InvalidError
	_, err := r.Update(t.Context(), u.ID, func(u *users.User) error {
		u.Email, u.EmailVerified = "", true
		return nil
	})
	if !errors.As(err, &invalid) || invalid.Field != "email_verified" {
		t.Errorf("a mark on no address: got %v", err)
	}
	if _, err = r.Create(t.Context(), users.NewUser{Username: "bea", EmailVerified: true}); !errors.As(err, &invalid) || invalid.Field != "email_verified" {
		t.Errorf("a new user's mark on no address: got %v", err)
	}
}

// What people may change of themselves is the name by which they are shown, and nothing by which they are known.
func TestRenameChangesTheShownNameAlone(t *testing.T) {
	r := open(t)
	u, err := r.Create(t.Context(), users.NewUser{Username: "alice", Password: password, Name: "Alice", Email: "a@example.org", EmailVerified: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Alice B. Cooper", "", "Ａ"} {
		wantErr(t, name, r.Rename(t.Context(), u.ID, name), nil)
		want := *u
		want.Name = name
		if now, err := r.Fresh(t.Context(), u.ID); err != nil || *now != want {
			t.Errorf("got %+v, want %+v: %v", now, want, err)
		}
	}
	for _, bad := range []string{"a\x00", "a\u202eb", " a", "\xff", strings.Repeat("a", 201)} {
		var invalid *users.InvalidError
		if err := r.Rename(t.Context(), u.ID, bad); !errors.As(err, &invalid) || invalid.Field != "name" {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	wantErr(t, "nobody", r.Rename(t.Context(), uuid.New(), "x"), store.ErrNotFound)
}

// What has a call of its own, with duties, must not be changed without them. A handler that copies a request into the
// record is found here.
func TestUpdateRefusesWhatHasItsOwnCall(t *testing.T) {
	r := open(t)
	u := r.create(t, "alice")
	for field, change := range map[string]func(*users.User){
		"id":       func(u *users.User) { u.ID = uuid.New() },
		"hash":     func(u *users.User) { u.Hash = "" },
		"disabled": func(u *users.User) { u.Disabled = true },
		"epoch":    func(u *users.User) { u.Epoch = 0 },
		"created":  func(u *users.User) { u.Created = u.Created.Add(time.Hour) },
		"username": func(u *users.User) { u.Username = "" },
		"name":     func(u *users.User) { u.Name = "\x00" },
		"email":    func(u *users.User) { u.Email = "?" },
	} {
		_, err := r.Update(t.Context(), u.ID, func(u *users.User) error {
			change(u)
			return nil
		})
		var invalid *users.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
	if now, err := r.Fresh(t.Context(), u.ID); err != nil || fmt.Sprint(*now) != fmt.Sprint(*u) {
		t.Errorf("got %+v, want %+v: %v", now, u, err)
	}
}

// A disabled user is disabled at every process within a second.
func TestDisablingReachesOtherProcesses(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	here, there := running(t, s), running(t, s)
	u, err := here.Create(t.Context(), users.NewUser{Username: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := there.Get(t.Context(), u.ID); err != nil || got.Disabled {
		t.Fatalf("got %+v and %v", got, err)
	}
	if _, err := here.Disable(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
		got, err := there.Get(t.Context(), u.ID)
		if err == nil && got.Disabled && got.Epoch > u.Epoch {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("a second later: %+v and %v", got, err)
		}
	}
}

// running is a registry with its changes running, as a process has them.
func running(t *testing.T, s store.Store) *users.Registry {
	t.Helper()
	return users.New(users.Config{
		Store: s, Changes: bolttest.Changes(t, s), Hasher: users.NewHasher(cheap, 1, 1),
		Grants: &ender{registry: on(s, nil, users.Limits{}).Registry, epochs: make(map[uuid.UUID][]uint32)},
	})
}
