package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// BenchmarkHandlers measures what the server adds to net/http, without sockets: `go test -bench Handlers ./server`.
func BenchmarkHandlers(b *testing.B) {
	d := deployBolt(b)
	app, api := d.client("confidential"), d.api()
	d.user("ada")
	issued := d.mustLogin(app, "ada")
	for _, request := range []struct {
		name, path string
		by         client
		form       url.Values
	}{
		{"introspect", "/oauth/introspect", api, form("token", issued.str("access_token"))},
		{"introspect garbage", "/oauth/introspect", api, form("token", "sca_garbage")},
		{"refresh", "/oauth/token", app, form("grant_type", "refresh_token", "refresh_token", issued.str("refresh_token"))},
	} {
		b.Run(request.name, func(b *testing.B) {
			body := request.form.Encode()
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, d.url+request.path, strings.NewReader(body))
				r.Header.Set("Content-Type", formType)
				r.Header.Set("Authorization", basic(request.by.id, request.by.secret))
				w := httptest.NewRecorder()
				d.server.Handler().ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
}
