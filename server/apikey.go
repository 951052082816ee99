package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/users"
)

// keyDays is how long an API key lives unless its maker chooses otherwise.
const keyDays = 30

// keyOwner is whose own an API key is: a user's, who calls it an access token, or a client's.
type keyOwner struct {
	user   *users.User
	client *clients.Client
}

func (o keyOwner) id() string {
	if o.client != nil {
		return o.client.ID
	}
	return o.user.ID.String()
}

func (o keyOwner) inGrants() grants.Owner {
	if o.client != nil {
		return grants.Owner{Client: o.client.Number}
	}
	return grants.Owner{User: o.user.ID}
}

// holds is who may use the scopes of such a key.
func (o keyOwner) holds() holder {
	if o.client != nil {
		return o.client
	}
	return ownKeys
}

// may reports whether a scope may be given to a key: administration only by an administrator, and to a client what it is
// registered for.
func (o keyOwner) may(name string) bool {
	if o.client != nil {
		return o.client.AllowsScope(name)
	}
	return o.user.Admin || !strings.HasPrefix(name, adminPrefix)
}

// keyScopes are the scopes that may be given to a key: those of all APIs that are not deprecated and that its owner has.
// OpenID Connect is about logins at apps.
func keyScopes(catalogue *resources.Catalogue, o keyOwner) []string {
	var names []string
	for _, resource := range catalogue.All() {
		if resource.Disabled || isIdentity(resource) {
			continue
		}
		for _, scope := range resource.Scopes {
			if !scope.Deprecated && o.may(scope.Name) {
				names = append(names, scope.Name)
			}
		}
	}
	return names
}

// newKey is an API key that somebody asks for.
type newKey struct {
	name   string
	scopes []string
	life   time.Duration
	// login is when the person who asks for it logged in, if it is known.
	login time.Time
}

// makeKey makes an API key. Whether the caller may make one is decided before; here it is decided what its owner may have.
func (s *Server) makeKey(ctx context.Context, o keyOwner, k newKey) (string, grants.Grant, error) {
	d := grants.Delegation{}
	switch {
	case o.user != nil:
		d.User, d.UserEpoch = o.user.ID, o.user.Epoch
	case !o.client.Allows(clients.ClientCredentials):
		return "", grants.Grant{}, &failure{status: http.StatusBadRequest, code: codeUnauthorizedClient,
			description: "the client is not registered for client_credentials, by which a client acts for itself"}
	default:
		d.Client, d.ClientEpoch = o.client.Number, o.client.Epoch
	}
	if !k.login.IsZero() {
		d.Method, d.AuthTime = grants.MethodPassword, k.login
	}
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return "", grants.Grant{}, err
	}
	access, err := keyAccess(catalogue, keyScopes(catalogue, o), k.scopes)
	if err != nil {
		return "", grants.Grant{}, err
	}
	d.Scopes, d.Resources = access.scopes, access.resources
	text, grant, err := s.grants.IssueKey(ctx, d, grants.Key{Label: k.name, Life: k.life})
	if errors.Is(err, grants.ErrInvalid) {
		err = &failure{status: http.StatusConflict, code: codeConflict, cause: err,
			description: "the owner of the key is disabled, or was changed in this very moment"}
	}
	return text, grant, err
}

// scopesField names the scopes in what is wrong with a new key.
const scopesField = "scopes"

// keyAccess finds the scopes of a new key among those that are offered for it.
func keyAccess(catalogue *resources.Catalogue, offered, names []string) (grantAccess, error) {
	var access grantAccess
	if len(names) == 0 {
		return access, &store.InvalidError{Field: scopesField, Problem: "is empty", Fix: "name what the key is for"}
	}
	for i, name := range names {
		if !slices.Contains(offered, name) {
			// One answer for all: whether a scope exists is not told to those who may not have it.
			return access, &store.InvalidError{Field: fmt.Sprintf("%s[%d]", scopesField, i), Problem: "is none that a key of this owner may have",
				Fix: "name scopes that exist, are not deprecated and that the owner has; those of OpenID Connect are for apps"}
		}
		scope, resource, _ := catalogue.Scope(name)
		access.add(scope.Number, resource)
	}
	return access, nil
}
