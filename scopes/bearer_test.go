package scopes_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/scopes"
)

// RFC 6750 §2.1 and RFC 9110 §11.1: the scheme is compared without case, the token is of b64token characters.
func TestBearerTakesTheTokenFromTheHeader(t *testing.T) {
	longest := strings.Repeat("a", scopes.MaxTokenBytes)
	for header, want := range map[string]string{
		"Bearer sca_abc":          "sca_abc",
		"bearer sca_abc":          "sca_abc",
		"BEARER sca_abc":          "sca_abc",
		"Bearer   sca_abc":        "sca_abc",
		"Bearer aZ09-._~+/==":     "aZ09-._~+/==",
		"Bearer eyJh.eyJz.c2ln_-": "eyJh.eyJz.c2ln_-",
		"Bearer " + longest:       longest,
	} {
		if got, err := scopes.Bearer(withHeader(header)); err != nil || got != want {
			t.Errorf("%.40q: got %.40q, %v", header, got, err)
		}
	}
}

// Each fault has its own error, since the answers differ.
func TestBearerRefusesAnythingElse(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers []string
		want    error
	}{
		{"no header", nil, scopes.ErrNoToken},
		{"an empty header", []string{""}, scopes.ErrNoToken},
		{"another scheme", []string{"Basic YTpi"}, scopes.ErrNoToken},
		{"a scheme that begins alike", []string{"Bearerx abc"}, scopes.ErrNoToken},
		{"a token without scheme", []string{"sca_abc"}, scopes.ErrNoToken},
		{"the word alone", []string{"Bearer"}, scopes.ErrMalformedToken},
		{"the word and a space", []string{"Bearer "}, scopes.ErrMalformedToken},
		{"a space inside", []string{"Bearer a b"}, scopes.ErrMalformedToken},
		{"a space behind", []string{"Bearer a "}, scopes.ErrMalformedToken},
		{"two joined by a proxy", []string{"Bearer a, Bearer b"}, scopes.ErrMalformedToken},
		{"a parameter", []string{`Bearer token="a"`}, scopes.ErrMalformedToken},
		{"padding inside", []string{"Bearer a=b"}, scopes.ErrMalformedToken},
		{"padding alone", []string{"Bearer =="}, scopes.ErrMalformedToken},
		{"a tab", []string{"Bearer a\tb"}, scopes.ErrMalformedToken},
		{"a line break", []string{"Bearer a\r\nX: y"}, scopes.ErrMalformedToken},
		{"a zero byte", []string{"Bearer a\x00"}, scopes.ErrMalformedToken},
		{"not ASCII", []string{"Bearer é"}, scopes.ErrMalformedToken},
		{"not UTF-8", []string{"Bearer \xff"}, scopes.ErrMalformedToken},
		{"one byte too long", []string{"Bearer " + strings.Repeat("a", scopes.MaxTokenBytes+1)}, scopes.ErrMalformedToken},
		{"two headers", []string{"Bearer a", "Bearer b"}, scopes.ErrSeveralHeaders},
		{"the same header twice", []string{"Bearer a", "Bearer a"}, scopes.ErrSeveralHeaders},
		{"two headers of different schemes", []string{"Basic YTpi", "Bearer a"}, scopes.ErrSeveralHeaders},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if token, err := scopes.Bearer(withHeader(tt.headers...)); !errors.Is(err, tt.want) || token != "" {
				t.Errorf("got %.40q, %v; want %v", token, err, tt.want)
			}
		})
	}
}

// RFC 9700 §4.3.2: tokens in URLs end in logs and histories, tokens in forms make a page's form an API client.
func TestBearerLooksNowhereElse(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/?access_token=good", strings.NewReader("access_token=good"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Proxy-Authorization", "Bearer good")
	r.AddCookie(&http.Cookie{Name: "access_token", Value: "good"})
	if token, err := scopes.Bearer(r); !errors.Is(err, scopes.ErrNoToken) {
		t.Errorf("got %q, %v; want %v", token, err, scopes.ErrNoToken)
	}
	if r.FormValue("access_token") != "good" {
		t.Error("the body was read before the handler could")
	}
}

// Whatever the header holds, Bearer does not panic and gives only what RFC 6750 calls a token.
func FuzzBearer(f *testing.F) {
	for _, header := range []string{"", "Bearer", "Bearer a", "bearer  a=", "Basic a", "Bearer a b", "Bearer \x00", " "} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, err := scopes.Bearer(withHeader(header))
		if (token == "") != (err != nil) {
			t.Fatalf("%q: %q with error %v", header, token, err)
		}
		if strings.ContainsAny(token, " \t\r\n\x00,;\"\\") || len(token) > scopes.MaxTokenBytes {
			t.Fatalf("%q: took %q", header, token)
		}
	})
}

func withHeader(values ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if len(values) > 0 {
		r.Header["Authorization"] = values
	}
	return r
}

// An API key may come as other frameworks send theirs; nothing else may, and the key is one in each spelling of the scheme.
func TestBearerTakesAPIKeysAfterTheirOwnWord(t *testing.T) {
	for _, tt := range []struct {
		header, want string
		err          error
	}{
		{"Api-Key sck_abc", "sck_abc", nil},
		{"api-key sck_abc", "sck_abc", nil},
		{"API-KEY   sck_abc", "sck_abc", nil},
		{"Bearer sck_abc", "sck_abc", nil},
		{"Api-Key sca_abc", "", scopes.ErrNoToken},
		{"Api-Key eyJh.eyJz.c2ln", "", scopes.ErrNoToken},
		{"Api-Key SCK_abc", "", scopes.ErrNoToken},
		{"Api-Key xsck_abc", "", scopes.ErrNoToken},
		{"Api-Key abc.def", "", scopes.ErrNoToken},
		{"Api-Key", "", scopes.ErrNoToken},
		{"Api-Key ", "", scopes.ErrNoToken},
		{"ApiKey sck_abc", "", scopes.ErrNoToken},
		{"Api-Key sck_a b", "", scopes.ErrMalformedToken},
		{"Api-Key sck_a, Bearer b", "", scopes.ErrMalformedToken},
		{"Api-Key sck_" + strings.Repeat("a", scopes.MaxTokenBytes), "", scopes.ErrMalformedToken},
	} {
		if got, err := scopes.Bearer(withHeader(tt.header)); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%.40q: got %q and %v, want %q and %v", tt.header, got, err, tt.want, tt.err)
		}
	}
	if _, err := scopes.Bearer(withHeader("Api-Key sck_a", "Bearer b")); !errors.Is(err, scopes.ErrSeveralHeaders) {
		t.Errorf("two headers: got %v", err)
	}
}
