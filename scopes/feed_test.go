package scopes_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safeconduct/safeconduct/scopes"
)

// synctestWait returns when all other goroutines of the bubble wait for something.
func synctestWait() { synctest.Wait() }

func revokeGrant(created time.Time, number int, until time.Duration) string {
	return fmt.Sprintf(`{"grant":%q,"until":%d}`, grantUUID(created, number), time.Now().Add(until).Unix())
}

func revokeUser(name string, before time.Time) string {
	return fmt.Sprintf(`{"user":%q,"before":%d,"until":%d}`, name, before.UnixMilli(), time.Now().Add(10*time.Minute).Unix())
}

// A revocation is known as soon as the server tells it, for tokens seen before as well, and it ends what it names only.
func TestRevocationArrivesAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.config(t))
		began := time.Now()
		one, two := es().token(good(1)), es().token(good(2))
		wants(t, v, "one", one, nil)
		wants(t, v, "two", two, nil)
		is.revoke(revokeGrant(began, 1, time.Minute))
		synctestWait()
		wants(t, v, "one, revoked", one, scopes.ErrInactive)
		wants(t, v, "another token of its grant", es().token(good(1).with("jti", `"t9"`)), scopes.ErrInactive)
		wants(t, v, "two", two, nil)
		if took := time.Since(began); took != 0 { // in a bubble, waiting for nothing takes no time
			t.Errorf("it took %v", took)
		}
	})
}

// A mark ends the grants that a user had at that moment, and none that is made later.
func TestRevocationOfAUser(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.config(t))
		old := es().token(good(1))
		wants(t, v, "before", old, nil)
		is.revoke(revokeUser("u1", time.Now()), revokeUser("another", time.Now().Add(time.Hour)))
		synctestWait()
		wants(t, v, "old", old, scopes.ErrInactive)
		time.Sleep(time.Millisecond)
		later := es().token(good(2))
		wants(t, v, "made a millisecond later", later, nil)
		is.revoke(revokeUser("u1", time.Now().Add(-time.Hour))) // comes late and changes nothing
		synctestWait()
		wants(t, v, "old still", old, scopes.ErrInactive)
		wants(t, v, "later still", later, nil)
		wants(t, v, "somebody else's", es().token(good(3).granted(time.Now().Add(-time.Hour), 3).with("sub", `"x"`)), nil)
	})
}

// The end of an epoch ends whatever a client was granted in it, also what a process grants that has not heard of it yet, and
// nothing of the next or of other clients.
func TestRevocationOfAClientsEpoch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		v := newVerifier(t, is.config(t))
		old := es().token(good(1))
		wants(t, v, "before", old, nil)
		is.revoke(fmt.Sprintf(`{"epoch":"7.1","until":%d}`, time.Now().Add(10*time.Minute).Unix()))
		synctestWait()
		wants(t, v, "old", old, scopes.ErrInactive)
		time.Sleep(time.Second)
		wants(t, v, "made later by who has not heard of it", es().token(good(2)), scopes.ErrInactive)
		wants(t, v, "of the next epoch", es().token(good(3).with("sc_epoch", `"7.2"`)), nil)
		wants(t, v, "of another client", es().token(good(4).with("sc_epoch", `"71.1"`)), nil)
	})
}

// What was revoked before the start, and what is revoked while the connection is cut, is not lost.
func TestFeedResumesWithoutLoss(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		began := time.Now()
		is.revoke(revokeGrant(began, 1, time.Hour))
		v := newVerifier(t, is.config(t))
		wants(t, v, "revoked before the start", es().token(good(1)), scopes.ErrInactive)
		tokens := make([]string, 20)
		for n := range tokens {
			tokens[n] = es().token(good(n + 2))
			wants(t, v, "good", tokens[n], nil)
		}
		if got := is.requests(); got != "stream" {
			t.Errorf("asked for %s", got)
		}
		for n := range tokens {
			is.listener.leave(true)
			synctestWait()
			is.revoke(revokeGrant(began, n+2, time.Hour))
			is.listener.leave(false)
			time.Sleep(time.Second)
			wants(t, v, fmt.Sprint("revoked during cut ", n), tokens[n], scopes.ErrInactive)
			if got, want := is.requests(), fmt.Sprint("stream from ", n+1); got != want {
				t.Errorf("asked for %s, want %s", got, want)
			}
		}
	})
}

// A server that cannot place the cursor sends the snapshot.
func TestFeedTakesTheSnapshotForAnUnknownCursor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		began := time.Now()
		is.revoke(revokeGrant(began, 1, time.Hour))
		v := newVerifier(t, is.config(t))
		wants(t, v, "two", es().token(good(2)), nil)
		is.listener.leave(true)
		synctestWait()
		is.set(func(f *feedServer) { f.dropped = 2 })
		is.revoke(revokeGrant(began, 2, time.Hour), revokeGrant(began, 3, time.Hour))
		is.requests()
		is.listener.leave(false)
		time.Sleep(time.Second)
		if got := is.requests(); got != "stream" {
			t.Errorf("asked for %s, want a stream that begins with the snapshot", got)
		}
		wants(t, v, "in the snapshot", es().token(good(3).granted(began, 3)), scopes.ErrInactive)
		wants(t, v, "known before, and not in the snapshot", es().token(good(1).granted(began, 1)), scopes.ErrInactive)
	})
}

// Where streams are refused, or held back on their way, the snapshot is polled, and the stream tried again.
func TestFeedIsPolledWhereStreamsAreRefused(t *testing.T) {
	for name, change := range map[string]func(f *feedServer){
		"406":           func(f *feedServer) { f.refuse = 406 },
		"held back":     func(f *feedServer) { f.hold = true },
		"another proxy": func(f *feedServer) { f.refuse = 501 },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				is := newIssuer(t, es())
				is.set(change)
				v := newVerifier(t, is.config(t))
				began := time.Now()
				v.Check(t.Context(), es().token(good(1))) // where it is held back, the first requests may not wait long enough
				time.Sleep(time.Second)
				token := es().token(good(2))
				wants(t, v, "polled", token, nil)
				time.Sleep(9 * time.Second)
				if got := strings.TrimPrefix(is.requests(), "held stream, "); !strings.HasPrefix(got, "snapshot, unchanged, unchanged") {
					t.Errorf("asked for %s", got)
				}
				is.revoke(revokeGrant(began, 3, time.Hour))
				time.Sleep(3 * time.Second)
				wants(t, v, "revoked", es().token(good(3).granted(began, 3)), scopes.ErrInactive)
				for range 120 {
					time.Sleep(time.Second)
					wants(t, v, "all the time", es().token(good(4)), nil)
				}
				is.set(func(f *feedServer) { f.refuse, f.hold = 0, false })
				is.requests()
				time.Sleep(70 * time.Second)
				if got := is.requests(); !strings.HasSuffix(got, "stream") || strings.Contains(got, "held") {
					t.Errorf("asked for %s, want a stream at last", got)
				}
			})
		})
	}
}

// An entry that can concern no token any more is forgotten, but not while the leeway lets its tokens pass.
func TestFeedForgetsLapsedEntries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		config := is.config(t)
		config.Leeway = time.Minute
		v := newVerifier(t, config)
		began := time.Now()
		short := good(1).with("exp", fmt.Sprint(began.Unix()+30))
		wants(t, v, "good", es().token(short), nil)
		is.revoke(revokeGrant(began, 1, 30*time.Second))
		is.set(func(f *feedServer) { f.dropped = 1 })
		// No honest server issues this: it outlives its entry, and so shows when that is forgotten.
		long := es().token(short.with("exp", fmt.Sprint(began.Unix()+3600)))
		for range 89 {
			time.Sleep(time.Second)
			wants(t, v, "expired and revoked, within the leeway", es().token(short), scopes.ErrInactive)
			wants(t, v, "the entry is kept", long, scopes.ErrInactive)
		}
		time.Sleep(75 * time.Second)
		wants(t, v, "the entry is forgotten", long, nil)
	})
}

// A snapshot of many entries is taken over while requests pass, and each of them counts.
func TestFeedTakesALargeSnapshot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		is := newIssuer(t, es())
		const many = 20_000
		entries := make([]string, many)
		for n := range entries {
			entries[n] = revokeGrant(time.Now(), n, time.Hour)
		}
		is.revoke(entries...)
		v := newVerifier(t, is.config(t))
		for _, n := range []int{0, 999, 1000, 1001, many - 1} {
			wants(t, v, fmt.Sprint(n), es().token(good(n)), scopes.ErrInactive)
		}
		wants(t, v, "none of them", es().token(good(many)), nil)
	})
}
