package server

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/keys"
)

// secretJSON names a secret. Secret itself is there once, when it was made.
type secretJSON struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Secret  string    `json:"secret,omitempty"`
}

func showSecrets(credentials []keys.Credential) []secretJSON {
	out := make([]secretJSON, len(credentials))
	for i, c := range credentials {
		out[i] = secretJSON{ID: c.ID, Created: c.Created, Expires: c.Expires}
	}
	return out
}

// secretInput asks for a further secret.
type secretInput struct {
	Lifetime duration `json:"lifetime"`
}

func (s *Server) addClientSecret(c *gin.Context) {
	var in secretInput
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	ctx, id := c.Request.Context(), c.Param("client")
	client, err := s.clients.Get(ctx, id)
	if err == nil {
		err = s.mayHandOut(ctx, client.Scopes)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	secret, credential, err := s.clients.AddSecret(ctx, id, time.Duration(in.Lifetime))
	if err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "client.secret.add", c.Param("client"))
	writeJSON(c, http.StatusCreated, secretJSON{credential.ID, credential.Created, credential.Expires, secret})
}

func (s *Server) revokeClientSecret(c *gin.Context) {
	if err := s.clients.RevokeSecret(c.Request.Context(), c.Param("client"), c.Param("secret")); err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "client.secret.revoke", c.Param("client"))
	done(c)
}
