// Package resources keeps the protected resources (APIs): their identifiers, scopes, lifetimes and credentials. It is
// called by the server and by grants, most often for the Catalogue, the snapshot in memory that answers which scope
// belongs to which resource. A scope name belongs to one resource only, so the audience of a token follows from its
// scopes.
package resources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
)

const (
	cacheLimit = 1000
	// secretLimit is how many secrets of a resource live at once: one in use, one coming, some to spare.
	secretLimit = 5
	numberTries = 1000
)

// FormatJWT is the value of Resource.Format besides the empty one: access tokens by RFC 9068.
const FormatJWT = "jwt"

// InvalidError refuses a resource before it is written.
type InvalidError = store.InvalidError

// Resource is a protected resource.
type Resource struct {
	// Number is the short name by which grants refer to the resource. It is never used again.
	Number uint32 `json:"number"`
	// ID is the identifier, an absolute URI: the audience of tokens (RFC 8707 §2).
	ID string `json:"id"`
	// Slug is the short handle, and the user part of the resource's credential.
	Slug   string  `json:"slug"`
	Name   string  `json:"name"`
	Scopes []Scope `json:"scopes"`
	// AccessLifetime of access tokens for it; 0 stands for the server's own.
	AccessLifetime time.Duration `json:"access_lifetime,omitempty"`
	// Format of access tokens for it: empty for opaque ones, or FormatJWT.
	Format string `json:"format,omitempty"`
	// Alg is the JWS algorithm of its access tokens: empty for ES256, or keys.RS256 or keys.EdDSA.
	Alg     string            `json:"alg,omitempty"`
	Secrets []keys.Credential `json:"secrets,omitempty"`
	// BuiltIn marks a resource of Safeconduct's own. It has no secret and cannot be deleted.
	BuiltIn  bool      `json:"built_in,omitempty"`
	Disabled bool      `json:"disabled,omitempty"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
	// ScopesChanged is when a scope was last taken away; the zero time for never. Tokens may still say it.
	ScopesChanged time.Time `json:"scopes_changed,omitzero"`
}

// Scope is one right at a resource.
type Scope struct {
	// Number is the short name by which grants refer to the scope. It is never used again: a scope that is removed and
	// made anew is another one.
	Number      uint32 `json:"number"`
	Name        string `json:"name"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	// Sensitive asks for more care when a user is asked for consent.
	Sensitive bool `json:"sensitive,omitempty"`
	// Deprecated scopes work as before, but nobody is offered them any more.
	Deprecated bool `json:"deprecated,omitempty"`
	// Implies are the names of scopes of the same resource that come with this one; see Catalogue.Expand.
	Implies []string `json:"implies,omitempty"`
}

// equal compares everything but the numbers.
func (s Scope) equal(other Scope) bool {
	return s.Name == other.Name && s.Title == other.Title && s.Description == other.Description &&
		s.Sensitive == other.Sensitive && s.Deprecated == other.Deprecated && slices.Equal(s.Implies, other.Implies)
}

// Registry keeps the resources.
type Registry struct {
	store     store.Store
	table     *store.Table[Resource]
	catalogue *catalogue
}

// New makes a registry.
func New(s store.Store, changes *store.Changes) *Registry {
	table := store.NewTable(s, changes, kind, namesOf, cacheLimit)
	return &Registry{store: s, table: table, catalogue: newCatalogue(table, changes)}
}

const (
	kind       = "resource"
	idName     = "id/"
	scopeName  = "scope/"
	numberName = "#"
)

// namesOf lists what no two resources share. Numbers are among them: should the counter ever be set back, grants must
// not come to mean other scopes.
func namesOf(r Resource) []string {
	names := []string{idName + r.ID, numberName + strconv.FormatUint(uint64(r.Number), 10)}
	for _, s := range r.Scopes {
		names = append(names, scopeName+s.Name, numberName+strconv.FormatUint(uint64(s.Number), 10))
	}
	return names
}

// Definition is what a resource is made of. Numbers of its scopes are chosen by the registry.
type Definition struct {
	ID, Slug, Name string
	Scopes         []Scope
	AccessLifetime time.Duration
	Format, Alg    string
}

// Create makes a resource and returns its secret, which is not kept. It returns an *InvalidError for a definition that
// breaks a rule, and an error that is store.ErrExists if the slug, the identifier or a scope name is taken.
func (r *Registry) Create(ctx context.Context, d Definition) (*Resource, string, error) {
	secret, credential := keys.NewCredential(keys.ResourceSecretPrefix, r.now(), time.Time{})
	created, err := r.create(ctx, Resource{Secrets: []keys.Credential{credential}}, d)
	if err != nil {
		return nil, "", err
	}
	return created, secret, nil
}

func (r *Registry) create(ctx context.Context, new Resource, d Definition) (*Resource, error) {
	new.Created, new.Updated = r.now(), r.now()
	new.define(d)
	if err := Validate(&new); err != nil {
		return nil, err
	}
	// A number that is taken means that the counter was set back, by a restored backup or a failover: the next ones
	// are tried.
	for range numberTries {
		new.Number = 0
		if err := r.number(ctx, &new, nil); err != nil {
			return nil, err
		}
		err := r.table.Add(ctx, new.Slug, new)
		var name *store.TakenError
		if !errors.As(err, &name) || !strings.HasPrefix(name.Name, numberName) {
			return orNil(new, taken(err))
		}
	}
	return nil, fmt.Errorf("no free number for a resource: %w", store.ErrUnavailable)
}

// define gives the resource what a definition says.
func (r *Resource) define(d Definition) {
	r.ID, r.Slug, r.Name, r.AccessLifetime = d.ID, d.Slug, d.Name, d.AccessLifetime
	r.Format, r.Alg, r.Scopes = d.Format, d.Alg, cloneScopes(d.Scopes)
}

// number gives a resource and its scopes their numbers. A scope that was there before keeps its own.
func (r *Registry) number(ctx context.Context, resource *Resource, before []Scope) error {
	var err error
	if resource.Number == 0 {
		if resource.Number, err = r.table.NextNumber(ctx); err != nil {
			return err
		}
	}
	for i := range resource.Scopes {
		s := &resource.Scopes[i]
		if old := slices.IndexFunc(before, func(o Scope) bool { return o.Name == s.Name }); old >= 0 {
			s.Number = before[old].Number
		} else if s.Number, err = r.table.NextNumber(ctx); err != nil {
			return err
		}
	}
	return nil
}

// taken says in plain words which name another resource has.
func taken(err error) error {
	var name *store.TakenError
	if !errors.As(err, &name) {
		return err
	}
	means := fmt.Sprintf("the slug %q is taken", name.Name)
	if scope, found := strings.CutPrefix(name.Name, scopeName); found {
		means = fmt.Sprintf("the scope %q belongs to another resource", scope)
	}
	if id, found := strings.CutPrefix(name.Name, idName); found {
		means = fmt.Sprintf("the identifier %q belongs to another resource", id)
	}
	return &store.TakenError{Name: name.Name, Means: means}
}

// Get returns the resource of a slug as it was within the last second, or store.ErrNotFound. It is shared: do not
// modify what it refers to.
func (r *Registry) Get(ctx context.Context, slug string) (*Resource, error) {
	if !validSlug(slug) {
		return nil, fmt.Errorf("no resource can have this slug: %w", store.ErrNotFound)
	}
	return r.table.Get(ctx, slug)
}

// List returns all resources in the order of their slugs.
func (r *Registry) List(ctx context.Context) ([]*Resource, error) {
	return list(ctx, r.table)
}

func list(ctx context.Context, table *store.Table[Resource]) ([]*Resource, error) {
	const page = 500
	var all []*Resource
	after := ""
	for {
		found, err := table.List(ctx, after, page)
		if err != nil {
			return nil, err
		}
		for i := range found {
			all = append(all, &found[i])
		}
		if len(found) < page {
			return all, nil
		}
		after = found[page-1].Slug
	}
}

// now is the store's time, to the second and in UTC as the records show it.
func (r *Registry) now() time.Time { return r.store.Now().UTC().Truncate(time.Second) }

func orNil(r Resource, err error) (*Resource, error) {
	if err != nil {
		return nil, err
	}
	return &r, nil
}
