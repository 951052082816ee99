package clients

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
)

// Update changes a client's metadata. The whole client is validated again, what was not changed too: a rule may have
// become stricter since. The type stays: what was granted to a client that could keep a secret is not for one that
// cannot. Number, ID, epoch, dates, Disabled and secrets have calls of their own. An error of change ends the update and
// is returned.
func (r *Registry) Update(ctx context.Context, id string, change func(*Client) error) (*Client, error) {
	return r.update(ctx, id, func(c *Client) error {
		before := clone(c)
		if err := change(c); err != nil {
			return err
		}
		if err := untouched(&before, c); err != nil {
			return err
		}
		c.Updated = r.now()
		if !slices.Equal(c.Scopes, before.Scopes) {
			c.ScopesChanged = c.Updated
		}
		return nil
	})
}

// update is every change of a client: nothing is written that Validate refuses.
func (r *Registry) update(ctx context.Context, id string, change func(*Client) error) (*Client, error) {
	return orNil(r.table.Update(ctx, id, func(c *Client) error {
		if err := change(c); err != nil {
			return err
		}
		return Validate(c)
	}))
}

// clone copies a client with all of its secrets: a change may write into the hash itself.
func clone(c *Client) Client {
	copied := *c
	copied.Secrets = keys.CloneCredentials(c.Secrets)
	return copied
}

// untouched refuses an update of what only the methods for it may change.
func untouched(before, after *Client) error {
	field := ""
	switch {
	case after.Number != before.Number:
		field = "number"
	case after.ID != before.ID:
		field = "client_id"
	case after.Type != before.Type:
		return &InvalidError{Field: "type", Problem: "cannot be changed", Fix: "register another client"}
	case after.Epoch != before.Epoch:
		field = "epoch"
	case after.Disabled != before.Disabled:
		field = "disabled"
	case !after.Created.Equal(before.Created) || !after.Updated.Equal(before.Updated):
		field = "created"
	case !slices.EqualFunc(before.Secrets, after.Secrets, keys.Credential.Equal):
		field = "secrets"
	default:
		return nil
	}
	return &InvalidError{Field: field, Problem: "cannot be changed by an update", Fix: "use the call that is made for it"}
}

// Disable shuts a client out everywhere, and ends everything granted to it by raising its epoch.
func (r *Registry) Disable(ctx context.Context, id string) (*Client, error) {
	return r.raise(ctx, id, 1, func(c *Client) { c.Disabled = true })
}

// epochLeap is far more epochs than a client begins in the time between a backup and its restoration.
const epochLeap = 1 << 16

// EndGrants ends everything granted to a client whose record may be older than what it was granted. Its next epoch is none
// that it may have had meanwhile.
func (r *Registry) EndGrants(ctx context.Context, id string) error {
	_, err := r.raise(ctx, id, epochLeap, func(*Client) {})
	return err
}

// raise changes a client and ends everything granted to it.
func (r *Registry) raise(ctx context.Context, id string, by uint32, change func(*Client)) (*Client, error) {
	return r.ending(ctx, id, by, func() (*Client, error) {
		return orNil(r.table.Update(ctx, id, func(c *Client) error {
			change(c)
			c.Epoch += by
			c.Updated = r.now()
			return nil
		}))
	})
}

// Enable lets a disabled client in again. What was ended stays ended.
func (r *Registry) Enable(ctx context.Context, id string) (*Client, error) {
	return r.update(ctx, id, func(c *Client) error {
		if c.Disabled {
			c.Disabled, c.Updated = false, r.now()
		}
		return nil
	})
}

// Delete ends a client, and with it everything granted to it. Deleting what is absent is no error.
func (r *Registry) Delete(ctx context.Context, id string) error {
	// Disabled first: whatever somebody else does to its epoch at this moment, nothing is granted after what was told.
	if _, err := r.Disable(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return r.table.Delete(ctx, id)
}

// AddSecret gives a client one more secret and returns it; it is not kept. The secrets before it stay valid, so that a
// client changes over without a pause. A zero lifetime means until it is revoked. Secrets that have expired are swept
// out.
func (r *Registry) AddSecret(ctx context.Context, id string, lifetime time.Duration) (string, keys.Credential, error) {
	expires, err := r.expiry(lifetime)
	if err != nil {
		return "", keys.Credential{}, err
	}
	secret, credential := keys.NewCredential(keys.ClientSecretPrefix, r.now(), expires)
	_, err = r.update(ctx, id, func(c *Client) error {
		if c.Type == Public {
			return &InvalidError{Field: "secrets", Problem: "cannot belong to a public client", Fix: "register a confidential client"}
		}
		now := r.store.Now()
		c.Secrets = slices.DeleteFunc(c.Secrets, func(s keys.Credential) bool { return !s.Live(now) })
		if len(c.Secrets) >= secretLimit {
			return &InvalidError{Field: "secrets", Problem: "are five already", Fix: "revoke one first"}
		}
		c.Secrets = append(c.Secrets, credential)
		c.Updated = r.now()
		return nil
	})
	if err != nil {
		return "", keys.Credential{}, err
	}
	return secret, credential, nil
}

// RevokeSecret ends one of a client's secrets. The last one stays: a client that must authenticate itself and cannot
// is better disabled. Revoking what is absent is no error, so that a revocation that failed half way can be repeated.
func (r *Registry) RevokeSecret(ctx context.Context, id, secretID string) error {
	_, err := r.update(ctx, id, func(c *Client) error {
		rest := slices.DeleteFunc(slices.Clone(c.Secrets), func(s keys.Credential) bool { return s.ID == secretID })
		switch {
		case len(rest) == len(c.Secrets):
			return nil
		case len(rest) == 0:
			return &InvalidError{Field: "secrets", Problem: "would be none", Fix: "add another one first, or disable the client"}
		}
		c.Secrets, c.Updated = rest, r.now()
		return nil
	})
	return err
}

// expiry is the end of a secret that is made now.
func (r *Registry) expiry(lifetime time.Duration) (time.Time, error) {
	switch {
	case lifetime == 0:
		return time.Time{}, nil
	case lifetime < time.Second:
		return time.Time{}, &InvalidError{Field: "lifetime", Problem: "is shorter than a second", Fix: "leave it out for a secret that stays"}
	}
	return r.now().Add(lifetime), nil
}

// Mend points the names of all clients to them again where a backup of a running server missed that.
func (r *Registry) Mend(ctx context.Context) error { return r.table.Mend(ctx) }
