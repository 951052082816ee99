// Package clients keeps the registered applications: their metadata, the rules it must obey, their secrets, and their
// authentication. It is called by the server and by grants. A client that breaks a rule is never stored, by creation
// or by update; a secret is shown once and kept only as its hash; why an authentication failed is for the log alone.
package clients

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

// Type is what kind of application a client is (RFC 6749 §2.1).
type Type string

const (
	// Confidential clients run on a server, act for users and can keep a secret.
	Confidential Type = "confidential"
	// Public clients run in the user's hands (a page, an app) and can keep no secret.
	Public Type = "public"
	// Service clients act for themselves, and never for a user.
	Service Type = "service"
)

// The methods of client authentication (RFC 7591 §2).
const (
	SecretBasic = "client_secret_basic"
	SecretPost  = "client_secret_post"
	None        = "none"
)

// The grant types that a client can be allowed (RFC 7591 §2).
const (
	AuthorizationCode = "authorization_code"
	RefreshToken      = "refresh_token"
	Password          = "password"
	ClientCredentials = "client_credentials"
)

// PKCEOptional is the value of Client.PKCE besides the empty one.
const PKCEOptional = "optional"

// Values of Client.Rotation besides the empty one.
const (
	RotateAlways = "always"
	RotateNever  = "never"
)

const (
	defaultWindow = 30 * time.Second
	cacheLimit    = 20_000
	listLimit     = 1000
	// secretLimit is how many secrets of a client live at once: one in use, one coming, some to spare.
	secretLimit = 5
)

// InvalidError refuses a client before it is written.
type InvalidError = store.InvalidError

// Client is a registered application.
type Client struct {
	// Number is the short name by which grants refer to the client. It is never used again.
	Number     uint32   `json:"number"`
	ID         string   `json:"client_id"`
	Name       string   `json:"name"`
	Type       Type     `json:"type"`
	AuthMethod string   `json:"auth_method"`
	GrantTypes []string `json:"grant_types"`
	Scopes     []string `json:"scopes,omitempty"`
	// RequiredScopes are those of the scopes that a user who agrees cannot leave out.
	RequiredScopes []string `json:"required_scopes,omitempty"`
	RedirectURIs   []string `json:"redirect_uris,omitempty"`
	// ClientURI is the application's home page, for people.
	ClientURI string `json:"client_uri,omitempty"`
	// PostLogoutRedirectURIs is where a browser may be sent after it was logged out (OIDC RP-Initiated Logout §2).
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	// BackchannelLogoutURI is told that a session has ended (OIDC Back-Channel Logout §2.2). BackchannelLogoutSession
	// says that the client must be told which; every client is.
	BackchannelLogoutURI     string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSession bool   `json:"backchannel_logout_session_required,omitempty"`
	// IDTokenAlg is the JWS algorithm of the client's ID tokens; see IDTokenAlgorithm.
	IDTokenAlg string `json:"id_token_signed_response_alg,omitempty"`
	// PKCE is empty when codes need a challenge, or PKCEOptional.
	PKCE    string            `json:"pkce,omitempty"`
	Secrets []keys.Credential `json:"secrets,omitempty"`
	// FirstParty marks a client of the operator's own.
	FirstParty bool `json:"first_party,omitempty"`
	Disabled   bool `json:"disabled,omitempty"`
	// Epoch is raised whenever everything granted to the client ends.
	Epoch uint32 `json:"epoch"`
	// Rotation of refresh tokens: empty for what the type does by default, or RotateAlways or RotateNever.
	Rotation string `json:"rotation,omitempty"`
	// RefreshWindow is for how many seconds a rotated refresh token still gets the same answer; nil means 30.
	RefreshWindow *int      `json:"refresh_window,omitempty"`
	Created       time.Time `json:"created"`
	Updated       time.Time `json:"updated"`
	// ScopesChanged is when the list of scopes was last changed; the zero time for never. Tokens may still say the old.
	ScopesChanged time.Time `json:"scopes_changed,omitzero"`
}

// Allows reports whether the client may use a grant type.
func (c *Client) Allows(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// AllowsScope reports whether the client may ask for a scope: it is registered for it, or for a family that it is in. A
// family itself is nothing that anybody could have.
func (c *Client) AllowsScope(name string) bool {
	if strings.HasSuffix(name, familyEnd) {
		return false
	}
	for _, allowed := range c.Scopes {
		if allowed == name {
			return true
		}
		if start, is := Family(allowed); is && len(name) > len(start) && strings.HasPrefix(name, start) {
			return true
		}
	}
	return false
}

// familyEnd ends the entry of a list of scopes that stands for many.
const familyEnd = ":*"

// Family returns what the scopes of a family begin with: for orders:* that is orders: and holds for all that exist and
// all that will. Any other entry is no family.
func Family(entry string) (start string, is bool) {
	start, is = strings.CutSuffix(entry, "*")
	return start, is && strings.HasSuffix(start, ":")
}

// RequiresPKCE reports whether every code needs a challenge. RFC 9700 §2.1.1: those of public clients do.
func (c *Client) RequiresPKCE() bool { return c.Type != Confidential || c.PKCE != PKCEOptional }

// Confidential reports whether the client authenticates itself.
func (c *Client) Confidential() bool { return c.Type != Public }

// Rotates reports whether each refresh gives a new refresh token. RFC 9700 §4.14.2: for public clients always.
func (c *Client) Rotates() bool { return c.Type == Public || c.Rotation == RotateAlways }

// Window is for how long a rotated refresh token still gets the same answer.
func (c *Client) Window() time.Duration {
	if c.RefreshWindow == nil {
		return defaultWindow
	}
	return time.Duration(*c.RefreshWindow) * time.Second
}

// Registry keeps the clients.
type Registry struct {
	store store.Store
	table *store.Table[Client]
	tell  func(context.Context, *Client) error
}

// TellEnds sets what is told, with the client as it was, that everything granted to it in its epoch is worth nothing: it is
// disabled or deleted, or begins anew (EndGrants). It is told before the act; an act of which it cannot be told is not
// done. Call it before the registry is used.
func (r *Registry) TellEnds(tell func(context.Context, *Client) error) { r.tell = tell }

// ending tells of the end of everything granted to a client, and then does it. The act raises its epoch
// and returns it.
func (r *Registry) ending(ctx context.Context, id string, by uint32, act func() (*Client, error)) (*Client, error) {
	before, err := r.table.Fresh(ctx, id)
	if errors.Is(err, store.ErrNotFound) || r.tell == nil {
		return act()
	}
	if err != nil {
		return nil, err
	}
	if err := r.tell(ctx, &before); err != nil {
		return nil, err
	}
	after, err := act()
	if err != nil || after.Epoch == before.Epoch+by {
		return after, err
	}
	// Others have raised the epoch since the look, and told of theirs: this act has ended a later one.
	before.Epoch = after.Epoch - by
	return after, r.tell(ctx, &before)
}

// New makes a registry.
func New(s store.Store, changes *store.Changes) *Registry {
	names := func(c Client) []string { return []string{numberName(c.Number)} }
	return &Registry{store: s, table: store.NewTable(s, changes, "client", names, cacheLimit)}
}

func numberName(n uint32) string {
	var usual [12]byte
	return string(strconv.AppendUint(append(usual[:0], '#'), uint64(n), 10))
}

// Get returns the client of a client_id as it was within the last second, or store.ErrNotFound. It is shared: do not
// modify what it refers to.
func (r *Registry) Get(ctx context.Context, id string) (*Client, error) {
	if !validID(id) {
		return nil, fmt.Errorf("no client can have this id: %w", store.ErrNotFound)
	}
	return r.table.Get(ctx, id)
}

// ByNumber is Get by the client's number.
func (r *Registry) ByNumber(ctx context.Context, number uint32) (*Client, error) {
	return r.table.ByName(ctx, numberName(number))
}

// Fresh returns the client of a number as it is now, or store.ErrNotFound.
func (r *Registry) Fresh(ctx context.Context, number uint32) (*Client, error) {
	return orNil(r.table.FreshByName(ctx, numberName(number)))
}

// List returns up to limit clients in the order of their IDs, after the given one.
func (r *Registry) List(ctx context.Context, after string, limit int) ([]*Client, error) {
	list, err := r.table.List(ctx, after, min(limit, listLimit))
	if err != nil {
		return nil, err
	}
	clients := make([]*Client, len(list))
	for i := range list {
		clients[i] = &list[i]
	}
	return clients, nil
}

// now is the store's time, to the second and in UTC as the records show it.
func (r *Registry) now() time.Time { return r.store.Now().UTC().Truncate(time.Second) }

func orNil(c Client, err error) (*Client, error) {
	if err != nil {
		return nil, err
	}
	return &c, nil
}
