package server

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/scopes"
)

// metadataOf tells a client where it gets a token for one of our own resources, and by which methods it may send it
// (RFC 9728 §2).
func (s *Server) metadataOf(resource *resources.Resource, methods ...string) scopes.Metadata {
	m := scopes.Metadata{Resource: resource.ID, Name: resource.Name, AuthorizationServers: []string{s.issuer}, BearerMethods: methods}
	for _, scope := range resource.Scopes {
		m.Scopes = append(m.Scopes, scope.Name)
	}
	return m
}

// metadataURL is where the metadata of one of our own resources is, for the answers that refuse a token; empty for others.
func (s *Server) metadataURL(resource *resources.Resource) string {
	if !resource.BuiltIn || !strings.HasPrefix(resource.ID, s.issuer) {
		return ""
	}
	return s.metadataOf(resource).URL()
}

// describeResource serves the metadata of one of our own resources.
func (s *Server) describeResource(m scopes.Metadata) gin.HandlerFunc {
	return func(c *gin.Context) {
		s.public(c)
		writeJSON(c, http.StatusOK, m)
	}
}
