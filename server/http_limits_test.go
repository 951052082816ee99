package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/safeconduct/safeconduct/server"
)

// endless is a body that never ends and counts what was taken of it.
type endless struct{ taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.taken.Add(int64(len(p)))
	return len(p), nil
}

// RFC 9110 §15.5.14: a body may have 64 KiB and not a byte more, whether it says so or comes in chunks.
func TestBodiesAreLimited(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.client("confidential"), d.api()
	admin := d.adminToken("admin:clients account:manage")
	form, object := "application/x-www-form-urlencoded", "application/json"
	for _, route := range []struct {
		method, path, mediaType, begin, end, authorization string
		fits                                               int
	}{
		{"POST", "/oauth/token", form, "grant_type=client_credentials&x=", "", basic(c.id, c.secret), 200},
		{"POST", "/oauth/introspect", form, "token=", "", basic(api.id, api.secret), 200},
		{"POST", "/oauth/revoke", form, "token=", "", basic(c.id, c.secret), 200},
		{"POST", "/api/v1/clients", object, `{"name":"`, `"}`, "Bearer " + admin, 400},
		{"PUT", "/api/v1/me/password", object, `{"new_password":"`, `"}`, "Bearer " + admin, 403},
	} {
		for size, want := range map[int]int{64 << 10: route.fits, 64<<10 + 1: 413, 1 << 20: 413} {
			body := route.begin + strings.Repeat("x", size-len(route.begin)-len(route.end)) + route.end
			for _, chunked := range []bool{false, true} {
				r := d.request(route.method, route.path, route.mediaType, body)
				r.Header.Set("Authorization", route.authorization)
				if chunked {
					r.ContentLength, r.GetBody = -1, nil
				}
				a, err := d.try(r)
				if err != nil && size > 64<<10 {
					continue // the server hung up before the body was all sent
				}
				if err != nil || a.status != want {
					t.Errorf("%s with %d bytes, chunked %v: %d %s %v, want %d", route.path, size, chunked, a.status, a.text, err, want)
				}
				if want == 413 && a.str("error") != "invalid_request" {
					t.Errorf("%s: %s", route.path, a.text)
				}
			}
		}
		body := &endless{}
		r := d.request(route.method, route.path, route.mediaType, "")
		r.Header.Set("Authorization", route.authorization)
		r.Body, r.ContentLength, r.GetBody = io.NopCloser(body), -1, nil
		if a, err := d.try(r); err == nil && a.status != 413 {
			t.Errorf("%s with an endless body: %d %s, want 413", route.path, a.status, a.text)
		}
		if taken := body.taken.Load(); taken > 16<<20 {
			t.Errorf("%s took %d bytes of an endless body before it hung up", route.path, taken)
		}
	}
}

// try sends a request that the server may hang up on.
func (d *deployment) try(r *http.Request) (answer, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, header: response.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.json)
	return a, err
}

// RFC 9110 §7.4 and CVE-2025-64101: a request for another name than ours is refused, so that no answer is taken for
// another host's, and no link, issuer or audience ever comes from a header.
func TestForeignHostsAreMisdirected(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) { c.AllowedHosts = []string{"id.internal:8080"} })
	for _, host := range []string{"evil.example", "", "localhost", "127.0.0.1", "id.internal", strings.TrimPrefix(d.url, "http://") + ".evil.example"} {
		r := d.request(http.MethodGet, "/.well-known/oauth-authorization-server", "", "")
		r.Host = host
		if host == "" {
			continue
		}
		wantError(t, d.do(r), http.StatusMisdirectedRequest, "invalid_request")
		r = d.request(http.MethodPost, "/oauth/token", formType, "grant_type=client_credentials")
		r.Host = host
		wantError(t, d.do(r), http.StatusMisdirectedRequest, "invalid_request")
		r = d.request(http.MethodGet, "/livez", "", "")
		r.Host = host
		wantStatus(t, d.do(r), http.StatusOK) // probes come by address
	}
	own := strings.TrimPrefix(d.url, "http://")
	if status, _, _ := d.raw(t, "GET http://evil.example/.well-known/oauth-authorization-server HTTP/1.1\r\nHost: "+own+"\r\n\r\n"); status != http.StatusMisdirectedRequest {
		t.Errorf("a request line with another host: %d, want 421", status)
	}
	plain := d.call(http.MethodGet, "/.well-known/oauth-authorization-server", "")
	for _, headers := range [][]string{
		{"X-Forwarded-Host", "evil.example"}, {"X-Forwarded-Proto", "https"}, {"Forwarded", "host=evil.example;proto=https"}, {"X-Original-Host", "evil.example"},
		{"X-Forwarded-Prefix", "/evil"}, {"X-Original-Url", "/livez"}, {"X-Rewrite-Url", "/livez"}, {"X-Http-Method-Override", "DELETE"},
	} {
		if a := d.send(http.MethodGet, "/.well-known/oauth-authorization-server", "", "", headers...); a.text != plain.text {
			t.Errorf("%v changes the answer to %s", headers, a.text)
		}
	}
	r := d.request(http.MethodGet, "/.well-known/oauth-authorization-server", "", "")
	r.Host = "id.internal:8080"
	if a := d.do(r); a.text != plain.text {
		t.Errorf("under an allowed name: %d %s", a.status, a.text)
	}
}

// RFC 9700 §4.12: no answer to a client is a redirect: a 307 or 308 makes clients send their secrets once more, to wherever
// it says. The one exception is for people, who come to the bare address: GET / leads to their account, by 303.
func TestNothingRedirects(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	for _, path := range []string{
		"/oauth/token/", "//oauth/token", "/oauth//token", "/OAuth/Token", "/oauth/./token", "/oauth/../oauth/token", "/oauth/token/.", "/oauth/token;x=1",
		"/oauth/token%2f", "/oauth%2ftoken", "/./oauth/token", "/oauth/introspect/", "/oauth/revoke/", "/api/v1/me/", "/api/v1", "/api/v1/", "/oauth", "/", "", "/?next=//evil.example",
		"/.well-known/oauth-authorization-server/", "/livez/", "/demo/orders/", "/oauth/token/x", "/oauth/token%00", "/oauth/token%0d%0aX:y", `/\evil.example`, "//evil.example/",
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodHead} {
			r := d.request(method, "", formType, "grant_type=client_credentials")
			r.URL.Opaque = "//" + r.URL.Host + path
			r.SetBasicAuth(c.id, c.secret)
			a := d.do(r)
			if method == http.MethodGet && (path == "/" || strings.HasPrefix(path, "/?")) {
				if a.status != http.StatusSeeOther || a.header.Get("Location") != "/account" {
					t.Errorf("%s %s: %d to %q, want 303 to /account", method, path, a.status, a.header.Get("Location"))
				}
				continue
			}
			if a.status >= 300 && a.status < 400 || a.header.Get("Location") != "" {
				t.Errorf("%s %s: %d to %q", method, path, a.status, a.header.Get("Location"))
			}
			if a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d %s, want 404 or 405", method, path, a.status, a.text)
			}
		}
	}
}

// CVE-2026-33494: no spelling of a path gets around the guard of its route. What the router takes for the route is
// guarded, and everything else does not exist.
func TestNoSpellingOfAPathAvoidsTheGuard(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	for _, path := range []string{"/api/v1/users", "/api/v1/me", "/demo/orders", "/api/v1/clients/x"} {
		prefix, rest := path[:4], path[4:]
		for _, spelling := range []string{
			path, "/" + path, path + "/", path + "//", prefix + "/" + rest, "/./" + path[1:], "/x/.." + path, "/livez/.." + path, "/livez/%2e%2e" + path,
			"/%2e" + path, path + ";x=1", path + "%3bx", path + "%00", path + "%20", path + ".", path + "%2f", path + "%2f..", strings.ToUpper(path),
			"/%61" + path[2:], strings.ReplaceAll(path, "/", "%2f"), "/%2f" + path[1:], path + "?access_token=x", path + "#x", path + "/.", path + "/..;/x",
			strings.ReplaceAll(path, "/", `\`), path + "%0a", path + "%ef%bc%8f",
		} {
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", "PROPFIND"} {
				status, _, body := d.raw(t, method+" "+spelling+" HTTP/1.1\r\nHost: "+strings.TrimPrefix(d.url, "http://")+"\r\nConnection: close\r\n\r\n")
				switch status {
				case http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusBadRequest:
				default:
					t.Errorf("%s %s: %d %s", method, spelling, status, body)
				}
			}
		}
	}
}
