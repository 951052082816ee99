package grants_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/store"
)

// A machine's grant has no user and no refresh token, and is in no index.
func TestAMachinesGrant(t *testing.T) {
	b := onBolt(t)
	tokens, err := b.grants.Issue(b.ctx, grants.Delegation{Client: app, Scopes: []uint32{1}, Resources: []uint32{1}, Terms: confidential()})
	if err != nil || tokens.Refresh != "" || tokens.Grant.User != uuid.Nil || !b.good(tokens.Access) {
		t.Fatalf("got %+v, %v", tokens, err)
	}
	b.clock.Advance(access + 2*time.Second)
	if b.good(tokens.Access) {
		t.Error("an access token outlived its time")
	}
}

// RFC 7009 §2.1: revoking any token of a grant ends all of it, at once; also one that was just rotated.
func TestRevokingAnyTokenEndsTheGrant(t *testing.T) {
	for name, pick := range map[string]func(first, second grants.Tokens) string{
		"the access token":        func(_, second grants.Tokens) string { return second.Access },
		"the refresh token":       func(_, second grants.Tokens) string { return second.Refresh },
		"a rotated refresh token": func(first, _ grants.Tokens) string { return first.Refresh },
		"an earlier access token": func(first, _ grants.Tokens) string { return first.Access },
	} {
		t.Run(name, func(t *testing.T) {
			b := onBolt(t)
			first := b.issue(public(), ada)
			second := b.mustRefresh(public(), first.Refresh)
			if err := b.grants.Revoke(b.ctx, pick(first, second), app); err != nil {
				t.Fatal(err)
			}
			if b.good(first.Access) || b.good(second.Access) {
				t.Error("an access token outlived its grant")
			}
			b.mustRefuse(public(), second.Refresh)
		})
	}
}

// RFC 7009 §2.1: another client's token stays as good as it was.
func TestAClientCannotRevokeAnothersToken(t *testing.T) {
	b := onBolt(t)
	tokens := b.issue(public(), ada)
	if err := b.grants.Revoke(b.ctx, tokens.Refresh, otherApp); !errors.Is(err, grants.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	if !b.good(tokens.Access) {
		t.Error("a stranger revoked the token")
	}
	if err := b.grants.RevokeAny(b.ctx, tokens.Access); err != nil || b.good(tokens.Access) {
		t.Errorf("the operator could not revoke: %v", err)
	}
}

// What is not a token, or not one any more, is revoked already.
func TestRevokingWhatIsNotGoodSucceeds(t *testing.T) {
	b := onBolt(t)
	tokens := b.issue(public(), ada)
	for range 2 {
		if err := b.grants.Revoke(b.ctx, tokens.Refresh, app); err != nil {
			t.Errorf("revoke: %v", err)
		}
	}
	for _, text := range []string{"", "x", "sca_garbage", tokens.Access + "x"} {
		if err := b.grants.Revoke(b.ctx, text, app); err != nil {
			t.Errorf("revoke %q: %v", text, err)
		}
	}
}

// A user or client that is disabled, gone or of a later epoch has no good tokens, whatever the store still holds.
func TestNothingWorksForWhoDoesNotStand(t *testing.T) {
	later := grants.Standing{Epoch: 1, Enabled: true}
	for name, fall := range map[string]func(b *bench){
		"user disabled":   func(b *bench) { b.parties.setUser(ada, grants.Standing{}) },
		"user's epoch":    func(b *bench) { b.parties.setUser(ada, later) },
		"client disabled": func(b *bench) { b.parties.setClient(app, grants.Standing{}) },
		"client's epoch":  func(b *bench) { b.parties.setClient(app, later) },
	} {
		t.Run(name, func(t *testing.T) {
			b := onBolt(t)
			tokens, code := b.issue(public(), ada), b.code(ada)
			fall(b)
			if b.good(tokens.Access) {
				t.Error("the access token works")
			}
			b.mustRefuse(public(), tokens.Refresh)
			if _, err := b.redeem(code); !errors.Is(err, grants.ErrInvalid) {
				t.Errorf("the code works: %v", err)
			}
		})
	}
}

// An act that ends everything of a user raises the epoch, lists and deletes. A grant that is being made meanwhile is not
// listed yet: it finds the new epoch itself, and is refused and gone.
func TestAnIssueThatRacesWithEndingAllIsRefused(t *testing.T) {
	b := onBolt(t)
	b.parties.onFresh = func() {
		b.parties.setUser(ada, grants.Standing{Epoch: 1, Enabled: true})
		if err := b.grants.EndUser(b.ctx, ada); err != nil {
			t.Error(err)
		}
	}
	_, err := b.grants.Issue(b.ctx, grants.Delegation{User: ada, Client: app, Scopes: []uint32{1}, Resources: []uint32{1}, Terms: public()})
	if !errors.Is(err, grants.ErrInvalid) {
		t.Fatalf("got %v, want ErrInvalid", err)
	}
	b.parties.onFresh = nil
	if list := b.list(); len(list) != 0 {
		t.Errorf("a refused grant is left: %v", list)
	}
}

// The end of all grants leaves the name of a grant that is still on its way: if its user has logged in again since, that
// grant lives, and must be listed.
func TestEndingAllKeepsTheNameOfAGrantOnTheWay(t *testing.T) {
	b := onBolt(t)
	b.store.crashAt.Store(b.store.calls.Load() + 2) // after the name, before the record
	if _, err := b.grants.Issue(b.ctx, grants.Delegation{User: ada, Client: app, Scopes: []uint32{1}, Resources: []uint32{1}, Refreshable: true, Terms: public()}); !errors.Is(err, errCrashed) {
		t.Fatalf("got %v", err)
	}
	b.store.crashAt.Store(0)
	names := func() int {
		members, err := b.store.Members(b.ctx, "u"+string(ada[:]), "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(members)
	}
	if err := b.grants.EndUser(b.ctx, ada); err != nil || names() != 1 {
		t.Errorf("a name on the way: %v, %d left, want 1", err, names())
	}
	b.clock.Advance(2 * time.Minute)
	if err := b.grants.EndUser(b.ctx, ada); err != nil || names() != 0 {
		t.Errorf("a name that a crash left: %v, %d left, want none", err, names())
	}
}

func (b *bench) list() []grants.Grant {
	b.t.Helper()
	list, err := b.grants.List(b.ctx, ada, grants.Cursor{}, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// A user sees the grants that are live, page by page, and ends one of them without touching the others.
func TestAUserListsAndEndsGrants(t *testing.T) {
	onEngines(t, func(b *bench) {
		var tokens []grants.Tokens
		for range 7 {
			tokens = append(tokens, b.issue(public(), ada))
		}
		var seen []uuid.UUID
		for cursor := (grants.Cursor{}); ; {
			page, err := b.grants.List(b.ctx, ada, cursor, 3)
			if err != nil {
				b.t.Fatal(err)
			}
			for _, g := range page {
				seen = append(seen, g.ID)
			}
			if len(page) < 3 {
				break
			}
			if cursor, err = grants.ParseCursor(page[2].Cursor()); err != nil {
				b.t.Fatal(err)
			}
		}
		if len(seen) != 7 || len(slices.Compact(slices.Clone(seen))) != 7 {
			b.t.Fatalf("listed %v", seen)
		}
		if found, err := b.grants.End(b.ctx, ada, tokens[3].Grant.ID); err != nil || !found {
			b.t.Fatalf("end: %v, %v", found, err)
		}
		if found, err := b.grants.End(b.ctx, uuid.New(), tokens[2].Grant.ID); err != nil || found {
			b.t.Errorf("a stranger ended a grant: %v, %v", found, err)
		}
		for i, token := range tokens {
			if b.good(token.Access) != (i != 3) {
				b.t.Errorf("grant %d: wrong one ended", i)
			}
		}
		if err := b.grants.EndUser(b.ctx, ada); err != nil {
			b.t.Fatal(err)
		}
		if list := b.list(); len(list) != 0 {
			b.t.Errorf("left after ending all: %v", list)
		}
	})
}

// At most 25 grants of a user live for one client: one more ends the oldest, and no other client's.
func TestGrantsPerUserAndClientAreCapped(t *testing.T) {
	b := onBolt(t)
	other, err := b.grants.Issue(b.ctx, grants.Delegation{User: ada, Client: otherApp, Scopes: []uint32{1}, Resources: []uint32{1}, Refreshable: true, Terms: public()})
	if err != nil {
		t.Fatal(err)
	}
	var tokens []grants.Tokens
	for range grants.CapPerClient + 3 {
		tokens = append(tokens, b.issue(public(), ada))
		b.clock.Advance(time.Second)
	}
	for i, token := range tokens {
		if want := i >= 3; b.good(token.Access) != want {
			t.Errorf("grant %d: good = %v, want %v", i, !want, want)
		}
	}
	if !b.good(other.Access) {
		t.Error("another client's grant was ended")
	}
	if n := len(b.list()); n != grants.CapPerClient+1 {
		t.Errorf("%d grants live, want %d", n, grants.CapPerClient+1)
	}
}

// A process that is killed between any two store calls of an issue, a redemption or the end of all grants, or of all of a client, leaves nothing
// that works and is not listed, and the same request succeeds afterwards.
func TestACrashBetweenAnyTwoStoreCallsIsHarmless(t *testing.T) {
	acts := map[string]func(b *bench, code string) error{
		"issue": func(b *bench, _ string) error {
			_, err := b.grants.Issue(b.ctx, grants.Delegation{User: ada, Client: app, Scopes: []uint32{1}, Resources: []uint32{1}, Refreshable: true, Terms: public()})
			return err
		},
		"issue in a session": func(b *bench, _ string) error { _, err := b.grants.Issue(b.ctx, inSession(false)); return err },
		"issue a key":        func(b *bench, _ string) error { _, _, err := b.issueKey("script"); return err },
		"redeem":             func(b *bench, code string) error { _, err := b.redeem(code); return err },
		"end all":            func(b *bench, _ string) error { return b.grants.EndUser(b.ctx, ada) },
		"end client":         func(b *bench, _ string) error { _, err := b.grants.EndClient(b.ctx, ada, app); return err },
	}
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			for crashAt := int64(1); ; crashAt++ {
				b := onBolt(t)
				code := b.code(ada)
				earlier := b.issue(public(), ada)
				b.store.crashAt.Store(b.store.calls.Load() + crashAt)
				err := act(b, code)
				b.store.crashAt.Store(0)
				if err == nil {
					if crashAt == 1 {
						t.Fatal("the act made no store call")
					}
					return
				}
				if !errors.Is(err, errCrashed) {
					t.Fatalf("crash at call %d: %v", crashAt, err)
				}
				// Whatever record is left is listed, so that it can be ended.
				if err := act(b, code); err != nil && !(name == "redeem" && errors.Is(err, grants.ErrInvalid)) {
					t.Errorf("crash at call %d: the repeated request failed: %v", crashAt, err)
				}
				if strings.HasPrefix(name, "end") && b.good(earlier.Access) {
					t.Errorf("crash at call %d: a token outlived the repeated end", crashAt)
				}
				if err := b.grants.EndUser(b.ctx, ada); err != nil {
					t.Fatal(err)
				}
				if b.good(earlier.Access) || len(b.list()) != 0 {
					t.Errorf("crash at call %d: something is left", crashAt)
				}
			}
		})
	}
}

// Store trouble is the store's, never the token's.
func TestAStoreInTroubleIsNotAnInvalidToken(t *testing.T) {
	b := onBolt(t)
	tokens, code := b.issue(public(), ada), b.code(ada)
	b.store.Close()
	_, check := b.grants.Check(b.ctx, tokens.Access)
	_, refresh := b.refresh(public(), tokens.Refresh)
	_, redeem := b.redeem(code)
	revoke := b.grants.Revoke(b.ctx, tokens.Refresh, app)
	_, issue := b.grants.Issue(b.ctx, grants.Delegation{Client: app, Terms: public()})
	for name, err := range map[string]error{"check": check, "refresh": refresh, "redeem": redeem, "revoke": revoke, "issue": issue} {
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, grants.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
}

// A system secret is rotated without logging anybody out: the first signs, all verify; what a dropped one signed ends.
func TestSystemSecretsRotate(t *testing.T) {
	b := onBolt(t)
	older, newer := keys.NewSecret(), keys.NewSecret()
	for _, err := keys.NewRing(older, newer); err != nil; _, err = keys.NewRing(older, newer) {
		newer = keys.NewSecret() // one in 256 pairs shares an id, which a ring refuses
	}
	ring := func(secrets ...keys.Secret) *keys.Ring {
		r, err := keys.NewRing(secrets...)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	b.grants = b.with(ring(older))
	first := b.issue(public(), ada)
	b.grants = b.with(ring(newer, older))
	if !b.good(first.Access) {
		t.Error("a token of the older secret was refused")
	}
	second := b.mustRefresh(public(), first.Refresh)
	b.grants = b.with(ring(newer))
	if b.good(first.Access) || !b.good(second.Access) {
		t.Error("after the older secret was dropped, want its tokens refused and the newer one's good")
	}
}
