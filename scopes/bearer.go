package scopes

import (
	"errors"
	"net/http"
	"strings"
)

// MaxTokenBytes is the length of the longest token that is looked at.
const MaxTokenBytes = 16 << 10

var (
	// ErrNoToken says that the request carries no access token: no Authorization header, or one of another scheme.
	ErrNoToken = errors.New("scopes: the request has no bearer token")
	// ErrSeveralHeaders says that the request has more than one Authorization header. Two readers could take
	// different ones, so none counts.
	ErrSeveralHeaders = errors.New("scopes: the request has several Authorization headers")
	// ErrMalformedToken says that what follows the word Bearer or Api-Key is empty, too long or not a token.
	ErrMalformedToken = errors.New("scopes: the bearer token is malformed")
)

// apiKeyPrefix begins each API key, which may come after the word Api-Key as well.
const apiKeyPrefix = "sck_"

// Bearer returns the access token from the Authorization header of the request, and looks nowhere else (RFC 6750
// section 2.1). The scheme is compared without regard to case (RFC 9110 section 11.1); the token must be of the
// characters that section 2.1 allows, and at most MaxTokenBytes long. The error is one of ErrNoToken, ErrSeveralHeaders
// and ErrMalformedToken.
//
// An API key, which begins with "sck_", may stand after the word Api-Key instead, where other frameworks put theirs.
// Anything else after that word is no token.
func Bearer(r *http.Request) (string, error) {
	values := r.Header["Authorization"]
	if len(values) > 1 {
		return "", ErrSeveralHeaders
	}
	if len(values) == 0 {
		return "", ErrNoToken
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ")
	apiKey := strings.EqualFold(scheme, "Api-Key") && strings.HasPrefix(token, apiKeyPrefix)
	if !apiKey && !strings.EqualFold(scheme, "Bearer") {
		return "", ErrNoToken
	}
	if !validToken(token) {
		return "", ErrMalformedToken
	}
	return token, nil
}

// validToken reports whether token is a b64token of RFC 6750 section 2.1 and not too long.
func validToken(token string) bool {
	if len(token) > MaxTokenBytes {
		return false
	}
	core := strings.TrimRight(token, "=")
	for i := range len(core) {
		if !tokenBytes[core[i]] {
			return false
		}
	}
	return core != ""
}

// tokenBytes are the characters of a b64token before its padding.
var tokenBytes = func() (allowed [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/" {
		allowed[c] = true
	}
	return allowed
}()
