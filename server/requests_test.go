package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// form makes form values of names and values in turn.
func form(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values
}

// handle answers a request without a network: for what net/http's client would not send, and for large numbers.
func (d *deployment) handle(r *http.Request) answer {
	w := httptest.NewRecorder()
	d.server.Handler().ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), text: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &a.json)
	return a
}

// crowd calls f from n goroutines that start together.
func crowd(n int, f func(i int)) {
	start := make(chan struct{})
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { <-start; f(i) })
	}
	close(start)
	wait.Wait()
}

// revoke revokes a token in the client's name.
func (d *deployment) revoke(c client, token string) answer {
	d.t.Helper()
	values := form("token", token)
	if c.secret == "" {
		values.Set("client_id", c.id)
		return d.post("/oauth/revoke", "", "", values)
	}
	return d.post("/oauth/revoke", c.id, c.secret, values)
}

// inactive is the whole answer of introspection about whatever is no good token.
const inactive = `{"active":false}`

// wantActive and wantInactive ask the demo API's introspection.
func (d *deployment) wantActive(api client, token string) {
	d.t.Helper()
	if a := d.introspect(api, token); a.status != http.StatusOK || a.json["active"] != true {
		d.t.Fatalf("introspection: %d %s, want an active token", a.status, a.text)
	}
}

func (d *deployment) wantInactive(api client, token string) {
	d.t.Helper()
	if a := d.introspect(api, token); a.status != http.StatusOK || a.text != inactive {
		d.t.Fatalf("introspection: %d %s, want 200 %s", a.status, a.text, inactive)
	}
}

// send is a request with headers, given as names and values in turn.
func (d *deployment) send(method, path, mediaType, body string, headers ...string) answer {
	d.t.Helper()
	r := d.request(method, path, mediaType, body)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return d.do(r)
}

// member is a member of a JSON answer's text.
func member(t testing.TB, text, name string) string {
	t.Helper()
	a := answer{}
	if err := json.Unmarshal([]byte(text), &a.json); err != nil || a.str(name) == "" {
		t.Fatalf("no %s in %s", name, text)
	}
	return a.str(name)
}

// adminToken logs in an administrator through a client of the operator's own.
func (d *deployment) adminToken(scope string) string {
	d.t.Helper()
	c := d.client("confidential", obj{"first_party": true, "scopes": strings.Fields(scope)})
	if a := d.admin(http.MethodGet, "/users/root", nil); a.status == http.StatusNotFound {
		d.user("root", obj{"admin": true})
	}
	return d.mustLogin(c, "root", "scope", scope).str("access_token")
}
