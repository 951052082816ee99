package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// interruptedStore lets a test act right before a call of the server's, once, and fail it.
type interruptedStore struct {
	store.Store
	mu   sync.Mutex
	call string
	act  func() error
}

// before sets what happens before the next call of this name; of Add and Swap only those on grants count.
func (s *interruptedStore) before(call string, act func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.call, s.act = call, act
}

func (s *interruptedStore) interrupt(call string) error {
	s.mu.Lock()
	act := s.act
	if call != s.call || act == nil {
		s.mu.Unlock()
		return nil
	}
	s.act = nil
	s.mu.Unlock()
	return act()
}

func (s *interruptedStore) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	if strings.HasPrefix(key, "g") && len(key) == 17 {
		if err := s.interrupt("Add"); err != nil {
			return err
		}
	}
	return s.Store.Add(ctx, key, value, expires)
}

func (s *interruptedStore) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	if strings.HasPrefix(key, "g") && len(key) == 17 {
		if err := s.interrupt("Swap"); err != nil {
			return err
		}
	}
	return s.Store.Swap(ctx, key, old, value, expires)
}

func (s *interruptedStore) Enroll(ctx context.Context, index, name string, expires time.Time) (int, error) {
	if err := s.interrupt("Enroll"); err != nil {
		return 0, err
	}
	return s.Store.Enroll(ctx, index, name, expires)
}

func (s *interruptedStore) Members(ctx context.Context, index, after string, limit int) ([]store.Member, error) {
	if strings.HasPrefix(index, "u") && len(index) == 17 {
		if err := s.interrupt("Members"); err != nil {
			return nil, err
		}
	}
	return s.Store.Members(ctx, index, after, limit)
}

func deployInterrupted(t testing.TB) (*deployment, *interruptedStore) {
	t.Helper()
	s, c := bolttest.Open(t, noon)
	i := &interruptedStore{Store: s}
	d := deploy(t, i, newRing(t))
	d.clock = c
	return d, i
}

// endings are the acts that end everything of the user "ada", or of a client.
func endings(d *deployment, c client) map[string]func() error {
	do := func(method, path string, body any) func() error {
		return func() error {
			if a := d.admin(method, path, body); a.status >= 300 {
				return fmt.Errorf("%s %s: %d %s", method, path, a.status, a.text)
			}
			return nil
		}
	}
	return map[string]func() error{
		"a new password":     do(http.MethodPut, "/users/ada/password", obj{"new_password": password}),
		"log-out everywhere": do(http.MethodPost, "/users/ada/logout-everywhere", nil),
		"client disabled":    do(http.MethodPatch, "/clients/"+c.id, obj{"disabled": true}),
		"user disabled":      do(http.MethodPatch, "/users/ada", obj{"disabled": true}),
	}
}

// A login, a redemption or a refresh that is under way when everything of its user or client ends, is ended too, at
// whichever of its steps it was: nothing is issued on the strength of what was true before.
func TestWhatIsOvertakenByAnEndIsRefused(t *testing.T) {
	t.Parallel()
	for _, ending := range []string{"a new password", "log-out everywhere", "client disabled", "user disabled"} {
		for _, step := range []string{"login, Enroll", "login, Add", "code, Swap", "refresh, Swap"} {
			t.Run(ending+" during "+step, func(t *testing.T) {
				t.Parallel()
				d, interrupted := deployInterrupted(t)
				c, user := d.web(obj{"grant_types": []string{"authorization_code", "refresh_token", "password"}, "rotation": "always"}), d.user("ada")
				_, refresh := d.mustLogin(c, "ada").tokens()
				code := d.code(c, user)
				act, call, _ := strings.Cut(step, ", ")
				interrupted.before(call, endings(d, c)[ending])
				var a answer
				switch act {
				case "login":
					a = d.login(c, "ada")
				case "code":
					a = d.redeem(c, code)
				case "refresh":
					a = d.refresh(c, refresh)
				}
				if a.status == http.StatusOK {
					// Tokens that were on their way when a client was disabled may arrive, and are good for nothing.
					d.wantInactive(d.api(), a.str("access_token"))
					if ending != "client disabled" || act == "login" {
						t.Errorf("tokens were given: %s", a.text)
					}
					return
				}
				wantError(t, a, http.StatusBadRequest, "invalid_grant")
				if listed := d.mustAdmin(http.MethodGet, "/users/ada/grants", nil).json["items"].([]any); len(listed) != 0 && ending != "client disabled" {
					t.Errorf("%d grants are left", len(listed))
				}
			})
		}
	}
}

// What a user loses is lost with the first write, also when the rest fails: the request says 503, and repeated it
// succeeds.
func TestAnEndThatFailsHalfWayHasEnded(t *testing.T) {
	t.Parallel()
	d, interrupted := deployInterrupted(t)
	c, api := d.app(), d.api()
	d.user("ada")
	for ending, end := range endings(d, c) {
		if ending == "client disabled" || ending == "user disabled" {
			continue
		}
		access, refresh := d.mustLogin(c, "ada").tokens()
		d.wantActive(api, access)
		interrupted.before("Members", func() error { return store.ErrUnavailable })
		if err := end(); err == nil || !strings.Contains(err.Error(), "temporarily_unavailable") {
			t.Errorf("%s: %v, want temporarily_unavailable", ending, err)
		}
		d.wantInactive(api, access)
		wantError(t, d.refresh(c, refresh), http.StatusBadRequest, "invalid_grant")
		if err := end(); err != nil {
			t.Error(err)
		}
	}
}
