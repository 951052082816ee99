package users_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/store/storetest/crashtest"
	"github.com/safeconduct/safeconduct/users"
)

// Cut short anywhere, an ending can be repeated, and then everything has ended.
func TestEndingsSurviveACrashAnywhere(t *testing.T) {
	for _, name := range []string{"SetPassword", "Delete", "taking administration away"} { // the others go the same ways
		act := endings[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var u *users.User
			hasher := users.NewHasher(cheap, 1, 1)
			ended := false
			prepare := func(t *testing.T) store.Store {
				s, _ := bolttest.Open(t, noon)
				u = on(s, hasher, users.Limits{}).createAdmin(t)
				ended = false
				return s
			}
			run := func(s store.Store) error {
				r := on(s, hasher, users.Limits{})
				err := act(context.Background(), r, u.ID)
				epochs := r.ender.ended(u.ID)
				ended = ended || len(epochs) > 0
				return err
			}
			crashtest.Every(t, prepare, run, func(t *testing.T, s store.Store, repeated error) {
				r := on(s, hasher, users.Limits{})
				if repeated != nil {
					t.Errorf("repeated: %v", repeated)
				}
				if !ended {
					t.Error("the grants were never ended")
				}
				now, err := r.Fresh(t.Context(), u.ID)
				if name == "Delete" {
					wantErr(t, "the user", err, store.ErrNotFound)
					_, err := r.ByName(t.Context(), "alice")
					wantErr(t, "the name", err, store.ErrNotFound)
					if list, err := r.List(t.Context(), uuid.Nil, 10); err != nil || len(list) != 0 {
						t.Errorf("%d are listed: %v", len(list), err)
					}
					r.create(t, "alice")
					return
				}
				if err != nil || now.Epoch <= u.Epoch {
					t.Errorf("the epoch is not higher: %v", err)
				}
			})
		})
	}
}

// A creation that was cut short can be repeated. Only when it had been done in full, and the answer was lost, is the
// answer that the name is taken.
func TestCreateSurvivesACrashAnywhere(t *testing.T) {
	t.Parallel()
	hasher := users.NewHasher(cheap, 1, 1)
	act := func(s store.Store) error {
		_, err := on(s, hasher, users.Limits{}).Create(context.Background(), users.NewUser{Username: "Alice", Password: password})
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
		r := on(s, hasher, users.Limits{})
		list, err := r.List(t.Context(), uuid.Nil, 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d are listed: %v", len(list), err)
		}
		u, err := r.ByName(t.Context(), "alice")
		if err != nil || u.ID != list[0].ID {
			t.Errorf("the name leads elsewhere: %v", err)
		}
		wantErr(t, "login", r.try(t, "alice", password), nil)
	})
}

// A renaming that was cut short can be repeated, and leaves no second name behind.
func TestRenameSurvivesACrashAnywhere(t *testing.T) {
	t.Parallel()
	hasher := users.NewHasher(cheap, 1, 1)
	var u *users.User
	prepare := func(t *testing.T) store.Store {
		s, _ := bolttest.Open(t, noon)
		u = on(s, hasher, users.Limits{}).create(t, "alice")
		return s
	}
	act := func(s store.Store) error {
		_, err := on(s, hasher, users.Limits{}).Update(context.Background(), u.ID, func(u *users.User) error {
			u.Username = "Alicia"
			return nil
		})
		return err
	}
	crashtest.Every(t, prepare, act, func(t *testing.T, s store.Store, repeated error) {
		if repeated != nil {
			t.Errorf("repeated: %v", repeated)
		}
		r := on(s, hasher, users.Limits{})
		wantErr(t, "login by the new name", r.try(t, "ALICIA", password), nil)
		wantErr(t, "login by the old name", r.try(t, "alice", password), users.ErrCredentials)
		r.create(t, "alice")
	})
}
