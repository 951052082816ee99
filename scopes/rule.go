package scopes

import (
	"errors"
	"net/http"
	"strings"
)

// Rule is what one route demands. It is the guard without the middleware, for routers and servers of another make. It
// is safe for use by any number of goroutines.
type Rule struct {
	guard    Guard
	required Set
}

// Scopes returns the scopes that the rule requires.
func (u *Rule) Scopes() Set { return u.required }

// Admit decides about a request. It returns either the request to go on with, whose context has the facts of the token
// for TokenFrom, or the refusal to answer it with; the other one is nil.
func (u *Rule) Admit(r *http.Request) (*http.Request, *Refusal) {
	token, refusal := u.check(r)
	if refusal != nil {
		u.guard.Refused(r, refusal)
		return nil, refusal
	}
	return r.WithContext(WithToken(r.Context(), token)), nil
}

func (u *Rule) check(r *http.Request) (*Token, *Refusal) {
	presented, err := Bearer(r)
	if err != nil {
		return nil, u.refuseHeader(err)
	}
	token, err := u.guard.Checker.Check(r.Context(), presented)
	switch {
	case errors.Is(err, ErrInactive) && !errors.Is(err, ErrUnavailable):
		return nil, u.refuse(http.StatusUnauthorized, codeInvalidToken,
			"the access token is unknown, expired, revoked or meant for another API", err)
	case err != nil:
		return nil, u.unavailable(err)
	case token == nil:
		return nil, u.unavailable(errors.New("scopes: the checker returned neither token nor error"))
	}
	if !token.Scopes.Contains(u.required) {
		return nil, u.insufficient(token)
	}
	return token, nil
}

// refuseHeader answers a request whose Authorization header holds no usable token.
func (u *Rule) refuseHeader(err error) *Refusal {
	switch {
	case errors.Is(err, ErrSeveralHeaders):
		return u.refuse(http.StatusBadRequest, codeInvalidRequest, "the request has several Authorization headers", err)
	case errors.Is(err, ErrMalformedToken):
		return u.refuse(http.StatusUnauthorized, codeInvalidToken, "the access token is malformed", err)
	}
	f := u.refuse(http.StatusUnauthorized, codeUnauthorized,
		"an access token is needed: send it in the Authorization header, after the word Bearer", err)
	// RFC 6750 §3.1: who sent no token at all gets no error code; there was nothing wrong with it.
	f.challenge = u.challenge()
	return f
}

func (u *Rule) refuse(status int, code, description string, cause error) *Refusal {
	return &Refusal{Status: status, Code: code, Description: description, Cause: cause,
		challenge: u.challenge("error", code, "error_description", description)}
}

// insufficient answers a good token that lacks a scope. The header names all scopes of the route (RFC 6750 §3), so that
// a client which asks for just these gets in; the description names the missing ones.
func (u *Rule) insufficient(token *Token) *Refusal {
	missing := token.Scopes.Missing(u.required.names...)
	description := "the access token lacks the scope " + missing[0]
	if len(missing) > 1 {
		description = "the access token lacks the scopes " + strings.Join(missing, " ")
	}
	return &Refusal{Status: http.StatusForbidden, Code: codeInsufficientScope, Description: description,
		Missing: missing, Token: token,
		challenge: u.challenge("error", codeInsufficientScope, "error_description", description, "scope", u.required.String())}
}

func (u *Rule) unavailable(cause error) *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, Code: codeUnavailable,
		Description: "the access token cannot be checked at the moment", Cause: cause, retryAfter: u.guard.RetryAfter}
}

func (u *Rule) challenge(parameters ...string) string {
	all := append([]string{"realm", u.guard.Realm}, parameters...)
	return challenge(append(all, "resource_metadata", u.guard.ResourceMetadata)...)
}
