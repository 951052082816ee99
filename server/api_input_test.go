package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// operate sends a body to our own API as the operator, as it is.
func (d *deployment) operate(method, path, mediaType, body string) answer {
	d.t.Helper()
	r := httptest.NewRequest(method, "/api/v1"+path, strings.NewReader(body))
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	w := httptest.NewRecorder()
	d.local.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), text: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &a.json)
	return a
}

// RFC 8259 and OWASP ASVS 15.3: a JSON body is one object that every reader understands alike. Where two could differ (a
// member twice, or in two cases; text behind the end; broken characters) it is refused, and nothing is done.
func TestJSONBodiesAreReadStrictly(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	const good = `{"username":"zoe"}`
	for what, body := range map[string]string{
		"nothing": "", "blanks": "  ", "null": "null", "an array": "[" + good + "]", "a string": `"zoe"`, "a number": "1", "true": "true", "half": `{"username":`, "no end": `{"username":"zoe"`,
		"text behind": good + "x", "another object behind": good + good, "a brace behind": good + "}", "a bracket behind": good + "]", "null behind": good + " null", "NUL behind": good + "\x00",
		"a member twice": `{"username":"zoe","username":"root"}`, "a member twice by escape": `{"username":"zoe","\u0075sername":"root"}`,
		"a member in two cases": `{"username":"zoe","Username":"root"}`, "a member in capitals": `{"USERNAME":"zoe"}`, "a member by folding": "{\"u\u017fername\":\"zoe\"}",
		"an inner member twice": `{"username":"zoe","name":{"a":1,"a":2}}`, "an unknown member": `{"username":"zoe","unheard_of":1}`, "an empty name": `{"username":"zoe","":1}`,
		"a comma at the end": `{"username":"zoe",}`, "a comment": `{"username":"zoe"/*x*/}`, "single quotes": `{'username':'zoe'}`, "no quotes": `{username:"zoe"}`, "a mark of order": "\ufeff" + good,
		"NaN": `{"username":"zoe","admin":NaN}`, "infinity": `{"username":"zoe","admin":Infinity}`, "a wrong type": `{"username":1}`, "a wrong bool": `{"username":"zoe","admin":"true"}`, "one for true": `{"username":"zoe","admin":1}`,
		"an object for a string": `{"username":{"x":1}}`, "an array for a string": `{"username":["zoe"]}`, "a huge number": `{"username":"zoe","admin":1e999999}`,
		"deep objects": `{"username":` + strings.Repeat(`{"a":`, 9) + "1" + strings.Repeat("}", 9) + "}", "deep arrays": `{"username":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}", "endless arrays": strings.Repeat("[", 60_000),
		"broken UTF-8": "{\"username\":\"zo\xff\"}", "a lone surrogate": `{"username":"zoe","name":"a\ud800b"}`, "half a pair": `{"username":"zoe","name":"\ud83d\u0041"}`, "NUL": `{"username":"zo\u0000e"}`, "NUL in a name": `{"username":"zoe","na\u0000me":"x"}`,
		"a control character": "{\"username\":\"zoe\",\"name\":\"a\nb\"}", "a bad escape": `{"username":"\x41"}`, "a replaced character": "{\"username\":\"zoe\",\"name\":\"\ufffd\"}",
	} {
		a := d.operate(http.MethodPost, "/users", "application/json", body)
		if a.status != http.StatusBadRequest || a.str("error") != "invalid_request" {
			t.Errorf("%s: %d %s, want 400 invalid_request", what, a.status, a.text)
		}
		wantErrorShape(t, what, a)
	}
	for _, mediaType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json, text/plain", "application/jsonx", "text/json", ";"} {
		wantError(t, d.operate(http.MethodPost, "/users", mediaType, good), http.StatusBadRequest, "invalid_request")
	}
	wantError(t, d.operate(http.MethodPost, "/users", "application/json", `{"username":"zoe","name":"`+strings.Repeat("x", 70_000)+`"}`), http.StatusRequestEntityTooLarge, "invalid_request")
	if a := d.mustAdmin(http.MethodGet, "/users", nil); len(a.json["items"].([]any)) != 0 {
		t.Errorf("a refused body made a user: %s", a.text)
	}
	for i, text := range []string{`{"username":"z0"}`, ` { "username" : "z1" , "name":"\ud83d\ude00 \u00e9" } ` + "\n", `{"username":"\u007a2","admin":false}`} {
		a := d.operate(http.MethodPost, "/users", "Application/JSON; charset=utf-8", text)
		if a.status != http.StatusCreated || a.str("username") != fmt.Sprintf("z%d", i) {
			t.Errorf("%s: %d %s", text, a.status, a.text)
		}
	}
}

// OWASP ASVS 15.3.3: what a caller may not set is no member of the body, however it is called inside.
func TestMassAssignmentIsRefused(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c := d.client("confidential")
	account := d.client("confidential", obj{"first_party": true, "scopes": []string{"account:manage"}})
	user := d.user("ada")
	before := []string{d.mustAdmin(http.MethodGet, "/users/ada", nil).text, d.mustAdmin(http.MethodGet, "/clients/"+c.id, nil).text, d.mustAdmin(http.MethodGet, "/resources/demo-orders", nil).text}
	for _, each := range []struct {
		method, path string
		good         obj
		members      []string
	}{
		{"POST", "/users", obj{"username": "zoe"}, []string{"id", "hash", "epoch", "created", "updated", "password_changed", "second_factor", "Admin"}},
		{"PATCH", "/users/" + user, obj{"name": "Ada L."}, []string{"id", "hash", "password", "password_hash", "epoch", "created", "updated", "password_changed"}},
		{"PUT", "/users/" + user + "/password", obj{"new_password": "another long password"}, []string{"admin", "hash", "password", "username", "current_password"}},
		{"POST", "/clients", obj{"name": "x", "type": "service", "grant_types": []string{"client_credentials"}}, []string{"number", "secrets", "client_secret", "epoch", "disabled", "created"}},
		{"PATCH", "/clients/" + c.id, obj{"name": "y"}, []string{"number", "client_id", "type", "secrets", "client_secret", "epoch", "created", "secret_lifetime"}},
		{"POST", "/clients/" + c.id + "/secrets", obj{}, []string{"secret", "hash", "id", "expires"}},
		{"POST", "/resources", obj{"slug": "s", "identifier": "urn:s", "name": "S"}, []string{"number", "built_in", "secrets", "secret", "disabled"}},
		{"PATCH", "/resources/demo-orders", obj{"name": "z"}, []string{"number", "slug", "identifier", "built_in", "secrets", "created"}},
		{"POST", "/tokens/introspect", obj{"token": "x"}, []string{"active", "token_type_hint"}},
	} {
		for _, member := range each.members {
			body := obj{member: "x"}
			for name, value := range each.good {
				body[name] = value
			}
			a := d.admin(each.method, each.path, body)
			if a.status != http.StatusBadRequest || a.str("error") != "invalid_request" {
				t.Errorf("%s %s with %s: %d %s, want 400 invalid_request", each.method, each.path, member, a.status, a.text)
			}
		}
	}
	for i, path := range []string{"/users/ada", "/clients/" + c.id, "/resources/demo-orders"} {
		if got := d.mustAdmin(http.MethodGet, path, nil).text; got != before[i] {
			t.Errorf("refused requests changed %s to %s", before[i], got)
		}
	}
	token := d.mustLogin(account, "ada", "scope", "account:manage").str("access_token")
	for _, member := range []string{"admin", "username", "id", "password"} {
		a := d.send(http.MethodPut, "/api/v1/me/password", "application/json", fmt.Sprintf(`{"current_password":%q,"new_password":"another long password",%q:true}`, password, member), "Authorization", "Bearer "+token)
		wantError(t, a, http.StatusBadRequest, "invalid_request")
	}
}

// Inner objects are read as strictly as the outer one.
func TestInnerMembersAreReadStrictly(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	for _, scope := range []string{
		`{"name":"a:b","Name":"admin:x"}`, `{"name":"a:b","name":"c:d"}`, `{"name":"a:b","number":1}`, `{"name":"a:b","owner":"x"}`, `{"NAME":"a:b"}`, `"a:b"`, `["a:b"]`, `null`, `1`,
	} {
		body := `{"slug":"s","identifier":"urn:s","name":"S","scopes":[` + scope + `]}`
		if a := d.operate(http.MethodPost, "/resources", "application/json", body); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", scope, a.status, a.text)
		}
	}
	wantStatus(t, d.operate(http.MethodPost, "/resources", "application/json", `{"slug":"s","identifier":"urn:s","name":"S","scopes":[{"name":"a:b","sensitive":true}]}`), http.StatusCreated)
}

// Registries refuse what breaks their rules with the member that is wrong and what to write instead.
func TestInvalidMembersAreNamed(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	for _, each := range []struct {
		path  string
		body  obj
		field string
	}{
		{"/users", obj{"username": ""}, "username"}, {"/users", obj{"username": "zoe", "password": "short"}, "password"}, {"/users", obj{"username": "zoe", "email": "x"}, "email"},
		{"/users", obj{"username": 7}, "username"}, {"/users", obj{"username": "zoe", "unheard_of": 1}, "unheard_of"},
		{"/clients", obj{"name": "x", "type": "x"}, "type"}, {"/clients", obj{"name": "x", "type": "service", "grant_types": []string{"implicit"}}, "grant_types[0]"},
		{"/clients", obj{"name": "x", "type": "service", "grant_types": []string{"client_credentials"}, "scopes": []string{"nothing:here"}}, "scopes"},
		{"/clients", obj{"name": "x", "type": "service", "grant_types": []string{"client_credentials"}, "client_id": "A B"}, "client_id"},
		{"/clients", obj{"name": "x", "type": "public", "grant_types": []string{"authorization_code"}, "redirect_uris": []string{"javascript:alert(1)"}}, "redirect_uris[0]"},
		{"/resources", obj{"slug": "s", "identifier": "s", "name": "S"}, "id"}, {"/resources", obj{"slug": "s", "identifier": "urn:s", "name": "S", "scopes": []obj{{"name": "admin:x"}}}, "scopes[0].name"},
	} {
		a := d.admin(http.MethodPost, each.path, each.body)
		if a.status != http.StatusBadRequest || a.str("field") != each.field {
			t.Errorf("%s %v: %d %s, want the field %s", each.path, each.body, a.status, a.text, each.field)
		}
	}
	wantError(t, d.admin(http.MethodPost, "/resources", obj{"slug": "demo-orders", "identifier": "urn:x", "name": "X"}), http.StatusConflict, "conflict")
	wantError(t, d.admin(http.MethodPost, "/resources", obj{"slug": "x", "identifier": "urn:x", "name": "X", "scopes": []obj{{"name": "orders:read"}}}), http.StatusConflict, "conflict")
	wantError(t, d.admin(http.MethodDelete, "/resources/safeconduct", nil), http.StatusBadRequest, "invalid_request")
}

// Lists come in pages, and their queries are read as strictly as bodies.
func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	for i := range 5 {
		d.user(fmt.Sprintf("user-%d", i))
		d.client("service", obj{"client_id": fmt.Sprintf("client-%d", i)})
	}
	for path, count := range map[string]int{"/users": 5, "/clients": 5} {
		seen, after := map[string]bool{}, ""
		for pages := 0; pages < 10; pages++ {
			a := d.mustAdmin(http.MethodGet, path+"?limit=2&after="+after, nil)
			for _, item := range a.json["items"].([]any) {
				for _, name := range []string{"username", "client_id"} {
					if id, there := item.(obj)[name].(string); there {
						seen[id] = true
					}
				}
			}
			if after = a.str("next"); after == "" {
				break
			}
		}
		if len(seen) != count {
			t.Errorf("%s: the pages hold %v", path, seen)
		}
	}
	for _, query := range []string{"limit=0", "limit=-1", "limit=201", "limit=x", "limit=1e3", "limit=99999999999999999999", "limit=1&limit=2", "after=a&after=b", "after=%zz", "after=%ff", "after=%00", "limit=%", "unheard_of=1"} {
		for _, path := range []string{"/users", "/clients", "/users/user-0/grants"} {
			a := d.admin(http.MethodGet, path+"?"+query, nil)
			if a.status != http.StatusBadRequest || a.str("error") != "invalid_request" {
				t.Errorf("%s?%s: %d %s, want 400 invalid_request", path, query, a.status, a.text)
			}
		}
	}
	for _, after := range []string{"x", "00000000", "AAAA", "zzzz+"} {
		for _, path := range []string{"/users", "/users/user-0/grants"} {
			wantError(t, d.admin(http.MethodGet, path+"?after="+after, nil), http.StatusBadRequest, "invalid_request")
		}
	}
}
