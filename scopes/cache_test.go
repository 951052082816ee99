package scopes_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func active(subject string, expires int64) string {
	return fmt.Sprintf(`{"active":true,"sub":%q,"scope":"orders:read","aud":["https://orders.example.com"],"exp":%d,"x":{"y":1}}`,
		subject, expires)
}

// Without a cache, revocation holds from the next request on.
func TestCacheIsOffByDefault(t *testing.T) {
	server := newAuthServer(t)
	server.knows("sca_a", active("u1", 4102444800))
	i := newIntrospector(t, server.config())
	for range 3 {
		if _, err := i.Check(t.Context(), "sca_a"); err != nil {
			t.Fatal(err)
		}
	}
	if n := server.asked.Load(); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
	server.knows("sca_a", `{"active":false}`)
	if _, err := i.Check(t.Context(), "sca_a"); !errors.Is(err, scopes.ErrInactive) {
		t.Errorf("after revocation: %v", err)
	}
}

// A revoked token passes for CacheFor at most, and none passes its own expiry.
func TestCacheEndsInTime(t *testing.T) {
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	server := newAuthServer(t)
	config := server.config()
	config.CacheFor, config.Clock = 10*time.Second, c.Now
	i := newIntrospector(t, config)
	step := func(what, token string, advance time.Duration, asked int64, want error) {
		t.Helper()
		c.add(advance)
		before := server.asked.Load()
		if _, err := i.Check(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
		if n := server.asked.Load() - before; n != asked {
			t.Errorf("%s: asked %d times, want %d", what, n, asked)
		}
	}
	server.knows("sca_long", active("u1", c.now.Unix()+3600))
	step("first", "sca_long", 0, 1, nil)
	server.knows("sca_long", `{"active":false}`)
	step("just inside", "sca_long", 10*time.Second-1, 0, nil)
	step("at the end", "sca_long", 1, 1, scopes.ErrInactive)

	server.knows("sca_short", active("u1", c.now.Unix()+3))
	step("first", "sca_short", 0, 1, nil)
	step("before its expiry", "sca_short", 3*time.Second-1, 0, nil)
	step("at its expiry", "sca_short", 1, 1, scopes.ErrInactive)

	server.knows("sca_back", active("u1", c.now.Unix()+3600))
	step("first", "sca_back", 0, 1, nil)
	step("the clock was set back", "sca_back", -time.Hour, 1, nil)
}

// A token that is not valid may become known a moment later, and strangers must not fill the cache.
func TestCacheKeepsOnlyValidTokens(t *testing.T) {
	server := newAuthServer(t)
	config := server.config()
	config.CacheFor, config.CacheSize = time.Hour, 1
	i := newIntrospector(t, config)
	server.knows("sca_a", active("u1", 4102444800))
	if _, err := i.Check(t.Context(), "sca_a"); err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		if _, err := i.Check(t.Context(), fmt.Sprintf("garbage%d", n)); !errors.Is(err, scopes.ErrInactive) {
			t.Fatal(err)
		}
	}
	before := server.asked.Load()
	if _, err := i.Check(t.Context(), "sca_a"); err != nil || server.asked.Load() != before {
		t.Errorf("garbage drove a token out of the cache: %v", err)
	}
	server.knows("garbage0", active("u2", 4102444800))
	if _, err := i.Check(t.Context(), "garbage0"); err != nil {
		t.Errorf("a refusal was kept: %v", err)
	}
}

// The number of tokens kept is bounded: of 50 tokens in a cache for 10, 40 at least must be asked about again.
func TestCacheIsBounded(t *testing.T) {
	server := newAuthServer(t)
	config := server.config()
	config.CacheFor, config.CacheSize = time.Hour, 10
	i := newIntrospector(t, config)
	round := func(from, to int) int64 {
		before := server.asked.Load()
		for n := from; n < to; n++ {
			token := fmt.Sprintf("sca_%d", n)
			server.knows(token, active(token, 4102444800))
			if got, err := i.Check(t.Context(), token); err != nil || got.Subject != token {
				t.Fatalf("got %+v, %v", got, err)
			}
		}
		return server.asked.Load() - before
	}
	if n := round(0, 10); n != 10 {
		t.Errorf("asked %d times about 10 new tokens", n)
	}
	if n := round(0, 10); n != 0 {
		t.Errorf("asked %d times about 10 tokens in a cache for 10", n)
	}
	round(10, 50)
	if n := round(0, 50); n < 40 {
		t.Errorf("asked %d times about 50 tokens, want 40 at least", n)
	}
}

// Many requests share one Introspector, and each handler may do with its Token as it likes.
func TestIntrospectorIsSafeForConcurrentUse(t *testing.T) {
	server := newAuthServer(t)
	for n := range 8 {
		server.knows(fmt.Sprintf("sca_%d", n), active(fmt.Sprint(n), 4102444800))
	}
	config := server.config()
	config.CacheFor, config.CacheSize = time.Minute, 4
	i := newIntrospector(t, config)
	var all sync.WaitGroup
	for n := range 32 {
		all.Go(func() {
			for range 20 {
				token, err := i.Check(t.Context(), fmt.Sprintf("sca_%d", n%8))
				if err != nil {
					t.Error(err)
					return
				}
				if token.Subject != fmt.Sprint(n%8) || token.Audience[0] != audience || string(token.Extra["x"]) != `{"y":1}` {
					t.Errorf("got %+v, which another request has changed", token)
					return
				}
				token.Subject, token.Audience[0], token.Extra["x"][0] = "mallory", "elsewhere", '!'
				token.Extra["new"] = json.RawMessage("1")
			}
		})
	}
	all.Wait()
}
