package server_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

var ownToken = regexp.MustCompile(`sck_[A-Za-z0-9_-]+`)

// makeToken makes a personal access token on the page for it.
func (p *person) makeToken(name string, scopes ...string) string {
	p.t.Helper()
	page := p.submit(p.open("/account/tokens"), "/account/tokens", tokenFields(name, scopes)...).wants(p.t, http.StatusOK, "It is shown this once and never again.")
	found := ownToken.FindString(page.text)
	if found == "" {
		p.t.Fatalf("no token on the page:\n%s", page.text)
	}
	return found
}

func tokenFields(name string, scopes []string) []string {
	fields := []string{"name", name}
	for _, scope := range scopes {
		fields = append(fields, "scope", scope)
	}
	return fields
}

// A personal access token does what its scopes say, in its owner's name, and shows when it was used; it is listed by name
// and never by what it is.
func TestPersonalAccessTokenDoesWhatItsScopesSay(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	id := d.user("ada")
	api, ada := d.api(), d.person()
	ada.enter("ada")
	token := ada.makeToken("backup script", "orders:read", "account:read")
	ada.open("/account/tokens").wants(t, http.StatusOK, "never")
	d.wantActive(api, token)
	seen := d.introspect(api, token)
	if seen.str("scope") != "orders:read" || seen.str("sub") != id || seen.str("username") != "ada" {
		t.Errorf("introspection: %s", seen.text)
	}
	wantStatus(t, d.call(http.MethodGet, "/demo/orders", token), http.StatusOK)
	wantStatus(t, d.call(http.MethodPost, "/demo/orders", token), http.StatusForbidden)
	me := d.call(http.MethodGet, "/api/v1/me", token)
	wantStatus(t, me, http.StatusOK)
	if me.str("id") != id {
		t.Errorf("me: %s", me.text)
	}
	wantStatus(t, d.call(http.MethodPost, "/api/v1/me/logout-everywhere", token), http.StatusForbidden)
	wantStatus(t, d.call(http.MethodGet, "/api/v1/users", token), http.StatusForbidden)
	wantStatus(t, d.call(http.MethodGet, "/oauth/userinfo", token), http.StatusUnauthorized)

	page := ada.open("/account/tokens").wants(t, http.StatusOK, "backup script")
	if strings.Contains(page.text, token) || strings.Contains(page.text, token[len(token)-16:]) {
		t.Error("the page shows the token once more")
	}
	if strings.Contains(page.words(), "never") {
		t.Errorf("the token was never used, says the page: %s", page.words())
	}
	// It is no session and no client's.
	d.wantSession(token, false)
	wantError(t, d.refresh(d.client("confidential"), token), http.StatusBadRequest, "invalid_grant")
}

// The answer shows the token, so the form that made it works once: loaded again, sent again or gone back to, it makes none.
func TestTokenFormMakesOneToken(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	ada, elsewhere := d.person(), d.person()
	ada.enter("ada")
	elsewhere.enter("ada")
	form := ada.open("/account/tokens")
	made := make([]sight, 6)
	crowd(len(made), func(i int) {
		made[i] = ada.submit(form, "/account/tokens", tokenFields("script", []string{"orders:read"})...)
	})
	tokens := 0
	for _, s := range made {
		if ownToken.MatchString(s.text) {
			tokens++
			continue
		}
		s.wants(t, http.StatusBadRequest, "That form was sent twice")
	}
	if tokens != 1 {
		t.Errorf("one form made %d tokens", tokens)
	}
	ada.open("/account").wants(t, http.StatusOK, "1 token of your own")
	// Nor does it work in another browser, without its serial, or with one of its own making.
	_, values := ada.open("/account/tokens").form(t, "/account/tokens")
	for _, once := range []string{"", "x", "x." + values.Get("form_token"), "." + values.Get("form_token"), values.Get("once") + "x"} {
		s := ada.submit(ada.open("/account/tokens"), "/account/tokens", append(tokenFields("script", []string{"orders:read"}), "once", once)...)
		s.wants(t, http.StatusBadRequest, "the page had been open for too long")
	}
	page := elsewhere.open("/account/tokens")
	elsewhere.submit(page, "/account/tokens", append(tokenFields("script", []string{"orders:read"}), "once", values.Get("once"))...).wants(t, http.StatusBadRequest, "too long")
}

// A token is made of what the page offers: a name, one of the spans of time, and scopes that the person has.
func TestTokenFormIsChecked(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("root", obj{"admin": true})
	ada, root := d.person(), d.person()
	ada.enter("ada")
	root.enter("root")
	for _, name := range []string{"admin:users", "openid", "offline_access"} {
		if _, offered := ada.open("/account/tokens").boxes()[name]; offered {
			t.Errorf("%s is offered", name)
		}
	}
	for what, test := range map[string]struct {
		says   string
		fields []string
	}{
		"no name":                       {"please enter a name", []string{"-name", "", "scope", "orders:read"}},
		"a long name":                   {"the name is too long", []string{"name", strings.Repeat("x", 101), "scope", "orders:read"}},
		"a name that cannot be seen":    {"the name is too long", []string{"name", "a\u202eb", "scope", "orders:read"}},
		"nothing ticked":                {"tick at least one", []string{"name", "x"}},
		"administration":                {"tick at least one", []string{"name", "x", "scope", "orders:read", "scope", "admin:users"}},
		"identity":                      {"tick at least one", []string{"name", "x", "scope", "openid"}},
		"a scope that nobody knows":     {"tick at least one", []string{"name", "x", "scope", "orders:delete"}},
		"a span that was not offered":   {"one of the spans", []string{"name", "x", "scope", "orders:read", "days", "36500"}},
		"a span that is none":           {"one of the spans", []string{"name", "x", "scope", "orders:read", "days", "-1"}},
		"no span":                       {"one of the spans", []string{"name", "x", "scope", "orders:read", "-days", ""}},
		"a span with something behind":  {"one of the spans", []string{"name", "x", "scope", "orders:read", "days", "30d"}},
		"a span in another arrangement": {"one of the spans", []string{"name", "x", "scope", "orders:read", "days", "0x1e"}},
	} {
		s := ada.submit(ada.open("/account/tokens"), "/account/tokens", test.fields...)
		if s.status != http.StatusBadRequest || !strings.Contains(s.words(), test.says) || ownToken.MatchString(s.text) {
			t.Errorf("%s: %d %s", what, s.status, s.words())
		}
	}
	token := root.makeToken("console", "admin:users")
	wantStatus(t, d.call(http.MethodGet, "/api/v1/users", token), http.StatusOK)
	// Administration that was taken away is taken from the token too.
	d.mustAdmin(http.MethodPatch, "/users/root", obj{"admin": false})
	wantStatus(t, d.call(http.MethodGet, "/api/v1/users", token), http.StatusUnauthorized)
}

// A personal access token ends when it was said to, when its owner ends it, and with its owner.
func TestPersonalAccessTokenEnds(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	d.user("eve")
	api, ada, eve := d.api(), d.person(), d.person()
	ada.enter("ada", "remember", "1")
	eve.enter("eve")
	short := ownToken.FindString(ada.submit(ada.open("/account/tokens"), "/account/tokens", "name", "short", "scope", "orders:read", "days", "7").text)
	d.clock.Advance(time.Second)
	month := ada.makeToken("month", "orders:read")
	_, row := ada.open("/account/tokens").form(t, "/account/tokens/revoke") // the newest comes first

	_, values := eve.open("/account/tokens").form(t, "/account/logout")
	values.Set("token", row.Get("token"))
	eve.post("/account/tokens/revoke", values)
	d.wantActive(api, month)
	ada.submit(ada.open("/account/tokens"), "/account/tokens/revoke").wants(t, http.StatusOK, "The access token works no more.")
	d.wantInactive(api, month)
	d.wantActive(api, short)
	d.clock.Advance(7*24*time.Hour - 2*time.Second)
	d.wantActive(api, short)
	d.clock.Advance(time.Second)
	d.wantInactive(api, short)

	last := ada.makeToken("last", "orders:read")
	ada.submit(ada.open("/account/sessions"), "/account/logout")
	d.wantActive(api, last) // it hangs on no browser
	d.mustAdmin(http.MethodPatch, "/users/ada", obj{"disabled": true})
	d.wantInactive(api, last)
	d.mustAdmin(http.MethodPatch, "/users/ada", obj{"disabled": false})
	d.wantInactive(api, last)
}

// One more than a hundred is refused, and nothing that works is ended for it.
func TestPersonalAccessTokensAreLimited(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.user("ada")
	api, ada := d.api(), d.person()
	ada.enter("ada")
	first := ada.makeToken("first", "orders:read")
	for i := range 99 {
		ada.makeToken(fmt.Sprintf("token %d", i), "orders:read")
	}
	ada.submit(ada.open("/account/tokens"), "/account/tokens", tokenFields("one more", []string{"orders:read"})...).wants(t, http.StatusBadRequest, "as many access tokens as you may have")
	d.wantActive(api, first)
	ada.submit(ada.open("/account/tokens"), "/account/tokens/revoke").wants(t, http.StatusOK, "The access token works no more.")
	ada.makeToken("in its place", "orders:read")
}
