package scopes_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// trivial knows a few tokens by heart.
func trivial(_ context.Context, token string) (*scopes.Token, error) {
	switch token {
	case "reader":
		s, err := scopes.ParseSet("orders:read")
		return &scopes.Token{Subject: "alice", ClientID: "shop", Scopes: s}, err
	case "writer":
		s, err := scopes.ParseSet("orders:read orders:write")
		return &scopes.Token{Subject: "bob", ClientID: "shop", Scopes: s}, err
	case "down":
		return nil, scopes.ErrUnavailable
	case "strange":
		return nil, errors.New("disk on fire")
	case "both":
		return nil, errors.Join(scopes.ErrInactive, scopes.ErrUnavailable)
	case "nothing":
		return nil, nil
	}
	return nil, scopes.ErrInactive
}

var checker = scopes.CheckerFunc(trivial)

// whoami answers with the subject that the guard found.
func whoami(w http.ResponseWriter, r *http.Request) {
	t, ok := scopes.TokenFrom(r.Context())
	if !ok {
		http.Error(w, "no token in the context", http.StatusInternalServerError)
		return
	}
	io.WriteString(w, t.Subject)
}

// RFC 6750 §3: every refusal has its status, its challenge and its body, next to the requests that are granted.
func TestRequireAnswersAsRFC6750Says(t *testing.T) {
	const malformed = `{"error":"invalid_token","error_description":"the access token is malformed"}`
	const unavailable = `{"error":"temporarily_unavailable","error_description":"the access token cannot be checked at the moment"}`
	const insufficient = `Bearer realm="api", error="insufficient_scope", error_description=`
	one, two := []string{"orders:read"}, []string{"orders:read", "orders:write"}
	for _, tt := range []struct {
		name            string
		headers         []string
		required        []string
		status          int
		challenge, body string
	}{
		{"a token with the scope", []string{"Bearer reader"}, one, 200, "", "alice"},
		{"the scheme in lower case", []string{"bearer reader"}, one, 200, "", "alice"},
		{"a token with both scopes", []string{"Bearer writer"}, two, 200, "", "bob"},
		{"any token where no scope is needed", []string{"Bearer reader"}, nil, 200, "", "alice"},
		{"no token", nil, one, 401, `Bearer realm="api"`,
			`{"error":"unauthorized","error_description":"an access token is needed: send it in the Authorization header, after the word Bearer"}`},
		{"no token where no scope is needed", nil, nil, 401, `Bearer realm="api"`,
			`{"error":"unauthorized","error_description":"an access token is needed: send it in the Authorization header, after the word Bearer"}`},
		{"another scheme", []string{"Basic YTpi"}, one, 401, `Bearer realm="api"`,
			`{"error":"unauthorized","error_description":"an access token is needed: send it in the Authorization header, after the word Bearer"}`},
		{"an unknown token", []string{"Bearer garbage"}, one, 401,
			`Bearer realm="api", error="invalid_token", error_description="the access token is unknown, expired, revoked or meant for another API"`,
			`{"error":"invalid_token","error_description":"the access token is unknown, expired, revoked or meant for another API"}`},
		{"a malformed token", []string{"Bearer a b"}, one, 401,
			`Bearer realm="api", error="invalid_token", error_description="the access token is malformed"`, malformed},
		{"a token of 16 KB and a byte", []string{"Bearer " + strings.Repeat("a", scopes.MaxTokenBytes+1)}, one, 401,
			`Bearer realm="api", error="invalid_token", error_description="the access token is malformed"`, malformed},
		{"two Authorization headers", []string{"Bearer reader", "Bearer reader"}, one, 400,
			`Bearer realm="api", error="invalid_request", error_description="the request has several Authorization headers"`,
			`{"error":"invalid_request","error_description":"the request has several Authorization headers"}`},
		{"a missing scope", []string{"Bearer reader"}, []string{"orders:write"}, 403,
			insufficient + `"the access token lacks the scope orders:write", scope="orders:write"`,
			`{"error":"insufficient_scope","error_description":"the access token lacks the scope orders:write"}`},
		{"one of two scopes is missing", []string{"Bearer reader"}, two, 403,
			insufficient + `"the access token lacks the scope orders:write", scope="orders:read orders:write"`,
			`{"error":"insufficient_scope","error_description":"the access token lacks the scope orders:write"}`},
		{"several scopes are missing", []string{"Bearer reader"}, []string{"b", "a"}, 403,
			insufficient + `"the access token lacks the scopes b a", scope="b a"`,
			`{"error":"insufficient_scope","error_description":"the access token lacks the scopes b a"}`},
		{"the checker is not available", []string{"Bearer down"}, one, 503, "", unavailable},
		{"the checker fails in another way", []string{"Bearer strange"}, one, 503, "", unavailable},
		{"the checker says inactive and unavailable", []string{"Bearer both"}, one, 503, "", unavailable},
		{"the checker says nothing", []string{"Bearer nothing"}, one, 503, "", unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			guard := scopes.Guard{Checker: checker, Refused: func(*http.Request, *scopes.Refusal) {}}
			w := httptest.NewRecorder()
			guard.Require(tt.required...)(http.HandlerFunc(whoami)).ServeHTTP(w, withHeader(tt.headers...))
			h := w.Header()
			if got := strings.TrimSpace(w.Body.String()); w.Code != tt.status || got != tt.body {
				t.Errorf("got %d %s\nwant %d %s", w.Code, got, tt.status, tt.body)
			}
			if got := h.Get("WWW-Authenticate"); got != tt.challenge {
				t.Errorf("challenge %s\nwant      %s", got, tt.challenge)
			}
			if tt.status != 200 && (h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" ||
				h.Get("X-Content-Type-Options") != "nosniff") {
				t.Errorf("headers %v", h)
			}
			if got, want := h.Get("Retry-After"), map[bool]string{true: "5"}[tt.status == 503]; got != want {
				t.Errorf("Retry-After %q, want %q", got, want)
			}
		})
	}
}

// A good token in the wrong place is no token, also when a real server has parsed the request.
func TestRequireTakesNoTokenFromQueryOrForm(t *testing.T) {
	server := httptest.NewServer(scopes.Require(checker, "orders:read")(http.HandlerFunc(whoami)))
	defer server.Close()
	post := func(query, header string) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, server.URL+query, strings.NewReader("access_token=reader"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	if got := post("", ""); got != 401 {
		t.Errorf("form: got %d, want 401", got)
	}
	if got := post("?access_token=reader", ""); got != 401 {
		t.Errorf("query: got %d, want 401", got)
	}
	if got := post("?access_token=garbage", "Bearer reader"); got != 200 {
		t.Errorf("header: got %d, want 200", got)
	}
}

// The options of a guard show in its answers, and nothing in them can end a quoted value or a header line.
func TestGuardQuotesItsOptions(t *testing.T) {
	guard := scopes.Guard{Checker: checker, Realm: `the "orders" \ API`, RetryAfter: 1500 * time.Millisecond,
		ResourceMetadata: "https://orders.example.com/.well-known/oauth-protected-resource",
		Refused:          func(*http.Request, *scopes.Refusal) {}}
	handler := guard.Require("a,b=c")(http.HandlerFunc(whoami))
	const realm = `Bearer realm="the \"orders\" \\ API", `
	const metadata = `resource_metadata="https://orders.example.com/.well-known/oauth-protected-resource"`
	for header, want := range map[string]string{
		"": realm + metadata,
		"Bearer reader": realm + `error="insufficient_scope", error_description="the access token lacks the scope a,b=c", ` +
			`scope="a,b=c", ` + metadata,
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, withHeader(header))
		if got := w.Header().Get("WWW-Authenticate"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, withHeader("Bearer down"))
	if got := w.Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q, want 2: rounded up", got)
	}
}

// A rule that cannot be met, or would break the header, must show when the program starts and not at the first request.
func TestRequirePanicsAtConstruction(t *testing.T) {
	for name, construct := range map[string]func(){
		"no checker":                   func() { scopes.Require(nil, "a") },
		"an empty scope":               func() { scopes.Require(checker, "") },
		"two scopes in one":            func() { scopes.Require(checker, "a b") },
		"a quotation mark":             func() { scopes.Require(checker, `a", error="x`) },
		"a line break":                 func() { scopes.Require(checker, "a\r\nX: y") },
		"too many scopes":              func() { scopes.Require(checker, numbered(scopes.MaxSetNames+1)...) },
		"a line break in the realm":    func() { scopes.Guard{Checker: checker, Realm: "a\r\nX: y"}.Require() },
		"a realm that is not ASCII":    func() { scopes.Guard{Checker: checker, Realm: "é"}.Require() },
		"a line break in the metadata": func() { scopes.Guard{Checker: checker, ResourceMetadata: "https://a\n"}.Require() },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			construct()
		})
	}
	scopes.Guard{Checker: checker, Realm: "orders"}.Require("orders:read", "a") // and a good one does not
}

// The log must know why, and about whom; the token itself must not be in it.
func TestRefusedIsToldTheCause(t *testing.T) {
	var last *scopes.Refusal
	guard := scopes.Guard{Checker: checker, Refused: func(_ *http.Request, f *scopes.Refusal) { last = f }}
	handler := guard.Require("orders:write")(http.HandlerFunc(whoami))
	send := func(header string) *scopes.Refusal {
		last = nil
		handler.ServeHTTP(httptest.NewRecorder(), withHeader(header))
		return last
	}
	if got := send("Bearer writer"); got != nil {
		t.Errorf("a granted request was reported: %v", got)
	}
	if got := send("Bearer strange"); got == nil || !strings.Contains(got.Error(), "disk on fire") {
		t.Errorf("got %v, want the cause", got)
	}
	if got := send("Bearer canary"); !errors.Is(got, scopes.ErrInactive) || strings.Contains(got.Error(), "canary") {
		t.Errorf("got %v, want ErrInactive without the token", got)
	}
	if got := send("Bearer reader"); got.Token == nil || got.Token.Subject != "alice" || len(got.Missing) != 1 ||
		!strings.Contains(got.Error(), "orders:write") {
		t.Errorf("got %+v, want who it was and what was missing", got)
	}
}

// Without a hook, an operator whose credential is wrong must still find out; a client that went away is no fault.
func TestUnavailableIsLoggedByDefault(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	handler := scopes.Require(checker)(http.HandlerFunc(whoami))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	handler.ServeHTTP(httptest.NewRecorder(), withHeader("Bearer down").WithContext(gone))
	handler.ServeHTTP(httptest.NewRecorder(), withHeader("Bearer garbage"))
	if log.Len() != 0 {
		t.Errorf("logged: %s", log.String())
	}
	handler.ServeHTTP(httptest.NewRecorder(), withHeader("Bearer strange"))
	if !strings.Contains(log.String(), "disk on fire") {
		t.Errorf("logged %q, want the cause", log.String())
	}
}

// A Rule is the guard for routers of another make.
func TestRuleAdmits(t *testing.T) {
	rule := scopes.Guard{Checker: checker}.Rule("orders:write")
	if rule.Scopes().String() != "orders:write" {
		t.Errorf("Scopes() = %q", rule.Scopes())
	}
	r, refusal := rule.Admit(withHeader("Bearer writer"))
	if refusal != nil {
		t.Fatal(refusal)
	}
	if token, ok := scopes.TokenFrom(r.Context()); !ok || token.Subject != "bob" {
		t.Errorf("TokenFrom = %+v, %v", token, ok)
	}
	if r, refusal := rule.Admit(withHeader("Bearer reader")); r != nil || refusal == nil || refusal.Status != 403 {
		t.Errorf("got %v, %v; want a refusal with 403", r, refusal)
	}
}

// A handler that was mounted without a guard must notice.
func TestTokenFromIsFalseWithoutAGuard(t *testing.T) {
	if token, ok := scopes.TokenFrom(t.Context()); ok || token != nil {
		t.Errorf("got %v, %v", token, ok)
	}
	if token, ok := scopes.TokenFrom(scopes.WithToken(t.Context(), nil)); ok || token != nil {
		t.Errorf("got %v, %v for a nil token", token, ok)
	}
}

func BenchmarkRequire(b *testing.B) {
	s := mustSet(b, "orders:read", "orders:write")
	known := &scopes.Token{Subject: "alice", Scopes: s}
	guard := scopes.Require(scopes.CheckerFunc(func(context.Context, string) (*scopes.Token, error) { return known, nil }), "orders:read")
	handler := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r, w := withHeader("Bearer sca_"+strings.Repeat("a", 120)), httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
}
