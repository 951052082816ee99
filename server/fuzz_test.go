package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/safeconduct/safeconduct/clients"
)

// Whatever a body holds, parsing it ends in a form without empty or repeated parameters, or in a 400.
func FuzzParseForm(f *testing.F) {
	for _, seed := range []string{"grant_type=password&username=a", "a=1&a=2", "resource=a&resource=b", "%zz=1", "a=%00", "a=%ff", "=&=&", strings.Repeat("a&", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		parsed, err := parseForm(body)
		if err != nil {
			if got := failureOf(err).status; got != http.StatusBadRequest {
				t.Errorf("status %d, want 400", got)
			}
			return
		}
		for name, values := range parsed {
			if len(values) > 1 && !repeatable[name] {
				t.Errorf("%q is there %d times", name, len(values))
			}
			for _, value := range values {
				if value == "" || !wellFormed(value) || !wellFormed(name) {
					t.Errorf("%q has the value %q", name, value)
				}
			}
		}
	})
}

// Whatever an Authorization header holds, reading it ends in one set of credentials or in a 4xx.
func FuzzReadCredentials(f *testing.F) {
	f.Add("Basic YTpi", "", "")
	f.Add("basic  YTpi", "a", "")
	f.Add("Bearer x", "", "secret")
	f.Add("", "id", "secret")
	f.Fuzz(func(t *testing.T, header, id, secret string) {
		r := httptest.NewRequest(http.MethodPost, "/oauth/token", nil)
		if header != "" {
			r.Header["Authorization"] = []string{header}
		}
		in := form{}
		if id != "" {
			in["client_id"] = []string{id}
		}
		if secret != "" {
			in["client_secret"] = []string{secret}
		}
		c, err := readCredentials(r, in)
		if err != nil {
			if got := failureOf(err).status; got != http.StatusBadRequest && got != http.StatusUnauthorized {
				t.Errorf("status %d", got)
			}
			return
		}
		if c.id == "" || (c.method == clients.None) != (c.secret == "") && c.method != clients.SecretBasic {
			t.Errorf("credentials %q by %q", c.id, c.method)
		}
	})
}

// What passes the strict reading of JSON is one object that encoding/json reads too, without repeated members.
func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"a":2}`, `{"a":{"b":[{"c":1}]}}`, `[]`, `{"a":1}x`, `{"a":1}{}`, strings.Repeat(`{"a":`, 20), `{"a":"\ud800"}`, `{"a":1e999}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if checkJSON([]byte(body)) != nil {
			return
		}
		var into map[string]any
		decoder := json.NewDecoder(strings.NewReader(body))
		decoder.UseNumber()
		if err := decoder.Decode(&into); err != nil {
			t.Errorf("%q passed, but is no object: %v", body, err)
		}
	})
}
