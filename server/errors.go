package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	oauth2errors "github.com/go-oauth2/oauth2/v4/errors"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/templates"
	"github.com/safeconduct/safeconduct/users"
)

// The error codes of RFC 6749 §5.2, RFC 8707 §2 and our own API.
const (
	codeInvalidRequest       = "invalid_request"
	codeInvalidClient        = "invalid_client"
	codeInvalidGrant         = "invalid_grant"
	codeInvalidScope         = "invalid_scope"
	codeInvalidTarget        = "invalid_target"
	codeUnauthorizedClient   = "unauthorized_client"
	codeUnsupportedGrantType = "unsupported_grant_type"
	codeUnavailable          = "temporarily_unavailable"
	codeServerError          = "server_error"
	codeNotFound             = "not_found"
	codeConflict             = "conflict"
	codeAccessDenied         = "access_denied"
)

// unavailableRetry is when a client is told to come again while the store is in trouble.
const unavailableRetry = 2 * time.Second

// failure is an error with its answer. What the client may read and what the log must know are two things: the first
// is in code, description, detail and field, the second in code, description and cause.
type failure struct {
	status      int
	code        string
	description string
	// detail completes the description with what the client sent. The log does not get it: people paste secrets in
	// the wrong place.
	detail string
	// field names the part of a JSON body that is wrong.
	field      string
	retryAfter time.Duration
	cause      error
	// problem is which page tells of it, where the status does not say it; back is where that page leads to.
	problem templates.Problem
	back    string
}

func (f *failure) Error() string {
	if f.cause == nil {
		return f.code + ": " + f.description
	}
	return f.code + ": " + f.description + ": " + f.cause.Error()
}

func (f *failure) Unwrap() error { return f.cause }

func invalidRequest(description string) *failure {
	return &failure{status: http.StatusBadRequest, code: codeInvalidRequest, description: description}
}

func notFound(what string) *failure {
	return &failure{status: http.StatusNotFound, code: codeNotFound, description: what + " does not exist"}
}

// told is the description as the client reads it.
func (f *failure) told() string {
	if f.detail == "" {
		return f.description
	}
	return f.description + ": " + f.detail
}

// failureOf is the one table that turns errors into answers. What it does not know is our own fault.
func failureOf(err error) *failure {
	var known *failure
	if errors.As(err, &known) {
		return known
	}
	var limited *users.LimitedError
	var invalid *store.InvalidError
	var taken *store.TakenError
	switch {
	// The store in trouble is never the fault of what was presented, whatever the rule was about to say.
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, users.ErrBusy),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &failure{status: http.StatusServiceUnavailable, code: codeUnavailable, description: "the server cannot do this right now; try again", retryAfter: unavailableRetry, cause: trouble(err)}
	case errors.As(err, &limited):
		return &failure{status: http.StatusTooManyRequests, code: codeUnavailable, description: "too many failed attempts; wait before the next one", retryAfter: limited.RetryAfter, cause: err}
	case errors.Is(err, grants.ErrInvalid):
		return &failure{status: http.StatusBadRequest, code: codeInvalidGrant, description: "the code or token is invalid, expired, revoked or was issued to another client", cause: err}
	case errors.Is(err, grants.ErrScope):
		return &failure{status: http.StatusBadRequest, code: codeInvalidScope, description: "the scope exceeds what was granted", cause: err}
	case errors.Is(err, grants.ErrResource):
		return &failure{status: http.StatusBadRequest, code: codeInvalidTarget, description: "the resource is not covered by the grant", cause: err}
	case errors.Is(err, clients.ErrUnauthenticated), errors.Is(err, resources.ErrUnauthenticated):
		return &failure{status: http.StatusUnauthorized, code: codeInvalidClient, description: "client authentication failed", cause: err}
	case errors.Is(err, users.ErrCredentials):
		return &failure{status: http.StatusBadRequest, code: codeInvalidGrant, description: "the username or the password is wrong", cause: err}
	case errors.As(err, &invalid):
		return &failure{status: http.StatusBadRequest, code: codeInvalidRequest, description: invalid.Error(), field: invalid.Field, cause: err}
	case errors.Is(err, store.ErrNotFound):
		return &failure{status: http.StatusNotFound, code: codeNotFound, description: "there is nothing under this name", cause: err}
	case errors.Is(err, grants.ErrTooMany):
		return &failure{status: http.StatusConflict, code: codeConflict, description: "there are as many API keys as one may have; revoke one that is not needed any more", cause: err}
	case errors.As(err, &taken):
		return &failure{status: http.StatusConflict, code: codeConflict, description: "the name is taken", detail: taken.Means, cause: err}
	case errors.Is(err, store.ErrExists):
		return &failure{status: http.StatusConflict, code: codeConflict, description: "the name is taken", cause: err}
	// What go-oauth2 itself refuses. Our own checks come first, so these are a second line.
	case errors.Is(err, oauth2errors.ErrUnsupportedGrantType):
		return &failure{status: http.StatusBadRequest, code: codeUnsupportedGrantType, description: "the grant type is not supported", cause: err}
	case errors.Is(err, oauth2errors.ErrUnauthorizedClient):
		return &failure{status: http.StatusBadRequest, code: codeUnauthorizedClient, description: "the client may not use this grant type", cause: err}
	case errors.Is(err, oauth2errors.ErrInvalidRequest):
		return &failure{status: http.StatusBadRequest, code: codeInvalidRequest, description: "a parameter of the grant is missing", cause: err}
	case errors.Is(err, oauth2errors.ErrInvalidGrant):
		return &failure{status: http.StatusBadRequest, code: codeInvalidGrant, description: "the grant is invalid", cause: err}
	}
	return &failure{status: http.StatusInternalServerError, code: codeServerError, description: "the server has met an error; its log tells more under the request id", cause: err}
}

// trouble is what an error says at its root. The errors around it tell what was asked for by name, and while the store is
// down nobody knows whether that is a name or a password in the wrong place.
func trouble(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || inner == store.ErrUnavailable {
			return err
		}
		err = inner
	}
}

// errorBody is what a client reads.
type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
	Field       string `json:"field,omitempty"`
	RequestID   string `json:"request_id,omitempty"`
}

// fail answers a request with an error and ends its handling. It is the only place that does.
func (s *Server) fail(c *gin.Context, err error) {
	f := failureOf(err)
	h := c.Writer.Header()
	if f.retryAfter > 0 {
		h.Set("Retry-After", seconds(f.retryAfter))
	}
	if f.code == codeInvalidClient {
		// RFC 6749 §5.2, RFC 9110 §15.5.2: a 401 names a way to authenticate.
		h.Set("WWW-Authenticate", `Basic realm="safeconduct", charset="UTF-8"`)
	}
	note := noteOf(c.Request.Context())
	note.failure = f
	if f.status >= http.StatusInternalServerError {
		s.logFailure(c.Request.Context(), f.status, f)
	}
	c.Abort()
	if wantsPage(c, f) {
		s.failPage(c, f)
		return
	}
	writeJSON(c, f.status, errorBody{f.code, f.told(), f.field, note.id})
}

// seconds is a wait as Retry-After spells it, rounded up.
func seconds(d time.Duration) string { return strconv.Itoa(int((d + time.Second - 1) / time.Second)) }

// logFailure logs what a request met that was not its own fault.
func (s *Server) logFailure(ctx context.Context, status int, err error) {
	n := noteOf(ctx)
	s.log.LogAttrs(ctx, slog.LevelError, "request failed",
		slog.String("request_id", n.id), slog.String("route", n.route), slog.Int("status", status), slog.String("error", err.Error()))
}
