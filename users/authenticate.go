package users

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
)

var (
	// ErrCredentials is the one answer to an unknown user, a wrong password, a disabled user and a user without a
	// password.
	ErrCredentials = errors.New("users: wrong username or password")
	// ErrSecondFactor is the answer to the right password of a user who needs more, where no more can be asked for. It
	// is ErrCredentials too, and must look the same to whoever asks: else the password could be tried out here.
	ErrSecondFactor = fmt.Errorf("%w: a second factor is needed", ErrCredentials)
)

// Attempt is somebody who claims to be a user.
type Attempt struct {
	Username, Password string
	// Network is where the attempt comes from. Attempts without an address share one limit.
	Network netip.Addr
	// SharedNetwork says that the network is not the user's: a back end of a client that has authenticated itself sends
	// the attempts of all its users from one address. Its network is not counted, or any visitor of it could shut out
	// all the others; the account is counted all the same.
	SharedNetwork bool
	// KnownBrowser names the browser that the attempt comes from if the user has logged in with it before; nil for
	// never. Attempts from there have a counter of their own, so that strangers who guess cannot lock the owner out.
	KnownBrowser func(user uuid.UUID) string
	// AllowSecondFactor says that the caller asks for the second factor itself afterwards.
	AllowSecondFactor bool
}

// Authenticate returns the user whom the attempt proves to be. Otherwise it returns ErrCredentials, ErrSecondFactor,
// a *LimitedError when the account or the network has failed too often, ErrBusy when too many passwords wait, or an
// error that is store.ErrUnavailable. Who is unknown, disabled or without a password costs the same work as who
// mistypes. Only the hash of another system shows: until its owner has logged in once, it takes the time that it takes.
func (r *Registry) Authenticate(ctx context.Context, a Attempt) (*User, error) {
	// A password that nobody can have is no guess; a megabyte of it must cost nothing.
	if _, err := prepare(a.Password); err != nil {
		return nil, ErrCredentials
	}
	// A login that will be turned away for want of room leaves no trace in the store.
	if r.hasher.full() {
		return nil, ErrBusy
	}
	// 1. Who is meant.
	u, account, err := r.meant(ctx, a.Username)
	if err != nil {
		return nil, fmt.Errorf("find a user: %w", err)
	}
	// 2. Count the attempt: what cannot be counted is not looked at.
	stays := u != nil
	if u != nil && a.KnownBrowser != nil {
		if browser := a.KnownBrowser(u.ID); browser != "" {
			account, stays = account+"/"+browser, false
		}
	}
	network := networkOf(a.Network)
	if a.SharedNetwork {
		network = ""
	}
	if err := r.guesses.count(ctx, account, network, stays); err != nil {
		return nil, err
	}
	// 3. Look at it. Somebody's hash is computed whoever is meant.
	hash := ""
	if u != nil {
		hash = u.Hash
	}
	matches, stale, err := r.hasher.Verify(ctx, hash, a.Password)
	if err != nil {
		r.guesses.release(ctx, account)
		r.guesses.release(ctx, network)
		return nil, fmt.Errorf("verify a password: %w", err)
	}
	if !matches || u.Disabled {
		return nil, ErrCredentials
	}
	if u.SecondFactor && !a.AllowSecondFactor {
		return nil, ErrSecondFactor // counted like a wrong password: the counters must not tell the difference either
	}
	// 4. The right password.
	r.guesses.release(ctx, network)
	if err := r.guesses.forgive(ctx, account); err != nil {
		return nil, err
	}
	if stale {
		r.rehash(ctx, u, a.Password)
	}
	return u, nil
}

// meant returns the user of a username, nil if there is none, and the name of the counter. It asks the store as often
// for a name that nobody has as for one that somebody has.
func (r *Registry) meant(ctx context.Context, username string) (*User, string, error) {
	canonical, err := Canonical(username)
	if err != nil {
		// Nobody has it. It is counted as it came, under a blank that no name begins with.
		canonical = " " + username[:min(len(username), usernameRawBytes)]
	}
	u, err := r.table.FreshByName(ctx, usernameName+canonical)
	if err == nil {
		return &u, accountOf(u.ID), nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, "", err
	}
	if _, err := r.table.Fresh(ctx, uuid.Nil.String()); err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, "", err
	}
	return nil, unknownAccount(canonical), nil
}

// rehash brings the hash of a password that was just verified to today's parameters. Failing that, the next login
// tries again.
func (r *Registry) rehash(ctx context.Context, u *User, password string) {
	hash, err := r.hasher.Hash(ctx, password)
	if err != nil {
		return
	}
	verified := u.Hash
	_, err = r.table.Update(ctx, u.ID.String(), func(now *User) error {
		if now.Hash != verified {
			return store.ErrConflict // the password was changed meanwhile
		}
		now.Hash = hash
		return nil
	})
	if err == nil {
		u.Hash = hash
	}
}
