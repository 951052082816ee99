package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// tellingStore notes what is told to the feed and which grants are deleted, in order, and fails either on demand.
type tellingStore struct {
	store.Store
	mu                     sync.Mutex
	acts                   []string
	failTells, failDeletes int
}

func deployTelling(t testing.TB) (*deployment, *tellingStore) {
	t.Helper()
	s, clock := bolttest.Open(t, noon)
	telling := &tellingStore{Store: s}
	d := deploy(t, telling, newRing(t))
	d.clock = clock
	return d, telling
}

func (s *tellingStore) note(act string, failures *int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *failures > 0 {
		*failures--
		return store.ErrUnavailable
	}
	s.acts = append(s.acts, act)
	return nil
}

// fail lets so many calls fail from now on.
func (s *tellingStore) fail(tells, deletes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failTells, s.failDeletes = tells, deletes
}

// since is what happened during an act.
func (s *tellingStore) during(act func()) string {
	s.mu.Lock()
	s.acts = nil
	s.mu.Unlock()
	act()
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.acts, ", ")
}

func (s *tellingStore) Append(ctx context.Context, log string, entry []byte, expires time.Time) (uint64, error) {
	if log == grants.RevocationsLog {
		if err := s.note("told", &s.failTells); err != nil {
			return 0, err
		}
	}
	return s.Store.Append(ctx, log, entry, expires)
}

func (s *tellingStore) Delete(ctx context.Context, key string) error {
	if strings.HasPrefix(key, "g") && len(key) == 17 {
		if err := s.note("ended", &s.failDeletes); err != nil {
			return err
		}
	}
	return s.Store.Delete(ctx, key)
}

// feedEntry is an entry as an API reads it.
type feedEntry struct {
	Grant, User, Epoch string
	Before, Until      int64
}

func (d *deployment) entries(api client) []feedEntry {
	d.t.Helper()
	var feed struct{ Entries []feedEntry }
	if err := json.Unmarshal([]byte(d.told(api)), &feed); err != nil || feed.Entries == nil {
		d.t.Fatalf("feed: %v %v", feed, err)
	}
	return feed.Entries
}

// bites reports whether an entry takes a token away from those who verify it by themselves.
func bites(e feedEntry, claims obj) bool {
	grant := uuid.MustParse(claims["sc_grant"].(string))
	created := int64(grant[0])<<40 | int64(grant[1])<<32 | int64(grant[2])<<24 | int64(grant[3])<<16 | int64(grant[4])<<8 | int64(grant[5])
	return e.Grant == grant.String() || e.Epoch == claims["sc_epoch"] || created <= e.Before && e.User == claims["sub"]
}

// revokedBy counts the entries that take a token away.
func (d *deployment) revokedBy(api client, token string) int {
	d.t.Helper()
	count := 0
	for _, e := range d.entries(api) {
		if bites(e, payload(d.t, token, 1)) {
			count++
			if until := int64(payload(d.t, token, 1)["exp"].(float64)); e.Until < until {
				d.t.Errorf("the entry %v lapses before the token does (%d)", e, until)
			}
		}
	}
	return count
}

// Whatever ends a grant of which somebody may hold a signed token is told to the API that it is for, and to no other, before
// the grant is gone: a crash in between must not leave a revocation untold.
func TestWhateverEndsASignedGrantIsTold(t *testing.T) {
	t.Parallel()
	d, telling := deployTelling(t)
	stock, other := d.signedAPI("stock"), d.signedAPI("other")
	scopes := obj{"scopes": []string{"stock:read"}}
	trusted, public := d.client("confidential", scopes), d.app(scopes)
	web := d.web(obj{"scopes": []string{"openid", "stock:read"}, "first_party": true})
	account := d.client("confidential", obj{"first_party": true, "scopes": []string{"account:read", "account:manage"}})
	asks := strings.Fields("openid stock:read offline_access")
	shop := d.webApp(obj{"name": "Shop", "first_party": true, "scopes": asks})
	type held struct {
		name, user, access, refresh string
	}
	login := func(c client, h held) (string, string) {
		return d.mustLogin(c, h.name, "scope", "stock:read").tokens()
	}
	me := func(h held) string {
		return d.mustLogin(account, h.name, "scope", "account:read account:manage").str("access_token")
	}
	people := map[string]*person{}
	browser := func(scope string) func(h held) (string, string) {
		return func(h held) (string, string) {
			people[h.name] = d.person()
			return people[h.name].identify(shop, h.name, "scope", scope).tokens()
		}
	}
	password := func(h held) (string, string) { return login(trusted, h) }
	admin := func(method, path string, body any) func(held) {
		return func(h held) { d.mustAdmin(method, strings.ReplaceAll(path, "NAME", h.name), body) }
	}
	type act struct {
		begin func(held) (access, refresh string)
		end   func(held)
	}
	var code string
	acts := map[string]act{
		"revoke the access token":      {password, func(h held) { d.revoke(trusted, h.access) }},
		"revoke the refresh token":     {password, func(h held) { d.revoke(trusted, h.refresh) }},
		"revoked by the operator":      {password, func(h held) { d.mustAdmin(http.MethodPost, "/tokens/revoke", obj{"token": h.access}) }},
		"ended by an administrator":    {password, func(h held) { d.mustAdmin(http.MethodDelete, "/users/"+h.name+"/grants/"+grantOf(t, h.access), nil) }},
		"ended by its user":            {password, func(h held) { d.call(http.MethodDelete, "/api/v1/me/grants/"+grantOf(t, h.access), me(h)) }},
		"logged out everywhere by API": {password, func(h held) { d.call(http.MethodPost, "/api/v1/me/logout-everywhere", me(h)) }},
		"logged out everywhere":        {password, admin(http.MethodPost, "/users/NAME/logout-everywhere", nil)},
		"a new password":               {password, admin(http.MethodPut, "/users/NAME/password", obj{"new_password": nextPassword})},
		"user disabled":                {password, admin(http.MethodPatch, "/users/NAME", obj{"disabled": true})},
		"user deleted":                 {password, admin(http.MethodDelete, "/users/NAME", nil)},
		"the 26th login": {password, func(h held) {
			for range 25 {
				d.clock.Advance(time.Millisecond)
				login(trusted, h)
			}
		}},
		"a refresh token used twice": {func(h held) (string, string) { return login(public, h) }, func(h held) {
			refresh := h.refresh
			for range 2 {
				_, refresh = d.mustRefresh(public, refresh).tokens()
			}
			d.clock.Advance(6 * time.Minute)
			wantError(t, d.refresh(public, h.refresh), http.StatusBadRequest, "invalid_grant")
		}},
		"a code used twice": {func(h held) (string, string) {
			code = d.code(web, h.user, func(o *server.CodeOrder) { o.Scope = "stock:read" })
			return d.redeem(web, code).tokens()
		}, func(h held) {
			d.clock.Advance(3 * time.Second)
			wantError(t, d.redeem(web, code), http.StatusBadRequest, "invalid_grant")
		}},
		"signed out in the browser": {browser("openid stock:read"), func(h held) {
			people[h.name].submit(people[h.name].open("/account/sessions"), "/account/logout")
		}},
		"the app's access taken away": {browser("openid stock:read offline_access"), func(h held) {
			people[h.name].submit(people[h.name].open("/account/apps"), "/account/apps/revoke")
		}},
		"a new password in the browser": {browser("openid stock:read offline_access"), func(h held) {
			people[h.name].changePassword("correct horse battery staple", nextPassword, nextPassword)
		}},
	}
	n := 0
	for what, a := range acts {
		n++
		h := held{name: fmt.Sprintf("user-%d", n)}
		h.user = d.user(h.name)
		h.access, h.refresh = a.begin(h)
		bystander, _ := d.mustLogin(trusted, bystanderOf(d), "scope", "stock:read").tokens()
		d.wantActive(stock, h.access)
		if got := d.revokedBy(stock, h.access); got != 0 {
			t.Errorf("%s: %d entries before anything happened", what, got)
		}
		order := telling.during(func() { a.end(h) })
		if !strings.HasPrefix(order, "told, ended") {
			t.Errorf("%s: the order was %q, want it told before it is ended", what, order)
		}
		d.wantInactive(stock, h.access)
		if got := d.revokedBy(stock, h.access); got != 1 {
			t.Errorf("%s: %d entries take the token away, want 1", what, got)
		}
		if got := d.revokedBy(stock, bystander); got != 0 {
			t.Errorf("%s: somebody else's token is taken away too", what)
		}
		if told := d.entries(other); len(told) != 0 {
			t.Errorf("%s: another API is told %v", what, told)
		}
		d.clock.Advance(time.Second)
	}
}

// bystanderOf is somebody whom nothing happens to.
func bystanderOf(d *deployment) string {
	if d.admin(http.MethodGet, "/users/bystander", nil).status == http.StatusNotFound {
		d.user("bystander")
	}
	return "bystander"
}

// A user who is logged out everywhere is told of in one entry, however many grants there were; who logs in again is not
// concerned by it. APIs for which none of the grants was learn nothing.
func TestLogoutEverywhereIsOneEntry(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	stock, other, third := d.signedAPI("stock"), d.signedAPI("other"), d.signedAPI("third")
	user := d.user("ada")
	c := d.client("confidential", obj{"scopes": []string{"stock:read", "other:read", "orders:read"}})
	var tokens []string
	for _, scope := range []string{"stock:read", "stock:read other:read", "other:read", "stock:read"} {
		d.clock.Advance(time.Millisecond)
		tokens = append(tokens, d.mustLogin(c, "ada", "scope", scope).str("access_token"))
	}
	d.mustAdmin(http.MethodPost, "/users/ada/logout-everywhere", nil)
	d.clock.Advance(time.Millisecond)
	again := d.mustLogin(c, "ada", "scope", "stock:read other:read").str("access_token")
	for _, api := range []client{stock, other} {
		if told := d.entries(api); len(told) != 1 || told[0].User != user || told[0].Grant != "" || told[0].Before == 0 {
			t.Errorf("%s is told %v", api.id, told)
		}
		for _, token := range tokens {
			if d.revokedBy(api, token) != 1 {
				t.Errorf("%s would take a token of before for good", api.id)
			}
		}
		if d.revokedBy(api, again) != 0 {
			t.Errorf("%s would refuse who has logged in again", api.id)
		}
		d.wantActive(api, again)
	}
	if told := d.entries(third); len(told) != 0 {
		t.Errorf("the third is told %v", told)
	}
	// Who held no signed token is told of to nobody.
	d.user("bob")
	d.mustLogin(c, "bob", "scope", "orders:read")
	d.mustAdmin(http.MethodPost, "/users/bob/logout-everywhere", nil)
	if told := d.entries(stock); len(told) != 1 {
		t.Errorf("told of bob: %v", told)
	}
}
