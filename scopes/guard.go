package scopes

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

const (
	defaultRealm      = "api"
	defaultRetryAfter = 5 * time.Second
)

// Require returns middleware that lets a request pass only with a valid access token that covers every required scope.
// Without required scopes any valid token will do. It is short for Guard{Checker: c}.Require(required...), and panics
// when that does.
func Require(c Checker, required ...string) func(http.Handler) http.Handler {
	return Guard{Checker: c}.Require(required...)
}

// Guard is a Checker with the options of an API. All but Checker may be left at zero.
type Guard struct {
	// Checker says whether a token is valid.
	Checker Checker
	// Realm names the protected area in WWW-Authenticate. Printable ASCII characters; "" stands for "api".
	Realm string
	// ResourceMetadata is the URL of the API's protected resource metadata, which tells a client where to get a token
	// (RFC 9728 section 5.1). It is left out of WWW-Authenticate while it is "". Metadata.URL returns it.
	ResourceMetadata string
	// RetryAfter is when a client whose token could not be checked is told to come again. 0 stands for 5 seconds.
	RetryAfter time.Duration
	// Refused is told of every refusal before the answer is sent, to log or count it. When it is nil, tokens that could
	// not be checked (503) are logged with slog.Default, so that a wrong set-up does not stay silent.
	Refused func(r *http.Request, refusal *Refusal)
}

// Require returns middleware for one route, or for all routes that need the same scopes. It panics where Rule does.
func (g Guard) Require(required ...string) func(http.Handler) http.Handler {
	rule := g.Rule(required...)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			admitted, refusal := rule.Admit(r)
			if refusal != nil {
				refusal.Write(w)
				return
			}
			next.ServeHTTP(w, admitted)
		})
	}
}

// Rule returns the rule of a route that needs the given scopes. Later changes to g do not reach it.
//
// It panics when the guard has no Checker, when a required scope is not a scope-token of RFC 6749, and when Realm or
// ResourceMetadata has other than printable ASCII characters. These are mistakes in the program, and routes are made when
// it starts: better no server than a route that nobody can enter, or a header that breaks in two.
func (g Guard) Rule(required ...string) *Rule {
	if g.Checker == nil {
		panic("scopes: the guard has no checker")
	}
	if !printable(g.Realm) || !printable(g.ResourceMetadata) {
		panic("scopes: realm or resource metadata has other than printable ASCII characters")
	}
	if g.Realm == "" {
		g.Realm = defaultRealm
	}
	if g.RetryAfter <= 0 {
		g.RetryAfter = defaultRetryAfter
	}
	if g.Refused == nil {
		g.Refused = logUnavailable
	}
	return &Rule{guard: g, required: mustSet(required)}
}

// mustSet makes a Set of required scopes, or panics.
func mustSet(names []string) Set {
	for _, name := range names {
		if !ValidName(name) {
			panic(fmt.Sprintf("scopes: the required scope %q is not a scope-token of RFC 6749", name))
		}
	}
	s, err := NewSet(names...)
	if err != nil {
		panic("scopes: too many required scopes: " + err.Error())
	}
	return s
}

// logUnavailable logs tokens that could not be checked, unless only the client went away.
func logUnavailable(r *http.Request, refusal *Refusal) {
	if refusal.Status == http.StatusServiceUnavailable && r.Context().Err() == nil {
		slog.ErrorContext(r.Context(), "access token not checked", "error", refusal.Cause)
	}
}

func printable(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
