package scopes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The error codes of RFC 6750 section 3.1, and two of our own for what it has none for.
const (
	codeUnauthorized      = "unauthorized"
	codeInvalidRequest    = "invalid_request"
	codeInvalidToken      = "invalid_token"
	codeInsufficientScope = "insufficient_scope"
	codeUnavailable       = "temporarily_unavailable"
)

// Refusal is why a request may not pass, and the answer to it. It is an error whose text is for the log: it tells the
// cause, and holds no token.
type Refusal struct {
	// Status is the HTTP status: 400, 401, 403 or 503.
	Status int
	// Code is the error code in the JSON body, one of those that the package comment lists.
	Code string
	// Description is a sentence for the developer of the client. It is fixed text and names of scopes.
	Description string
	// Missing lists the required scopes that the token lacks. It is empty unless Status is 403.
	Missing []string
	// Token holds the facts of a valid token that lacks a scope, for the log. It is nil unless Status is 403.
	Token *Token
	// Cause is the error behind the refusal, for the log. It is nil when Status is 403.
	Cause error

	challenge  string        // the value of WWW-Authenticate, "" for none
	retryAfter time.Duration // 0 for none
}

// Error returns the code and the cause, for the log.
func (f *Refusal) Error() string {
	if f.Cause != nil {
		return fmt.Sprintf("%s: %v", f.Code, f.Cause)
	}
	return fmt.Sprintf("%s: %s", f.Code, f.Description)
}

// Unwrap returns the cause.
func (f *Refusal) Unwrap() error { return f.Cause }

// SetHeaders sets the headers of the answer that say how to do better, WWW-Authenticate or Retry-After, and forbids to
// store it. It is for a server that writes errors in a form of its own; all others use Write.
func (f *Refusal) SetHeaders(h http.Header) {
	if f.challenge != "" {
		h.Set("WWW-Authenticate", f.challenge)
	}
	if f.retryAfter > 0 {
		// Rounded up: a client that comes back too early comes in vain.
		h.Set("Retry-After", strconv.FormatInt(int64((f.retryAfter+time.Second-1)/time.Second), 10))
	}
	h.Set("Cache-Control", "no-store")
}

// Write sends the answer: the headers of SetHeaders and a JSON body with the members error and error_description.
func (f *Refusal) Write(w http.ResponseWriter) {
	body, _ := json.Marshal(struct { // two strings: this cannot fail
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{f.Code, f.Description})
	f.SetHeaders(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(f.Status)
	w.Write(append(body, '\n'))
}

// challenge returns a value for WWW-Authenticate (RFC 9110 section 11.6.1): the scheme and its parameters, given as
// names and values in turn. Parameters without value are left out.
func challenge(parameters ...string) string {
	var b strings.Builder
	b.WriteString("Bearer")
	separator := " "
	for i := 0; i+1 < len(parameters); i += 2 {
		name, value := parameters[i], parameters[i+1]
		if value == "" {
			continue
		}
		b.WriteString(separator)
		b.WriteString(name)
		b.WriteString(`="`)
		for j := range len(value) {
			if c := value[j]; c == '"' || c == '\\' {
				b.WriteByte('\\') // RFC 9110 section 5.6.4: or the value would end here
			}
			b.WriteByte(value[j])
		}
		b.WriteByte('"')
		separator = ", "
	}
	return b.String()
}
