package server

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/scopes"
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
	if e.Reason != "" {
		attrs = append(attrs, slog.String("reason", e.Reason))
	}
	if e.User != uuid.Nil {
		attrs = append(attrs, slog.String("user_id", e.User.String()))
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, auditMessage, attrs...)
}

// auditLogin logs a refused login. Whose name was tried is not logged: people type passwords into that field.
func (s *Server) auditLogin(ctx context.Context, clientID string, network netip.Addr, err error) {
	if !errors.Is(err, users.ErrCredentials) && !isLimited(err) {
		return
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, auditMessage, slog.String("event", "login.refused"), slog.String("client_id", clientID),
		slog.String("network", network.String()), slog.Bool("limited", isLimited(err)), slog.String("request_id", noteOf(ctx).id))
}

// auditPerson logs what a person did on our pages.
func (s *Server) auditPerson(ctx context.Context, event string, user uuid.UUID) {
	s.log.LogAttrs(ctx, slog.LevelInfo, auditMessage, slog.String("event", event), slog.String("user_id", user.String()),
		slog.String("client_id", noteOf(ctx).clientID), slog.String("request_id", noteOf(ctx).id))
}

func isLimited(err error) bool {
	var limited *users.LimitedError
	return errors.As(err, &limited)
}

// unknownClient is the reason that clients gives for an id that nobody has.
const unknownClient = "unknown client"

// auditClient logs that somebody could not prove to be a client, and why. An id that nobody has is not logged: it may
// be a secret in the wrong place.
func (s *Server) auditClient(ctx context.Context, id string, network netip.Addr, err error) {
	if !errors.Is(err, clients.ErrUnauthenticated) {
		return
	}
	reason := clients.Reason(err)
	if reason == unknownClient {
		id = ""
	}
	s.auditStranger(ctx, "client.refused", id, reason, network)
}

// auditResource is auditClient for a resource that introspects.
func (s *Server) auditResource(ctx context.Context, slug string, network netip.Addr, err error) {
	if !errors.Is(err, resources.ErrUnauthenticated) {
		return
	}
	s.auditStranger(ctx, "resource.refused", s.knownSlug(ctx, slug), "", network)
}

// knownSlug is the slug of a resource as the log may have it: one that nobody has may be a secret in the wrong place.
func (s *Server) knownSlug(ctx context.Context, slug string) string {
	catalogue, err := s.resources.Catalogue(ctx)
	if err != nil || !slices.ContainsFunc(catalogue.All(), func(r *resources.Resource) bool { return r.Slug == slug }) {
		return ""
	}
	return slug
}

func (s *Server) auditStranger(ctx context.Context, event, id, reason string, network netip.Addr) {
	s.log.LogAttrs(ctx, slog.LevelWarn, auditMessage, slog.String("event", event), slog.String("client_id", id), slog.String("reason", reason),
		slog.String("network", network.String()), slog.String("request_id", noteOf(ctx).id))
}

// auditAdmin logs what was done through our own API, and by whom.
func (s *Server) auditAdmin(c *gin.Context, event, target string) {
	ctx := c.Request.Context()
	token, _ := scopes.TokenFrom(ctx)
	s.log.LogAttrs(ctx, slog.LevelInfo, auditMessage, slog.String("event", event), slog.String("target", target),
		slog.String("by", token.Subject), slog.String("by_client", token.ClientID), slog.String("request_id", noteOf(ctx).id))
}
