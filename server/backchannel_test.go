package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
)

// receiver is an app that is told of logouts.
type receiver struct {
	app
	url    string
	mu     sync.Mutex
	tokens []string
}

// receives registers an app on this machine that is told of logouts. It answers the first with the first status, and so
// on, and all others with the last.
func (d *deployment) receives(change obj, statuses ...int) *receiver {
	d.t.Helper()
	r := &receiver{}
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tokens = append(r.tokens, request.PostFormValue("logout_token"))
		if request.Method != http.MethodPost || request.URL.RawQuery != "a=b" || len(request.Header["Cookie"])+len(request.Header["Authorization"]) > 0 || len(request.PostForm) != 1 {
			d.t.Errorf("an app was told by %s %s with %v", request.Method, request.URL, request.PostForm)
		}
		w.Header().Set("Location", "/elsewhere") // who follows comes without the query, and is found out
		w.WriteHeader(statuses[min(len(r.tokens), len(statuses))-1])
	}))
	d.t.Cleanup(listener.Close)
	r.url = listener.URL + "/told?a=b"
	in := obj{"backchannel_logout_uri": r.url, "backchannel_logout_session_required": true}
	r.app = d.webApp(in, change)
	return r
}

func (r *receiver) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.tokens...)
}

// wants waits until the app was told a number of times in all, and returns the last tokens.
func (r *receiver) wants(t testing.TB, what string, all, last int) []string {
	t.Helper()
	eventually(t, 10*time.Second, fmt.Sprintf("%s: the app is told %d times", what, all), func() bool { return len(r.told()) >= all })
	told := r.told()
	if len(told) != all {
		t.Fatalf("%s: the app was told %d times, want %d", what, len(told), all)
	}
	return told[all-last:]
}

func onLoopback(c *server.Config) {
	c.NotifyNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// OpenID Connect Back-Channel Logout §2.4, §2.5: whatever ends a session, the apps that were given an ID token in it are
// told of it, and no other app.
func TestAppsAreToldOfEveryLogout(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, onLoopback)
	acme := d.receives(obj{"id_token_signed_response_alg": "ES256"}, http.StatusOK)
	stranger, plain := d.receives(nil, http.StatusOK), d.receives(nil, http.StatusOK)
	account := d.client("confidential", obj{"first_party": true, "scopes": []string{"account:manage"}})
	const fresh = "another battery, staple and horse"
	me := func(user string) string {
		return d.mustLogin(account, user, "scope", "account:manage").str("access_token")
	}

	seen, count := make(map[any]bool), 0
	secrets := make(map[string]string)
	for i, end := range []struct {
		what     string
		sessions int // how many of the two end
		by       func(first, second *person, user string, id answer, sid string)
	}{
		{"log out here", 1, func(first, _ *person, _ string, _ answer, _ string) {
			first.submit(first.open("/account"), "/account/logout")
		}},
		{"a logout by the app", 1, func(first, _ *person, _ string, id answer, _ string) {
			first.open("/oauth/logout?" + form("id_token_hint", id.str("id_token")).Encode())
		}},
		{"end of the session at another browser", 1, func(_, second *person, _ string, _ answer, sid string) {
			second.submit(second.open("/account/sessions"), "/account/sessions/end", "session", sid)
		}},
		{"end of the other sessions", 1, func(_, second *person, _ string, _ answer, _ string) {
			second.submit(second.open("/account/sessions"), "/account/sessions/end-others")
		}},
		{"log out everywhere", 2, func(first, _ *person, _ string, _ answer, _ string) {
			first.submit(first.open("/account/sessions"), "/account/logout-everywhere")
		}},
		{"change of the password", 2, func(first, _ *person, _ string, _ answer, _ string) {
			first.submit(first.open("/account/password"), "/account/password", "current_password", "a wrong one of them", "new_password", fresh, "repeat_password", fresh)
			first.submit(first.open("/account/password"), "/account/password", "current_password", password, "new_password", fresh, "repeat_password", fresh)
		}},
		{"log out everywhere, by the API", 2, func(_, _ *person, user string, _ answer, _ string) {
			wantStatus(t, d.callJSON(http.MethodPost, "/api/v1/me/logout-everywhere", me(user), ""), http.StatusNoContent)
		}},
		{"change of the password, by the API", 2, func(_, _ *person, user string, _ answer, _ string) {
			wantError(t, d.callJSON(http.MethodPut, "/api/v1/me/password", me(user), `{"current_password":"a wrong one of them","new_password":"`+fresh+`"}`), http.StatusForbidden, "access_denied")
			wantStatus(t, d.callJSON(http.MethodPut, "/api/v1/me/password", me(user), `{"current_password":"`+password+`","new_password":"`+fresh+`"}`), http.StatusNoContent)
		}},
		{"log out everywhere, by an administrator", 2, func(_, _ *person, user string, _ answer, _ string) {
			d.mustAdmin(http.MethodPost, "/users/"+user+"/logout-everywhere", nil)
		}},
		{"a password, by an administrator", 2, func(_, _ *person, user string, _ answer, _ string) {
			wantError(t, d.admin(http.MethodPut, "/users/"+user+"/password", obj{"new_password": "short"}), http.StatusBadRequest, "invalid_request")
			d.mustAdmin(http.MethodPut, "/users/"+user+"/password", obj{"new_password": fresh})
		}},
		{"disabling, by an administrator", 2, func(_, _ *person, user string, _ answer, _ string) {
			d.mustAdmin(http.MethodPatch, "/users/"+user, obj{"name": "Changed"})
			d.mustAdmin(http.MethodPatch, "/users/"+user, obj{"disabled": true})
		}},
		{"deletion, by an administrator", 2, func(_, _ *person, user string, _ answer, _ string) {
			d.mustAdmin(http.MethodDelete, "/users/"+user, nil)
		}},
	} {
		user := fmt.Sprintf("user-%d", i)
		id := d.user(user)
		first, second := d.person(), d.person()
		tokens := first.identify(acme.app, user)
		first.identify(plain.app, user, "scope", "orders:read") // never asked who it is
		_, claims := d.signed(tokens.str("id_token"))
		_, others := d.signed(second.identify(acme.app, user).str("id_token"))
		end.by(first, second, user, tokens, claims["sid"].(string))

		count += end.sessions
		ended := map[any]bool{}
		for n, text := range acme.wants(t, end.what, count, end.sessions) {
			header, got := d.signed(text)
			wantMembers(t, "the header", header, "alg", "kid", "typ")
			// There is no nonce (§2.4), so that it cannot be taken for an ID token.
			wantMembers(t, "the logout token", got, "iss", "sub", "aud", "iat", "exp", "jti", "sid", "events")
			for name, want := range map[string]any{
				"iss": d.url, "sub": id, "aud": acme.id, "iat": float64(noon.Unix()), "exp": float64(noon.Unix() + 120),
				"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
			} {
				if !reflect.DeepEqual(got[name], want) {
					t.Errorf("%s: %s is %v, want %v", end.what, name, got[name], want)
				}
			}
			if header["typ"] != "logout+jwt" || header["alg"] != "ES256" || seen[got["jti"]] {
				t.Errorf("%s: typ %v, alg %v, jti seen before: %v", end.what, header["typ"], header["alg"], seen[got["jti"]])
			}
			seen[got["jti"]], ended[got["sid"]] = true, true
			secrets[fmt.Sprintf("logout token %d.%d", i, n)] = text
		}
		if !ended[claims["sid"]] || ended[others["sid"]] != (end.sessions == 2) {
			t.Errorf("%s: told of %v; the sessions are %v and %v", end.what, ended, claims["sid"], others["sid"])
		}
		secrets[fmt.Sprintf("ID token %d", i)] = tokens.str("id_token")
	}
	if told := append(stranger.told(), plain.told()...); len(told) > 0 {
		t.Errorf("%d times an app was told of a login that it knows nothing of", len(told))
	}
	// Another kind of token is no ID token (RFC 8725 §3.12).
	d.user("ada")
	ada := d.person()
	ada.goThrough(acme.app, "ada")
	d.wantNoHint(t, ada, acme.app, "a logout token", acme.told()[0])
	wantCleanLog(t, d.log.String(), secrets)
}

// leave logs somebody in to apps, and out of everything.
func (d *deployment) leave(username string, apps ...app) {
	d.t.Helper()
	if d.admin(http.MethodGet, "/users/"+username, nil).status == http.StatusNotFound {
		d.user(username)
	}
	p := d.person()
	for _, a := range apps {
		p.identify(a, username)
	}
	out := p.submit(p.open("/account"), "/account/logout")
	if out.url.Path != "/signed-out" {
		d.t.Fatalf("logged out to %s", out.url)
	}
}

// OpenID Connect Back-Channel Logout §2.7, §2.8: an app that fails is told again, a few times. Where it leads to nobody
// follows: that address was never registered.
func TestAnAppThatFailsIsToldAgain(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, onLoopback)
	d.server.PauseNotices(time.Millisecond, time.Millisecond, time.Millisecond)
	recovers, fails := d.receives(nil, 500, 503, 204, 500), d.receives(nil, 500)
	redirects, refuses := d.receives(nil, 307), d.receives(nil, 400)
	d.leave("ada", recovers.app, fails.app, redirects.app, refuses.app)
	recovers.wants(t, "one that recovers", 3, 3)
	for what, r := range map[string]*receiver{"one that fails": fails, "one that redirects": redirects, "one that refuses": refuses} {
		jtis := make(map[any]bool)
		for _, text := range r.wants(t, what, 4, 4) {
			_, claims := d.signed(text)
			jtis[claims["jti"]] = true
		}
		if len(jtis) != 4 {
			t.Errorf("%s: %d different tokens in 4 tries: an app that keeps their ids takes the others for replays", what, len(jtis))
		}
	}
	// Nobody is told a fifth time, of which a later logout is the proof.
	later := d.receives(nil, 200)
	d.leave("bob", later.app)
	later.wants(t, "another app", 1, 1)
	for what, r := range map[string]*receiver{"one that fails": fails, "one that redirects": redirects, "one that refuses": refuses} {
		r.wants(t, what, 4, 4)
	}
	if log := d.log.String(); !strings.Contains(log, "the app answered 307") || !strings.Contains(log, `"try":4`) || strings.Contains(log, "a=b") {
		t.Error("the log does not tell of the tries, or tells the address")
	}
}

// RFC 9700 §4.13 and CWE-918: an address that an app registers must not lead us into the operator's own network. It is
// looked at when it is dialled, whatever its name says.
func TestPrivateAddressesAreNotTold(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	d.server.PauseNotices()
	here := d.receives(nil, 200)
	visited, canary := listen(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(canary, "http://"), ":")
	apps := map[string]app{"an app on this machine": here.app}
	for _, address := range []string{
		"https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data", "https://[::1]:" + port + "/", "https://[::ffff:127.0.0.1]:" + port + "/",
		"https://[fd00::1]/", "https://[fe80::1]/", "https://0.0.0.0:" + port + "/", "https://100.64.0.1/", "https://[64:ff9b::7f00:1]/", "https://127.1.2.3:" + port + "/", "https://224.0.0.1/",
	} {
		if a := d.admin(http.MethodPost, "/clients", obj{"name": "x", "type": "confidential", "grant_types": []string{"authorization_code"}, "redirect_uris": []string{callback}, "backchannel_logout_uri": address}); a.status == http.StatusCreated {
			apps[address] = d.webApp(obj{"backchannel_logout_uri": address})
		}
	}
	if len(apps) < 6 {
		t.Fatalf("only %d of the addresses can be registered", len(apps))
	}
	var all []app
	for _, a := range apps {
		all = append(all, a)
	}
	d.leave("ada", all...)
	for what, a := range apps {
		eventually(t, 10*time.Second, "the log says why "+what+" is not told", func() bool {
			for line := range strings.SplitSeq(d.log.String(), "\n") {
				if strings.Contains(line, `"logout.notice"`) && strings.Contains(line, a.id) && strings.Contains(line, "not a public address") {
					return true
				}
			}
			return false
		})
	}
	if n := len(here.told()); n > 0 || visited.Load() > 0 {
		t.Errorf("private addresses were visited %d and %d times", n, visited.Load())
	}
}

// OpenID Connect Back-Channel Logout §2.5: a logout has happened whether or not the app learns of it, and waits for
// nobody. An app that hangs keeps no other from being told.
func TestLogoutDoesNotWaitForApps(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, onLoopback)
	release, asked := make(chan struct{}), make(chan struct{}, 64)
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	t.Cleanup(hangs.Close)
	t.Cleanup(func() { close(release) })
	slow, quick := d.webApp(obj{"backchannel_logout_uri": hangs.URL}), d.receives(nil, 200)
	d.user("ada")
	for range 10 {
		d.leave("ada", slow)
	}
	<-asked // each logout is over while the app has answered none
	d.leave("ada", quick.app)
	quick.wants(t, "another app", 1, 1)
}
