package server_test

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Whatever is sent, the fault is the sender's: no request makes the server answer with an error of its own, or panic.
func TestNoInputIsAServerError(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, fromLoopback)
	s := newScene(d)
	random := rand.New(rand.NewPCG(7, 11)) // the same requests every time
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	values := []string{
		"", "x", "password", "refresh_token", "client_credentials", "authorization_code", "ada", password, s.access, s.refresh, s.code, s.web.id, s.web.secret, s.api.id, s.api.secret,
		"orders:read", "orders:read orders:write", "urn:safeconduct:demo-orders", callback, verifier, "%zz", "%00", "%ff", "\x00", "\xff\xfe", "é", "💥", "\u202e", "\r\n", "\"", "\\", "'", "<a>", "{}", "[]", "null",
		"-1", "0", "1e309", "9223372036854775808", strings.Repeat("a", 3000), strings.Repeat("%41", 1000), "../..", "${jndi:ldap://x}", "{{7*7}}", "; drop table", "true", "\ud7ff", "a=b&c=d", "&&&&", "====",
	}
	names := []string{
		"grant_type", "username", "password", "refresh_token", "code", "code_verifier", "redirect_uri", "scope", "resource", "client_id", "client_secret", "client_assertion", "token", "token_type_hint",
		"name", "type", "grant_types", "scopes", "redirect_uris", "slug", "identifier", "access_lifetime", "new_password", "current_password", "", "a[b]", "a.b", "\x00",
	}
	routes := s.server.MountedRoutes()
	for range 4000 {
		route := routes[random.IntN(len(routes))]
		path := named(route.Path)
		for range random.IntN(3) {
			path = strings.Replace(path, "none-such", url.PathEscape(pick(values)), 1)
		}
		if random.IntN(4) == 0 {
			path += "?" + pick(names) + "=" + url.QueryEscape(pick(values))
		}
		mediaType, separator := formType, "&"
		body := ""
		for i := range random.IntN(6) {
			if i > 0 {
				body += separator
			}
			value := pick(values)
			if random.IntN(3) > 0 {
				value = url.QueryEscape(value)
			}
			body += pick(names) + "=" + value
		}
		if strings.HasPrefix(route.Path, "/api/") || random.IntN(10) == 0 {
			mediaType, body = "application/json", randomJSON(random, names, values, 3)
		}
		r := d.request(http.MethodPost, "/", mediaType, body)
		target, err := url.Parse(d.url + path)
		if err != nil {
			continue
		}
		r.Method, r.URL, r.RemoteAddr = route.Method, target, "127.0.0.1:4000"
		switch random.IntN(6) {
		case 0:
			r.Header.Set("Authorization", basic(pick(values), pick(values)))
		case 1:
			r.Header.Set("Authorization", basic(s.web.id, s.web.secret))
		case 2:
			r.Header.Set("Authorization", basic(s.api.id, s.api.secret))
		case 3:
			r.Header.Set("Authorization", pick(values)+" "+pick(values))
		default:
			r.Header.Set("Authorization", "Bearer "+s.account)
		}
		if a := d.handle(r); a.status >= 500 {
			t.Fatalf("%s %s with %q: %d %s", route.Method, path, body, a.status, a.text)
		}
	}
	if strings.Contains(d.log.String(), `"msg":"panic"`) {
		t.Error("a handler panicked")
	}
}

// randomJSON writes something like JSON.
func randomJSON(random *rand.Rand, names, values []string, depth int) string {
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	switch choice := random.IntN(8); {
	case depth == 3 && choice < 7, depth > 0 && choice == 0:
		var members []string
		for range random.IntN(5) {
			members = append(members, `"`+pick(names)+`":`+randomJSON(random, names, values, depth-1))
		}
		return "{" + strings.Join(members, ",") + "}"
	case depth > 0 && choice == 1:
		return "[" + randomJSON(random, names, values, depth-1) + "]"
	case choice == 2:
		return pick([]string{"1", "-1", "1e999", "true", "false", "null", "1.5", "", "00", "{", "]"})
	default:
		return `"` + pick(values) + `"`
	}
}
