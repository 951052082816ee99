package server

import (
	"context"
	"encoding/json"
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
// is in code, description and fields, the second in cause.
type failure struct {
	status      int
	code        string
	description string
	// field names the part of a JSON body that is wrong.
	field      string
	retryAfter time.Duration
	cause      error
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

// failureOf is the one table that turns errors into answers. What it does not know is our own fault.
func failureOf(err error) *failure {
	var known *failure
	if errors.As(err, &known) {
		return known
	}
	var limited *users.LimitedError
	var invalid *store.InvalidError
	switch {
	// The store in trouble is never the fault of what was presented, whatever the rule was about to say.
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, users.ErrBusy),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &failure{http.StatusServiceUnavailable, codeUnavailable, "the server cannot do this right now; try again", "", unavailableRetry, err}
	case errors.As(err, &limited):
		return &failure{http.StatusTooManyRequests, codeUnavailable, "too many failed attempts; wait before the next one", "", limited.RetryAfter, err}
	case errors.Is(err, grants.ErrInvalid):
		return &failure{http.StatusBadRequest, codeInvalidGrant, "the code or token is invalid, expired, revoked or was issued to another client", "", 0, err}
	case errors.Is(err, grants.ErrScope):
		return &failure{http.StatusBadRequest, codeInvalidScope, "the scope exceeds what was granted", "", 0, err}
	case errors.Is(err, grants.ErrResource):
		return &failure{http.StatusBadRequest, codeInvalidTarget, "the resource is not covered by the grant", "", 0, err}
	case errors.Is(err, clients.ErrUnauthenticated), errors.Is(err, resources.ErrUnauthenticated):
		return &failure{http.StatusUnauthorized, codeInvalidClient, "client authentication failed", "", 0, err}
	case errors.Is(err, users.ErrCredentials):
		return &failure{http.StatusBadRequest, codeInvalidGrant, "the username or the password is wrong", "", 0, err}
	case errors.As(err, &invalid):
		return &failure{http.StatusBadRequest, codeInvalidRequest, invalid.Error(), invalid.Field, 0, err}
	case errors.Is(err, store.ErrNotFound):
		return &failure{http.StatusNotFound, codeNotFound, "there is nothing under this name", "", 0, err}
	case errors.Is(err, store.ErrExists):
		return &failure{http.StatusConflict, codeConflict, "the name is taken", "", 0, err}
	// What go-oauth2 itself refuses. Our own checks come first, so these are a second line.
	case errors.Is(err, oauth2errors.ErrUnsupportedGrantType):
		return &failure{http.StatusBadRequest, codeUnsupportedGrantType, "the grant type is not supported", "", 0, err}
	case errors.Is(err, oauth2errors.ErrUnauthorizedClient):
		return &failure{http.StatusBadRequest, codeUnauthorizedClient, "the client may not use this grant type", "", 0, err}
	case errors.Is(err, oauth2errors.ErrInvalidRequest):
		return &failure{http.StatusBadRequest, codeInvalidRequest, "a parameter of the grant is missing", "", 0, err}
	case errors.Is(err, oauth2errors.ErrInvalidGrant):
		return &failure{http.StatusBadRequest, codeInvalidGrant, "the grant is invalid", "", 0, err}
	}
	return &failure{http.StatusInternalServerError, codeServerError, "the server has met an error; its log tells more under the request id", "", 0, err}
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
		h.Set("Retry-After", strconv.Itoa(int((f.retryAfter+time.Second-1)/time.Second)))
	}
	if f.code == codeInvalidClient {
		// RFC 6749 §5.2, RFC 9110 §15.5.2: a 401 names a way to authenticate.
		h.Set("WWW-Authenticate", `Basic realm="safeconduct", charset="UTF-8"`)
	}
	note := noteOf(c.Request.Context())
	note.failure = f
	if f.status >= http.StatusInternalServerError {
		s.log.LogAttrs(c.Request.Context(), slog.LevelError, "request failed",
			slog.String("request_id", note.id), slog.String("route", c.FullPath()), slog.Int("status", f.status), slog.String("error", err.Error()))
	}
	writeJSON(c, f.status, errorBody{f.code, f.description, f.field, note.id})
	c.Abort()
}

// writeJSON answers with a value that always encodes.
func writeJSON(c *gin.Context, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic("server: encode an answer: " + err.Error())
	}
	c.Data(status, "application/json; charset=utf-8", body)
}
