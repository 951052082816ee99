package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/safeconduct/safeconduct/scopes"
)

// tokenInput names a token.
type tokenInput struct {
	Token string `json:"token"`
}

// inspection is what the operator is told of a token: every audience, which no resource sees.
type inspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope"`
	ClientID  string   `json:"client_id"`
	Username  string   `json:"username,omitempty"`
	TokenType string   `json:"token_type"`
	Expires   int64    `json:"exp"`
	Subject   string   `json:"sub"`
	Audience  []string `json:"aud"`
	Issuer    string   `json:"iss"`
	ID        string   `json:"jti"`
}

func (s *Server) inspectToken(c *gin.Context) {
	var in tokenInput
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	token, err := s.check(c.Request.Context(), everyResource, in.Token)
	if errors.Is(err, scopes.ErrInactive) {
		respond(c, http.StatusOK, jsonMedia, inactive)
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	writeJSON(c, http.StatusOK, inspection{
		Active: true, Scope: token.Scopes.String(), ClientID: token.ClientID, Username: token.Username, TokenType: token.TokenType,
		Expires: token.Expires.Unix(), Subject: token.Subject, Audience: token.Audience, Issuer: token.Issuer, ID: token.ID,
	})
}

func (s *Server) revokeAnyToken(c *gin.Context) {
	var in tokenInput
	if err := readJSON(c.Request, &in); err != nil {
		s.fail(c, err)
		return
	}
	if err := s.revokeAnyText(c.Request.Context(), in.Token); err != nil {
		s.fail(c, err)
		return
	}
	s.auditAdmin(c, "token.revoke", "")
	done(c)
}

// revokeAnyText is revokeText for the operator.
func (s *Server) revokeAnyText(ctx context.Context, text string) error {
	if !looksSigned(text) {
		return s.grants.RevokeAny(ctx, text)
	}
	_, place, err := s.readSigned(ctx, text)
	if errors.Is(err, scopes.ErrInactive) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.grants.RevokeAnySigned(ctx, place)
}
