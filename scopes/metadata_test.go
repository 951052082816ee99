package scopes_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	"github.com/safeconduct/safeconduct/scopes"
)

// RFC 9728 §3.1: the well-known path stands between the host and the rest of the identifier.
func TestMetadataIsWhereClientsLook(t *testing.T) {
	const at = "/.well-known/oauth-protected-resource"
	for resource, want := range map[string][2]string{
		"https://orders.example.com":            {"https://orders.example.com" + at, at},
		"https://orders.example.com/":           {"https://orders.example.com" + at, at},
		"https://orders.example.com:8443/v1":    {"https://orders.example.com:8443" + at + "/v1", at + "/v1"},
		"https://orders.example.com/v1/":        {"https://orders.example.com" + at + "/v1/", at + "/v1/"},
		"https://orders.example.com/a%2Fb":      {"https://orders.example.com" + at + "/a%2Fb", at + "/a%2Fb"},
		"https://orders.example.com/v1?tenant=": {"https://orders.example.com" + at + "/v1?tenant=", at + "/v1"},
		"https://orders.example.com?tenant=7":   {"https://orders.example.com" + at + "?tenant=7", at},
		"https://orders.example.com/{id}":       {"https://orders.example.com" + at + "/%7Bid%7D", at + "/%7Bid%7D"},
		"http://localhost:9090/mcp":             {"http://localhost:9090" + at + "/mcp", at + "/mcp"},
	} {
		m := scopes.Metadata{Resource: resource, AuthorizationServers: []string{issuerURL}}
		if got := [2]string{m.URL(), m.Path()}; got != want {
			t.Errorf("%s: got %q, want %q", resource, got, want)
		}
	}
}

// RFC 9728 §3.2, §3.3, §5.1: a client that was refused finds the metadata by the answer alone, and they name the API and
// where to get a token.
func TestRefusedClientFindsTheMetadata(t *testing.T) {
	for _, path := range []string{"", "/v1"} {
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		defer server.Close()
		m := scopes.Metadata{Resource: server.URL + path, AuthorizationServers: []string{"https://id.example.com"},
			Scopes: []string{"orders:read", "orders:write"}, Name: "Orders", Documentation: "https://orders.example.com/docs"}
		mux.Handle(m.Path(), m)
		mux.Handle("GET "+path+"/orders", scopes.Guard{Checker: checker, ResourceMetadata: m.URL()}.Require("orders:read")(http.HandlerFunc(whoami)))

		refused, err := http.Get(server.URL + path + "/orders")
		if err != nil {
			t.Fatal(err)
		}
		refused.Body.Close()
		found := regexp.MustCompile(`resource_metadata="([^"]+)"`).FindStringSubmatch(refused.Header.Get("WWW-Authenticate"))
		if refused.StatusCode != 401 || found == nil {
			t.Fatalf("got %d and %s", refused.StatusCode, refused.Header.Get("WWW-Authenticate"))
		}
		answer, err := http.Get(found[1])
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Resource             string
			AuthorizationServers []string `json:"authorization_servers"`
			Scopes               []string `json:"scopes_supported"`
			Methods              []string `json:"bearer_methods_supported"`
			Name                 string   `json:"resource_name"`
			Documentation        string   `json:"resource_documentation"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if got.Resource != m.Resource || !slices.Equal(got.AuthorizationServers, m.AuthorizationServers) || !slices.Equal(got.Scopes, m.Scopes) ||
			!slices.Equal(got.Methods, []string{"header"}) || got.Name != m.Name || got.Documentation != m.Documentation {
			t.Errorf("got %s", body)
		}
		h := answer.Header
		if answer.StatusCode != 200 || h.Get("Content-Type") != "application/json" || h.Get("Access-Control-Allow-Origin") != "*" ||
			h.Get("Cache-Control") != "public, max-age=3600" {
			t.Errorf("got %d with %v", answer.StatusCode, h)
		}
	}
}

// What there is nothing to say about is left out, and only reading is allowed.
func TestMetadataSaysNoMoreThanItMust(t *testing.T) {
	m := scopes.Metadata{Resource: "https://orders.example.com", AuthorizationServers: []string{"https://id.example.com"}}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(http.MethodGet, m.Path(), nil))
	const want = `{"resource":"https://orders.example.com","authorization_servers":["https://id.example.com"],"bearer_methods_supported":["header"]}` + "\n"
	if w.Body.String() != want {
		t.Errorf("got %s", w.Body)
	}
	w = httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(http.MethodPost, m.Path(), nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: got %d with %v", w.Code, w.Header())
	}
}

// RFC 9728 §1.2, §2: metadata that no client may believe are a mistake in the program, which must show when it starts.
func TestMetadataPanicsAtConstruction(t *testing.T) {
	good := scopes.Metadata{Resource: "https://orders.example.com", AuthorizationServers: []string{"https://id.example.com"}}
	for name, change := range map[string]func(*scopes.Metadata){
		"no resource":                     func(m *scopes.Metadata) { m.Resource = "" },
		"a plain resource":                func(m *scopes.Metadata) { m.Resource = "http://orders.example.com" },
		"a fragment":                      func(m *scopes.Metadata) { m.Resource += "#x" },
		"an empty fragment":               func(m *scopes.Metadata) { m.Resource += "#" },
		"a line break":                    func(m *scopes.Metadata) { m.Resource += "/\r\nX: y" },
		"no authorization server":         func(m *scopes.Metadata) { m.AuthorizationServers = nil },
		"a plain authorization server":    func(m *scopes.Metadata) { m.AuthorizationServers = []string{"http://id.example.com"} },
		"an authorization server of none": func(m *scopes.Metadata) { m.AuthorizationServers = []string{""} },
		"two scopes in one":               func(m *scopes.Metadata) { m.Scopes = []string{"a b"} },
	} {
		m := good
		if err := m.Check(); err != nil {
			t.Fatalf("the good one: %v", err)
		}
		change(&m)
		if m.Check() == nil {
			t.Errorf("%s: nothing is found wrong", name)
		}
		for _, method := range []func() string{m.Path, m.URL} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: no panic", name)
					}
				}()
				method()
			}()
		}
	}
}
