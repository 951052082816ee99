package server

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"
)

// metadata is the authorization server's description of itself (RFC 8414 §2). What is not listed does not work, and
// what is listed does.
type metadata struct {
	Issuer                string   `json:"issuer"`
	TokenEndpoint         string   `json:"token_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	ResponseTypes         []string `json:"response_types_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	TokenAuth             []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuth     []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuth        []string `json:"revocation_endpoint_auth_methods_supported"`
}

// buildMetadata is done once: the answer depends on the configuration alone. response_types_supported is required, and
// empty while there is no authorization endpoint.
func (s *Server) buildMetadata() []byte {
	m := metadata{
		Issuer: s.issuer, TokenEndpoint: s.issuer + tokenPath, IntrospectionEndpoint: s.issuer + introspectPath,
		RevocationEndpoint: s.issuer + revokePath, ResponseTypes: []string{},
		// Codes are redeemed as well, but nobody can ask for one before there is an authorization endpoint.
		GrantTypes:        []string{"client_credentials", "password", "refresh_token"},
		TokenAuth:         []string{methodBasic, methodPost, methodNone},
		IntrospectionAuth: []string{methodBasic, methodPost},
		RevocationAuth:    []string{methodBasic, methodPost, methodNone},
	}
	body, err := json.Marshal(m)
	if err != nil {
		panic("server: encode the metadata: " + err.Error())
	}
	return body
}

// discover answers with the metadata, for any page of any origin: there is nothing secret in it.
func (s *Server) discover(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Del("Cross-Origin-Resource-Policy")
	c.Data(http.StatusOK, "application/json; charset=utf-8", s.metadata)
}
