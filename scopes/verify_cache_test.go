package scopes_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// A token that was seen before costs no signature, and dies in time: with its expiry and with its entry of the feed.
func TestSeenTokenDiesInTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.config(t))
		token := es().token(good(1))
		for range 600 {
			wants(t, v, "until it expires", token, nil)
			time.Sleep(time.Second)
		}
		time.Sleep(9 * time.Second)
		wants(t, v, "within the leeway", token, nil)
		time.Sleep(time.Second)
		wants(t, v, "expired", token, scopes.ErrInactive)

		began := time.Now()
		token = es().token(good(2))
		wants(t, v, "first", token, nil)
		wants(t, v, "again", token, nil)
		is.revoke(revokeGrant(began, 2, time.Hour))
		synctestWait()
		wants(t, v, "revoked", token, scopes.ErrInactive)
	})
}

// A signature that was good says nothing of the same claims under another.
func TestSeenTokenIsItsWholeText(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		v := newVerifier(t, newIssuer(t, es()).feedless(t))
		token := es().token(good(1))
		wants(t, v, "good", token, nil)
		for _, other := range []string{token[:len(token)-4] + "AAAA", token + "A", token[:len(token)-1], token + "=", " " + token, "." + token} {
			wants(t, v, "another", other, scopes.ErrInactive)
		}
		wants(t, v, "good again", token, nil)
	})
}

// Many requests share a Verifier, and each handler may do with its Token as it likes.
func TestVerifierIsSafeForConcurrentUse(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		config := is.config(t)
		config.CacheSize = 4
		v := newVerifier(t, config)
		began := time.Now()
		var all sync.WaitGroup
		for n := range 32 {
			token := es().token(good(n%8).with("sub", fmt.Sprintf(`"u%d"`, n%8), "x", "1"))
			all.Go(func() {
				for range 20 {
					got, err := v.Check(t.Context(), token)
					if err != nil {
						t.Error(err)
						return
					}
					if got.Subject != fmt.Sprint("u", n%8) || got.Audience[0] != audience || len(got.Extra) != 1 || string(got.Extra["x"]) != "1" {
						t.Errorf("got %+v, which another request has changed", got)
						return
					}
					got.Subject, got.Audience[0], got.Extra["x"][0] = "mallory", "elsewhere", '2'
				}
			})
		}
		all.Go(func() {
			for n := range 100 {
				is.revoke(revokeGrant(began, 1000+n, time.Minute))
			}
		})
		all.Wait()
	})
}

// The memory for tokens is bounded, however many come.
func TestSeenTokensAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		config := newIssuer(t, ed()).feedless(t)
		config.CacheSize = 50
		v := newVerifier(t, config)
		padding := fmt.Sprintf(`"%02000d"`, 0)
		size := func(from, to int) uint64 {
			for n := from; n < to; n++ {
				wants(t, v, "good", ed().token(good(n).with("x", padding)), nil)
			}
			var stats runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&stats)
			return stats.HeapAlloc
		}
		before := size(0, 100)
		if after := size(100, 1100); after > before+1<<20 { // 1,000 tokens of 3 KB would be 3 MB
			t.Errorf("the heap grew from %d to %d bytes", before, after)
		}
	})
}
