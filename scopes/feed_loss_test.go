package scopes_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// A feed that is lost refuses everything after FeedGrace, or nothing, by choice; what is revoked stays refused as revoked.
func TestLostFeed(t *testing.T) {
	for _, tt := range []struct {
		loss scopes.FeedLoss
		want error
	}{{scopes.RefuseWithoutFeed, scopes.ErrUnavailable}, {scopes.AcceptWithoutFeed, nil}} {
		inBubble(t, func(t *testing.T) {
			is := newIssuer(t, es())
			config := is.config(t)
			config.OnFeedLoss = tt.loss
			v := newVerifier(t, config)
			is.revoke(revokeGrant(time.Now(), 2, time.Hour))
			token, revoked := es().token(good(1)), es().token(good(2))
			for range 30 {
				wants(t, v, "heard", token, nil)
				time.Sleep(time.Second)
			}
			synctestWait()
			is.listener.leave(true) // the last ping was a moment ago
			time.Sleep(15 * time.Second)
			wants(t, v, "within the grace", token, nil)
			time.Sleep(time.Millisecond)
			wants(t, v, "lost", token, tt.want)
			wants(t, v, "lost, a new token", es().token(good(3)), tt.want)
			wants(t, v, "lost, a revoked token", revoked, scopes.ErrInactive)
			is.listener.leave(false)
			time.Sleep(8 * time.Second)
			wants(t, v, "heard again", token, nil)
		})
	}
}

// A feed that was never heard is lost from the start, once the first requests have waited for it.
func TestFeedThatIsNeverHeard(t *testing.T) {
	for _, tt := range []struct {
		loss scopes.FeedLoss
		want error
	}{{scopes.RefuseWithoutFeed, scopes.ErrUnavailable}, {scopes.AcceptWithoutFeed, nil}} {
		inBubble(t, func(t *testing.T) {
			is := newIssuer(t, es())
			is.set(func(f *feedServer) { f.broken = 503 })
			config := is.config(t)
			config.OnFeedLoss = tt.loss
			v := newVerifier(t, config)
			began := time.Now()
			impatient, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := v.Check(impatient, es().token(good(1))); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, scopes.ErrUnavailable) {
				t.Errorf("got %v, want the end of the context", err)
			}
			wants(t, v, "503", es().token(good(1)), tt.want)
			if took := time.Since(began); took != 5*time.Second {
				t.Errorf("waited %v, want 5 s", took)
			}
			wants(t, v, "503, at once", es().token(good(2)), tt.want)
			is.set(func(f *feedServer) { f.broken = 0 })
			time.Sleep(8 * time.Second)
			wants(t, v, "there", es().token(good(3)), nil)
		})
	}
}

// The operator must find out from the log that it is the credential, and nothing passes meanwhile.
func TestFeedSaysThatTheCredentialIsWrong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		config := newIssuer(t, es()).config(t)
		config.Secret = "of yesterday"
		_, err := newVerifier(t, config).Check(t.Context(), es().token(good(1)))
		if !errors.Is(err, scopes.ErrUnavailable) || !strings.Contains(err.Error(), "refused the ID and secret of this API") || strings.Contains(err.Error(), "yesterday") {
			t.Errorf("got %v", err)
		}
	})
}

// A connection that is dead but open shows by its silence, early enough that nobody notices.
func TestFeedNoticesADeadConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.config(t))
		began := time.Now()
		wants(t, v, "heard", es().token(good(1)), nil)
		is.set(func(f *feedServer) { f.mute = true })
		is.revoke(revokeGrant(time.Now(), 2, time.Hour))
		synctestWait()
		is.requests()
		time.Sleep(11 * time.Second)
		is.set(func(f *feedServer) { f.mute = false }) // for the next connection; the old one speaks at second 20 only
		for range 9 {
			time.Sleep(500 * time.Millisecond)
			wants(t, v, "all the time", es().token(good(1)), nil)
		}
		if got := is.requests(); got != "stream from 0" {
			t.Errorf("asked for %q, want a resumed stream", got)
		}
		wants(t, v, "revoked in silence", es().token(good(2).granted(began, 2)), scopes.ErrInactive)
	})
}

// An entry that is not understood may revoke something: the feed does not count as heard.
func TestFeedIsNotHeardWhileItIsNotUnderstood(t *testing.T) {
	for _, entry := range []string{`{"device":"x","until":4102444800}`, `{"grant":"7","until":4102444800}`, `{"user":"u1","until":4102444800}`,
		`{"user":"u1","before":"1","until":4102444800}`, `{"user":"u1","epoch":"7.1","before":1,"until":4102444800}`, `{"epoch":7,"until":4102444800}`, `{"epoch":"7.1"}`, `{"user":"u9","before":1}`,
		`{"user":"u1","before":null,"until":1}`, `[]`, `null`, `{"grant":`, `{"before":1,"until":2}`} {
		inBubble(t, func(t *testing.T) {
			is := newIssuer(t, es())
			v := newVerifier(t, is.config(t))
			wants(t, v, "good", es().token(good(1)), nil)
			is.revoke(entry)
			time.Sleep(16 * time.Second)
			wants(t, v, entry, es().token(good(1)), scopes.ErrUnavailable)
		})
	}
}

// A feed that was lost counts as heard again when all that was missed has come, not with the first of it.
func TestFeedIsNotHeardWhileItCatchesUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.config(t))
		began := time.Now()
		wants(t, v, "heard", es().token(good(2)), nil)
		is.listener.leave(true)
		is.revoke(revokeGrant(began, 1, time.Hour), revokeGrant(began, 2, time.Hour))
		is.set(func(f *feedServer) { f.trickle = true })
		time.Sleep(20 * time.Second)
		is.requests()
		is.listener.leave(false)
		time.Sleep(9 * time.Second)
		if got := is.requests(); got != "stream from 0" {
			t.Fatalf("asked for %s", got)
		}
		wants(t, v, "the first that was missed", es().token(good(1).granted(began, 1)), scopes.ErrInactive)
		wants(t, v, "the second, which has not come", es().token(good(2).granted(began, 2)), scopes.ErrUnavailable)
		is.set(func(f *feedServer) { f.trickle = false })
		time.Sleep(10 * time.Second)
		wants(t, v, "the second", es().token(good(2).granted(began, 2)), scopes.ErrInactive)
		wants(t, v, "another", es().token(good(3)), nil)
	})
}

// What is no snapshot says nothing, least of all that nothing is revoked.
func TestFeedNeedsASnapshot(t *testing.T) {
	for _, body := range []string{"{}", "null", "[]", `""`, `{"cursor":"1"}`, `{"entries":[]}`, `{"cursor":1,"entries":[]}`, `{"cursor":"1","entries":{}}`,
		`{"cursor":"1","entries":null}`, `{"cursor":"1","entries":[null]}`, `{"cursor":"1","entries":[{}]}`, `{"cursor":"1","entries":[`} {
		for _, refuse := range []int{0, 406} {
			inBubble(t, func(t *testing.T) {
				is := newIssuer(t, es())
				is.set(func(f *feedServer) { f.body, f.refuse = body, refuse })
				wants(t, newVerifier(t, is.config(t)), body, es().token(good(1)), scopes.ErrUnavailable)
			})
		}
	}
}
