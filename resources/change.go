package resources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
)

// Update changes a resource; everything is validated again. Scopes are known by their names: one that is removed and
// added again later is another one, and a renamed one is too. Number, slug, dates and secrets must not be changed
// here. An error of change ends the update and is returned.
func (r *Registry) Update(ctx context.Context, slug string, change func(*Resource) error) (*Resource, error) {
	return r.update(ctx, slug, func(resource *Resource) error {
		if resource.BuiltIn {
			return &InvalidError{Field: "built_in", Problem: "resources cannot be changed", Fix: "define a resource of your own"}
		}
		before := clone(resource)
		if err := change(resource); err != nil {
			return err
		}
		if err := untouched(&before, resource); err != nil {
			return err
		}
		return r.finish(ctx, &before, resource)
	})
}

// clone copies a resource with all that it refers to: a change may write there.
func clone(r *Resource) Resource {
	copied := *r
	copied.Scopes, copied.Secrets = cloneScopes(r.Scopes), keys.CloneCredentials(r.Secrets)
	return copied
}

func cloneScopes(list []Scope) []Scope {
	copied := slices.Clone(list)
	for i := range copied {
		copied[i].Implies = slices.Clone(copied[i].Implies)
	}
	return copied
}

// finish checks and numbers a changed resource.
func (r *Registry) finish(ctx context.Context, before, after *Resource) error {
	if err := Validate(after); err != nil {
		return err
	}
	if err := r.number(ctx, after, before.Scopes); err != nil {
		return err
	}
	after.Updated = r.now()
	if slices.ContainsFunc(before.Scopes, func(scope Scope) bool { return !after.HasScope(scope.Name) }) {
		after.ScopesChanged = r.now()
	}
	return nil
}

// HasScope reports whether a scope is one of the resource's own.
func (r *Resource) HasScope(name string) bool {
	return slices.ContainsFunc(r.Scopes, func(s Scope) bool { return s.Name == name })
}

func (r *Registry) update(ctx context.Context, slug string, change func(*Resource) error) (*Resource, error) {
	if !validSlug(slug) {
		return nil, fmt.Errorf("no resource can have this slug: %w", store.ErrNotFound)
	}
	updated, err := r.table.Update(ctx, slug, change)
	if err != nil {
		return nil, taken(err)
	}
	return &updated, nil
}

// untouched refuses an update of what only the methods for it may change.
func untouched(before, after *Resource) error {
	field := ""
	switch {
	case after.Number != before.Number:
		field = "number"
	case after.Slug != before.Slug:
		field = "slug"
	case after.BuiltIn != before.BuiltIn:
		field = "built_in"
	case !after.Created.Equal(before.Created) || !after.Updated.Equal(before.Updated):
		field = "created"
	case !slices.EqualFunc(after.Secrets, before.Secrets, keys.Credential.Equal):
		field = "secrets"
	default:
		return nil
	}
	return &InvalidError{Field: field, Problem: "cannot be changed by an update", Fix: "use the call that is made for it"}
}

// Delete ends a resource and its scopes. Deleting what is absent is no error; a built-in one cannot be deleted.
func (r *Registry) Delete(ctx context.Context, slug string) error {
	if !validSlug(slug) {
		return nil
	}
	resource, err := r.table.Fresh(ctx, slug)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && resource.BuiltIn {
		return &InvalidError{Field: "slug", Problem: "is a built-in resource, which cannot be deleted", Fix: "leave it"}
	}
	return r.table.Delete(ctx, slug)
}

// Ensure makes a built-in resource, or brings it to its definition. It is called at every start, by every process, and
// writes only what differs.
func (r *Registry) Ensure(ctx context.Context, d Definition) (*Resource, error) {
	existing, err := orNil(r.table.Fresh(ctx, d.Slug))
	if errors.Is(err, store.ErrNotFound) {
		created, createErr := r.create(ctx, Resource{BuiltIn: true}, d)
		if !errors.Is(createErr, store.ErrExists) {
			return created, createErr
		}
		// Another process was quicker, or another resource has the identifier or a scope.
		if existing, err = orNil(r.table.Fresh(ctx, d.Slug)); errors.Is(err, store.ErrNotFound) {
			return nil, createErr
		}
	}
	if err != nil {
		return nil, err
	}
	if existing.BuiltIn && existing.matches(d) {
		return existing, nil
	}
	return r.update(ctx, d.Slug, func(resource *Resource) error {
		if !resource.BuiltIn {
			return &InvalidError{Field: "slug", Problem: fmt.Sprintf("%q is needed for a built-in resource", d.Slug), Fix: "delete the resource that has it"}
		}
		before := clone(resource)
		resource.define(d)
		return r.finish(ctx, &before, resource)
	})
}

// matches reports whether the resource is as a definition says.
func (r *Resource) matches(d Definition) bool {
	return r.ID == d.ID && r.Name == d.Name && r.AccessLifetime == d.AccessLifetime &&
		r.Format == d.Format && r.Alg == d.Alg && slices.EqualFunc(r.Scopes, d.Scopes, Scope.equal)
}

// AddSecret gives a resource one more secret and returns it; it is not kept. The secrets before it stay valid. A zero
// lifetime means until it is revoked. Secrets that have expired are swept out.
func (r *Registry) AddSecret(ctx context.Context, slug string, lifetime time.Duration) (string, keys.Credential, error) {
	var expires time.Time
	if lifetime != 0 {
		if lifetime < time.Second {
			return "", keys.Credential{}, &InvalidError{Field: "lifetime", Problem: "is shorter than a second", Fix: "leave it out for a secret that stays"}
		}
		expires = r.now().Add(lifetime)
	}
	secret, credential := keys.NewCredential(keys.ResourceSecretPrefix, r.now(), expires)
	_, err := r.update(ctx, slug, func(resource *Resource) error {
		now := r.store.Now()
		resource.Secrets = slices.DeleteFunc(resource.Secrets, func(s keys.Credential) bool { return !s.Live(now) })
		if len(resource.Secrets) >= secretLimit {
			return &InvalidError{Field: "secrets", Problem: "are five already", Fix: "revoke one first"}
		}
		resource.Secrets = append(resource.Secrets, credential)
		resource.Updated = r.now()
		return Validate(resource)
	})
	if err != nil {
		return "", keys.Credential{}, err
	}
	return secret, credential, nil
}

// RevokeSecret ends one of a resource's secrets, also the last one: then it can introspect nothing. Revoking what is
// absent is no error.
func (r *Registry) RevokeSecret(ctx context.Context, slug, secretID string) error {
	_, err := r.update(ctx, slug, func(resource *Resource) error {
		rest := slices.DeleteFunc(slices.Clone(resource.Secrets), func(s keys.Credential) bool { return s.ID == secretID })
		if len(rest) != len(resource.Secrets) {
			resource.Secrets, resource.Updated = rest, r.now()
		}
		return nil
	})
	return err
}

// Mend points the names of all resources to them again where a backup of a running server missed that.
func (r *Registry) Mend(ctx context.Context) error { return r.table.Mend(ctx) }
