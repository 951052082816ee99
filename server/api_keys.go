package server

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/keys"
)

// listSigningKeys shows the signing keys by everything but themselves. There are a handful, so there is one page.
func (s *Server) listSigningKeys(c *gin.Context) {
	found, err := s.signing.List(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	writeJSON(c, http.StatusOK, list[keys.SigningKey]{Items: found})
}

// rotateSigningKeys replaces the keys before their time, in the order that no verifier notices.
func (s *Server) rotateSigningKeys(c *gin.Context) {
	s.actOnKeys(c, "keys.rotate", s.signing.Rotate)
}

// discardSigningKeys throws the keys away at once. It is for keys that leaked: what they signed is refused from now on.
func (s *Server) discardSigningKeys(c *gin.Context) {
	s.actOnKeys(c, "keys.discard", s.signing.Discard)
}

func (s *Server) actOnKeys(c *gin.Context, event string, act func(context.Context) error) {
	if err := act(c.Request.Context()); err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, event, "")
	done(c)
}
