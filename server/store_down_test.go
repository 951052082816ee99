package server_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// scene is a deployment with something of everything, so that every endpoint has work to do.
type scene struct {
	*deployment
	app, web, api    client
	user             string
	access, refresh  string
	machine, account string
	code             string
	list             string // the path of a status list
}

func newScene(d *deployment) *scene {
	d.t.Helper()
	s := &scene{deployment: d, app: d.app(), api: d.api(), user: d.user("ada")}
	s.web = d.web(obj{"grant_types": []string{"authorization_code", "refresh_token", "password", "client_credentials"}})
	s.access, s.refresh = d.mustLogin(s.app, "ada").tokens()
	s.machine = d.token(s.web, form("grant_type", "client_credentials")).str("access_token")
	s.account = d.adminToken(strings.Join(apiScopes, " "))
	s.code = d.code(s.web, s.user)
	d.signedAPI("stock")
	signed := d.token(d.client("service", obj{"scopes": []string{"stock:read"}}), form("grant_type", "client_credentials")).str("access_token")
	s.list = strings.TrimPrefix(d.statusOf(signed).uri, d.url)
	wantStatus(d.t, d.call(http.MethodGet, jwksPath, ""), http.StatusOK)
	return s
}

// requests are requests that succeed, or fail by the fault of who sends them, while the store is there.
func (s *scene) requests() map[string]func() answer {
	requests := map[string]func() answer{
		"client_credentials":                 func() answer { return s.token(s.web, form("grant_type", "client_credentials")) },
		"password":                           func() answer { return s.login(s.web, "ada") },
		"a wrong password":                   func() answer { return s.login(s.web, "ada", "password", "a wrong password") },
		"an unknown user":                    func() answer { return s.login(s.web, "nobody") },
		"refresh":                            func() answer { return s.deployment.refresh(s.app, s.refresh) },
		"code":                               func() answer { return s.redeem(s.web, s.code) },
		"a wrong client secret":              func() answer { return s.token(client{s.web.id, "wrong"}, form("grant_type", "client_credentials")) },
		"an unknown client":                  func() answer { return s.token(client{"none-such", "x"}, form("grant_type", "client_credentials")) },
		"introspection":                      func() answer { return s.introspect(s.api, s.access) },
		"introspection, a machine's token":   func() answer { return s.introspect(s.api, s.machine) },
		"introspection, a wrong secret":      func() answer { return s.introspect(client{s.api.id, "wrong"}, s.access) },
		"introspection, an unknown resource": func() answer { return s.introspect(client{"none-such", "x"}, s.access) },
		"revocation":                         func() answer { return s.revoke(s.app, s.access) },
		"revocation, another's token":        func() answer { return s.revoke(s.web, s.access) },
		"revocation, a wrong secret":         func() answer { return s.revoke(client{s.web.id, "wrong"}, s.machine) },
		"the demo API":                       func() answer { return s.call(http.MethodGet, "/demo/orders", s.access) },
		"the revocation feed": func() answer {
			return s.send(http.MethodGet, "/oauth/revocations", "", "", "Authorization", basic(s.api.id, s.api.secret))
		},
		"a status list": func() answer { return s.call(http.MethodGet, s.list, "") },
		"a proxy's question": func() answer {
			return s.check("?scope=orders:read", s.access, "X-Resource-Authorization", basic(s.api.id, s.api.secret))
		},
	}
	for _, route := range s.server.MountedRoutes() {
		switch path, ours := strings.CutPrefix(route.Path, "/api/v1"); {
		case ours && route.Local:
			requests[route.Method+" "+route.Path] = func() answer { return s.admin(route.Method, path, nil) }
		case ours:
			requests[route.Method+" "+route.Path] = func() answer { return s.call(route.Method, named(route.Path), s.account) }
		}
	}
	return requests
}

// wantUnavailable sends all requests at once and wants 503 with a time to come again for each: a store in trouble is
// never the fault of what was presented.
func (s *scene) wantUnavailable(t testing.TB) {
	t.Helper()
	requests := s.requests()
	names := make([]string, 0, len(requests))
	for name := range requests {
		names = append(names, name)
	}
	crowd(len(names), func(i int) {
		a := requests[names[i]]()
		wait, err := strconv.Atoi(a.header.Get("Retry-After"))
		if a.status != http.StatusServiceUnavailable || a.str("error") != "temporarily_unavailable" || err != nil || wait < 1 {
			t.Errorf("%s: %d %s, Retry-After %q; want 503 temporarily_unavailable", names[i], a.status, a.text, a.header.Get("Retry-After"))
		}
		wantErrorShape(t, names[i], a)
	})
	// What needs no store goes on.
	wantStatus(t, s.call(http.MethodGet, "/livez", ""), http.StatusOK)
	wantStatus(t, s.call(http.MethodGet, "/.well-known/oauth-authorization-server", ""), http.StatusOK)
	wantError(t, s.call(http.MethodGet, "/api/v1/me", ""), http.StatusUnauthorized, "unauthorized")
	wantError(t, s.call(http.MethodGet, "/oauth/token", ""), http.StatusMethodNotAllowed, "invalid_request")
	eventually(t, 10*time.Second, "the server says that it is not ready", func() bool {
		a := s.call(http.MethodGet, "/readyz", "")
		return a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != ""
	})
	// Who verifies tokens elsewhere neither stops nor waits because our store is away.
	eventually(t, 10*time.Second, "the last key set is served at once", func() bool {
		began := time.Now()
		return s.call(http.MethodGet, jwksPath, "").status == http.StatusOK && time.Since(began) < 750*time.Millisecond
	})
}

// wantRecovered wants everything to work as before, with what was issued before.
func (s *scene) wantRecovered(t testing.TB) {
	t.Helper()
	eventually(t, 20*time.Second, "the server is ready again", func() bool { return s.call(http.MethodGet, "/readyz", "").status == http.StatusOK })
	eventually(t, 20*time.Second, "requests are served again", func() bool { return s.introspect(s.api, s.machine).json["active"] == true })
	s.wantActive(s.api, s.access)
	wantStatus(t, s.redeem(s.web, s.code), http.StatusOK)
	_, refresh := s.mustRefresh(s.app, s.refresh).tokens()
	wantStatus(t, s.call(http.MethodGet, "/api/v1/users", s.account), http.StatusOK)
	wantError(t, s.deployment.refresh(s.app, "x"), http.StatusBadRequest, "invalid_grant")
	// RFC 7009 §2.2.1: the client that was told 503 comes again.
	wantStatus(t, s.revoke(s.app, refresh), http.StatusOK)
	s.wantInactive(s.api, s.access)
	eventually(t, 20*time.Second, "logins are served again", func() bool { return s.login(s.web, "ada").status == http.StatusOK })
}

// A data file that can no longer be used.
func TestClosedDataFileIsUnavailable(t *testing.T) {
	t.Parallel()
	s := newScene(deployBolt(t))
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	s.wantUnavailable(t)
}

// A Redis that is gone, one that is frozen, and one behind a network that swallows everything: unavailable while it lasts,
// and as before when it is over.
func TestRedisInTroubleIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*redistest.Server, *redistest.Proxy) (begin, end func()){
		"stopped":    func(s *redistest.Server, _ *redistest.Proxy) (func(), func()) { return s.Stop, s.Restart },
		"frozen":     func(s *redistest.Server, _ *redistest.Proxy) (func(), func()) { return s.Pause, s.Resume },
		"black hole": func(_ *redistest.Server, p *redistest.Proxy) (func(), func()) { return p.BlackHole, p.Pass },
		"refused":    func(_ *redistest.Server, p *redistest.Proxy) (func(), func()) { return p.Refuse, p.Pass },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			proxy := redistest.NewProxy(t, redis.Addr())
			s := newScene(deployRedis(t, proxy.URL(), newRing(t)))
			begin, end := trouble(redis, proxy)
			begin()
			s.wantUnavailable(t)
			end()
			s.wantRecovered(t)
		})
	}
}

// Garbage is refused by arithmetic, so the answer about it is true without a store, and a flood of it is no load for one.
func TestGarbageIsRefusedWithoutAStore(t *testing.T) {
	t.Parallel()
	s := newScene(deployBolt(t))
	s.wantActive(s.api, s.access)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, garbage := range []string{"garbage", s.access[:20], keys.Spell(keys.AccessPrefix, make([]byte, 51)), s.refresh} {
		wantError(t, s.call(http.MethodGet, "/demo/orders", garbage), http.StatusUnauthorized, "invalid_token")
	}
}
