package server

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/resources"
)

// resourceMetadataPath begins the paths of protected resource metadata (RFC 9728 §3.1); the resource's own path follows.
const resourceMetadataPath = "/.well-known/oauth-protected-resource"

// resourceMetadata tells a client where it gets a token for one of our own resources (RFC 9728 §2).
type resourceMetadata struct {
	Resource      string   `json:"resource"`
	Name          string   `json:"resource_name"`
	Servers       []string `json:"authorization_servers"`
	Scopes        []string `json:"scopes_supported"`
	BearerMethods []string `json:"bearer_methods_supported"`
}

// describeResource serves the metadata of one of our own resources.
func (s *Server) describeResource(resource *resources.Resource, methods ...string) gin.HandlerFunc {
	m := resourceMetadata{Resource: resource.ID, Name: resource.Name, Servers: []string{s.issuer}, BearerMethods: methods}
	for _, scope := range resource.Scopes {
		m.Scopes = append(m.Scopes, scope.Name)
	}
	return func(c *gin.Context) {
		s.public(c)
		writeJSON(c, http.StatusOK, m)
	}
}

// metadataOf is where the metadata of one of our own resources is, for the answers that refuse a token; empty for others.
func (s *Server) metadataOf(resource *resources.Resource) string {
	if path, own := strings.CutPrefix(resource.ID, s.issuer); own && resource.BuiltIn {
		return s.issuer + resourceMetadataPath + path
	}
	return ""
}
