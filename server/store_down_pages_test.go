package server_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// failingStore fails one of the calls that a request makes, or all that follow it.
type failingStore struct {
	store.Store
	mu    sync.Mutex
	calls int
	from  int // the first call that fails, counted from 1; 0 for none
	until int // the last, 0 for no end
}

func deployFailing(t testing.TB) (*deployment, *failingStore) {
	t.Helper()
	s, c := bolttest.Open(t, noon)
	f := &failingStore{Store: s}
	d := deploy(t, f, newRing(t))
	d.clock = c
	return d, f
}

// fail lets the calls of these numbers fail, counted from now on.
func (f *failingStore) fail(from, until int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.from, f.until = 0, from, until
}

// heal ends that, and returns how many calls there were.
func (f *failingStore) heal() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from = 0
	return f.calls
}

func (f *failingStore) call() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.from > 0 && f.calls >= f.from && (f.until == 0 || f.calls <= f.until) {
		return store.ErrUnavailable
	}
	return nil
}

func (f *failingStore) Get(ctx context.Context, key string) (store.Record, error) {
	if err := f.call(); err != nil {
		return store.Record{}, err
	}
	return f.Store.Get(ctx, key)
}

func (f *failingStore) Set(ctx context.Context, key string, value []byte, expires time.Time) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.Store.Set(ctx, key, value, expires)
}

func (f *failingStore) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.Store.Add(ctx, key, value, expires)
}

func (f *failingStore) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.Store.Swap(ctx, key, old, value, expires)
}

func (f *failingStore) Delete(ctx context.Context, key string) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.Store.Delete(ctx, key)
}

func (f *failingStore) Enroll(ctx context.Context, index, name string, expires time.Time) (int, error) {
	if err := f.call(); err != nil {
		return 0, err
	}
	return f.Store.Enroll(ctx, index, name, expires)
}

func (f *failingStore) Members(ctx context.Context, index, after string, limit int) ([]store.Member, error) {
	if err := f.call(); err != nil {
		return nil, err
	}
	return f.Store.Members(ctx, index, after, limit)
}

func (f *failingStore) Increment(ctx context.Context, key string, expires time.Time) (int64, error) {
	if err := f.call(); err != nil {
		return 0, err
	}
	return f.Store.Increment(ctx, key, expires)
}

// wantTrouble wants a page that says to come again, and nothing of whose fault it is.
func wantTrouble(t testing.TB, what string, s sight) {
	t.Helper()
	wait, err := strconv.Atoi(s.header.Get("Retry-After"))
	if s.status != http.StatusServiceUnavailable || s.location() != "" || err != nil || wait < 1 || !strings.HasPrefix(s.header.Get("Content-Type"), "text/html") {
		t.Errorf("%s: %d to %q, Retry-After %q: %s", what, s.status, s.location(), s.header.Get("Retry-After"), s.words())
	}
	for _, wrong := range []string{"did not work", "not registered", "invalid_grant", "took too long", "did not begin here"} {
		if strings.Contains(s.words(), wrong) {
			t.Errorf("%s: the page says %q", what, wrong)
		}
	}
	wantPageHeaders(t, what, s.header)
}

// A store in trouble is never the fault of the person or of the app: whichever call of a step fails, it is a page that says
// to come again, and the same form works when it is over. No code that was not handed out can be redeemed, and a wrong
// password is not counted.
func TestStoreInTroubleSpendsNoStep(t *testing.T) {
	t.Parallel()
	d, failing := deployFailing(t)
	d.user("eve")
	acme, eve := d.webApp(), d.person()
	eve.enter("eve")
	steps := map[string]func(p *person, name string) func() sight{
		"authorize": func(*person, string) func() sight { return func() sight { return eve.get(acme.ask()) } },
		"authorize by POST": func(p *person, _ string) func() sight {
			values := form("client_id", acme.id, "redirect_uri", callback, "response_type", "code", "scope", "orders:read", "code_challenge", challengeOf(verifier), "code_challenge_method", "S256")
			return func() sight { return p.post("/oauth/authorize", values) }
		},
		"login": func(p *person, name string) func() sight {
			action, values := p.open(acme.ask()).form(t, "/login")
			values.Set("username", name)
			values.Set("password", password)
			return func() sight { return p.post(action, values) }
		},
		"continue": func(p *person, name string) func() sight {
			page := p.consent(acme, name)
			return func() sight { return p.get("/oauth/continue?" + page.url.RawQuery) }
		},
		"the consent page": func(p *person, name string) func() sight {
			page := p.consent(acme, name)
			return func() sight { return p.get(page.url.String()) }
		},
		"consent": func(p *person, name string) func() sight {
			action, values := p.consent(acme, name).form(t, "/consent")
			values.Set("decision", "allow")
			return func() sight { return p.post(action, values) }
		},
		"refusal": func(p *person, name string) func() sight {
			action, values := p.consent(acme, name).form(t, "/consent")
			values.Set("decision", "deny")
			return func() sight { return p.post(action, values) }
		},
		"account": func(*person, string) func() sight {
			return func() sight { return eve.get("/account") }
		},
	}
	for what, prepare := range steps {
		for n := 1; ; n++ {
			calls := 0
			for until, how := range map[int]string{0: "from", n: "alone"} {
				// Somebody new each time, so that nobody has more sessions or grants than the one before.
				name := strings.ReplaceAll(what+"-"+strconv.Itoa(n)+"-"+how, " ", "-")
				d.user(name)
				act := prepare(d.person(), name)
				failing.fail(n, until)
				s := act()
				if calls = failing.heal(); calls < n {
					continue // it made fewer calls, so nothing failed
				}
				if how == "from" || s.status >= 400 || strings.HasPrefix(s.location(), "/login") {
					wantTrouble(t, name, s) // what can be done without one call may be done
				}
				if s = act(); s.status >= 400 {
					t.Errorf("%s: when it is over: %d %s", name, s.status, s.words())
				}
				if strings.Contains(s.location(), "code=") {
					wantStatus(t, d.redeem(acme.client, s.answered(t, callback).Get("code")), http.StatusOK)
				}
			}
			if calls < n {
				if n == 1 {
					t.Errorf("%s needs no store", what)
				}
				break
			}
			if n > 100 {
				t.Fatalf("%s makes calls without end", what)
			}
		}
	}
}
