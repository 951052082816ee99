package scopes_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// RFC 7662 §2.2: what the server tells of a token reaches the handler, nothing lost and nothing added.
func TestIntrospectorReportsTheFacts(t *testing.T) {
	server := newAuthServer(t)
	server.knows("sca_good", `{"active":true,"sub":"u1","username":"alice","client_id":"shop","iss":"https://auth.example.com",
		"jti":"g1.7","aud":["https://other.example.com","https://orders.example.com"],"scope":"orders:read orders:write",
		"exp":4102444800,"iat":1700000000.5,"token_type":"Bearer","acr":"2","big":9007199254740993,"nothing":null}`)
	got, err := newIntrospector(t, server.config()).Check(t.Context(), "sca_good")
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject != "u1" || got.Username != "alice" || got.ClientID != "shop" || got.Issuer != "https://auth.example.com" ||
		got.ID != "g1.7" || got.TokenType != "Bearer" || got.Scopes.String() != "orders:read orders:write" {
		t.Errorf("got %+v", got)
	}
	if !slices.Equal(got.Audience, []string{"https://other.example.com", audience}) {
		t.Errorf("audience %q", got.Audience)
	}
	if !got.Expires.Equal(time.Unix(4102444800, 0)) || !got.IssuedAt.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("expires %v, issued at %v", got.Expires, got.IssuedAt)
	}
	if string(got.Extra["big"]) != "9007199254740993" || string(got.Extra["acr"]) != `"2"` || len(got.Extra) != 2 {
		t.Errorf("extra %s", got.Extra)
	}
}

// A handler may append to what it got without spoiling what stands beside it.
func TestExtraMembersAreApart(t *testing.T) {
	server := newAuthServer(t)
	server.knows("sca_a", `{"active":true,"aud":"https://orders.example.com","a":[1],"b":[2]}`)
	got, err := newIntrospector(t, server.config()).Check(t.Context(), "sca_a")
	if err != nil {
		t.Fatal(err)
	}
	got.Extra["a"] = append(got.Extra["a"], `,"b":[3]`...)
	if string(got.Extra["b"]) != "[2]" {
		t.Errorf("b became %s", got.Extra["b"])
	}
}

// RFC 7662 §2.2: only active is required.
func TestIntrospectorNeedsNoMoreThanActive(t *testing.T) {
	server := newAuthServer(t)
	server.knows("sca_bare", `{"active":true}`)
	config := server.config()
	config.Audience = ""
	got, err := newIntrospector(t, config).Check(t.Context(), "sca_bare")
	if err != nil || got.Scopes.Len() != 0 || !got.Expires.IsZero() || got.Extra != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Each token that is not for this API at this moment is refused with 401, next to one that is.
func TestIntrospectorRefusesTokensThatAreNotGood(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	server := newAuthServer(t)
	config := server.config()
	config.Clock = func() time.Time { return now }
	guard := scopes.Require(newIntrospector(t, config), "orders:read")(http.HandlerFunc(whoami))
	const aud = `"aud":"https://orders.example.com"`
	for _, tt := range []struct {
		name, answer string
		status       int
	}{
		{"good", `{"active":true,"sub":"u1","scope":"orders:read",` + aud + `}`, 200},
		{"good, Bearer in lower case", `{"active":true,"scope":"orders:read","token_type":"bearer",` + aud + `}`, 200},
		{"inactive", `{"active":false}`, 401},
		{"inactive whatever else is said", `{"active":false,"scope":"orders:read","exp":"never",` + aud + `}`, 401},
		{"a second of life left", fmt.Sprintf(`{"active":true,"scope":"orders:read","exp":%d,`+aud+`}`, now.Unix()+1), 200},
		{"expired by the local clock", fmt.Sprintf(`{"active":true,"scope":"orders:read","exp":%d,`+aud+`}`, now.Unix()), 401},
		{"expiry zero is the year 1970", `{"active":true,"scope":"orders:read","exp":0,` + aud + `}`, 401},
		{"another audience", `{"active":true,"scope":"orders:read","aud":"https://other.example.com"}`, 401},
		{"an audience that begins alike", `{"active":true,"scope":"orders:read","aud":["https://orders.example.com/","x"]}`, 401},
		{"no audience", `{"active":true,"scope":"orders:read"}`, 401},
		{"an empty audience", `{"active":true,"scope":"orders:read","aud":[]}`, 401},
		{"bound to a key", `{"active":true,"scope":"orders:read","cnf":{"jkt":"x"},` + aud + `}`, 401},
		{"a DPoP token", `{"active":true,"scope":"orders:read","token_type":"DPoP",` + aud + `}`, 401},
		{"a refresh token", `{"active":true,"scope":"orders:read","token_type":"refresh_token",` + aud + `}`, 401},
		{"another scope", `{"active":true,"scope":"orders:write",` + aud + `}`, 403},
		{"no scope", `{"active":true,` + aud + `}`, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.knows("sca_x", tt.answer)
			w := httptest.NewRecorder()
			guard.ServeHTTP(w, withHeader("Bearer sca_x"))
			if w.Code != tt.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.status)
			}
		})
	}
}

// What cannot be a token costs no request.
func TestIntrospectorDoesNotAskAboutMalformedTokens(t *testing.T) {
	server := newAuthServer(t)
	i := newIntrospector(t, server.config())
	for _, token := range []string{"", "a b", "a\n", strings.Repeat("a", scopes.MaxTokenBytes+1)} {
		if _, err := i.Check(t.Context(), token); !errors.Is(err, scopes.ErrInactive) {
			t.Errorf("%.20q: %v", token, err)
		}
	}
	if n := server.asked.Load(); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

// A mistake in the configuration must show at the start and say what to write.
func TestNewIntrospectorRefusesBadConfigurations(t *testing.T) {
	good := scopes.IntrospectorConfig{URL: "https://auth.example.com/oauth/introspect", ID: "a", Secret: "b"}
	for name, change := range map[string]func(*scopes.IntrospectorConfig){
		"no URL":                func(c *scopes.IntrospectorConfig) { c.URL = "" },
		"a relative URL":        func(c *scopes.IntrospectorConfig) { c.URL = "/oauth/introspect" },
		"no host":               func(c *scopes.IntrospectorConfig) { c.URL = "https://:443/x" },
		"another scheme":        func(c *scopes.IntrospectorConfig) { c.URL = "ftp://auth.example.com" },
		"http elsewhere":        func(c *scopes.IntrospectorConfig) { c.URL = "http://auth.example.com/x" },
		"a name like a loop":    func(c *scopes.IntrospectorConfig) { c.URL = "http://127.0.0.1.example.com/x" },
		"a name like localhost": func(c *scopes.IntrospectorConfig) { c.URL = "http://notlocalhost/x" },
		"a password in it":      func(c *scopes.IntrospectorConfig) { c.URL = "https://u:canary@auth.example.com/x" },
		"a broken password":     func(c *scopes.IntrospectorConfig) { c.URL = "https://u:canary%zz@auth.example.com/x" },
		"a fragment":            func(c *scopes.IntrospectorConfig) { c.URL += "#x" },
		"no ID":                 func(c *scopes.IntrospectorConfig) { c.ID = "" },
		"no secret":             func(c *scopes.IntrospectorConfig) { c.Secret = "" },
		"a negative time-out":   func(c *scopes.IntrospectorConfig) { c.Timeout = -1 },
		"a negative cache":      func(c *scopes.IntrospectorConfig) { c.CacheFor = -1 },
		"a negative size":       func(c *scopes.IntrospectorConfig) { c.CacheSize = -1 },
	} {
		config := good
		change(&config)
		if _, err := scopes.NewIntrospector(config); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	plain := good
	plain.URL, plain.PlainHTTP = "http://auth.internal/x", true
	for _, config := range []scopes.IntrospectorConfig{good, plain, {URL: "http://localhost:8080/x", ID: "a", Secret: "b"},
		{URL: "http://id.localhost/x", ID: "a", Secret: "b"}, {URL: "http://127.0.0.2/x", ID: "a", Secret: "b"}, {URL: "http://[::1]:1/x", ID: "a", Secret: "b"}} {
		if _, err := scopes.NewIntrospector(config); err != nil {
			t.Errorf("%s: %v", config.URL, err)
		}
	}
}

// Whoever prints an Introspector by accident must not print the secret.
func TestIntrospectorDoesNotPrintItsSecret(t *testing.T) {
	i := newIntrospector(t, newAuthServer(t).config())
	for _, text := range []string{fmt.Sprintf("%+v", i), fmt.Sprintf("%#v", *i)} {
		if strings.Contains(text, "s3cret") {
			t.Errorf("printed: %s", text)
		}
	}
}
