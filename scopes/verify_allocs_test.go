package scopes_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/safeconduct/safeconduct/scopes"
)

// mostAllocations is what a request whose token was seen before may allocate: its copy of the Token with the audience,
// the context that carries it, and the request that carries the context.
const mostAllocations = 4

// A guarded route is asked thousands of times a second with few tokens. What that costs must not creep up, and must not
// depend on how many tokens are remembered.
func TestSeenTokenCostsFewAllocations(t *testing.T) {
	for _, remembered := range []int{1, 1000} {
		is := newIssuer(t, es())
		v := newVerifier(t, is.config(t))
		let := 0
		handler := scopes.Require(v, "orders:read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { let++ }))
		w := httptest.NewRecorder()
		requests := make([]*http.Request, remembered)
		for n := range requests {
			requests[n] = withHeader("Bearer " + es().token(good(n)))
			handler.ServeHTTP(w, requests[n])
		}
		n := 0
		got := testing.AllocsPerRun(1000, func() {
			handler.ServeHTTP(w, requests[n%remembered])
			n++
		})
		if let != remembered+n {
			t.Fatalf("%d of %d requests were let in", let, remembered+n)
		}
		if got > mostAllocations {
			t.Errorf("with %d tokens remembered a request makes %v allocations, want %d at most", remembered, got, mostAllocations)
		}
	}
}
