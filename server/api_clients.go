package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/scopes"
)

// clientMetadata is what a client's registration says (RFC 7591 §2): what is sent, and what is shown.
type clientMetadata struct {
	ClientID                 string   `json:"client_id"`
	Name                     string   `json:"name"`
	Type                     string   `json:"type"`
	AuthMethod               string   `json:"auth_method"`
	GrantTypes               []string `json:"grant_types"`
	Scopes                   []string `json:"scopes"`
	RedirectURIs             []string `json:"redirect_uris"`
	FirstParty               bool     `json:"first_party"`
	Rotation                 string   `json:"rotation,omitempty"`
	RefreshWindow            *int     `json:"refresh_window,omitempty"`
	RequiredScopes           []string `json:"required_scopes"`
	ClientURI                string   `json:"client_uri,omitempty"`
	PostLogoutRedirectURIs   []string `json:"post_logout_redirect_uris"`
	BackchannelLogoutURI     string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSession bool     `json:"backchannel_logout_session_required"`
	IDTokenAlg               string   `json:"id_token_signed_response_alg,omitempty"`
	PKCE                     string   `json:"pkce,omitempty"`
}

// clientJSON is a client as it is shown. Secrets are shown by name only.
type clientJSON struct {
	clientMetadata
	Disabled bool         `json:"disabled"`
	Secrets  []secretJSON `json:"secrets"`
	Created  time.Time    `json:"created"`
	Updated  time.Time    `json:"updated"`
	// ClientSecret is there once, in the answer to the registration.
	ClientSecret string `json:"client_secret,omitempty"`
}

func showClient(c *clients.Client) clientJSON {
	return clientJSON{
		clientMetadata: clientMetadata{
			ClientID: c.ID, Name: c.Name, Type: string(c.Type), AuthMethod: c.AuthMethod, GrantTypes: c.GrantTypes,
			Scopes: notNil(c.Scopes), RedirectURIs: notNil(c.RedirectURIs), FirstParty: c.FirstParty,
			RequiredScopes: notNil(c.RequiredScopes), ClientURI: c.ClientURI, PostLogoutRedirectURIs: notNil(c.PostLogoutRedirectURIs),
			BackchannelLogoutURI: c.BackchannelLogoutURI, BackchannelLogoutSession: c.BackchannelLogoutSession,
			IDTokenAlg: c.IDTokenAlg, PKCE: c.PKCE, Rotation: c.Rotation, RefreshWindow: c.RefreshWindow,
		},
		Disabled: c.Disabled, Secrets: showSecrets(c.Secrets), Created: c.Created, Updated: c.Updated,
	}
}

// notNil makes an empty list of none: clients in other languages trip over null.
func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// clientInput is a registration.
type clientInput struct {
	clientMetadata
	SecretLifetime duration `json:"secret_lifetime"`
}

// clientChange is a change of a client; what is absent stays.
type clientChange struct {
	Name                     *string   `json:"name"`
	AuthMethod               *string   `json:"auth_method"`
	GrantTypes               *[]string `json:"grant_types"`
	Scopes                   *[]string `json:"scopes"`
	RedirectURIs             *[]string `json:"redirect_uris"`
	FirstParty               *bool     `json:"first_party"`
	Disabled                 *bool     `json:"disabled"`
	Rotation                 *string   `json:"rotation"`
	RefreshWindow            *int      `json:"refresh_window"`
	RequiredScopes           *[]string `json:"required_scopes"`
	ClientURI                *string   `json:"client_uri"`
	PostLogoutRedirectURIs   *[]string `json:"post_logout_redirect_uris"`
	BackchannelLogoutURI     *string   `json:"backchannel_logout_uri"`
	BackchannelLogoutSession *bool     `json:"backchannel_logout_session_required"`
	IDTokenAlg               *string   `json:"id_token_signed_response_alg"`
	PKCE                     *string   `json:"pkce"`
	// AddScopes and RemoveScopes change the list without knowing the rest of it.
	AddScopes    []string `json:"add_scopes"`
	RemoveScopes []string `json:"remove_scopes"`
}

func (ch clientChange) apply(c *clients.Client) error {
	set(&c.Name, ch.Name)
	set(&c.AuthMethod, ch.AuthMethod)
	set(&c.GrantTypes, ch.GrantTypes)
	set(&c.Scopes, ch.Scopes)
	set(&c.RedirectURIs, ch.RedirectURIs)
	set(&c.FirstParty, ch.FirstParty)
	set(&c.Rotation, ch.Rotation)
	set(&c.RequiredScopes, ch.RequiredScopes)
	set(&c.ClientURI, ch.ClientURI)
	set(&c.PostLogoutRedirectURIs, ch.PostLogoutRedirectURIs)
	set(&c.BackchannelLogoutURI, ch.BackchannelLogoutURI)
	set(&c.BackchannelLogoutSession, ch.BackchannelLogoutSession)
	set(&c.IDTokenAlg, ch.IDTokenAlg)
	set(&c.PKCE, ch.PKCE)
	if ch.RefreshWindow != nil {
		c.RefreshWindow = ch.RefreshWindow
	}
	for _, name := range ch.AddScopes {
		if !slices.Contains(c.Scopes, name) {
			c.Scopes = append(c.Scopes, name)
		}
	}
	c.Scopes = slices.DeleteFunc(c.Scopes, func(name string) bool { return slices.Contains(ch.RemoveScopes, name) })
	if i := slices.IndexFunc(ch.RemoveScopes, c.AllowsScope); i >= 0 {
		// Whoever takes a right away must not believe that it is gone while a family still gives it.
		return &clients.InvalidError{Field: fmt.Sprintf("remove_scopes[%d]", i), Problem: "is still allowed by a family among the scopes",
			Fix: "remove the family, and add those of its scopes that are to stay"}
	}
	// Taking a scope away takes it off the required ones too. A list of those that is given is taken at its word.
	if ch.RequiredScopes == nil {
		c.RequiredScopes = slices.DeleteFunc(c.RequiredScopes, func(name string) bool { return !c.AllowsScope(name) })
	}
	return nil
}

// set takes over a value that is there.
func set[T any](into *T, value *T) {
	if value != nil {
		*into = *value
	}
}

// mayHandOut refuses to give a client, or to take over a client that has, administration which the caller's own token
// lacks: who administers clients alone does not become administrator of everything by way of a client. A family needs all
// that is in it today.
func (s *Server) mayHandOut(ctx context.Context, names []string) error {
	if isLocal(ctx) {
		return nil
	}
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return err
	}
	token, _ := scopes.TokenFrom(ctx)
	for _, name := range names {
		if start, is := clients.Family(name); is {
			if under := scopesUnder(catalogue, start); strings.HasPrefix(name, adminPrefix) && len(token.Scopes.Missing(under...)) > 0 {
				return &failure{status: http.StatusForbidden, code: codeAccessDenied, description: "this would hand out " + name + ", of which your own token has not all"}
			}
			continue
		}
		if strings.HasPrefix(name, adminPrefix) && !token.Scopes.Has(name) {
			return &failure{status: http.StatusForbidden, code: codeAccessDenied, description: "this would hand out " + name + ", which your own token has not"}
		}
	}
	return nil
}

func (s *Server) listClients(c *gin.Context) {
	after, limit, err := page(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	found, err := s.clients.List(c.Request.Context(), after, limit+1)
	if err != nil {
		s.fail(c, err)
		return
	}
	writeJSON(c, http.StatusOK, paged(found, limit, showClient, func(c *clients.Client) string { return c.ID }))
}

func (s *Server) createClient(c *gin.Context) {
	var in clientInput
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	ctx := c.Request.Context()
	if err := s.checkScopesExist(ctx, in.Scopes); err != nil {
		s.fail(c, err)
		return
	}
	if err := s.mayHandOut(ctx, in.Scopes); err != nil {
		s.fail(c, err)
		return
	}
	client, secret, err := s.clients.Create(ctx, clients.Registration{
		ID: in.ClientID, Name: in.Name, Type: clients.Type(in.Type), AuthMethod: in.AuthMethod, GrantTypes: in.GrantTypes,
		Scopes: in.Scopes, RedirectURIs: in.RedirectURIs, FirstParty: in.FirstParty, Rotation: in.Rotation,
		RequiredScopes: in.RequiredScopes, ClientURI: in.ClientURI, PostLogoutRedirectURIs: in.PostLogoutRedirectURIs,
		BackchannelLogoutURI: in.BackchannelLogoutURI, BackchannelLogoutSession: in.BackchannelLogoutSession,
		IDTokenAlg: in.IDTokenAlg, PKCE: in.PKCE,
		RefreshWindow: in.RefreshWindow, SecretLifetime: time.Duration(in.SecretLifetime),
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "client.create", client.ID)
	out := showClient(client)
	out.ClientSecret = secret
	writeJSON(c, http.StatusCreated, out)
}

func (s *Server) showClient(c *gin.Context) {
	client, err := s.clients.Get(c.Request.Context(), c.Param("client"))
	if err != nil {
		s.fail(c, err)
		return
	}
	writeJSON(c, http.StatusOK, showClient(client))
}

func (s *Server) editClient(c *gin.Context) {
	var change clientChange
	if err := readJSON(c.Request, &change); err != nil {
		s.fail(c, err)
		return
	}
	ctx, id := c.Request.Context(), c.Param("client")
	wanted := change.AddScopes
	if change.Scopes != nil {
		wanted = append(slices.Clone(*change.Scopes), wanted...)
	}
	if err := s.checkScopesExist(ctx, wanted); err != nil {
		s.fail(c, err)
		return
	}
	// What takes rights away comes first: it is not left undone when a later part fails.
	if change.Disabled != nil && *change.Disabled {
		if _, err := s.clients.Disable(ctx, id); err != nil {
			s.fail(c, err)
			return
		}
	}
	client, err := s.clients.Update(ctx, id, func(client *clients.Client) error {
		if err := s.mayHandOut(ctx, client.Scopes); err != nil {
			return err
		}
		if err := change.apply(client); err != nil {
			return err
		}
		return s.mayHandOut(ctx, client.Scopes)
	})
	if err == nil && change.Disabled != nil && !*change.Disabled {
		client, err = s.clients.Enable(ctx, id)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "client.edit", id)
	writeJSON(c, http.StatusOK, showClient(client))
}

func (s *Server) deleteClient(c *gin.Context) {
	ctx, id := c.Request.Context(), c.Param("client")
	if _, err := s.clients.Get(ctx, id); err != nil {
		s.fail(c, err)
		return
	}
	if err := s.clients.Delete(ctx, id); err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "client.delete", id)
	done(c)
}
