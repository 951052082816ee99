package scopes_test

import (
	"context"
	"crypto/elliptic"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// newKey is a further key of the issuer.
func newKey(id string) signingKey { return signingKey{id, "ES256", newEC(elliptic.P256())} }

// RFC 9068 §4: keys follow each other without any token being refused, whenever the set is fetched.
func TestVerifierFollowsRotation(t *testing.T) {
	next := newKey("next")
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.feedless(t))
		wants(t, v, "before", es().token(good(1)), nil)
		is.publish(keySetOf(es(), next))
		var all sync.WaitGroup
		for n := range 64 {
			all.Go(func() {
				key := []signingKey{es(), next}[n%2]
				wants(t, v, "by "+key.id, key.token(good(n)), nil)
			})
		}
		all.Wait()
		if n := is.fetched(); n != 2 {
			t.Errorf("the keys were fetched %d times, want twice: first, and for the unknown key", n)
		}
		is.publish(keySetOf(next))
		wants(t, v, "the old key while the set is fresh", es().token(good(1)), nil)
		time.Sleep(5 * time.Minute)
		wants(t, v, "the old key, and a fetch begins", es().token(good(2)), nil)
		synctestWait()
		wants(t, v, "the old key is gone", es().token(good(3)), scopes.ErrInactive)
		wants(t, v, "the new key", next.token(good(4)), nil)
	})
}

// A key that its issuer withdrew takes the tokens with it that were seen before; a key that only took its name is another key.
func TestVerifierForgetsTokensOfWithdrawnKeys(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.feedless(t))
		token := es().token(good(1))
		wants(t, v, "first", token, nil)
		is.publish(keySetOf(newKey("es")))
		time.Sleep(5 * time.Minute)
		wants(t, v, "seen before, and a fetch begins", token, nil)
		synctestWait()
		wants(t, v, "seen before", token, scopes.ErrInactive)
		is.publish(keySetOf(newKey("another")))
		time.Sleep(5 * time.Minute)
		v.Check(t.Context(), token)
		synctestWait()
		wants(t, v, "no key of the name", token, scopes.ErrInactive)
	})
}

// Names of keys come from strangers: one fetch is worth trying, a thousand are an attack on the issuer.
func TestVerifierCoolsDownAfterAnUnknownKey(t *testing.T) {
	foreign := newKey("foreign")
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.feedless(t))
		wants(t, v, "good", es().token(good(1)), nil)
		fetched := is.fetched()
		for n := range 100 {
			wants(t, v, "garbage", foreign.sign(fmt.Sprintf(`{"alg":"ES256","kid":"g%d","typ":"at+jwt"}`, n), good(1).String()), scopes.ErrInactive)
		}
		if n := is.fetched() - fetched; n != 1 {
			t.Errorf("fetched %d times for 100 unknown keys, want once", n)
		}
		is.publish(keySetOf(es(), foreign))
		time.Sleep(30*time.Second - 1)
		wants(t, v, "a new key within the cool-down", foreign.token(good(1)), scopes.ErrInactive)
		time.Sleep(time.Nanosecond)
		wants(t, v, "a new key after it", foreign.token(good(1)), nil)
		wants(t, v, "the old key all the time", es().token(good(2)), nil)
		if n := is.fetched() - fetched; n != 2 {
			t.Errorf("fetched %d times, want twice", n)
		}
	})
}

// RFC 9111 §5.2.2.1: the set is fetched again when the server says, within bounds; an old one is not used before that.
func TestVerifierFetchesKeysAgainInTime(t *testing.T) {
	for _, tt := range []struct {
		control string
		age     time.Duration
	}{
		{"", 5 * time.Minute}, {"public, max-age=60", time.Minute}, {"MAX-AGE=60", time.Minute}, {`max-age="60"`, time.Minute},
		{"no-cache, max-age=0", 30 * time.Second}, {"max-age=31536000", time.Hour},
		{"max-age=-1", 5 * time.Minute}, {"max-age=x", 5 * time.Minute}, {"s-maxage=7", 5 * time.Minute}, {"max-age", 5 * time.Minute},
	} {
		t.Run(tt.control, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				is := newIssuer(t, es())
				is.control = tt.control
				v := newVerifier(t, is.feedless(t))
				check := func(number, fetches int) {
					t.Helper()
					wants(t, v, "good", es().token(good(number)), nil)
					synctestWait()
					if n := is.fetched(); n != fetches {
						t.Errorf("fetched %d times, want %d", n, fetches)
					}
				}
				check(1, 1)
				time.Sleep(tt.age - 1)
				check(2, 1)
				time.Sleep(time.Nanosecond)
				check(3, 2)
				check(4, 2)
				// After a long pause the old set is not used even once.
				is.publish(keySetOf(newKey("new")))
				time.Sleep(2 * tt.age)
				wants(t, v, "a withdrawn key after a pause", es().token(good(5)), scopes.ErrInactive)
			})
		})
	}
}

// While the server is away its keys stay good, up to a bound; then nothing passes, and nothing is called a bad token.
func TestVerifierKeepsKeysWhileTheServerIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.feedless(t))
		is.listener.leave(true)
		wants(t, v, "away from the start", es().token(good(1)), scopes.ErrUnavailable)
		is.listener.leave(false)
		wants(t, v, "within the pause after a failure", es().token(good(1)), scopes.ErrUnavailable)
		time.Sleep(time.Second)
		wants(t, v, "there", es().token(good(1)), nil)
		is.listener.leave(true)
		for range 24 {
			wants(t, v, "away", es().token(good(2)), nil)
			synctestWait()
			wants(t, v, "an unknown key while nobody can tell", newKey("x").token(good(2)), scopes.ErrUnavailable)
			time.Sleep(time.Hour)
		}
		wants(t, v, "a day later", es().token(good(3)), nil)
		time.Sleep(time.Second)
		wants(t, v, "away for longer", es().token(good(3)), scopes.ErrUnavailable)
		is.listener.leave(false)
		time.Sleep(time.Second)
		wants(t, v, "there again", es().token(good(4)), nil)
	})
}

// Any number of requests wait for one fetch, and one that gives up ends it for none.
func TestVerifierSharesOneFetch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		release := make(chan struct{})
		var fetches atomic.Int64
		mux := http.NewServeMux()
		mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, r *http.Request) {
			fetches.Add(1)
			<-release
			is.jwks(w, r)
		})
		config := is.feedless(t)
		config.HTTPClient = &http.Client{Transport: handlerTransport{mux}}
		v := newVerifier(t, config)
		impatient, giveUp := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := v.Check(impatient, es().token(good(0))); !errors.Is(err, context.Canceled) || !errors.Is(err, scopes.ErrUnavailable) {
				t.Errorf("got %v, want the end of the context", err)
			}
		})
		synctestWait() // this one began it
		for n := range 32 {
			all.Go(func() { wants(t, v, "good", es().token(good(n)), nil) })
		}
		synctestWait()
		giveUp()
		synctestWait()
		close(release)
		all.Wait()
		if n := fetches.Load(); n != 1 {
			t.Errorf("fetched %d times, want once", n)
		}
	})
}

// handlerTransport answers with a handler, without a network.
type handlerTransport struct{ http.Handler }

func (h handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// What is not a key set with status 200 from this very address is none: no redirect is followed, whatever the client's policy.
func TestVerifierTakesKeysFromTheirPlaceOnly(t *testing.T) {
	var reached atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Store(true)
		fmt.Fprint(w, keySetOf(es()))
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 307, 308, 201, 204, 401, 404, 500, 503} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(status)
			if status != 204 {
				fmt.Fprint(w, keySetOf(es()))
			}
		}))
		config := scopes.VerifierConfig{Issuer: server.URL, Audience: audience, NoFeed: true,
			HTTPClient: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}}
		wants(t, newVerifier(t, config), fmt.Sprint(status), es().token(good(1).with("iss", `"`+server.URL+`"`)), scopes.ErrUnavailable)
		server.Close()
	}
	if reached.Load() {
		t.Error("a redirect was followed")
	}
}

// A server that does not answer costs Timeout and no more.
func TestVerifierDoesNotWaitForADeadServer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		config := newIssuer(t, es()).feedless(t)
		config.HTTPClient = &http.Client{Transport: deafTransport{}}
		v := newVerifier(t, config)
		began := time.Now()
		wants(t, v, "no answer", es().token(good(1)), scopes.ErrUnavailable)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("waited %v, want 5 s", took)
		}
	})
}

// Who has keys waits for a server that does not answer once, and not for each request.
func TestVerifierWaitsOnceForADeadServer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		config := is.feedless(t)
		transport := &mortalTransport{RoundTripper: config.HTTPClient.Transport}
		config.HTTPClient = &http.Client{Transport: transport}
		v := newVerifier(t, config)
		wants(t, v, "alive", es().token(good(1)), nil)
		transport.dead.Store(true)
		time.Sleep(20 * time.Minute)
		for _, want := range []time.Duration{5 * time.Second, 0, 0} {
			began := time.Now()
			wants(t, v, "dead", es().token(good(2)), nil)
			if took := time.Since(began); took != want {
				t.Errorf("waited %v, want %v", took, want)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// mortalTransport answers until it is dead.
type mortalTransport struct {
	http.RoundTripper
	dead atomic.Bool
}

func (m *mortalTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.dead.Load() {
		return deafTransport{}.RoundTrip(r)
	}
	return m.RoundTripper.RoundTrip(r)
}

// deafTransport never answers.
type deafTransport struct{}

func (deafTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}
