package server

import (
	"errors"
	"mime"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/scopes"
	"github.com/safeconduct/safeconduct/store"
)

const userinfoPath = "/oauth/userinfo"

// userinfo tells a client about the user whose access token it has (OpenID Connect Core §5.3), as far as the token's
// scopes go.
func (s *Server) userinfo(c *gin.Context) {
	id, err := me(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	user, err := s.users.Get(c.Request.Context(), id)
	if errors.Is(err, store.ErrNotFound) { // deleted since the token was checked
		c.Header("WWW-Authenticate", `Bearer realm="`+identitySlug+`", error="invalid_token"`)
		err = &failure{status: http.StatusUnauthorized, code: "invalid_token", description: "the user does not exist any more", cause: err}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	token, _ := scopes.TokenFrom(c.Request.Context())
	writeJSON(c, http.StatusOK, claimsOf(user, token.Scopes.Has))
}

// tokenFromBody lets the access token of a POST come in its body as well as in the header (RFC 6750 §2.2). Never in the
// query, where it would reach logs and histories.
func (s *Server) tokenFromBody(c *gin.Context) {
	mediaType, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || mediaType != formMediaType || c.Request.Method != http.MethodPost {
		return
	}
	f, err := readForm(c.Request)
	if err != nil {
		allowAnyOrigin(c)
		s.fail(c, err)
		return
	}
	text := f.get("access_token")
	if text == "" {
		return
	}
	if c.GetHeader("Authorization") != "" {
		allowAnyOrigin(c)
		s.fail(c, invalidRequest("the access token is there twice, in the header and in the body"))
		return
	}
	c.Request.Header.Set("Authorization", "Bearer "+text)
}
