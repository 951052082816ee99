package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/keys"
)

// RFC 7662 §2.1: who asks must prove who it is, and only a protected resource may ask. A client that asks is told no more
// than a stranger.
func TestIntrospectionNeedsTheResourcesSecret(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api, app := d.client("confidential"), d.api(), d.app()
	d.user("ada")
	token := d.mustLogin(c, "ada").str("access_token")
	ask := form("token", token)
	for what, a := range map[string]answer{
		"nobody": d.post("/oauth/introspect", "", "", ask), "a client": d.introspect(c, token), "a wrong secret": d.introspect(client{api.id, "wrong"}, token),
		"no secret": d.introspect(client{api.id, ""}, token), "an unknown resource": d.introspect(client{"none-such", api.secret}, token),
		"the built-in API": d.introspect(client{"safeconduct", ""}, token), "the slug alone": d.post("/oauth/introspect", "", "", form("token", token, "client_id", api.id)),
		"a public client":  d.post("/oauth/introspect", "", "", form("token", token, "client_id", app.id)),
		"the token itself": d.send(http.MethodPost, "/oauth/introspect", formType, ask.Encode(), "Authorization", "Bearer "+token),
	} {
		if a.status != http.StatusUnauthorized || a.str("error") != "invalid_client" {
			t.Errorf("%s: %d %s, want 401 invalid_client", what, a.status, a.text)
		}
	}
	d.wantActive(api, token)
	byPost := d.post("/oauth/introspect", "", "", form("token", token, "client_id", api.id, "client_secret", api.secret))
	if byPost.json["active"] != true {
		t.Errorf("with the secret in the body: %s", byPost.text)
	}
	wantError(t, d.post("/oauth/introspect", api.id, api.secret, form()), http.StatusBadRequest, "invalid_request")
	wantError(t, d.post("/oauth/introspect", api.id, api.secret, form("token", token, "client_secret", api.secret)), http.StatusBadRequest, "invalid_request")
}

// RFC 7662 §2.2: the answer about a good token. Resource servers read every one of these members.
func TestIntrospectionOfAGoodToken(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, service, api, user := d.client("confidential"), d.client("service"), d.api(), d.user("ada")
	person := d.introspect(api, d.mustLogin(c, "ada").str("access_token"))
	machine := d.introspect(api, d.token(service, form("grant_type", "client_credentials")).str("access_token"))
	for name, want := range map[string][2]any{
		"active": {true, true}, "scope": {"orders:read", "orders:read orders:write"}, "client_id": {c.id, service.id}, "username": {"ada", nil},
		"token_type": {"Bearer", "Bearer"}, "sub": {user, service.id}, "aud": {"urn:safeconduct:demo-orders", "urn:safeconduct:demo-orders"}, "iss": {d.url, d.url},
		"exp": {float64(d.clock.Now().Add(15 * time.Minute).Unix()), float64(d.clock.Now().Add(15 * time.Minute).Unix())},
	} {
		if person.json[name] != want[0] || machine.json[name] != want[1] {
			t.Errorf("%s is %v for a person and %v for a machine, want %v and %v", name, person.json[name], machine.json[name], want[0], want[1])
		}
	}
	for _, a := range []answer{person, machine} {
		if a.str("jti") == "" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%v %s", a.header, a.text)
		}
	}
	// RFC 7519 §4.1.7: no two tokens share an id, of one grant neither.
	ids := map[string]string{person.str("jti"): "the first", machine.str("jti"): "the machine's"}
	access, refresh := d.mustLogin(c, "ada").tokens()
	for range 3 {
		if other, taken := ids[d.introspect(api, access).str("jti")]; taken {
			t.Errorf("a token has the jti of %s", other)
		}
		ids[d.introspect(api, access).str("jti")] = access
		d.clock.Advance(time.Second)
		access, _ = d.mustRefresh(c, refresh).tokens()
	}
	// RFC 7662 §2.1: the hint is a hint.
	token := d.mustLogin(c, "ada").str("access_token")
	for _, hint := range []string{"refresh_token", "access_token", "id_token", "nonsense"} {
		if a := d.post("/oauth/introspect", api.id, api.secret, form("token", token, "token_type_hint", hint)); a.json["active"] != true {
			t.Errorf("with the hint %s: %s", hint, a.text)
		}
	}
}

// CVE-2026-58425: a resource is told about tokens for itself alone, and there of its own scopes alone.
func TestIntrospectionIsBoundToTheAudience(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	made := d.mustAdmin(http.MethodPost, "/resources", obj{"slug": "stock", "identifier": "https://stock.example/", "name": "Stock",
		"scopes": []obj{{"name": "stock:read", "title": "See the stock"}}})
	stock, orders := client{"stock", made.str("secret")}, d.api()
	c := d.client("confidential", obj{"first_party": true, "scopes": []string{"orders:read", "stock:read", "account:read"}})
	d.user("ada")
	token := d.mustLogin(c, "ada", "scope", "orders:read").str("access_token")
	d.wantActive(orders, token)
	d.wantInactive(stock, token)
	account := d.mustLogin(c, "ada", "scope", "account:read").str("access_token")
	d.wantInactive(stock, account)
	d.wantInactive(orders, account)
	wantError(t, d.call(http.MethodGet, "/demo/orders", account), http.StatusUnauthorized, "invalid_token")
	both := d.mustLogin(c, "ada", "scope", "orders:read stock:read account:read").str("access_token")
	for caller, want := range map[client]string{stock: "stock:read", orders: "orders:read"} {
		if got := d.introspect(caller, both).str("scope"); got != want {
			t.Errorf("%s sees %q, want %q", caller.id, got, want)
		}
	}
}

// RFC 7662 §2.2: about whatever is no good token the answer is one and the same, to the byte, and tells no reason.
func TestIntrospectionOfBadTokens(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api, user := d.client("confidential"), d.api(), d.user("ada")
	access, refresh := d.mustLogin(c, "ada").tokens()
	web := d.web()
	foreign := deployBolt(t)
	foreign.user("ada")
	bad := map[string]string{
		"a refresh token": refresh, "a code": d.code(web, user), "a client secret": c.secret, "a resource secret": api.secret, "a client id": c.id,
		"a user id": user, "a password": password, "garbage": "garbage", "one character": "x", "a blank": " ", "60 KB": strings.Repeat("a", 60_000),
		"an unsigned JWT":             "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaWQuZXhhbXBsZSJ9.",
		"a JWT":                       "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl",
		"another server's token":      foreign.mustLogin(foreign.client("confidential"), "ada").str("access_token"),
		"a made up token":             keys.Spell(keys.AccessPrefix, make([]byte, 51)),
		"a token of zeroes":           keys.Spell(keys.AccessPrefix, append([]byte{1}, make([]byte, 50)...)),
		"the word Bearer before it":   "Bearer " + access,
		"a line break behind it":      access + "\n",
		"a blank before it":           " " + access,
		"it twice":                    access + access,
		"it in capitals":              strings.ToUpper(access),
		"another prefix":              keys.RefreshPrefix + access[4:],
		"no prefix":                   access[4:],
		"the refresh token as access": keys.AccessPrefix + refresh[4:],
		"a padded token":              access + "=",
		"quotation marks":             `"` + access + `"`,
		"SQL":                         "' OR 1=1 --",
		"a path":                      "../../etc/passwd",
	}
	for what, token := range bad {
		if a := d.introspect(api, token); a.status != http.StatusOK || a.text != inactive {
			t.Errorf("%s: %d %s, want 200 %s", what, a.status, a.text, inactive)
		}
		if what == "a blank" || what == "60 KB" {
			continue // a header trims the one and does not hold the other
		}
		a := d.call(http.MethodGet, "/demo/orders", strings.TrimSpace(token))
		if trimmed := strings.TrimSpace(token); trimmed != access && a.status != http.StatusUnauthorized {
			t.Errorf("%s as bearer: %d %s, want 401", what, a.status, a.text)
		}
	}
	d.wantActive(api, access)
}

// One token has one spelling: no character can be changed, left out or doubled anywhere.
func TestEveryCharacterOfATokenCounts(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	c, api := d.app(), d.api()
	d.user("ada")
	access, refresh := d.mustLogin(c, "ada").tokens()
	ask := func(text string) answer {
		r := d.request(http.MethodPost, "/oauth/introspect", formType, form("token", text).Encode())
		r.SetBasicAuth(api.id, api.secret)
		return d.handle(r)
	}
	swapCase := func(b byte) byte {
		if 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' {
			return b ^ 0x20
		}
		return b ^ 1
	}
	for i := range len(access) {
		variants := []string{access[:i], access[:i] + access[i+1:], access[:i] + access[i:i+1] + access[i:], access[:i] + string(swapCase(access[i])) + access[i+1:]}
		for _, other := range "Aa0-_.+/=" {
			if byte(other) != access[i] {
				variants = append(variants, access[:i]+string(other)+access[i+1:])
			}
		}
		for _, text := range variants {
			if text == access || text == "" {
				continue // doubling one of two equal characters, and nothing at all
			}
			if a := ask(text); a.status != http.StatusOK || a.text != inactive {
				t.Fatalf("%q: %d %s", text, a.status, a.text)
			}
		}
	}
	for i := range len(refresh) {
		changed := refresh[:i] + string(swapCase(refresh[i])) + refresh[i+1:]
		r := d.request(http.MethodPost, "/oauth/token", formType, refreshBody(c, changed))
		wantError(t, d.handle(r), http.StatusBadRequest, "invalid_grant")
	}
	d.mustRefresh(c, refresh)
}

// RFC 7662 §4: who asks about a token that is another API's must not learn that there is such a token. The answer is that
// about a token whose grant is gone, to the byte and header, for the same work: what is equal work takes equal time.
func TestAForeignTokenIsAnsweredAsAnUnknownOne(t *testing.T) {
	t.Parallel()
	d, watched := deployWatched(t)
	stock := d.signedAPI("stock")
	d.signedAPI("other")
	d.signedAPI("plain", obj{"token_format": "opaque"})
	d.user("ada")
	c := d.client("confidential", obj{"scopes": []string{"stock:read", "other:read", "plain:read"}})
	for _, form := range []string{"other", "plain"} {
		foreign, unknown := d.mustLogin(c, "ada", "scope", form+":read").str("access_token"), d.mustLogin(c, "ada", "scope", form+":read").str("access_token")
		wantStatus(t, d.revoke(c, unknown), http.StatusOK)
		type behaviour struct {
			status        int
			header, text  string
			reads, writes int
		}
		about := func(token string) (b behaviour) {
			watched.settled(t, func() { d.wantInactive(stock, token) }, 1)
			b.reads, b.writes = watched.during(func() {
				a := d.introspect(stock, token)
				a.header.Del("X-Request-Id")
				a.header.Del("Date")
				b.status, b.header, b.text = a.status, fmt.Sprint(a.header), a.text
			})
			return b
		}
		ofForeign, ofUnknown := about(foreign), about(unknown)
		if ofForeign != ofUnknown || ofForeign.status != http.StatusOK || ofForeign.text != inactive || ofForeign.reads != 1 || ofForeign.writes != 0 {
			t.Errorf("%s: about a foreign token %+v, about an unknown one %+v", form, ofForeign, ofUnknown)
		}
	}
}

// Garbage costs no look at the store, a good token one.
func TestIntrospectionCostsOneRead(t *testing.T) {
	t.Parallel()
	d, watched := deployWatched(t)
	c, api := d.client("confidential"), d.api()
	d.user("ada")
	good := d.mustLogin(c, "ada").str("access_token")
	watched.settled(t, func() { d.wantActive(api, good) }, 1)
	if reads, writes := watched.during(func() { d.wantActive(api, good) }); reads != 1 || writes != 0 {
		t.Errorf("a good token takes %d reads and %d writes, want 1 and 0", reads, writes)
	}
	d.clock.Advance(16 * time.Minute)
	for what, token := range map[string]string{"garbage": "garbage", "a made up token": keys.Spell(keys.AccessPrefix, append([]byte{1}, make([]byte, 50)...)), "an expired token": good} {
		if reads, writes := watched.during(func() { d.wantInactive(api, token) }); reads != 0 || writes != 0 {
			t.Errorf("%s takes %d reads and %d writes, want none", what, reads, writes)
		}
	}
}
