package server_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/server"
	"github.com/safeconduct/safeconduct/store/bolt"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// strictVerifier is an app that fetches the key set only when its copy is older than the server said it may be, never
// because of a key that it does not know.
type strictVerifier struct {
	d       *deployment
	set     jose.JSONWebKeySet
	fetched time.Time
	keep    time.Duration
}

// verify checks an ID token and returns the id of its key.
func (v *strictVerifier) verify(token string) (string, error) {
	now := v.d.clock.Now()
	if v.fetched.IsZero() || now.Sub(v.fetched) > v.keep {
		a := v.d.call(http.MethodGet, "/.well-known/jwks.json", "")
		seconds, err := strconv.Atoi(strings.TrimPrefix(a.header.Get("Cache-Control"), "public, max-age="))
		if err != nil {
			return "", fmt.Errorf("the key set is cached by %q", a.header.Get("Cache-Control"))
		}
		v.set, v.fetched, v.keep = jose.JSONWebKeySet{}, now, time.Duration(seconds)*time.Second
		if err := json.Unmarshal([]byte(a.text), &v.set); err != nil {
			return "", err
		}
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	if err != nil {
		return "", fmt.Errorf("%q: %w", token, err)
	}
	kid := parsed.Signatures[0].Header.KeyID
	named := v.set.Key(kid)
	if len(named) != 1 {
		return "", fmt.Errorf("at %s the key %s is not in the set of %s", now, kid, v.fetched)
	}
	_, err = parsed.Verify(named[0])
	return kid, err
}

// OpenID Connect Core §10.1.1: over 20 rotations under load, an app that keeps the key set for as long as it may never
// meets an ID token whose key it does not know, nor loses the key of one that is still good.
func TestNoAppNoticesTwentyRotations(t *testing.T) {
	t.Parallel()
	d := deployBolt(t, func(c *server.Config) {
		c.SigningKeys = server.SigningKeys{Lifetime: 30 * time.Minute, Ahead: 15 * time.Minute}
	})
	const rotations = 20
	var mu sync.Mutex
	var still sync.RWMutex                      // the clock leaps by minutes, which nobody's login survives: it stands still during one
	signers := make(map[string]map[string]bool) // the ids of the keys that have signed, by algorithm
	var failed, over atomic.Bool
	var checked atomic.Int64
	fail := func(format string, args ...any) { failed.Store(true); t.Errorf(format, args...) }

	anew := func(p *person, a app, user string) answer {
		still.RLock()
		defer still.RUnlock()
		return d.redeem(a.client, p.goThrough(a, user, "scope", "openid"))
	}
	// Each worker lets an app get one ID token after another, by refreshes or by logins.
	rounds := make([]atomic.Int64, 4)
	var wait sync.WaitGroup
	for i, algorithm := range []string{"RS256", "ES256", "EdDSA", "RS256"} {
		a := d.webApp(obj{"id_token_signed_response_alg": algorithm, "first_party": true})
		user := fmt.Sprintf("user-%d", i)
		d.user(user)
		p, byCode := d.person(), i == 3
		tokens := p.identify(a, user, "scope", "openid offline_access")
		v := &strictVerifier{d: d}
		last, lastAt := "", time.Time{}
		wait.Go(func() {
			defer func() { failed.CompareAndSwap(false, !over.Load()) }()
			for !over.Load() && !failed.Load() {
				if byCode {
					tokens = anew(p, a, user)
				} else {
					tokens = d.refresh(a.client, tokens.str("refresh_token"))
				}
				at := d.clock.Now()
				if tokens.status != http.StatusOK || tokens.str("id_token") == "" {
					fail("no tokens: %d %s", tokens.status, tokens.text)
					return
				}
				kid, err := v.verify(tokens.str("id_token"))
				if err == nil && last != "" && d.clock.Now().Sub(lastAt) < 10*time.Minute {
					_, err = v.verify(last) // it has not expired yet
				}
				if err != nil {
					fail("%v", err)
					return
				}
				last, lastAt = tokens.str("id_token"), at
				mu.Lock()
				if signers[algorithm] == nil {
					signers[algorithm] = make(map[string]bool)
				}
				signers[algorithm][kid] = true
				mu.Unlock()
				checked.Add(1)
				rounds[i].Add(1)
			}
		})
	}
	rotated := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(signers["RS256"]) > rotations && len(signers["ES256"]) > rotations && len(signers["EdDSA"]) > rotations
	}
	random := rand.New(rand.NewPCG(20, 26))
	for !rotated() && !failed.Load() {
		if d.clock.Now().After(noon.Add(2 * rotations * time.Hour)) {
			fail("after %d hours the keys have rotated fewer than %d times: %v", 2*rotations, rotations, signers)
		}
		leap := time.Duration(random.IntN(600)) * time.Second
		still.Lock()
		d.clock.Advance(leap)
		still.Unlock()
		if err := d.server.MaintainKeys(t.Context()); err != nil {
			fail("%v", err)
		}
		// Every app that refreshes gets something at every time of the day; a login takes the disk's time.
		for i := range rounds[:3] {
			before := rounds[i].Load()
			eventually(t, 30*time.Second, "the apps get tokens", func() bool { return rounds[i].Load() > before || failed.Load() })
		}
	}
	over.Store(true)
	wait.Wait()
	if rounds[3].Load() < rotations {
		t.Errorf("of %d ID tokens %d came of a login", checked.Load(), rounds[3].Load())
	}
}

// Two servers on one store have the same keys, also when both make the first ones at once, and a rotation at one is a
// rotation at the other.
func TestTwoProcessesAgreeOnKeys(t *testing.T) {
	onEachShared(t, agreeOnKeys)
}

func agreeOnKeys(t *testing.T, p *pair) {
	sets := make([]string, 16)
	crowd(len(sets), func(i int) {
		sets[i] = []*deployment{p.one, p.two}[i%2].call(http.MethodGet, "/.well-known/jwks.json", "").text
	})
	for _, set := range sets {
		if set != sets[0] || !strings.Contains(set, `"kid"`) {
			t.Fatalf("two key sets:\n%s\n%s", sets[0], set)
		}
	}
	if err := p.one.server.RotateKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	here := p.one.call(http.MethodGet, "/.well-known/jwks.json", "").text
	if here == sets[0] {
		t.Error("the rotation shows nothing")
	}
	eventually(t, 5*time.Second, "the other server shows the successors", func() bool {
		return p.two.call(http.MethodGet, "/.well-known/jwks.json", "").text == here
	})
}

// A system secret is replaced by a restart with a new one above it. What was signed before stays good, and the keys move
// under the new secret, so that the old one can be given up.
func TestSigningKeysOutliveTheSystemSecret(t *testing.T) {
	t.Parallel()
	path, c := t.TempDir()+"/data/data.db", bolttest.NewClock(noon)
	old, fresh := keys.NewSecret(), keys.NewSecret()
	var acme app
	var hint, set string
	for _, round := range []struct {
		what    string
		secrets []keys.Secret
	}{{"the old secret", []keys.Secret{old}}, {"the new above the old", []keys.Secret{fresh, old}}, {"the new secret alone", []keys.Secret{fresh}}} {
		t.Run(round.what, func(t *testing.T) {
			ring, err := keys.NewRing(round.secrets...)
			if err != nil {
				t.Fatal(err)
			}
			s, err := bolt.Open(path, bolt.Options{Clock: c.Now})
			if err != nil {
				t.Fatal(err)
			}
			address := ""
			d := deploy(t, s, ring, func(c *server.Config) { // one issuer, wherever each of them listens
				address = c.Issuer
				c.Issuer, c.AllowedHosts = "http://id.localhost", []string{strings.TrimPrefix(address, "http://")}
			})
			d.url, d.clock = address, c
			ada := d.person()
			if hint == "" {
				d.user("ada")
				acme = d.webApp(obj{"first_party": true})
				hint = ada.identify(acme, "ada").str("id_token")
				set = d.call(http.MethodGet, "/.well-known/jwks.json", "").text
				return
			}
			ada.goThrough(acme, "ada")
			if got := ada.open(acme.ask("prompt", "none", "id_token_hint", hint)).answered(t, acme.callback); got.Get("code") == "" {
				t.Errorf("what was signed before is no hint: %v", got)
			}
			if err := d.server.MaintainKeys(t.Context()); err != nil {
				t.Fatal(err)
			}
			if now := d.call(http.MethodGet, "/.well-known/jwks.json", "").text; now != set {
				t.Errorf("the key set was\n%s\nand is\n%s", set, now)
			}
			d.signed(ada.identify(acme, "ada").str("id_token"))
			d.signed(hint)
		})
	}
}
