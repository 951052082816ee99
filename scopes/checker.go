package scopes

import (
	"context"
	"errors"
)

var (
	// ErrInactive says that the token is not good: unknown, expired, revoked, or meant for somebody else.
	// It becomes 401 invalid_token.
	ErrInactive = errors.New("scopes: the token is not active")
	// ErrUnavailable says that it cannot be found out now whether the token is good. It becomes 503.
	ErrUnavailable = errors.New("scopes: the token cannot be checked")
)

// Checker says whether an access token is valid at this moment. A Checker is safe for use by any number of goroutines.
type Checker interface {
	// Check returns the facts of a valid token; the caller may change them. A token that is not valid gives an error
	// that wraps ErrInactive. Every other error, and one that wraps ErrUnavailable as well, means that nothing is known
	// of the token: the request is refused with 503. An error never contains the token.
	//
	// Check does not look at the scopes: which are needed is the route's affair.
	Check(ctx context.Context, token string) (*Token, error)
}

// CheckerFunc makes a Checker of a function.
type CheckerFunc func(ctx context.Context, token string) (*Token, error)

// Check calls f.
func (f CheckerFunc) Check(ctx context.Context, token string) (*Token, error) { return f(ctx, token) }
