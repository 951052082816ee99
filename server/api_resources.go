package server

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/resources"
)

// resourceJSON is a protected resource as it is shown.
type resourceJSON struct {
	Slug           string       `json:"slug"`
	Identifier     string       `json:"identifier"`
	Name           string       `json:"name"`
	Scopes         []scopeJSON  `json:"scopes"`
	AccessLifetime duration     `json:"access_lifetime,omitempty"`
	TokenFormat    string       `json:"token_format"`
	SigningAlg     string       `json:"signing_alg,omitempty"`
	BuiltIn        bool         `json:"built_in"`
	Disabled       bool         `json:"disabled"`
	Secrets        []secretJSON `json:"secrets"`
	Created        time.Time    `json:"created"`
	Updated        time.Time    `json:"updated"`
	// Secret is there once, in the answer to the definition. With the slug as the user it introspects.
	Secret string `json:"secret,omitempty"`
}

// formatOpaque is how the API writes the format of access tokens that say nothing by themselves.
const formatOpaque = "opaque"

// formatOf is a format of access tokens as resources keeps it.
func formatOf(in string) string {
	if in == formatOpaque {
		return ""
	}
	return in
}

func showResource(r *resources.Resource) resourceJSON {
	out := resourceJSON{
		Slug: r.Slug, Identifier: r.ID, Name: r.Name, AccessLifetime: duration(r.AccessLifetime), BuiltIn: r.BuiltIn,
		Disabled: r.Disabled, Secrets: showSecrets(r.Secrets), Created: r.Created, Updated: r.Updated, Scopes: []scopeJSON{},
	}
	out.TokenFormat = formatOpaque
	if r.Format != "" {
		out.TokenFormat, out.SigningAlg = r.Format, cmp.Or(r.Alg, keys.ES256)
	}
	for _, scope := range r.Scopes {
		out.Scopes = append(out.Scopes, showScope(scope))
	}
	return out
}

// resourceInput is the definition of a resource.
type resourceInput struct {
	Slug           string      `json:"slug"`
	Identifier     string      `json:"identifier"`
	Name           string      `json:"name"`
	Scopes         []scopeJSON `json:"scopes"`
	AccessLifetime duration    `json:"access_lifetime"`
	TokenFormat    string      `json:"token_format"`
	SigningAlg     string      `json:"signing_alg"`
}

// resourceChange is a change of a resource; what is absent stays. A list of scopes replaces the one there and is taken
// at its word; the other three change single scopes without knowing the rest.
type resourceChange struct {
	Name           *string      `json:"name"`
	Scopes         *[]scopeJSON `json:"scopes"`
	AccessLifetime *duration    `json:"access_lifetime"`
	TokenFormat    *string      `json:"token_format"`
	SigningAlg     *string      `json:"signing_alg"`
	Disabled       *bool        `json:"disabled"`
	// AddScopes, EditScopes and RemoveScopes are made in this order, all or none. What is removed is taken off the scopes
	// that implied it too.
	AddScopes    []scopeJSON   `json:"add_scopes"`
	EditScopes   []scopeChange `json:"edit_scopes"`
	RemoveScopes []string      `json:"remove_scopes"`
}

func (ch resourceChange) apply(r *resources.Resource) error {
	set(&r.Name, ch.Name)
	set(&r.Disabled, ch.Disabled)
	set(&r.AccessLifetime, (*time.Duration)(ch.AccessLifetime))
	if ch.TokenFormat != nil {
		r.Format = formatOf(*ch.TokenFormat)
		if r.Format == "" {
			r.Alg = "" // it went with the format; one that is sent along is refused
		}
	}
	set(&r.Alg, ch.SigningAlg)
	if ch.Scopes != nil {
		r.Scopes = scopesOf(*ch.Scopes)
	}
	return ch.changeScopes(r)
}

// listResources answers with all of them: they are few, and every process has them in memory.
func (s *Server) listResources(c *gin.Context) {
	found, err := s.resources.List(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	out := list[resourceJSON]{Items: []resourceJSON{}}
	for _, resource := range found {
		out.Items = append(out.Items, showResource(resource))
	}
	writeJSON(c, http.StatusOK, out)
}

func (s *Server) createResource(c *gin.Context) {
	var in resourceInput
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	resource, secret, err := s.resources.Create(c.Request.Context(), resources.Definition{
		ID: in.Identifier, Slug: in.Slug, Name: in.Name, Scopes: scopesOf(in.Scopes), AccessLifetime: time.Duration(in.AccessLifetime),
		Format: formatOf(in.TokenFormat), Alg: in.SigningAlg,
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "resource.create", resource.Slug)
	out := showResource(resource)
	out.Secret = secret
	writeJSON(c, http.StatusCreated, out)
}

func (s *Server) showResource(c *gin.Context) {
	resource, err := s.resources.Get(c.Request.Context(), c.Param("resource"))
	if err != nil {
		s.fail(c, err)
		return
	}
	writeJSON(c, http.StatusOK, showResource(resource))
}

func (s *Server) editResource(c *gin.Context) {
	var change resourceChange
	if err := readJSON(c.Request, &change); err != nil {
		s.fail(c, err)
		return
	}
	resource, err := s.resources.Update(c.Request.Context(), c.Param("resource"), change.apply)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "resource.edit", resource.Slug)
	writeJSON(c, http.StatusOK, showResource(resource))
}

func (s *Server) deleteResource(c *gin.Context) {
	ctx, slug := c.Request.Context(), c.Param("resource")
	if _, err := s.resources.Get(ctx, slug); err != nil {
		s.fail(c, err)
		return
	}
	if err := s.resources.Delete(ctx, slug); err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "resource.delete", slug)
	done(c)
}

func (s *Server) addResourceSecret(c *gin.Context) {
	var in secretInput
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	secret, credential, err := s.resources.AddSecret(c.Request.Context(), c.Param("resource"), time.Duration(in.Lifetime))
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "resource.secret.add", c.Param("resource"))
	writeJSON(c, http.StatusCreated, secretJSON{credential.ID, credential.Created, credential.Expires, secret})
}

func (s *Server) revokeResourceSecret(c *gin.Context) {
	if err := s.resources.RevokeSecret(c.Request.Context(), c.Param("resource"), c.Param("secret")); err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "resource.secret.revoke", c.Param("resource"))
	done(c)
}

// checkScopesExist refuses scopes that no resource owns, and families that nothing is in: a typing error in an allow list
// would never be noticed.
func (s *Server) checkScopesExist(ctx context.Context, names []string) error {
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		_, _, known := catalogue.Scope(name)
		if start, is := clients.Family(name); is {
			known = len(scopesUnder(catalogue, start)) > 0
		}
		if !known {
			return &failure{status: http.StatusBadRequest, code: codeInvalidRequest, field: "scopes", detail: name,
				description: "scopes names one that no resource has; define it with a resource first"}
		}
	}
	return nil
}

// scopesUnder are the scopes that a family has today.
func scopesUnder(catalogue *resources.Catalogue, start string) []string {
	var names []string
	for _, resource := range catalogue.All() {
		for _, scope := range resource.Scopes {
			if strings.HasPrefix(scope.Name, start) {
				names = append(names, scope.Name)
			}
		}
	}
	return names
}
