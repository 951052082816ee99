package server

import (
	"context"
	"errors"
	"log/slog"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/scopes"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/users"
)

// auditMessage marks the log lines that tell who did what. They name ids and never a token or secret.
const auditMessage = "audit"

// auditGrant logs what happened to a grant that an operator should know of.
func (s *Server) auditGrant(ctx context.Context, e grants.Event) {
	attrs := []slog.Attr{
		slog.String("event", string(e.Kind)), slog.String("grant", e.Grant.String()), slog.Uint64("client_number", uint64(e.Client)),
		slog.Bool("grant_ended", e.Ended), slog.String("request_id", noteOf(ctx).id),
	}
	if e.User != uuid.Nil {
		attrs = append(attrs, slog.String("user_id", e.User.String()))
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, auditMessage, attrs...)
}

// auditLogin logs a refused login. Whose name was tried is not logged: people type passwords into that field.
func (s *Server) auditLogin(ctx context.Context, client *clients.Client, err error) {
	if errors.Is(err, store.ErrUnavailable) || errors.Is(err, users.ErrBusy) {
		return
	}
	var limited *users.LimitedError
	s.log.LogAttrs(ctx, slog.LevelWarn, auditMessage, slog.String("event", "login.refused"), slog.String("client_id", client.ID),
		slog.Bool("limited", errors.As(err, &limited)), slog.String("request_id", noteOf(ctx).id))
}

// auditAdmin logs what was done through our own API, and by whom.
func (s *Server) auditAdmin(c *gin.Context, event, target string) {
	ctx := c.Request.Context()
	token, _ := scopes.TokenFrom(ctx)
	s.log.LogAttrs(ctx, slog.LevelInfo, auditMessage, slog.String("event", event), slog.String("target", target),
		slog.String("by", token.Subject), slog.String("by_client", token.ClientID), slog.String("request_id", noteOf(ctx).id))
}
