package server

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
)

const (
	metadataPath  = "/.well-known/oauth-authorization-server"
	discoveryPath = "/.well-known/openid-configuration"
	jwksPath      = "/.well-known/jwks.json"
	// metadataAge is how long metadata and keys may be kept by whoever reads them. A key is published for much longer
	// before it signs.
	metadataAge = "public, max-age=300"
)

// metadata is the server's description of itself, the same for OAuth (RFC 8414 §2) and OpenID Connect (Discovery §3).
// What is not listed does not work, and what is listed does.
type metadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	JWKS                  string   `json:"jwks_uri"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	Scopes                []string `json:"scopes_supported"`
	Claims                []string `json:"claims_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	Prompts               []string `json:"prompt_values_supported"`
	Languages             []string `json:"ui_locales_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	IDTokenAlgs           []string `json:"id_token_signing_alg_values_supported"`
	ACRs                  []string `json:"acr_values_supported"`
	TokenAuth             []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuth     []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuth        []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionAlgs     []string `json:"introspection_signing_alg_values_supported"`
	AnswersNameIssuer     bool     `json:"authorization_response_iss_parameter_supported"`
	BackchannelLogout     bool     `json:"backchannel_logout_supported"`
	BackchannelSession    bool     `json:"backchannel_logout_session_supported"`
	ClaimsParameter       bool     `json:"claims_parameter_supported"`
	RequestParameter      bool     `json:"request_parameter_supported"`
	RequestURIParameter   bool     `json:"request_uri_parameter_supported"`
}

// buildMetadata is done once: the answer depends on the configuration alone.
func (s *Server) buildMetadata() []byte {
	m := metadata{
		Issuer: s.issuer, AuthorizationEndpoint: s.issuer + authorizePath, TokenEndpoint: s.issuer + tokenPath,
		UserinfoEndpoint: s.issuer + userinfoPath, JWKS: s.issuer + jwksPath, IntrospectionEndpoint: s.issuer + introspectPath,
		RevocationEndpoint: s.issuer + revokePath, EndSessionEndpoint: s.issuer + logoutPath,
		// The scopes of OpenID Connect alone: those of APIs come and go, and are not everybody's to know.
		Scopes: []string{scopeOpenID, scopeProfile, scopeEmail, scopeOffline},
		Claims: []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid",
			"name", "preferred_username", "updated_at", "email", "email_verified"},
		ResponseTypes: []string{"code"}, ResponseModes: []string{modeQuery, modeFormPost},
		GrantTypes:       []string{"authorization_code", "client_credentials", "password", "refresh_token"},
		ChallengeMethods: []string{"S256"},
		Prompts:          []string{"none", "login", "consent", "select_account"},
		Languages:        s.pages.Languages(),
		SubjectTypes:     []string{"public"},
		IDTokenAlgs:      keys.Algorithms(),
		ACRs:             []string{acrPassword},
		TokenAuth:        []string{clients.SecretBasic, clients.SecretPost, clients.None},

		IntrospectionAlgs: keys.Algorithms(),
		IntrospectionAuth: []string{clients.SecretBasic, clients.SecretPost},
		RevocationAuth:    []string{clients.SecretBasic, clients.SecretPost, clients.None},
		AnswersNameIssuer: true, BackchannelLogout: true, BackchannelSession: true,
	}
	body, err := json.Marshal(m)
	if err != nil {
		panic("server: encode the metadata: " + err.Error())
	}
	return body
}

// discover answers with the metadata.
func (s *Server) discover(c *gin.Context) {
	s.public(c)
	respond(c, http.StatusOK, jsonMedia, s.metadata)
}

// keySet is a key set as it was last served.
type keySet struct {
	body []byte
	etag string
}

// jwks answers with the public keys (RFC 7517 §5) of all that this server signs.
func (s *Server) jwks(c *gin.Context) {
	last := s.lastKeys.Load()
	var body []byte
	var etag string
	err := store.ErrUnavailable
	// A store that is known to be away is not waited for.
	if last == nil || !s.health.storeDown.Load() {
		body, etag, err = s.signing.JWKS(c.Request.Context())
	}
	switch {
	case err == nil && (last == nil || last.etag != etag):
		s.lastKeys.Store(&keySet{body, etag})
	case errors.Is(err, store.ErrUnavailable) && last != nil:
		// Public keys do not become wrong. Who verifies tokens elsewhere need not stop because our store is away.
		body, etag = last.body, last.etag
	case err != nil:
		s.fail(c, err)
		return
	}
	s.public(c)
	c.Header("ETag", etag)
	if c.GetHeader("If-None-Match") == etag {
		c.Status(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return
	}
	respond(c, http.StatusOK, jwksMedia, body)
}

// public marks an answer in which nothing is secret: pages of any origin may read it, and caches may keep it a while.
func (s *Server) public(c *gin.Context) {
	h := c.Writer.Header()
	s.publicHeader.copyTo(h)
	delete(h, "Cross-Origin-Resource-Policy")
}

func publicHeader() sharedHeader {
	var h sharedHeader
	h.add("Cache-Control", metadataAge)
	h.add("Access-Control-Allow-Origin", "*")
	return h
}
