package scopes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/safeconduct/safeconduct/scopes"
)

const (
	apiID     = "orders:api&1"
	apiSecret = "s3cret+with/odd=signs %"
	audience  = "https://orders.example.com"
)

// authServer is an authorization server with nothing but the introspection endpoint.
type authServer struct {
	*httptest.Server
	asked   atomic.Int64
	mu      sync.Mutex
	answers map[string]string
}

// newAuthServer starts a server that answers about a token with the JSON text that knows sets.
func newAuthServer(t testing.TB) *authServer {
	s := &authServer{answers: make(map[string]string)}
	s.Server = httptest.NewServer(http.HandlerFunc(s.introspect))
	t.Cleanup(s.Close)
	return s
}

func (s *authServer) knows(token, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[token] = answer
}

func (s *authServer) introspect(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	id, secret, _ := r.BasicAuth()
	switch {
	case id != "orders%3Aapi%261" || secret != "s3cret%2Bwith%2Fodd%3Dsigns+%25":
		http.Error(w, "bad credential", http.StatusUnauthorized)
		return
	case r.Method != http.MethodPost || r.URL.RawQuery != "" || r.PostFormValue("token_type_hint") != "access_token":
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	case r.Header.Get("Accept") != "application/json" || r.Header.Values("Idempotency-Key") != nil:
		http.Error(w, "bad headers", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	answer, known := s.answers[r.PostFormValue("token")]
	s.mu.Unlock()
	if !known {
		answer = `{"active":false}`
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	io.WriteString(w, answer)
}

// config is how the API is registered at the server.
func (s *authServer) config() scopes.IntrospectorConfig {
	return scopes.IntrospectorConfig{URL: s.URL + "/oauth/introspect", ID: apiID, Secret: apiSecret, Audience: audience}
}

func newIntrospector(t testing.TB, config scopes.IntrospectorConfig) *scopes.Introspector {
	t.Helper()
	i, err := scopes.NewIntrospector(config)
	if err != nil {
		t.Fatal(err)
	}
	return i
}
