package users

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

// Update changes a user's username, name, email, admin and second factor; everything is validated again. Taking
// administration away, and switching the second factor, end everything granted in the user's name. A new email is
// not verified, unless change says so itself by setting EmailVerified to true along with it. Other fields have methods
// of their own and must not be changed here. An error of change ends the update and is returned; change may run
// several times, each time on a copy of its own.
func (r *Registry) Update(ctx context.Context, id uuid.UUID, change func(*User) error) (*User, error) {
	u, err := r.table.Update(ctx, id.String(), func(u *User) error {
		before := *u
		if err := change(u); err != nil {
			return err
		}
		if err := verifiedAnew(&before, u, change); err != nil {
			return err
		}
		if err := untouched(&before, u); err != nil {
			return err
		}
		if err := validate(u); err != nil {
			return err
		}
		if *u == before {
			return nil
		}
		u.Updated = r.now()
		// A token issued to an administrator holds what he may no longer do; one issued by password alone must not
		// outlive the demand for more.
		if before.Admin && !u.Admin || before.SecondFactor != u.SecondFactor {
			u.Epoch++
			u.Ending = true
		}
		return nil
	})
	if err == nil && u.Ending { // by this update, or by an earlier one that could not finish
		err = r.end(ctx, &u)
	}
	return orNil(u, err)
}

// verifiedAnew takes the mark of the old email off a new one. Whether change left the mark or set it shows when it is
// asked again, without the mark.
func verifiedAnew(before, after *User, change func(*User) error) error {
	if after.Email == before.Email || !before.EmailVerified || !after.EmailVerified {
		return nil
	}
	unmarked := *before
	unmarked.EmailVerified = false
	if err := change(&unmarked); err != nil {
		return err
	}
	after.EmailVerified = unmarked.EmailVerified
	return nil
}

// Rename changes the name by which a user is shown. It is what people may change of themselves: it never makes
// anybody somebody else.
func (r *Registry) Rename(ctx context.Context, id uuid.UUID, name string) error {
	_, err := r.Update(ctx, id, func(u *User) error {
		u.Name = name
		return nil
	})
	return err
}

// untouched refuses an update of what only the methods for it may change.
func untouched(before, after *User) error {
	field := ""
	switch {
	case after.ID != before.ID:
		field = "id"
	case after.Hash != before.Hash:
		field = "hash"
	case after.Disabled != before.Disabled:
		field = "disabled"
	case after.Epoch != before.Epoch || after.Ending != before.Ending:
		field = "epoch"
	case after.Created != before.Created || after.Updated != before.Updated || after.PasswordChanged != before.PasswordChanged:
		field = "created"
	default:
		return nil
	}
	return &InvalidError{Field: field, Problem: "cannot be changed by an update", Fix: "use the call that is made for it"}
}

// ChangePassword is SetPassword for who proves, by an attempt with the current password, that he is the user: a session or
// a token that was stolen must not become an account. It returns what Authenticate does.
func (r *Registry) ChangePassword(ctx context.Context, id uuid.UUID, current Attempt, password string) error {
	user, err := r.Fresh(ctx, id)
	if err != nil {
		return err
	}
	current.Username, current.AllowSecondFactor = user.Username, true
	if _, err := r.Authenticate(ctx, current); err != nil {
		return err
	}
	return r.SetPassword(ctx, id, password)
}

// SetPassword gives a user a new password, forgives the failed guesses and ends everything granted in the user's name.
func (r *Registry) SetPassword(ctx context.Context, id uuid.UUID, password string) error {
	hash, err := r.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	_, err = r.raise(ctx, id, func(u *User) {
		u.Hash, u.PasswordChanged = hash, r.now()
	})
	if err != nil {
		return err
	}
	return r.guesses.forgive(ctx, accountOf(id))
}

// Disable shuts a user out everywhere and ends everything granted in the user's name.
func (r *Registry) Disable(ctx context.Context, id uuid.UUID) (*User, error) {
	return r.raise(ctx, id, func(u *User) { u.Disabled = true })
}

// Enable lets a disabled user in again. What was ended stays ended.
func (r *Registry) Enable(ctx context.Context, id uuid.UUID) (*User, error) {
	u, err := r.table.Update(ctx, id.String(), func(u *User) error {
		if u.Disabled {
			u.Disabled, u.Updated = false, r.now()
		}
		return nil
	})
	return orNil(u, err)
}

// EndSessions logs a user out everywhere: everything granted in the user's name ends.
func (r *Registry) EndSessions(ctx context.Context, id uuid.UUID) error {
	_, err := r.raise(ctx, id, func(*User) {})
	return err
}

// Delete ends everything granted in the user's name, and the user. Deleting what is absent is no error, so that a
// deletion that failed half way can be repeated.
func (r *Registry) Delete(ctx context.Context, id uuid.UUID) error {
	// Disabled first: no login may come in between the end of the grants and the end of the user.
	_, err := r.Disable(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = r.endGrants(ctx, id)
	}
	if err != nil {
		return err
	}
	if err := r.table.Delete(ctx, id.String()); err != nil {
		return err
	}
	return r.guesses.forgive(ctx, accountOf(id))
}

// raise changes a user and ends everything granted in his name.
//
// A caller that goes away does not stop it half way.
func (r *Registry) raise(ctx context.Context, id uuid.UUID, change func(*User)) (*User, error) {
	ctx, cancel := store.Finish(ctx)
	defer cancel()
	u, err := r.table.Update(ctx, id.String(), func(u *User) error {
		change(u)
		u.Epoch++
		u.Ending = true
		u.Updated = r.now()
		return nil
	})
	if err == nil {
		err = r.end(ctx, &u)
	}
	return orNil(u, err)
}

// end ends everything granted in the name of a user whose epoch was raised before. That order matters: what is issued
// meanwhile by the old record finds the new epoch when it looks again, and is refused. The mark on the record
// stays until the end, so that a repetition after a failure finishes the work.
func (r *Registry) end(ctx context.Context, u *User) error {
	if err := r.endGrants(ctx, u.ID); err != nil {
		return err
	}
	ended, err := r.table.Update(ctx, u.ID.String(), func(now *User) error {
		if now.Epoch == u.Epoch { // else it was raised again, and somebody else ends it
			now.Ending = false
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil // deleted meanwhile
	}
	if err == nil {
		*u = ended
	}
	return err
}

func (r *Registry) endGrants(ctx context.Context, id uuid.UUID) error {
	if err := r.grants.EndUser(ctx, id); err != nil {
		return fmt.Errorf("end the grants of user %s: %w", id, err)
	}
	return nil
}

// Mend points the names of all users to them again where a backup of a running server missed that.
func (r *Registry) Mend(ctx context.Context) error { return r.table.Mend(ctx) }
