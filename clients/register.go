package clients

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
)

const (
	firstEpoch  = 1
	numberTries = 1000
)

// Registration is what a client is made of.
type Registration struct {
	// ID is the client_id; empty lets the registry choose one.
	ID             string
	Name           string
	Type           Type
	AuthMethod     string // empty for the type's default
	GrantTypes     []string
	Scopes         []string
	RequiredScopes []string
	RedirectURIs   []string
	FirstParty     bool
	Rotation       string
	// RefreshWindow in seconds; nil for the default.
	RefreshWindow            *int
	ClientURI                string
	PostLogoutRedirectURIs   []string
	BackchannelLogoutURI     string
	BackchannelLogoutSession bool
	IDTokenAlg               string // empty for RS256
	PKCE                     string // empty for required
	// SecretLifetime is how long the first secret lives; zero means until it is revoked.
	SecretLifetime time.Duration
}

// Create registers a client and returns its secret, which is not kept and empty for a public client. It returns an
// *InvalidError for metadata that breaks a rule, and an error that is store.ErrExists if the ID is taken.
func (r *Registry) Create(ctx context.Context, n Registration) (*Client, string, error) {
	now := r.now()
	c := Client{
		ID: n.ID, Name: n.Name, Type: n.Type, AuthMethod: n.AuthMethod,
		GrantTypes: slices.Clone(n.GrantTypes), RedirectURIs: slices.Clone(n.RedirectURIs),
		Scopes: slices.Clone(n.Scopes), RequiredScopes: slices.Clone(n.RequiredScopes),
		ClientURI: n.ClientURI, PostLogoutRedirectURIs: slices.Clone(n.PostLogoutRedirectURIs),
		BackchannelLogoutURI: n.BackchannelLogoutURI, BackchannelLogoutSession: n.BackchannelLogoutSession,
		IDTokenAlg: n.IDTokenAlg, PKCE: n.PKCE,
		FirstParty: n.FirstParty, Rotation: n.Rotation, RefreshWindow: n.RefreshWindow,
		Epoch: firstEpoch, Created: now, Updated: now,
	}
	if c.ID == "" {
		c.ID = chooseID(n.Name)
	}
	if c.AuthMethod == "" {
		c.AuthMethod = defaultMethod(c.Type)
	}
	secret := ""
	if c.Type != Public {
		expires, err := r.expiry(n.SecretLifetime)
		if err != nil {
			return nil, "", err
		}
		var credential keys.Credential
		secret, credential = keys.NewCredential(keys.ClientSecretPrefix, now, expires)
		c.Secrets = []keys.Credential{credential}
	}
	if err := Validate(&c); err != nil {
		return nil, "", err
	}
	if err := r.add(ctx, &c); err != nil {
		return nil, "", err
	}
	return &c, secret, nil
}

// add numbers a client and stores it. A number that is taken means that the counter was set back, by a restored backup
// or a failover: the next ones are tried.
func (r *Registry) add(ctx context.Context, c *Client) error {
	for range numberTries {
		var err error
		if c.Number, err = r.table.NextNumber(ctx); err != nil {
			return err
		}
		err = r.table.Add(ctx, c.ID, *c)
		var taken *store.TakenError
		if !errors.As(err, &taken) {
			return err
		}
		if taken.Name != numberName(c.Number) {
			return &store.TakenError{Name: c.ID, Means: fmt.Sprintf("the client_id %q is taken", c.ID)}
		}
	}
	return fmt.Errorf("no free number for a client: %w", store.ErrUnavailable)
}

func defaultMethod(t Type) string {
	if t == Public {
		return None
	}
	return SecretBasic
}

// chooseID makes a client_id that tells a person which client it is and that nobody can foresee.
func chooseID(name string) string {
	var slug strings.Builder
	for _, c := range strings.ToLower(name) {
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			slug.WriteRune(c)
		case slug.Len() > 0 && !strings.HasSuffix(slug.String(), "-"):
			slug.WriteByte('-')
		}
		if slug.Len() >= 32 {
			break
		}
	}
	base := strings.Trim(slug.String(), "-")
	if base == "" {
		base = "client"
	}
	return base + "-" + strings.ToLower(rand.Text()[:12])
}
