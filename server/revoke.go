package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/scopes"
)

// revoke is the revocation endpoint (RFC 7009). Any token of a grant ends the grant, and it is ended when the answer
// comes. An unknown token is answered like one that was revoked; only another client's token is refused.
func (s *Server) revoke(c *gin.Context) {
	ctx := c.Request.Context()
	f, err := readForm(c.Request)
	if err != nil {
		s.fail(c, err)
		return
	}
	presented, err := readCredentials(c.Request, f)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.allowNamedOrigin(c, presented.id)
	client, err := s.clientOf(ctx, presented, s.clientAddr(c.Request))
	if err != nil {
		s.fail(c, err)
		return
	}
	text := f.get("token")
	if text == "" {
		s.fail(c, invalidRequest("token is missing"))
		return
	}
	err = s.revokeText(ctx, text, client.Number)
	if errors.Is(err, grants.ErrInvalid) {
		s.fail(c, &failure{status: http.StatusBadRequest, code: codeInvalidGrant, cause: err,
			description: "the token was issued to another client; it is as good as before"})
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	// Some client libraries insist on a JSON body, though RFC 7009 §2.2 asks for none.
	respond(c, http.StatusOK, jsonMedia, []byte("{}"))
}

// revokeText revokes a token of either form in the client's name.
func (s *Server) revokeText(ctx context.Context, text string, client uint32) error {
	if !looksSigned(text) {
		return s.grants.Revoke(ctx, text, client)
	}
	_, place, err := s.readSigned(ctx, text)
	if errors.Is(err, scopes.ErrInactive) {
		return nil // no token of ours: there is nothing to revoke
	}
	if err != nil {
		return err
	}
	return s.grants.RevokeSigned(ctx, place, client)
}
