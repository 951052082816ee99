// Package users keeps the people who log in: their records, their passwords, the limits on guessing them, and the
// sessions of their browsers. The server calls it, for requests and for grants, which ask whether a user still stands. A
// change that takes something from a user (password, disabling, deletion) ends what was granted in his name before it is
// done. It never keeps a password, never logs one, and never tells why an authentication failed.
package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

const (
	cacheLimit   = 100_000 // at half a kilobyte each; a token whose user is not remembered costs a second read
	listLimit    = 1000
	nameLimit    = 200 // runes
	emailLimit   = 254 // bytes, RFC 5321
	firstEpoch   = 1
	usernameName = "username/"
)

// InvalidError refuses a user before it is written.
type InvalidError = store.InvalidError

// User is a person who may log in.
type User struct {
	ID       uuid.UUID `json:"id"`
	Username string    `json:"username"` // in its one compared form, see Canonical
	Name     string    `json:"name,omitempty"`
	Email    string    `json:"email,omitempty"`
	// EmailVerified says that the person was seen to read the mail of this very address.
	EmailVerified bool `json:"email_verified,omitempty"`
	// Hash is the password's argon2id hash as a PHC string, or, until its owner has logged in once, the hash that another
	// system made (see NewUser); empty means that no password opens the account. No interface shows it.
	Hash     string `json:"hash,omitempty"`
	Admin    bool   `json:"admin,omitempty"`
	Disabled bool   `json:"disabled,omitempty"`
	// SecondFactor says that the password alone is not enough.
	SecondFactor bool `json:"second_factor,omitempty"`
	// Epoch is raised whenever everything granted in the user's name ends.
	Epoch uint32 `json:"epoch"`
	// Ending says that the epoch was raised and that the grants may not all have ended yet.
	Ending          bool      `json:"ending,omitempty"`
	Created         time.Time `json:"created"`
	Updated         time.Time `json:"updated"`
	PasswordChanged time.Time `json:"password_changed,omitzero"`
}

// Ender ends everything that was granted in a user's name. It is called after the user's epoch was raised, and again
// when it failed.
type Ender interface {
	EndUser(ctx context.Context, user uuid.UUID) error
}

// Config is what a Registry works with. Store, Changes, Grants and Hasher are needed.
type Config struct {
	Store   store.Store
	Changes *store.Changes
	Grants  Ender
	Hasher  *Hasher
	Limits  Limits
}

// Registry keeps the users.
type Registry struct {
	store   store.Store
	table   *store.Table[User]
	grants  Ender
	hasher  *Hasher
	guesses guesses
}

// New makes a registry.
func New(c Config) *Registry {
	names := func(u User) []string { return []string{usernameName + u.Username} }
	return &Registry{
		store:   c.Store,
		table:   store.NewTable(c.Store, c.Changes, "user", names, cacheLimit),
		grants:  c.Grants,
		hasher:  c.Hasher,
		guesses: guesses{store: c.Store, limits: c.Limits.orDefaults()},
	}
}

// NewUser is what a user is made of. Without Password and PasswordHash it makes a user whom no password lets in.
type NewUser struct {
	Username, Name, Email string
	EmailVerified         bool
	Password              string
	// PasswordHash, in place of Password, is what another system made of it: Django's auth_user.password with a hash of
	// pbkdf2_sha256, pbkdf2_sha1, argon2, bcrypt_sha256, bcrypt or scrypt that does not cost too much, or its mark of an
	// unusable password, which begins with "!". The next login replaces it by a hash of ours.
	PasswordHash                  string
	Admin, Disabled, SecondFactor bool
}

// Create makes a user. It returns an *InvalidError for a field that breaks a rule, and an error that is
// store.ErrExists if the username is taken.
func (r *Registry) Create(ctx context.Context, n NewUser) (*User, error) {
	u, err := r.made(n)
	if err != nil {
		return nil, err
	}
	if n.Password != "" {
		hash, err := r.hasher.Hash(ctx, n.Password)
		if err != nil {
			return nil, err
		}
		u.Hash, u.PasswordChanged = hash, u.Created
	}
	if err := r.table.Add(ctx, u.ID.String(), *u); err != nil {
		if errors.Is(err, store.ErrExists) {
			return nil, taken(u.Username)
		}
		return nil, err
	}
	return u, nil
}

// Check returns the error that Create would return now, and makes nothing.
func (r *Registry) Check(ctx context.Context, n NewUser) error {
	u, err := r.made(n)
	if err == nil && n.Password != "" {
		err = CheckPassword(n.Password)
	}
	if err != nil {
		return err
	}
	_, err = r.table.FreshByName(ctx, usernameName+u.Username)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = taken(u.Username)
	}
	return err
}

// made is a new user whose password is not hashed yet.
func (r *Registry) made(n NewUser) (*User, error) {
	now := r.now()
	u := &User{
		ID:       uuid.New(), // random and never reused, so that a subject never comes to mean somebody else
		Username: n.Username,
		Name:     n.Name, Email: n.Email, EmailVerified: n.EmailVerified,
		Admin: n.Admin, Disabled: n.Disabled, SecondFactor: n.SecondFactor,
		Epoch: firstEpoch, Created: now, Updated: now,
	}
	if err := validate(u); err != nil {
		return nil, err
	}
	if n.PasswordHash == "" {
		return u, nil
	}
	if n.Password != "" {
		return nil, &InvalidError{Field: "password_hash", Problem: "is there beside a password", Fix: "leave one of them out"}
	}
	hash, err := imported(n.PasswordHash)
	if err != nil {
		return nil, err
	}
	if hash != "" {
		u.Hash, u.PasswordChanged = hash, now
	}
	return u, nil
}

func taken(username string) error {
	return &store.TakenError{Name: username, Means: fmt.Sprintf("the username %q is taken", username)}
}

// Get returns a user as it was within the last second, or store.ErrNotFound.
func (r *Registry) Get(ctx context.Context, id uuid.UUID) (*User, error) {
	return r.table.Get(ctx, id.String())
}

// Fresh returns a user as it is now, or store.ErrNotFound.
func (r *Registry) Fresh(ctx context.Context, id uuid.UUID) (*User, error) {
	u, err := r.table.Fresh(ctx, id.String())
	return orNil(u, err)
}

// ByName returns the user of a username, in any of its spellings, as it was within the last second, or
// store.ErrNotFound.
func (r *Registry) ByName(ctx context.Context, username string) (*User, error) {
	canonical, err := Canonical(username)
	if err != nil {
		return nil, fmt.Errorf("no user can have this name: %w", store.ErrNotFound)
	}
	return r.table.ByName(ctx, usernameName+canonical)
}

// List returns up to limit users in the order of their IDs, after the given one; uuid.Nil starts at the beginning.
func (r *Registry) List(ctx context.Context, after uuid.UUID, limit int) ([]*User, error) {
	from := ""
	if after != uuid.Nil {
		from = after.String()
	}
	list, err := r.table.List(ctx, from, min(limit, listLimit))
	if err != nil {
		return nil, err
	}
	users := make([]*User, len(list))
	for i := range list {
		users[i] = &list[i]
	}
	return users, nil
}

// now is the store's time, to the second and in UTC as the records show it.
func (r *Registry) now() time.Time { return r.store.Now().UTC().Truncate(time.Second) }

func orNil(u User, err error) (*User, error) {
	if err != nil {
		return nil, err
	}
	return &u, nil
}
