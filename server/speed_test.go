package server_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/safeconduct/safeconduct/server"
)

// BenchmarkHandlers measures what the server adds to net/http, without sockets: `go test -bench Handlers ./server`. What
// carries a request in and its answer out is used again, so that its price is next to nothing.
func BenchmarkHandlers(b *testing.B) {
	d := deployBolt(b, func(c *server.Config) {
		c.Log = slog.New(server.NewLogBuffer(io.Discard).Handler(slog.LevelInfo))
	})
	app, api := d.client("confidential", obj{"grant_types": []string{"password", "refresh_token", "client_credentials"}}), d.api()
	d.user("ada")
	issued := d.mustLogin(app, "ada")
	for _, request := range []struct {
		name, method, path string
		by                 client
		form               url.Values
	}{
		{"metadata", http.MethodGet, "/.well-known/oauth-authorization-server", client{}, nil},
		{"jwks", http.MethodGet, "/.well-known/jwks.json", client{}, nil},
		{"login page", http.MethodGet, "/login", client{}, nil},
		{"introspect", http.MethodPost, "/oauth/introspect", api, form("token", issued.str("access_token"))},
		{"introspect garbage", http.MethodPost, "/oauth/introspect", api, form("token", "sca_garbage")},
		{"refresh", http.MethodPost, "/oauth/token", app, form("grant_type", "refresh_token", "refresh_token", issued.str("refresh_token"))},
	} {
		b.Run(request.name, func(b *testing.B) {
			body := bytes.NewReader([]byte(request.form.Encode()))
			r := httptest.NewRequest(request.method, d.url+request.path, body)
			if request.form != nil {
				r.Header.Set("Content-Type", formType)
				r.Header.Set("Authorization", basic(request.by.id, request.by.secret))
			}
			w := &sink{header: make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				body.Seek(0, io.SeekStart)
				clear(w.header)
				d.server.Handler().ServeHTTP(w, r)
				if w.status != http.StatusOK {
					b.Fatalf("answered %d", w.status)
				}
			}
		})
	}
}

// sink is a ResponseWriter that keeps nothing but the status.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
