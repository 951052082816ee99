package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// burst sends one request to the token endpoint many times at once and counts the answers by their text. Answers that
// are no 200 are counted with their status. There is no network between, whose queues would let few in at a time; but no
// more than lanes are inside at once, as many as a server may have connections.
func (d *deployment) burst(t testing.TB, times int, c client, body string) map[string]int {
	t.Helper()
	const lanes = 512
	inside := make(chan struct{}, lanes)
	requests := make([]*http.Request, times)
	for i := range requests {
		requests[i] = d.request(http.MethodPost, "/oauth/token", formType, body)
		if c.secret != "" {
			requests[i].SetBasicAuth(c.id, c.secret)
		}
	}
	handler := d.server.Handler()
	var mu sync.Mutex
	count := make(map[string]int)
	crowd(times, func(i int) {
		inside <- struct{}{}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, requests[i])
		<-inside
		text := w.Body.String()
		if w.Code != http.StatusOK {
			text = http.StatusText(w.Code) + " " + member(t, text, "error")
		}
		mu.Lock()
		defer mu.Unlock()
		count[text]++
	})
	return count
}

// wantOneAnswer fails unless every request of a burst got the same good answer. It returns that answer.
func wantOneAnswer(t testing.TB, answers map[string]int) string {
	t.Helper()
	if len(answers) != 1 {
		t.Fatalf("%d different answers: %v", len(answers), answers)
	}
	for text := range answers {
		if !strings.Contains(text, "refresh_token") {
			t.Fatalf("no request succeeded: %v", answers)
		}
		return text
	}
	return ""
}

func refreshBody(c client, token string) string {
	values := form("grant_type", "refresh_token", "refresh_token", token)
	if c.secret == "" {
		values.Set("client_id", c.id)
	}
	return values.Encode()
}

// RFC 9700 §4.14.2 and CVE-2026-1035: of any number of refreshes of one token at once one rotates, and the others get
// its answer. Nobody is turned away, and there is one successor.
func TestConcurrentRefreshesHaveOneSuccessor(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, d *deployment) {
		d.user("ada")
		for _, c := range []client{d.app(), d.client("confidential", obj{"rotation": "always"})} {
			_, refresh := d.mustLogin(c, "ada").tokens()
			for range 12 {
				text := wantOneAnswer(t, d.burst(t, 64, c, refreshBody(c, refresh)))
				refresh = member(t, text, "refresh_token")
			}
			d.mustRefresh(c, refresh)
		}
	})
}

// The same with ten thousand at once: one successor, no error, and one rotation written.
func TestTenThousandRefreshesOfOneToken(t *testing.T) {
	engines(t, func(t *testing.T, d *deployment) {
		c, api := d.app(obj{"refresh_window": 300}), d.api() // however slow the machine is
		d.user("ada")
		_, refresh := d.mustLogin(c, "ada").tokens()
		text := wantOneAnswer(t, d.burst(t, 10_000, c, refreshBody(c, refresh)))
		d.wantActive(api, member(t, text, "access_token"))
		d.mustRefresh(c, member(t, text, "refresh_token"))
	})
}

// After the 200 of a revocation nothing of the grant works, however many refreshes it met on the way. The same holds for
// a user who logs out everywhere and for one who is shut out.
func TestRefreshRacingWithTheEndOfItsGrant(t *testing.T) {
	t.Parallel()
	ends := map[string]func(d *deployment, c client, user, token string) answer{
		"revocation": func(d *deployment, c client, _, token string) answer { return d.revoke(c, token) },
		"log-out everywhere": func(d *deployment, _ client, user, _ string) answer {
			return d.admin(http.MethodPost, "/users/"+user+"/logout-everywhere", nil)
		},
		"password": func(d *deployment, _ client, user, _ string) answer {
			return d.admin(http.MethodPut, "/users/"+user+"/password", obj{"new_password": password})
		},
	}
	engines(t, func(t *testing.T, d *deployment) {
		apps, api, user := []client{d.app(), d.client("confidential")}, d.api(), d.user("ada")
		for round := range 20 {
			for what, end := range ends {
				c := apps[round%2]
				access, refresh := d.mustLogin(c, "ada").tokens()
				given := make(chan answer, 16)
				crowd(6, func(i int) {
					if i == 0 {
						if a := end(d, c, user, access); a.status >= 300 {
							t.Errorf("%s: %d %s", what, a.status, a.text)
						}
						return
					}
					token := refresh
					for range 2 {
						a := d.refresh(c, token)
						if a.status != http.StatusOK {
							return
						}
						given <- a
						_, token = a.tokens()
					}
				})
				close(given)
				for a := range given {
					access, refresh := a.tokens()
					d.wantInactive(api, access)
					wantError(t, d.refresh(c, refresh), http.StatusBadRequest, "invalid_grant")
				}
				d.wantInactive(api, access)
				wantError(t, d.refresh(c, refresh), http.StatusBadRequest, "invalid_grant")
			}
		}
	})
}

// A login that races with the end of everything that a user has is ended too, or refused, or came after; the next end of
// everything ends it in any case.
func TestLoginRacingWithLogOutEverywhere(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, d *deployment) {
		c, api, user := d.client("confidential"), d.api(), d.user("ada")
		for range 12 {
			given := make(chan answer, 4)
			crowd(5, func(i int) {
				if i == 0 {
					d.mustAdmin(http.MethodPost, "/users/"+user+"/logout-everywhere", nil)
					return
				}
				given <- d.login(c, "ada")
			})
			close(given)
			d.mustAdmin(http.MethodPost, "/users/"+user+"/logout-everywhere", nil)
			for a := range given {
				if a.status != http.StatusOK {
					wantError(t, a, http.StatusBadRequest, "invalid_grant")
					continue
				}
				access, refresh := a.tokens()
				d.wantInactive(api, access)
				wantError(t, d.refresh(c, refresh), http.StatusBadRequest, "invalid_grant")
			}
			if listed := d.mustAdmin(http.MethodGet, "/users/"+user+"/grants", nil).json["items"].([]any); len(listed) != 0 {
				t.Fatalf("%d grants are listed after the end of all", len(listed))
			}
		}
	})
}

// deployFile runs a server on a data file that outlives it.
func deployFile(t testing.TB, path string, ring *keys.Ring, c *bolttest.Clock, change ...func(*server.Config)) *deployment {
	t.Helper()
	s, err := bolt.Open(path, bolt.Options{Clock: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	d := deploy(t, s, ring, change...)
	d.clock = c
	return d
}

// CVE-2026-9802: a rotation is known after a restart, and so is the reuse of what it replaced. The system secrets and the
// data file are all that stays.
func TestReuseIsKnownAfterARestart(t *testing.T) {
	t.Parallel()
	ring, path, c := newRing(t), t.TempDir()+"/data/data.db", bolttest.NewClock(noon)
	var app, api client
	var first, access, current string
	t.Run("before", func(t *testing.T) {
		d := deployFile(t, path, ring, c)
		app, api = d.app(), d.api()
		d.user("ada")
		_, first = d.mustLogin(app, "ada").tokens()
		access, current = d.mustRefresh(app, first).tokens()
		d.wantActive(api, access)
	})
	t.Run("after", func(t *testing.T) {
		d := deployFile(t, path, ring, c)
		d.wantActive(api, access)
		c.Advance(time.Minute)
		wantError(t, d.refresh(app, first), http.StatusBadRequest, "invalid_grant")
		d.wantInactive(api, access)
		wantError(t, d.refresh(app, current), http.StatusBadRequest, "invalid_grant")
	})
}
