package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/scopes"
	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// verifier is what others import to verify signed tokens by themselves, following the feed of a server.
func (d *deployment) verifier(api client) scopes.Checker {
	d.t.Helper()
	config := scopes.Config{Issuer: d.url, Audience: "https://" + api.id + ".example", ID: api.id, Secret: api.secret}
	if d.clock != nil {
		config.Clock = d.clock.Now
	}
	checker, err := scopes.NewChecker(config)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = checker.Close() })
	return checker
}

func wantGood(t testing.TB, what string, v scopes.Checker, token string) {
	t.Helper()
	if _, err := v.Check(t.Context(), token); err != nil {
		t.Errorf("%s: %v, want a good token", what, err)
	}
}

// wantRefusedSoon wants a token refused within a second, on a machine that has other things to do within some more.
func wantRefusedSoon(t testing.TB, what string, v scopes.Checker, token string) {
	t.Helper()
	eventually(t, 10*time.Second, what+": the verifier refuses the token", func() bool {
		_, err := v.Check(t.Context(), token)
		return errors.Is(err, scopes.ErrInactive)
	})
}

// Whatever ends a grant reaches who verifies by himself: the package scopes against a real server, by each algorithm. Who was
// not meant goes on.
func TestLocalVerifiersHearOfEveryEnd(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		slug := "stock-" + map[string]string{"ES256": "e", "RS256": "r", "EdDSA": "d"}[alg]
		stock := d.signedAPI(slug, obj{"signing_alg": alg})
		v := d.verifier(stock)
		scope := slug + ":read"
		app := d.client("confidential", obj{"scopes": []string{scope}})
		d.user("bystander-" + slug)
		bystander := d.mustLogin(app, "bystander-"+slug, "scope", scope).str("access_token")
		person := func(name string) string {
			d.user(name)
			token := d.mustLogin(app, name, "scope", scope).str("access_token")
			wantGood(t, name, v, token)
			return token
		}
		for what, end := range map[string]func(name, token string){
			"revoked":    func(_, token string) { wantStatus(t, d.revoke(app, token), http.StatusOK) },
			"logged-out": func(name, _ string) { d.mustAdmin(http.MethodPost, "/users/"+name+"/logout-everywhere", nil) },
			"with-new-password": func(name, _ string) {
				d.mustAdmin(http.MethodPut, "/users/"+name+"/password", obj{"new_password": nextPassword})
			},
			"disabled": func(name, _ string) { d.mustAdmin(http.MethodPatch, "/users/"+name, obj{"disabled": true}) },
			"deleted":  func(name, _ string) { d.mustAdmin(http.MethodDelete, "/users/"+name, nil) },
		} {
			name := what + "-" + slug
			token := person(name)
			end(name, token)
			wantRefusedSoon(t, name, v, token)
		}
		for what, end := range map[string]func(c client){
			"disabled": func(c client) { d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"disabled": true}) },
			"deleted":  func(c client) { d.mustAdmin(http.MethodDelete, "/clients/"+c.id, nil) },
		} {
			c := d.client("confidential", obj{"scopes": []string{scope}, "grant_types": []string{"client_credentials", "password", "refresh_token"}})
			machine := d.token(c, form("grant_type", "client_credentials")).str("access_token")
			theirs := d.mustLogin(c, "bystander-"+slug, "scope", scope).str("access_token")
			wantGood(t, "a machine's", v, machine)
			wantGood(t, "a user's", v, theirs)
			end(c)
			wantRefusedSoon(t, "a machine's, client "+what, v, machine)
			wantRefusedSoon(t, "a user's, client "+what, v, theirs)
		}
		wantGood(t, "a bystander's", v, bystander)
	}
}

// What a client and a resource are allowed now is not what they were when a token was made: the end of the client reaches
// the verifier whatever changed before it.
func TestTheEndOfAClientIsToldWhateverChangedBefore(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	count := 0
	for what, change := range map[string]func(slug string, c client){
		"a shorter life": func(slug string, _ client) {
			d.mustAdmin(http.MethodPatch, "/resources/"+slug, obj{"access_lifetime": "1m"})
		},
		"another format": func(slug string, _ client) { d.setFormat(slug, "opaque") },
		"no scope of the client's": func(slug string, c client) {
			d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"remove_scopes": []string{slug + ":read"}})
		},
		"no such scope": func(slug string, _ client) {
			d.mustAdmin(http.MethodPatch, "/resources/"+slug, obj{"remove_scopes": []string{slug + ":read"}})
		},
		"a resource that is disabled": func(slug string, _ client) {
			d.mustAdmin(http.MethodPatch, "/resources/"+slug, obj{"disabled": true})
			d.mustAdmin(http.MethodPatch, "/resources/"+slug, obj{"disabled": false})
		},
	} {
		count++
		slug := fmt.Sprint("stock-", count)
		stock := d.signedAPI(slug, obj{"access_lifetime": "1h"})
		v := d.verifier(stock)
		c := d.client("service", obj{"scopes": []string{slug + ":read", "orders:read"}})
		token := d.token(c, form("grant_type", "client_credentials", "scope", slug+":read")).str("access_token")
		wantGood(t, what, v, token)
		change(slug, c)
		d.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"disabled": true})
		wantRefusedSoon(t, what, v, token)
		entries := d.entries(stock)
		at := slices.IndexFunc(entries, func(e feedEntry) bool { return bites(e, payload(t, token, 1)) })
		if end := int64(payload(t, token, 1)["exp"].(float64)); at < 0 || entries[at].Until < end {
			t.Errorf("%s: %v, want an entry until %d", what, entries, end)
		}
	}
}

// A process that has not heard yet that a client was disabled at another still gives it tokens. They are covered too, whenever
// they are made.
func TestTokensOfAProcessThatHasNotHeardAreRevokedToo(t *testing.T) {
	t.Parallel()
	p := deployPair(t)
	stock := p.one.signedAPI("stock")
	for range 3 {
		c := p.one.client("service", obj{"scopes": []string{"stock:read"}})
		issue := func(d *deployment) string {
			return d.token(c, form("grant_type", "client_credentials")).str("access_token")
		}
		eventually(t, 5*time.Second, "the other process knows the client", func() bool { return isSigned(issue(p.two)) })
		var tokens []string
		var mu sync.Mutex
		var over atomic.Bool
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for !over.Load() {
					if token := issue(p.two); token != "" {
						mu.Lock()
						tokens = append(tokens, token)
						mu.Unlock()
					}
				}
			})
		}
		p.one.mustAdmin(http.MethodPatch, "/clients/"+c.id, obj{"disabled": true})
		eventually(t, 5*time.Second, "the other process has heard", func() bool { return issue(p.two) == "" })
		over.Store(true)
		wait.Wait()
		entries := p.one.entries(stock)
		for _, token := range tokens {
			if claims := payload(t, token, 1); !slices.ContainsFunc(entries, func(e feedEntry) bool { return bites(e, claims) }) {
				t.Fatalf("of %d tokens the one of %v is not covered by %v", len(tokens), claims["iat"], entries)
			}
		}
	}
}

// choppyStore reads the log of revocations not at all while it is held, and then breaks once behind the first page.
type choppyStore struct {
	store.Store
	mu     sync.Mutex
	held   bool
	breaks int // before the second call from now on
}

func (s *choppyStore) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

func (s *choppyStore) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.breaks = false, 2
}

func (s *choppyStore) Since(ctx context.Context, log string, seq uint64, limit int) ([]store.Entry, error) {
	if log == grants.RevocationsLog {
		s.mu.Lock()
		breaks := s.held || s.breaks == 1
		s.breaks = max(s.breaks-1, 0)
		s.mu.Unlock()
		if breaks {
			return nil, store.ErrUnavailable
		}
	}
	return s.Store.Since(ctx, log, seq, limit)
}

// A feed is longer than one page of the log. A look that fails behind a full page leaves nobody waiting for what that page has
// brought, though nothing else comes.
func TestAFeedOfSeveralPages(t *testing.T) {
	t.Parallel()
	for _, many := range []int{1000, 2500} {
		t.Run(fmt.Sprint(many), func(t *testing.T) {
			t.Parallel()
			s, clock := bolttest.Open(t, noon)
			choppy := &choppyStore{Store: s}
			d := deploy(t, choppy, newRing(t))
			d.clock = clock
			stock := d.signedAPI("stock")
			c := d.client("service", obj{"scopes": []string{"stock:read"}})
			tokens := make([]string, many)
			each := func(act func(n int)) {
				crowd(64, func(i int) {
					for n := i; n < many; n += 64 {
						act(n)
					}
				})
			}
			each(func(n int) { tokens[n] = d.token(c, form("grant_type", "client_credentials")).str("access_token") })
			v := d.verifier(stock)
			wantGood(t, "before", v, tokens[0])
			choppy.hold()
			each(func(n int) { d.revoke(c, tokens[n]) })
			choppy.release()
			for _, n := range []int{0, many / 2, many - 1} {
				wantRefusedSoon(t, "one of many", v, tokens[n])
			}
			if got := len(d.entries(stock)); got != many {
				t.Errorf("the feed has %d entries, want %d", got, many)
			}
		})
	}
}

// A verifier goes on through a restart of the server, and hears of what was revoked before and after it.
func TestALocalVerifierSurvivesARestart(t *testing.T) {
	t.Parallel()
	var current atomic.Pointer[url.URL]
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(&httputil.ReverseProxy{Rewrite: func(pr *httputil.ProxyRequest) { pr.SetURL(current.Load()) }}).ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	ring, path, clock := newRing(t), t.TempDir()+"/data/data.db", bolttest.NewClock(noon)
	start := func(t *testing.T) *deployment {
		var own *url.URL
		d := deployFile(t, path, ring, clock, func(c *server.Config) {
			own, _ = url.Parse(c.Issuer)
			c.AllowedHosts, c.Issuer = []string{own.Host}, front.URL
		})
		current.Store(own)
		return d
	}
	outer := t
	var stock, c client
	var before, after, good string
	var v scopes.Checker
	t.Run("before", func(t *testing.T) {
		d := start(t)
		stock, c = d.signedAPI("stock"), d.client("service", obj{"scopes": []string{"stock:read"}})
		issue := func() string { return d.token(c, form("grant_type", "client_credentials")).str("access_token") }
		before, after, good = issue(), issue(), issue()
	})
	t.Run("between", func(t *testing.T) {
		d := start(t)
		v = (&deployment{t: outer, url: front.URL, clock: clock}).verifier(stock) // it outlives this server
		wantGood(t, "before", v, before)
		wantStatus(t, d.revoke(c, before), http.StatusOK)
	})
	t.Run("after", func(t *testing.T) {
		d := start(t)
		wantRefusedSoon(t, "revoked before the restart", v, before)
		wantStatus(t, d.revoke(c, after), http.StatusOK)
		wantRefusedSoon(t, "revoked after the restart", v, after)
		wantGood(t, "never revoked", v, good)
	})
}

// Who has lost his credential hears no more, though his stream was opened with it.
func TestAStreamEndsWithItsCredential(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(d *deployment){
		"its secret revoked": func(d *deployment) {
			list := d.mustAdmin(http.MethodGet, "/resources/stock", nil).json["secrets"].([]any)
			d.mustAdmin(http.MethodDelete, "/resources/stock/secrets/"+list[0].(obj)["id"].(string), nil)
		},
		"the resource disabled": func(d *deployment) { d.mustAdmin(http.MethodPatch, "/resources/stock", obj{"disabled": true}) },
		"the resource deleted":  func(d *deployment) { d.mustAdmin(http.MethodDelete, "/resources/stock", nil) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := deployBolt(t)
			events := d.follow(d.signedAPI("stock"), revocations)
			next(t, events, 10*time.Second)
			end(d)
			timeout := time.After(30 * time.Second)
			for {
				select {
				case e, open := <-events:
					if !open {
						return
					}
					if e.name != "" {
						t.Fatalf("told of %v", e)
					}
				case <-timeout:
					t.Fatal("the stream goes on")
				}
			}
		})
	}
}

// What docs/scopes.md says: introspection drops a scope that was taken from a client, or removed, at once; who verifies the
// token by itself does not hear of it and accepts the scope until the token expires.
func TestTakenScopesReachLocalVerifiersAtExpiry(t *testing.T) {
	t.Parallel()
	d := deployBolt(t)
	stock := d.signedAPI("stock")
	app := d.client("service", obj{"scopes": []string{"stock:read", "stock:write"}})
	checker, err := scopes.NewChecker(scopes.Config{Issuer: d.url, Audience: "https://stock.example", ID: stock.id, Secret: stock.secret, Clock: d.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checker.Close() })
	token := d.token(app, form("grant_type", "client_credentials")).str("access_token")
	for _, take := range []func(){
		func() {
			d.mustAdmin(http.MethodPatch, "/clients/"+app.id, obj{"remove_scopes": []string{"stock:write"}})
		},
		func() {
			d.mustAdmin(http.MethodPatch, "/resources/stock", obj{"remove_scopes": []string{"stock:write"}})
		},
	} {
		take()
		if said := d.introspect(stock, token).str("scope"); said != "stock:read" {
			t.Errorf("introspection says %q", said)
		}
		if facts, err := checker.Check(t.Context(), token); err != nil || !facts.Scopes.Has("stock:write") {
			t.Errorf("the local verifier says %v: %v", facts, err)
		}
	}
	d.clock.Advance(11 * time.Minute)
	if _, err := checker.Check(t.Context(), token); !errors.Is(err, scopes.ErrInactive) {
		t.Errorf("an expired token: %v", err)
	}
}
