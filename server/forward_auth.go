package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/scopes"
)

const (
	checkPath = "/oauth/check"
	// checkAnyPath is for proxies that put the path of the user's request behind the one that they ask (Envoy).
	checkAnyPath = checkPath + "/*path"
	// scopeHeader may name the required scopes where a proxy cannot write a query, resourceHeader is how a proxy
	// authenticates itself: Authorization is the user's.
	scopeHeader    = "X-Required-Scope"
	resourceHeader = "X-Resource-Authorization"
)

// isCheckPath reports whether a path is a proxy's question.
func isCheckPath(path string) bool {
	return path == checkPath || strings.HasPrefix(path, checkPath+"/")
}

// forwardAuth answers a proxy that asks whether it may let a request through: 200 with who it is, 401, or 403. The proxy
// says which scopes its route needs; the token is in the request's own Authorization header, which it passes on. It works
// for nginx auth_request, Traefik ForwardAuth, Caddy forward_auth and Envoy ext_authz, without code in the API.
//
// A proxy hands 401 and 403 to the user. So they are about the user's token alone, and what the proxy itself does wrong is
// 400 or 503.
func (s *Server) forwardAuth(c *gin.Context) {
	required, resource, err := s.requiredBy(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	guard := scopes.Guard{Checker: s.checker(resource), Realm: resource.Slug, Refused: func(*http.Request, *scopes.Refusal) {}}
	admitted, refusal := guard.Rule(required...).Admit(c.Request)
	if refusal != nil {
		refusal.SetHeaders(c.Writer.Header())
		s.fail(c, &failure{status: refusal.Status, code: refusal.Code, description: refusal.Description, cause: refusal.Cause})
		return
	}
	token, _ := scopes.TokenFrom(admitted.Context())
	// All of them always, and empty rather than absent: a proxy that copies what is there would else let through what the
	// user wrote under the name of one that is not.
	h := c.Writer.Header()
	h.Set("X-Auth-Subject", token.Subject)
	h.Set("X-Auth-Client-Id", token.ClientID)
	h.Set("X-Auth-Scope", token.Scopes.String())
	h.Set("X-Auth-Token-Id", token.ID)
	h.Set("X-Auth-Expires", strconv.FormatInt(token.Expires.Unix(), 10))
	h.Set("X-Auth-Username", url.PathEscape(token.Username)) // names may have letters that headers have not
	c.Status(http.StatusOK)
	c.Writer.WriteHeaderNow()
}

// requiredBy reads what a proxy asks for: scopes, and the resource that they belong to. Only a proxy that we know is
// answered: who could ask from anywhere could try out tokens.
func (s *Server) requiredBy(c *gin.Context) ([]string, *resources.Resource, error) {
	for _, name := range []string{scopeHeader, resourceHeader} {
		if len(c.Request.Header.Values(name)) > 1 {
			return nil, nil, invalidRequest(name + " is there twice; one may be the user's: let the proxy overwrite it")
		}
	}
	f, err := askedByQuery(c)
	if err != nil {
		return nil, nil, err
	}
	// Either may be the user's own: a proxy that sets the header can pass his query on, and the other way round. He can
	// demand more of himself by it, and never less.
	set, err := scopes.ParseSet(strings.TrimSpace(f.get("scope") + " " + c.GetHeader(scopeHeader)))
	if err != nil {
		return nil, nil, invalidRequest("the required scopes are malformed")
	}
	resource, err := s.askingResource(c, f.get("resource"), set.Names())
	if err != nil {
		return nil, nil, err
	}
	for _, name := range set.Names() {
		if !resource.HasScope(name) {
			return nil, nil, &failure{status: http.StatusBadRequest, code: codeInvalidScope, description: "a required scope is not one of the resource's"}
		}
	}
	return set.Names(), resource, nil
}

// askedByQuery is what the query says, which is the proxy's only at checkPath itself: behind a path of the user's it is the
// user's too, who could ask for less than the route needs.
func askedByQuery(c *gin.Context) (form, error) {
	if c.Param("path") == "" {
		return parseForm(c.Request.URL.RawQuery)
	}
	if c.GetHeader(scopeHeader) == "" {
		return nil, invalidRequest("below " + checkPath + "/ path and query are the user's: name the required scopes in " + scopeHeader)
	}
	return nil, nil
}

// askingResource is the resource in whose name a proxy asks: the one whose credential it shows, or, for a proxy in one of
// the configured networks, the one that it names or whose scopes it requires.
func (s *Server) askingResource(c *gin.Context, slug string, required []string) (*resources.Resource, error) {
	ctx := c.Request.Context()
	if header := c.GetHeader(resourceHeader); header != "" {
		presented, ok := parseBasic(header)
		if !ok {
			return nil, invalidRequest(resourceHeader + " is not well-formed HTTP Basic")
		}
		resource, err := s.resources.Authenticate(ctx, presented.id, presented.secret)
		if errors.Is(err, resources.ErrUnauthenticated) {
			noteOf(ctx).clientID = s.knownSlug(ctx, presented.id)
			return nil, strangeProxy(c.Request, "the credential in "+resourceHeader+" is wrong, or its resource is disabled")
		}
		if err != nil {
			return nil, err
		}
		if slug != "" && slug != resource.Slug {
			// The header may be the user's own, behind a proxy that names the resource of its route.
			return nil, invalidRequest("the credential is not that of the resource that is named")
		}
		noteOf(ctx).clientID = resource.Slug
		return resource, nil
	}
	if !s.isProxy(c.Request) {
		return nil, strangeProxy(c.Request, "it must be in a network of server.check_networks, or show a resource's credential in "+resourceHeader)
	}
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	for _, resource := range catalogue.All() {
		if !resource.Disabled && (resource.Slug == slug || slug == "" && len(required) > 0 && resource.HasScope(required[0])) {
			noteOf(ctx).clientID = resource.Slug
			return resource, nil
		}
	}
	return nil, invalidRequest("no resource has this scope: name the required scopes by ?scope=, or a resource by ?resource=")
}

// strangeProxy is the answer to who may not ask. It is no 401 or 403, which the proxy would hand to the user: a secret that
// was changed on one side only must not log everybody out. The log gets it as what it is, a fault in the set-up.
func strangeProxy(r *http.Request, why string) *failure {
	cause := fmt.Errorf("%s asked in the name of %q", r.RemoteAddr, noteOf(r.Context()).clientID)
	return &failure{status: http.StatusServiceUnavailable, code: codeUnavailable, description: "this proxy may not ask: " + why,
		retryAfter: unavailableRetry, cause: cause}
}

// isProxy reports whether a request comes straight from a network of proxies that may ask. What the request says of where
// it comes from does not count.
func (s *Server) isProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && contains(s.checkNetworks, peer.Addr().Unmap())
}
