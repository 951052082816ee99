package scopes_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// says returns a handler that answers with one body, as an authorization server that means well would send it.
func says(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// Trouble with the authorization server is 503, never a pass, and never a bad token that clients would throw away.
func TestIntrospectorFailsClosed(t *testing.T) {
	const good = `{"active":true,"scope":"orders:read","aud":"https://orders.example.com"}`
	json := func(body string) http.HandlerFunc { return says(200, "application/json", body) }
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		status  int
	}{
		{"a good answer", json(good), 200},
		{"500", says(500, "application/json", good), 503},
		{"503", says(503, "text/plain", "down"), 503},
		{"401, our credential is wrong", says(401, "application/json", `{"error":"invalid_client"}`), 503},
		{"403", says(403, "application/json", good), 503},
		{"404", says(404, "application/json", good), 503},
		{"201 is not 200", says(201, "application/json", good), 503},
		{"HTML with 200", says(200, "text/html", "<html>please log in</html>"), 503},
		{"JSON called HTML", says(200, "text/html", good), 503},
		{"no content type", says(200, "", good), 503},
		{"an empty body", json(""), 503},
		{"null", json("null"), 503},
		{"a list", json("[" + good + "]"), 503},
		{"an empty object", json("{}"), 503},
		{"half an object", json(good[:len(good)-1]), 503},
		{"something after the object", json(good + good), 503},
		{"active as a string", json(`{"active":"true","scope":"orders:read","aud":"https://orders.example.com"}`), 503},
		{"active as null", json(`{"active":null}`), 503},
		{"active in another spelling", json(`{"Active":true,"scope":"orders:read","aud":"https://orders.example.com"}`), 503},
		{"active twice", json(`{"active":false,"active":true,"scope":"orders:read","aud":"https://orders.example.com"}`), 503},
		{"scope as a list", json(`{"active":true,"scope":["orders:read"],"aud":"https://orders.example.com"}`), 503},
		{"scope with a line break", json(`{"active":true,"scope":"orders:read\nx","aud":"https://orders.example.com"}`), 503},
		{"audience as a number", json(`{"active":true,"scope":"orders:read","aud":5}`), 503},
		{"subject as a number", json(`{"active":true,"scope":"orders:read","sub":5,"aud":"https://orders.example.com"}`), 503},
		{"expiry as a string", json(`{"active":true,"scope":"orders:read","exp":"9","aud":"https://orders.example.com"}`), 503},
		{"expiry out of range", json(`{"active":true,"scope":"orders:read","exp":1e300,"aud":"https://orders.example.com"}`), 503},
		{"negative expiry", json(`{"active":true,"scope":"orders:read","exp":-1,"aud":"https://orders.example.com"}`), 503},
		{"64 KB", json(good + strings.Repeat(" ", 64<<10-len(good))), 200},
		{"64 KB and a byte", json(good + strings.Repeat(" ", 64<<10-len(good)+1)), 503},
		{"without end", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for _, err := io.WriteString(w, "{"); err == nil; _, err = io.WriteString(w, strings.Repeat(" ", 4096)) {
			}
		}, 503},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, good)
		}, 503},
		{"hung up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			checkAnswer(t, (&authServer{Server: server}).config(), tt.status)
		})
	}
}

// checkAnswer sends one token through a guard with an Introspector and looks at what the client and the log get.
func checkAnswer(t *testing.T, config scopes.IntrospectorConfig, status int) *scopes.Refusal {
	t.Helper()
	var refusal *scopes.Refusal
	guard := scopes.Guard{Checker: newIntrospector(t, config),
		Refused: func(_ *http.Request, f *scopes.Refusal) { refusal = f }}
	w := httptest.NewRecorder()
	guard.Require("orders:read")(http.HandlerFunc(whoami)).ServeHTTP(w, withHeader("Bearer sca_canary"))
	if w.Code != status {
		t.Fatalf("got %d %s (%v), want %d", w.Code, w.Body, refusal, status)
	}
	if status == 200 {
		return nil
	}
	if !errors.Is(refusal, scopes.ErrUnavailable) || errors.Is(refusal, scopes.ErrInactive) || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %v with %v, want ErrUnavailable and Retry-After", refusal, w.Header())
	}
	for _, secret := range []string{"s3cret", "canary"} {
		if strings.Contains(refusal.Error(), secret) {
			t.Errorf("the error tells a secret: %v", refusal)
		}
	}
	return refusal
}

// A server that is not there, and one that is there too late.
func TestIntrospectorDoesNotWaitForADeadServer(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	checkAnswer(t, (&authServer{Server: gone}).config(), 503)

	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	config := (&authServer{Server: slow}).config()
	config.Timeout = 50 * time.Millisecond
	if refusal := checkAnswer(t, config, 503); !errors.Is(refusal, context.DeadlineExceeded) {
		t.Errorf("got %v, want a time-out", refusal)
	}

	// The client of the API went away: its context ends the question.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newIntrospector(t, config).Check(ctx, "sca_x"); !errors.Is(err, context.Canceled) || !errors.Is(err, scopes.ErrUnavailable) {
		t.Errorf("got %v, want the end of the context", err)
	}
}

// A redirect must carry neither the secret nor the token to another place, whatever the client's own policy is.
func TestIntrospectorFollowsNoRedirect(t *testing.T) {
	var reached atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Store(true)
		says(200, "application/json", `{"active":true,"scope":"orders:read","aud":"https://orders.example.com"}`)(w, nil)
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		config := (&authServer{Server: server}).config()
		for _, client := range []*http.Client{nil, {}, {CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}} {
			config.HTTPClient = client
			checkAnswer(t, config, 503)
		}
		server.Close()
	}
	if reached.Load() {
		t.Error("a redirect was followed")
	}
}

// The operator must find out which side is wrong: this one.
func TestIntrospectorSaysThatItsOwnCredentialIsWrong(t *testing.T) {
	server := newAuthServer(t)
	config := server.config()
	config.Secret = "s3cret of yesterday"
	refusal := checkAnswer(t, config, 503)
	if !strings.Contains(refusal.Error(), "refused the ID and secret of this API") {
		t.Errorf("got %v", refusal)
	}
}

// An authorization server that restarts closes kept connections; the next question must not fail for it.
func TestIntrospectorAsksAgainOnADeadConnection(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 2 {
			panic(http.ErrAbortHandler) // hangs up without a byte of an answer
		}
		says(200, "application/json", `{"active":true,"scope":"orders:read","aud":"https://orders.example.com"}`)(w, nil)
	}))
	defer server.Close()
	i := newIntrospector(t, (&authServer{Server: server}).config())
	for range 2 {
		if _, err := i.Check(t.Context(), "sca_x"); err != nil {
			t.Fatal(err)
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("asked %d times, want 3: one of them hung up", n)
	}
}
