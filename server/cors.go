package server

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/scopes"
)

// corsPaths are the endpoints that an app may call which is itself a page in a browser.
var corsPaths = []string{tokenPath, revokePath, userinfoPath}

// exposedHeaders are those of an answer that a page may read.
const exposedHeaders = "WWW-Authenticate, Retry-After, X-Request-Id"

// allowOrigin lets pages of a client's own origins read the answer (Fetch Standard §3.2): those of its redirect URIs. No
// cookie counts at these endpoints, so nothing but the answer is at stake.
func allowOrigin(c *gin.Context, client *clients.Client) {
	origin := c.GetHeader("Origin")
	if origin == "" {
		return
	}
	h := c.Writer.Header()
	h.Add("Vary", "Origin")
	if !client.AllowsOrigin(origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", exposedHeaders)
	h.Del("Cross-Origin-Resource-Policy")
}

// allowNamedOrigin is allowOrigin for the client that a form names. Errors too must be readable for the page that made
// the request, so it comes before the client is authenticated.
func (s *Server) allowNamedOrigin(c *gin.Context, id string) {
	if c.GetHeader("Origin") == "" || id == "" {
		return
	}
	if client, err := s.clients.Get(c.Request.Context(), id); err == nil {
		allowOrigin(c, client)
	}
}

// allowTokenOrigin is allowOrigin for the client of the access token of a request.
func (s *Server) allowTokenOrigin(c *gin.Context) {
	if token, ok := scopes.TokenFrom(c.Request.Context()); ok {
		s.allowNamedOrigin(c, token.ClientID)
	}
}

// allowRefusedOrigin lets a page read that the userinfo endpoint refuses its token: it will fetch a new one. Whose token it
// was is known only of a good one that lacks a scope. That another is no good tells nothing of anybody, so every page may
// read it.
func (s *Server) allowRefusedOrigin(c *gin.Context, refusal *scopes.Refusal) {
	switch {
	case !slices.Contains(corsPaths, c.FullPath()):
	case refusal.Token != nil:
		s.allowNamedOrigin(c, refusal.Token.ClientID)
	default:
		allowAnyOrigin(c)
	}
}

// allowAnyOrigin lets every page read the answer. It reports whether a page asks at all.
func allowAnyOrigin(c *gin.Context) bool {
	h := c.Writer.Header()
	h.Add("Vary", "Origin")
	origin, err := url.Parse(c.GetHeader("Origin"))
	if err != nil || !slices.Contains([]string{"http", "https"}, origin.Scheme) || origin.Host == "" {
		return false
	}
	h.Set("Access-Control-Allow-Origin", c.GetHeader("Origin"))
	h.Set("Access-Control-Expose-Headers", exposedHeaders)
	h.Del("Cross-Origin-Resource-Policy")
	return true
}

// preflight answers a browser that asks whether a page may send its request at all. It cannot say which client the page
// is, so every origin may send; the answer to the request itself is then for the client's own origins alone.
func (s *Server) preflight(c *gin.Context) {
	if allowAnyOrigin(c) {
		h := c.Writer.Header()
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		h.Set("Access-Control-Max-Age", "600")
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}
