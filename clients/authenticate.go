package clients

import (
	"context"
	"errors"
	"fmt"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
)

// ErrUnauthenticated is the one answer to a client that did not prove who it is, whatever the reason.
var ErrUnauthenticated = errors.New("clients: not authenticated")

// secretMax is more than any secret of ours; what is longer is not hashed.
const secretMax = 256

// Presented is what somebody who claims to be a client sent. The caller has made sure that it came by one method only.
type Presented struct {
	ID, Secret string
	// Method is how it was sent: SecretBasic, SecretPost or None.
	Method string
}

// Authenticate returns the client that the presented credentials prove, else an error that is ErrUnauthenticated, or
// one that is store.ErrUnavailable. A client that does not exist costs the same work as a wrong secret.
func (r *Registry) Authenticate(ctx context.Context, p Presented) (*Client, error) {
	c, err := r.Get(ctx, p.ID)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("authenticate a client: %w", err)
	}
	if reason := r.refuse(c, p); reason == "" {
		return c, nil
	}
	// What was remembered may be a second old, and the secret newer. The second look also gives a wrong secret the
	// one read that an unknown client has cost.
	if known {
		c, err = orNil(r.table.Fresh(ctx, p.ID))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("authenticate a client: %w", err)
		}
	}
	if reason := r.refuse(c, p); reason != "" {
		return nil, &unauthenticated{reason: errors.New(reason)}
	}
	return c, nil
}

// refuse returns why a client, nil for an unknown one, is not authenticated by what was presented, or nothing.
// One comparison of secrets is made in every case.
func (r *Registry) refuse(c *Client, p Presented) string {
	unknown := c == nil
	if unknown {
		c = &Client{}
	}
	presented := p.Secret
	if len(presented) > secretMax {
		presented = ""
	}
	matches := keys.Match(c.Secrets, presented, r.store.Now())
	switch {
	case unknown:
		return "unknown client"
	case c.Disabled:
		return "client is disabled"
	case p.Method != c.AuthMethod:
		// CVE-2026-16093: only the registered method is accepted.
		return fmt.Sprintf("client is registered for %s", c.AuthMethod)
	case c.Type == Public && p.Secret != "":
		return "public client presented a secret"
	case c.Type == Public:
		return ""
	case p.Secret == "":
		return "no secret presented"
	case !matches:
		return "wrong, revoked or expired secret"
	}
	return ""
}

// unauthenticated is ErrUnauthenticated with its reason. Its text does not tell the reason.
type unauthenticated struct{ reason error }

func (e *unauthenticated) Error() string        { return ErrUnauthenticated.Error() }
func (e *unauthenticated) Is(target error) bool { return target == ErrUnauthenticated }
func (e *unauthenticated) Unwrap() error        { return e.reason }

// Reason says why an authentication failed. It is for the log and never for the client; it holds no secret.
func Reason(err error) string {
	var e *unauthenticated
	if !errors.As(err, &e) {
		return ""
	}
	return e.reason.Error()
}
