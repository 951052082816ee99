package scopes_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/safeconduct/safeconduct/scopes"
)

// listOrders is the handler of an API. It runs behind a guard only.
func listOrders(w http.ResponseWriter, r *http.Request) {
	token, _ := scopes.TokenFrom(r.Context())
	fmt.Fprintf(w, "orders of %s, for the client %s", token.Subject, token.ClientID)
}

// call sends one request and prints the answer.
func call(handler http.Handler, method, path, token string) {
	r := httptest.NewRequest(method, path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
}

func ExampleRequire() {
	mux := http.NewServeMux()
	mux.Handle("GET /orders", scopes.Require(checker, "orders:read")(http.HandlerFunc(listOrders)))
	mux.Handle("POST /orders", scopes.Require(checker, "orders:write")(http.HandlerFunc(listOrders)))

	call(mux, "GET", "/orders", "reader")
	call(mux, "POST", "/orders", "reader")
	call(mux, "GET", "/orders", "garbage")
	// Output:
	// 200 orders of alice, for the client shop
	// 403 {"error":"insufficient_scope","error_description":"the access token lacks the scope orders:write"}
	// 401 {"error":"invalid_token","error_description":"the access token is unknown, expired, revoked or meant for another API"}
}

// One table shows which scope opens which route, and no route is mounted without.
func ExampleRequire_table() {
	guard := scopes.Guard{Checker: checker, Realm: "orders"}
	mux := http.NewServeMux()
	for _, route := range []struct {
		pattern string
		scope   string
		handler http.HandlerFunc
	}{
		{"GET /orders", "orders:read", listOrders},
		{"POST /orders", "orders:write", listOrders},
	} {
		mux.Handle(route.pattern, guard.Require(route.scope)(route.handler))
	}
	call(mux, "POST", "/orders", "writer")
	// Output: 200 orders of bob, for the client shop
}

func ExampleNewIntrospector() {
	// Stands for the authorization server.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"active":true,"sub":"u1","client_id":"shop","scope":"orders:read","aud":"https://orders.example.com"}`)
	}))
	defer server.Close()

	checker, err := scopes.NewIntrospector(scopes.IntrospectorConfig{
		URL:      server.URL + "/oauth/introspect",
		ID:       "orders",
		Secret:   "from the environment or a file, never from the source",
		Audience: "https://orders.example.com",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	call(scopes.Require(checker, "orders:read")(http.HandlerFunc(listOrders)), "GET", "/orders", "sca_abc")
	// Output: 200 orders of u1, for the client shop
}

// One configuration is right for tokens of every format: JWTs are verified here, and the others are asked about.
func ExampleNewChecker() {
	checker, err := scopes.NewChecker(scopes.Config{
		Issuer:   "https://id.example.com",
		Audience: "https://orders.example.com",
		ID:       "orders",
		Secret:   "from the environment or a file, never from the source",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer checker.Close()
	call(scopes.Require(checker, "orders:read")(http.HandlerFunc(listOrders)), "GET", "/orders", "eyJhbGciOiJub25lIn0.e30.")
	// Output: 401 {"error":"invalid_token","error_description":"the access token is unknown, expired, revoked or meant for another API"}
}

// A client that was refused finds out by itself where to get a token, and which scopes there are.
func ExampleMetadata() {
	metadata := scopes.Metadata{
		Resource:             "https://orders.example.com",
		AuthorizationServers: []string{"https://id.example.com"},
		Scopes:               []string{"orders:read", "orders:write"},
	}
	guard := scopes.Guard{Checker: checker, ResourceMetadata: metadata.URL()}
	mux := http.NewServeMux()
	mux.Handle(metadata.Path(), metadata)
	mux.Handle("GET /orders", guard.Require("orders:read")(http.HandlerFunc(listOrders)))

	call(mux, "GET", "/.well-known/oauth-protected-resource", "")
	// Output: 200 {"resource":"https://orders.example.com","authorization_servers":["https://id.example.com"],"scopes_supported":["orders:read","orders:write"],"bearer_methods_supported":["header"]}
}

// A Guard has the options of an API, and tells of each refusal.
func ExampleGuard() {
	guard := scopes.Guard{
		Checker: checker,
		Realm:   "orders",
		Refused: func(r *http.Request, refusal *scopes.Refusal) {
			fmt.Println("log:", r.Method, r.URL.Path, refusal)
		},
	}
	call(guard.Require("orders:read")(http.HandlerFunc(listOrders)), "GET", "/orders", "down")
	// Output:
	// log: GET /orders temporarily_unavailable: scopes: the token cannot be checked
	// 503 {"error":"temporarily_unavailable","error_description":"the access token cannot be checked at the moment"}
}

// A server with an error page of its own uses the Rule and keeps the headers of the Refusal.
func ExampleRule() {
	rule := scopes.Guard{Checker: checker}.Rule("orders:write")
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted, refusal := rule.Admit(r)
		if refusal != nil {
			refusal.SetHeaders(w.Header())
			http.Error(w, "sorry: "+refusal.Description, refusal.Status)
			return
		}
		listOrders(w, admitted)
	})
	call(handler, "POST", "/orders", "reader")
	// Output: 403 sorry: the access token lacks the scope orders:write
}

// A handler may decide by a scope where the route leaves it open.
func ExampleTokenFrom() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := scopes.TokenFrom(r.Context())
		if !ok {
			http.Error(w, "this handler is mounted without a guard", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, "may write: ", token.Scopes.Has("orders:write"))
	})
	call(scopes.Require(checker)(handler), "GET", "/orders", "reader")
	call(handler, "GET", "/orders", "reader")
	// Output:
	// 200 may write: false
	// 500 this handler is mounted without a guard
}

// A handler is tested without a guard by putting a token into the context.
func ExampleWithToken() {
	r := httptest.NewRequest("GET", "/orders", nil)
	w := httptest.NewRecorder()
	listOrders(w, r.WithContext(scopes.WithToken(r.Context(), &scopes.Token{Subject: "carol", ClientID: "test"})))
	fmt.Println(w.Body)
	// Output: orders of carol, for the client test
}

// Any function that knows good tokens from bad ones is a Checker.
func ExampleCheckerFunc() {
	read, err := scopes.NewSet("orders:read")
	if err != nil {
		fmt.Println(err)
		return
	}
	checker := scopes.CheckerFunc(func(_ context.Context, token string) (*scopes.Token, error) {
		if token != "known" {
			return nil, scopes.ErrInactive
		}
		return &scopes.Token{Subject: "dave", ClientID: "script", Scopes: read}, nil
	})
	call(scopes.Require(checker, "orders:read")(http.HandlerFunc(listOrders)), "GET", "/orders", "known")
	// Output: 200 orders of dave, for the client script
}

func ExampleParseSet() {
	granted, err := scopes.ParseSet("orders:read profile orders:read")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(granted, granted.Len())
	fmt.Println(granted.Has("profile"), granted.Missing("orders:read", "orders:write"))
	_, err = scopes.ParseSet("orders:read,\tprofile")
	fmt.Println(err)
	// Output:
	// orders:read profile 2
	// true [orders:write]
	// scope has a character that is not allowed at byte 12
}
