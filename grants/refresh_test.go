package grants_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
)

// RFC 9700 §4.14.2: each refresh of a public client gives a new refresh token, and the new pair works.
func TestRefreshRotates(t *testing.T) {
	b := onBolt(t)
	first := b.issue(public(), ada)
	second := b.mustRefresh(public(), first.Refresh)
	if second.Refresh == first.Refresh || second.Access == first.Access {
		t.Error("a rotation repeated a token")
	}
	if !b.good(second.Access) || !b.good(first.Access) {
		t.Error("access tokens of a live grant are not good")
	}
	b.mustRefresh(public(), second.Refresh)
}

// A lost answer is asked for again: inside the window the same question has the same answer, byte for byte.
func TestRefreshInsideTheWindowRepeatsTheAnswer(t *testing.T) {
	b := onBolt(t)
	first := b.issue(public(), ada)
	second := b.mustRefresh(public(), first.Refresh)
	b.clock.Advance(29 * time.Second)
	again := b.mustRefresh(public(), first.Refresh)
	if again.Access != second.Access || again.Refresh != second.Refresh || again.Life != second.Life || !again.Expires.Equal(second.Expires) {
		t.Errorf("got another answer inside the window:\n%+v\n%+v", again, second)
	}
	if n := b.store.swaps.Load(); n != 1 {
		t.Errorf("%d rotations written, want 1", n)
	}
}

// RFC 9700 §4.14.2, OWASP ASVS 10.4.5: a rotated token of a public client that comes back outside the window ends
// everything that hangs on it.
func TestRefreshOutsideTheWindowEndsTheGrant(t *testing.T) {
	b := onBolt(t)
	first := b.issue(public(), ada)
	second := b.mustRefresh(public(), first.Refresh)
	b.clock.Advance(31 * time.Second)
	b.mustRefuse(public(), first.Refresh)
	b.mustRefuse(public(), second.Refresh)
	if b.good(first.Access) || b.good(second.Access) {
		t.Error("an access token outlived its family")
	}
	if !b.events.has(grants.EventRefreshReused, true) {
		t.Error("reuse was not reported")
	}
}

// A client that authenticates itself is no thief of its own tokens: it may repeat a token as late as it likes, and an
// older one is refused without harm.
func TestAnAuthenticatedClientsReuseDoesNotEndTheGrant(t *testing.T) {
	b := onBolt(t)
	terms := confidential()
	terms.Rotate = true
	first := b.issue(terms, ada)
	second := b.mustRefresh(terms, first.Refresh)
	b.clock.Advance(time.Hour)
	late := b.mustRefresh(terms, first.Refresh)
	if late.Refresh != second.Refresh {
		t.Error("a late repetition gave another refresh token")
	}
	if !b.good(late.Access) {
		t.Error("a late repetition gave a dead access token")
	}
	third := b.mustRefresh(terms, second.Refresh)
	b.clock.Advance(time.Hour)
	b.mustRefuse(terms, first.Refresh)
	b.mustRefresh(terms, third.Refresh)
}

// A request that was overtaken by two others of the same client is refused, but nobody is logged out.
func TestAnOlderTokenInsideTheWindowIsRefusedAndTheGrantLives(t *testing.T) {
	b := onBolt(t)
	first := b.issue(public(), ada)
	third := b.mustRefresh(public(), b.mustRefresh(public(), first.Refresh).Refresh)
	b.mustRefuse(public(), first.Refresh)
	if !b.events.has(grants.EventRefreshOld, false) {
		t.Error("the old token was not reported")
	}
	b.mustRefresh(public(), third.Refresh)
}

// Without rotation the refresh token stays, and most refreshes write nothing.
func TestWithoutRotationARefreshWritesOnlyToExtendTheIdleLife(t *testing.T) {
	b := onBolt(t)
	first := b.issue(confidential(), ada)
	for range 10 {
		b.clock.Advance(time.Hour)
		next := b.mustRefresh(confidential(), first.Refresh)
		if next.Refresh != first.Refresh || !b.good(next.Access) {
			t.Fatal("an unrotated refresh gave another refresh token or a dead access token")
		}
	}
	if n := b.store.swaps.Load(); n != 0 {
		t.Errorf("%d writes within the first hours, want none", n)
	}
	for range 6 { // used once a week, it lives on until its absolute end
		b.clock.Advance(7 * 24 * time.Hour)
		b.mustRefresh(confidential(), first.Refresh)
	}
}

// RFC 6749 §6: a refresh may narrow, the next one has everything again, and a narrowed access token stays narrow.
func TestNarrowingTouchesTheAccessTokenOnly(t *testing.T) {
	for name, terms := range map[string]grants.Terms{"rotating": public(), "not rotating": confidential()} {
		t.Run(name, func(t *testing.T) {
			b := onBolt(t)
			first := b.issue(terms, ada)
			narrow := b.mustRefresh(terms, first.Refresh, 2)
			full := b.mustRefresh(terms, narrow.Refresh)
			for token, want := range map[string]int{narrow.Access: 1, full.Access: 3, first.Access: 3} {
				got, err := b.grants.Check(b.ctx, token)
				if err != nil || len(got.Scopes) != want {
					t.Errorf("got %+v, %v; want %d scopes", got, err, want)
				}
			}
		})
	}
}

// RFC 6749 §6: what was not granted cannot be asked for; the attempt costs nothing.
func TestRefreshCannotWiden(t *testing.T) {
	b := onBolt(t)
	first := b.issue(public(), ada)
	if _, err := b.refresh(public(), first.Refresh, 1, 4); !errors.Is(err, grants.ErrScope) {
		t.Errorf("scope: got %v, want ErrScope", err)
	}
	_, err := b.grants.Refresh(b.ctx, first.Refresh, grants.Presenter{Client: app, Terms: public()}, grants.Ask{Resources: []uint32{3}})
	if !errors.Is(err, grants.ErrResource) {
		t.Errorf("resource: got %v, want ErrResource", err)
	}
	b.mustRefresh(public(), first.Refresh)
}

// A repetition that asks for less than the answer that it missed gets a further access token of the same generation.
func TestARepetitionWithOtherScopesGetsAFurtherAccessToken(t *testing.T) {
	b := onBolt(t)
	first := b.issue(public(), ada)
	second := b.mustRefresh(public(), first.Refresh)
	narrow := b.mustRefresh(public(), first.Refresh, 1)
	if narrow.Refresh != second.Refresh || narrow.Access == second.Access {
		t.Error("want the same refresh token and another access token")
	}
	if again := b.mustRefresh(public(), first.Refresh, 1); again.Access != narrow.Access {
		t.Error("the narrowed question has two answers")
	}
}

// The list of narrowed tokens is bounded: the oldest gives way, and never widens. A question that is asked again takes
// no further place.
func TestNarrowedTokensAreBounded(t *testing.T) {
	b := onBolt(t)
	first := b.issue(confidential(), ada)
	by := grants.Presenter{Client: app, Terms: confidential()}
	var tokens []string
	for _, resources := range [][]uint32{{1}, {2}, {1, 2}} {
		for _, scopes := range [][]uint32{{1}, {2}, {3}, {1, 2}, {1, 3}, {2, 3}} {
			for range 3 {
				got, err := b.grants.Refresh(b.ctx, first.Refresh, by, grants.Ask{Scopes: scopes, Resources: resources})
				if err != nil {
					t.Fatal(err)
				}
				tokens = append(tokens, got.Access)
				b.clock.Advance(time.Second)
			}
		}
	}
	for i, token := range tokens {
		got, err := b.grants.Check(b.ctx, token)
		if want := i >= 3*2; (err == nil) != want {
			t.Errorf("token %d: good = %v, want %v", i, err == nil, want)
		}
		if err == nil && len(got.Scopes) == 3 {
			t.Error("a narrowed token widened")
		}
	}
}

// RFC 6749 §5.1: expires_in is the truth also in the last minutes of a grant.
func TestALifeDoesNotReachBeyondTheGrant(t *testing.T) {
	b := onBolt(t)
	for name, terms := range map[string]grants.Terms{"rotating": public(), "not rotating": confidential()} {
		terms.Absolute = 10 * time.Minute
		first := b.issue(terms, ada)
		if first.Life > 10*time.Minute {
			t.Errorf("%s: life %v, the grant ends in 10 minutes", name, first.Life)
		}
		b.clock.Advance(8 * time.Minute)
		if next := b.mustRefresh(terms, first.Refresh); next.Life > 2*time.Minute {
			t.Errorf("%s: life %v, the grant ends in 2 minutes", name, next.Life)
		}
	}
}

// RFC 6749 §6 and §10.4: a refresh token works for its client alone, and another's attempt does it no harm.
func TestRefreshIsBoundToItsClient(t *testing.T) {
	b := onBolt(t)
	first := b.issue(public(), ada)
	_, err := b.grants.Refresh(b.ctx, first.Refresh, grants.Presenter{Client: otherApp, Terms: public()}, grants.Ask{})
	if !errors.Is(err, grants.ErrInvalid) {
		t.Fatalf("got %v, want ErrInvalid", err)
	}
	if !b.events.has(grants.EventWrongClient, false) {
		t.Error("the attempt was not reported")
	}
	b.mustRefresh(public(), first.Refresh)
}

// A grant that nobody refreshes ends after its idle life; no refresh takes it beyond its absolute end.
func TestIdleAndAbsoluteLifetime(t *testing.T) {
	b := onBolt(t)
	unused := b.issue(public(), ada)
	b.clock.Advance(idle + time.Second)
	b.mustRefuse(public(), unused.Refresh)

	used := b.issue(public(), ada)
	last := used
	for range 12 {
		b.clock.Advance(7 * 24 * time.Hour)
		last = b.mustRefresh(public(), last.Refresh)
	}
	b.clock.Advance(5*24*time.Hour + 23*time.Hour + 50*time.Minute)
	last = b.mustRefresh(public(), last.Refresh)
	if end := last.Grant.Created.Add(absolute); last.Expires.After(end.Add(time.Second)) {
		t.Errorf("an access token lives until %v, beyond its grant's end %v", last.Expires, end)
	}
	b.clock.Advance(11 * time.Minute)
	b.mustRefuse(public(), last.Refresh)
}

// The window is the client's own: 0 means that no repetition is forgiven.
func TestAWindowOfZeroForgivesNothing(t *testing.T) {
	b := onBolt(t)
	terms := public()
	terms.Window = 0
	first := b.issue(terms, ada)
	b.mustRefresh(terms, first.Refresh)
	b.clock.Advance(time.Second)
	b.mustRefuse(terms, first.Refresh)
	if !b.events.has(grants.EventRefreshReused, true) {
		t.Error("reuse was not reported")
	}
}

// Rotations within one millisecond are told apart by their generation, not by a clock.
func TestRotationsWithinOneMillisecondAreOrdered(t *testing.T) {
	b := onBolt(t)
	tokens := []grants.Tokens{b.issue(public(), ada)}
	for range 50 {
		tokens = append(tokens, b.mustRefresh(public(), tokens[len(tokens)-1].Refresh))
	}
	seen := map[string]bool{}
	for _, token := range tokens {
		if seen[token.Refresh] || seen[token.Access] {
			t.Fatal("two rotations gave the same token")
		}
		seen[token.Refresh], seen[token.Access] = true, true
	}
}

// Ten thousand tabs of one client refresh at once: one successor for all, no error, and exactly one rotation written.
func TestTenThousandConcurrentRefreshesGiveOneSuccessor(t *testing.T) {
	onEngines(t, func(b *bench) {
		const callers = 10_000
		first := b.issue(public(), ada)
		before := b.store.swaps.Load()
		var wait sync.WaitGroup
		answers := make([]grants.Tokens, callers)
		failures := make([]error, callers)
		start := make(chan struct{})
		for i := range callers {
			wait.Go(func() {
				<-start
				answers[i], failures[i] = b.refresh(public(), first.Refresh)
			})
		}
		close(start)
		wait.Wait()
		for i := range callers {
			if failures[i] != nil {
				b.t.Fatalf("caller %d: %v", i, failures[i])
			}
			if answers[i].Refresh != answers[0].Refresh || answers[i].Access != answers[0].Access {
				b.t.Fatal("one refresh token has two successors")
			}
		}
		if n := b.store.swaps.Load() - before; n != 1 {
			b.t.Errorf("%d rotations written, want exactly 1", n)
		}
	})
}

// keycloak's race: a refresh that was under way when the grant was revoked must not bring it back.
func TestRefreshRacingRevocationLeavesNothingAlive(t *testing.T) {
	onEngines(t, func(b *bench) {
		for range 200 {
			first := b.issue(public(), uuid.Nil)
			var wait sync.WaitGroup
			got := make([]grants.Tokens, 4)
			for i := range got {
				wait.Go(func() { got[i], _ = b.refresh(public(), first.Refresh) })
			}
			wait.Go(func() {
				if err := b.grants.Revoke(b.ctx, first.Refresh, app); err != nil {
					b.t.Errorf("revoke: %v", err)
				}
			})
			wait.Wait()
			for _, tokens := range append(got, first) {
				if tokens.Access != "" && b.good(tokens.Access) {
					b.t.Fatal("an access token outlived the revocation")
				}
			}
		}
	})
}
