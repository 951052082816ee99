package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
)

// pair is two servers on one store. Requests that name neither go to both in turn, as behind a load balancer.
type pair struct {
	one, two *deployment
	front    string
}

func deployPair(t *testing.T) *pair {
	t.Helper()
	return deployPairOn(t, redistest.Start(t).URL())
}

// onEachShared runs a test on each kind of store that several servers can share.
func onEachShared(t *testing.T, test func(t *testing.T, p *pair)) {
	t.Run("one Redis", func(t *testing.T) { test(t, deployPair(t)) })
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		test(t, deployPairOn(t, redistest.StartCluster(t).URL()))
	})
}

func deployPairOn(t *testing.T, redisURL string) *pair {
	t.Helper()
	ring := newRing(t)
	var turn atomic.Int64
	p := &pair{}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := p.one
		if turn.Add(1)%2 == 0 {
			to = p.two
		}
		target, _ := url.Parse(to.url)
		(&httputil.ReverseProxy{Rewrite: func(pr *httputil.ProxyRequest) { pr.SetURL(target); pr.Out.Host = r.Host }}).ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	p.front = front.URL
	same := func(c *server.Config) {
		own, _ := url.Parse(c.Issuer)
		c.AllowedHosts = []string{own.Host}
		c.Issuer = front.URL
	}
	deployOne := func() *deployment {
		var address string
		d := deployRedis(t, redisURL, ring, func(c *server.Config) { address = c.Issuer }, same)
		d.url = address
		return d
	}
	p.one, p.two = deployOne(), deployOne()
	return p
}

// Two servers on one store are one: what one issues, the other knows; what one ends, the other refuses within a second.
func TestTwoProcessesBehaveAsOne(t *testing.T) {
	onEachShared(t, behaveAsOne)
}

func behaveAsOne(t *testing.T, p *pair) {
	api := p.one.api()
	app := p.one.client("public")
	p.one.user("ada")

	t.Run("tokens of one hold at the other, at once", func(t *testing.T) {
		balanced := &deployment{t: t, url: p.front}
		eventually(t, time.Second, "both servers know the client and the resource", func() bool {
			issued := p.two.login(app, "ada")
			return issued.status == http.StatusOK && p.two.introspect(api, issued.str("access_token")).json["active"] == true
		})
		issued := balanced.mustLogin(app, "ada")
		for range 4 {
			if facts := balanced.introspect(api, issued.str("access_token")); facts.json["active"] != true {
				t.Fatalf("not active behind the load balancer: %s", facts.text)
			}
			issued = balanced.refresh(app, issued.str("refresh_token"))
			wantStatus(t, issued, http.StatusOK)
		}
	})

	t.Run("a revocation at one holds at the other, at once", func(t *testing.T) {
		issued := p.one.mustLogin(app, "ada")
		wantStatus(t, p.one.post("/oauth/revoke", "", "", url.Values{"token": {issued.str("refresh_token")}, "client_id": {app.id}}), http.StatusOK)
		if got := p.two.introspect(api, issued.str("access_token")).text; got != `{"active":false}` {
			t.Errorf("the other server says %s", got)
		}
		wantError(t, p.two.refresh(app, issued.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	})

	t.Run("logging a user out everywhere holds at the other, at once", func(t *testing.T) {
		issued := p.two.mustLogin(app, "ada")
		p.one.mustAdmin(http.MethodPost, "/users/ada/logout-everywhere", nil)
		wantError(t, p.two.refresh(app, issued.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	})

	t.Run("a scope taken away at one is gone at the other within a second", func(t *testing.T) {
		issued := p.two.mustLogin(app, "ada", "scope", "orders:read orders:write")
		p.one.mustAdmin(http.MethodPatch, "/clients/"+app.id, obj{"remove_scopes": []string{"orders:write"}})
		eventually(t, time.Second, "the other server narrows the token", func() bool {
			return p.two.introspect(api, issued.str("access_token")).str("scope") == "orders:read"
		})
	})

	t.Run("guesses at both are counted together", func(t *testing.T) {
		p.one.user("grace")
		refused := 0
		for i := range 12 {
			to := []*deployment{p.one, p.two}[i%2]
			if a := to.login(app, "grace", "password", "wrong password"); a.status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused < 6 {
			t.Errorf("%d of 12 guesses at two servers were refused uncounted, want most", refused)
		}
	})

	t.Run("a client disabled at one fails at the other within a second", func(t *testing.T) {
		issued := p.two.mustLogin(app, "ada")
		p.one.mustAdmin(http.MethodPatch, "/clients/"+app.id, obj{"disabled": true})
		eventually(t, time.Second, "the other server refuses the client and its tokens", func() bool {
			return p.two.login(app, "ada").str("error") == "invalid_client" &&
				p.two.introspect(api, issued.str("access_token")).text == `{"active":false}`
		})
	})

	t.Run("a user disabled at one fails at the other, at once", func(t *testing.T) {
		second := p.one.client("confidential")
		eventually(t, time.Second, "the other server knows the client", func() bool { return p.two.login(second, "ada").status == http.StatusOK })
		issued := p.two.mustLogin(second, "ada")
		p.one.mustAdmin(http.MethodPatch, "/users/ada", obj{"disabled": true})
		wantError(t, p.two.refresh(second, issued.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		wantError(t, p.two.login(second, "ada"), http.StatusBadRequest, "invalid_grant")
	})
}
