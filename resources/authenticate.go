package resources

import (
	"context"
	"errors"
	"fmt"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
)

// ErrUnauthenticated is the one answer to a resource that did not prove who it is, whatever the reason.
var ErrUnauthenticated = errors.New("resources: not authenticated")

// secretMax is more than any secret of ours; what is longer is not hashed.
const secretMax = 256

// Authenticate returns the resource that slug and secret prove, else ErrUnauthenticated, or an error that is
// store.ErrUnavailable. A resource that does not exist costs the same work as a wrong secret.
func (r *Registry) Authenticate(ctx context.Context, slug, secret string) (*Resource, error) {
	resource, err := r.Get(ctx, slug)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("authenticate a resource: %w", err)
	}
	if r.accepts(resource, secret) {
		return resource, nil
	}
	// What was remembered may be a second old, and the secret newer. The second look also gives a wrong secret the
	// one read that an unknown resource has cost.
	if known {
		resource, err = orNil(r.table.Fresh(ctx, slug))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("authenticate a resource: %w", err)
		}
	}
	if !r.accepts(resource, secret) {
		return nil, ErrUnauthenticated
	}
	return resource, nil
}

// accepts makes one comparison of secrets in every case; resource is nil for an unknown one.
func (r *Registry) accepts(resource *Resource, secret string) bool {
	known := resource != nil
	if !known {
		resource = &Resource{}
	}
	if len(secret) > secretMax {
		secret = ""
	}
	matches := keys.Match(resource.Secrets, secret, r.store.Now())
	return matches && known && !resource.Disabled
}
