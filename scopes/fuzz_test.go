package scopes_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// Whatever comes, a Verifier neither panics nor calls anything good that the issuer did not sign. The second text is
// signed as a payload, so that the claims are reached too.
func FuzzVerify(f *testing.F) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, keySetOf(ed())) })
	v := newVerifier(f, scopes.VerifierConfig{Issuer: issuerURL, Audience: audience, NoFeed: true, HTTPClient: &http.Client{Transport: handlerTransport{mux}}})
	c := good(1)
	f.Add(ed().token(c), c.String())
	f.Add(ed().header(), `{"exp":1e400}`)
	f.Add(`{"alg":"none","typ":"at+jwt"}`, `{"iss":"http://localhost","exp":[{"}":"]"}]}`)
	f.Add("..", `{"a":"\"","\u0061":1}`)
	f.Add(strings.Repeat(".", 20), "{ \"a\" : [ ] , \"b\":\t-1.5E+3 }")
	f.Fuzz(func(t *testing.T, text, payload string) {
		for _, token := range []string{text, ed().sign(text, payload), ed().sign(ed().header(), payload)} {
			got, err := v.Check(t.Context(), token)
			if (err == nil) != (got != nil) || err != nil && !errors.Is(err, scopes.ErrInactive) {
				t.Fatalf("%q: got %v and %v", token, got, err)
			}
			if got != nil && (got.Issuer != issuerURL || got.Expires.Before(time.Now().Add(-10*time.Second)) || got.Subject == "" || got.ClientID == "" || got.ID == "") {
				t.Fatalf("%q: accepted as %+v", token, got)
			}
		}
	})
}
