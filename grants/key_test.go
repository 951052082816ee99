package grants_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/store"
)

const keyLife = 90 * 24 * time.Hour

func (b *bench) issueKey(label string) (string, grants.Grant, error) {
	return b.grants.IssueKey(b.ctx, grants.Delegation{User: ada, Scopes: []uint32{2, 1}, Resources: []uint32{1}}, grants.Key{Label: label, Life: keyLife})
}

// key makes an API key of ada's own.
func (b *bench) key(label string) string {
	b.t.Helper()
	text, _, err := b.issueKey(label)
	if err != nil {
		b.t.Fatalf("issue key: %v", err)
	}
	return text
}

func (b *bench) lastUsed() time.Time {
	b.t.Helper()
	list := b.list()
	if len(list) == 0 {
		b.t.Fatal("no key is listed")
	}
	return list[0].LastUsed
}

// An API key is good until its end, for what it was made for, and is listed by its name. Whether any client stands does
// not matter to it.
func TestAnAPIKeyIsGoodUntilItsEnd(t *testing.T) {
	onEngines(t, func(b *bench) {
		text, made, err := b.issueKey("backup script")
		if err != nil || !strings.HasPrefix(text, "sck_") {
			b.t.Fatalf("%q, %v", text, err)
		}
		b.parties.setClient(0, grants.Standing{})
		token, err := b.grants.Check(b.ctx, text)
		if err != nil {
			b.t.Fatal(err)
		}
		if !token.Key || token.Label != "backup script" || token.User != ada || token.Client != 0 || token.Narrowed ||
			len(token.Scopes) != 2 || token.Refreshable || !token.Expires.Equal(made.Ends) {
			b.t.Errorf("got %+v", token)
		}
		if list := b.list(); len(list) != 1 || list[0].ID != made.ID || list[0].Label != "backup script" || !list[0].Key {
			b.t.Errorf("listed %+v", list)
		}
		if b.clock == nil {
			return
		}
		b.clock.Advance(keyLife - time.Second)
		if !b.good(text) {
			b.t.Error("ended early")
		}
		b.clock.Advance(3 * time.Second)
		before := b.store.reads.Load()
		if b.good(text) || b.store.reads.Load() != before {
			b.t.Error("outlived its end, or cost a read after it")
		}
		if list := b.list(); len(list) != 0 {
			b.t.Errorf("listed after its end: %+v", list)
		}
	})
}

// An API key has a name that can be shown, and an end.
func TestAnAPIKeyNeedsANameAndAnEnd(t *testing.T) {
	b := onBolt(t)
	for name, c := range map[string]struct {
		key   grants.Key
		field string
	}{
		"no name":         {grants.Key{Life: keyLife}, "name"},
		"a long name":     {grants.Key{Label: strings.Repeat("é", 101), Life: keyLife}, "name"},
		"a line break":    {grants.Key{Label: "a\nb", Life: keyLife}, "name"},
		"no UTF-8":        {grants.Key{Label: "a\xff", Life: keyLife}, "name"},
		"blanks":          {grants.Key{Label: " a", Life: keyLife}, "name"},
		"hidden reversal": {grants.Key{Label: "a\u202eb", Life: keyLife}, "name"},
		"no end":          {grants.Key{Label: "a"}, "lifetime"},
		"a late end":      {grants.Key{Label: "a", Life: grants.KeyLifeMax + 1}, "lifetime"},
	} {
		_, _, err := b.grants.IssueKey(b.ctx, grants.Delegation{User: ada}, c.key)
		var invalid *store.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != c.field {
			t.Errorf("%s: got %v, want %s refused", name, err, c.field)
		}
	}
	for _, label := range []string{"a", strings.Repeat("é", 100), "build on 木曜日"} {
		if _, _, err := b.issueKey(label); err != nil {
			t.Errorf("%q: %v", label, err)
		}
	}
	for name, d := range map[string]grants.Delegation{"nobody": {}, "both": {User: ada, Client: app}} {
		if _, _, err := b.grants.IssueKey(b.ctx, d, grants.Key{Label: "a", Life: keyLife}); err == nil {
			t.Errorf("a key of %s was made", name)
		}
	}
}

// A client's own key falls with the client; a user's with the user.
func TestAnAPIKeyFallsWithItsOwner(t *testing.T) {
	b := onBolt(t)
	own, _, err := b.grants.IssueKey(b.ctx, grants.Delegation{Client: app, Scopes: []uint32{1}}, grants.Key{Label: "nightly", Life: keyLife})
	if err != nil || !b.good(own) {
		t.Fatalf("a client's key: %v", err)
	}
	users := b.key("script")
	b.parties.setClient(app, grants.Standing{Epoch: 1, Enabled: true})
	if b.good(own) || !b.good(users) {
		t.Error("after the client's new epoch, want its key refused and the user's good")
	}
	b.parties.setUser(ada, grants.Standing{Epoch: 1, Enabled: true})
	if b.good(users) {
		t.Error("after the user's new epoch, the key is good")
	}
	if err := b.grants.EndUser(b.ctx, ada); err != nil || len(b.list()) != 0 {
		t.Errorf("the key is left: %v", err)
	}
}

// A key that races with the end of all that is its user's is refused, like any grant.
func TestAnAPIKeyThatRacesWithEndingAllIsRefused(t *testing.T) {
	b := onBolt(t)
	b.parties.onFresh = func() { b.parties.setUser(ada, grants.Standing{Epoch: 1, Enabled: true}) }
	_, _, err := b.issueKey("script")
	b.mustBeInvalid("issue", err)
	if list := b.list(); len(list) != 0 {
		t.Errorf("left: %v", list)
	}
}

// A user has at most 100 keys; one more is refused, ends none, and there is room again when one has ended. Grants for
// clients do not count, and neither do two that come at once make a 101st.
func TestAPIKeysPerOwnerAreCapped(t *testing.T) {
	b := onBolt(t)
	for range 3 {
		b.issue(public(), ada)
	}
	first := b.key("first")
	for range grants.KeysPerOwner - 2 {
		b.key("more")
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, _, err := b.issueKey("last"); err != nil && !errors.Is(err, grants.ErrTooMany) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := len(b.list()); n > grants.KeysPerOwner+3 || n < grants.KeysPerOwner+2 {
		t.Errorf("%d grants", n)
	}
	if len(b.list()) == grants.KeysPerOwner+2 {
		b.key("last") // all four gave way to each other
	}
	if _, _, err := b.issueKey("one too many"); !errors.Is(err, grants.ErrTooMany) {
		t.Errorf("got %v, want ErrTooMany", err)
	}
	if !b.good(first) || b.indexed() != grants.KeysPerOwner+3 {
		t.Errorf("the oldest was ended, or a name is left: %d", b.indexed())
	}
	if err := b.grants.RevokeAny(b.ctx, first); err != nil || b.good(first) {
		t.Fatal(err)
	}
	b.key("room again")
}

// The last use is noted about once a minute, and the key works on after it.
func TestTheLastUseOfAnAPIKeyIsNoted(t *testing.T) {
	b := onBolt(t)
	key := b.key("script")
	if !b.lastUsed().IsZero() {
		t.Error("used before its use")
	}
	b.good(key)
	first := b.lastUsed()
	if first.IsZero() || b.store.swaps.Load() != 1 {
		t.Fatalf("the first use: %v, %d writes", first, b.store.swaps.Load())
	}
	b.clock.Advance(59 * time.Second)
	if b.good(key); b.store.swaps.Load() != 1 {
		t.Error("a use within the minute was written")
	}
	b.clock.Advance(2 * time.Second)
	if b.good(key); b.store.swaps.Load() != 2 || b.lastUsed().Sub(first) < time.Minute {
		t.Errorf("a use after the minute: %v", b.lastUsed())
	}
	b.clock.Advance(time.Hour)
	if b.parties.setUser(ada, grants.Standing{}); b.good(key) || b.store.swaps.Load() != 2 {
		t.Error("a refused use was noted")
	}
}

// A note that cannot be written fails no check, and is not tried again at each.
func TestAStoreWithoutRoomDoesNotFailAnAPIKey(t *testing.T) {
	b := onBolt(t)
	key := b.key("script")
	for name, trouble := range map[string]error{"full": store.ErrUnavailable, "conflict": store.ErrConflict} {
		b.store.swapError = trouble
		before := b.store.calls.Load()
		for range 10 {
			if !b.good(key) {
				t.Fatalf("%s: refused", name)
			}
		}
		if calls := b.store.calls.Load() - before; name == "full" && calls > 11 {
			t.Errorf("full: %d calls for 10 checks", calls)
		}
		b.clock.Advance(2 * time.Minute)
	}
	b.store.swapError = nil
	if b.good(key); b.lastUsed().IsZero() {
		t.Error("not noted when there is room again")
	}
}

// RFC 7009 §2.1: a key belongs to no client, so none revokes a user's; the operator and its owner end it. A client
// revokes its own.
func TestWhoRevokesAnAPIKey(t *testing.T) {
	b := onBolt(t)
	key := b.key("script")
	b.mustBeInvalid("a client", b.grants.Revoke(b.ctx, key, app))
	if !b.good(key) || !b.events.has(grants.EventWrongClient, false) {
		t.Error("a client revoked a user's key, or the attempt was not reported")
	}
	if err := b.grants.RevokeAny(b.ctx, key); err != nil || b.good(key) || len(b.list()) != 0 {
		t.Errorf("the operator: %v", err)
	}
	text, made, err := b.issueKey("another")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := b.grants.End(b.ctx, uuid.New(), made.ID); found || err != nil || !b.good(text) {
		t.Errorf("a stranger: %v, %v", found, err)
	}
	if found, err := b.grants.End(b.ctx, ada, made.ID); !found || err != nil || b.good(text) {
		t.Errorf("its owner: %v, %v", found, err)
	}
	own, _, err := b.grants.IssueKey(b.ctx, grants.Delegation{Client: app, Scopes: []uint32{1}}, grants.Key{Label: "nightly", Life: keyLife})
	if err != nil {
		t.Fatal(err)
	}
	b.mustBeInvalid("another client", b.grants.Revoke(b.ctx, own, otherApp))
	if err := b.grants.Revoke(b.ctx, own, app); err != nil || b.good(own) {
		t.Errorf("its own client: %v", err)
	}
}

// An API key works in no other place, and nothing else works in its place, also under another prefix.
func TestAnAPIKeyIsNoOtherToken(t *testing.T) {
	b := onBolt(t)
	tokens, code, key := b.issue(public(), ada), b.code(ada), b.key("script")
	b.mustRefuse(public(), key)
	_, err := b.redeem(key)
	b.mustBeInvalid("as a code", err)
	for from, text := range map[string]string{"sca_": tokens.Access, "scr_": tokens.Refresh, "scc_": code} {
		if b.good(respell(text, from, "sck_")) {
			t.Errorf("%s passed as an API key", from)
		}
		respelled := respell(key, "sck_", from)
		if b.good(respelled) {
			t.Errorf("an API key passed as %s", from)
		}
		b.mustRefuse(public(), respelled)
		_, err := b.redeem(respelled)
		b.mustBeInvalid("respelled as "+from, err)
		if err := b.grants.RevokeAny(b.ctx, respelled); err != nil || !b.good(key) {
			t.Errorf("an API key was revoked as %s: %v", from, err)
		}
	}
}

// Garbage that looks like an API key costs no read.
func TestAForgedAPIKeyCostsNoRead(t *testing.T) {
	b := onBolt(t)
	key := b.key("script")
	before := b.store.reads.Load()
	for i := range key {
		other := "A"
		if key[i] == 'A' {
			other = "B"
		}
		for _, text := range []string{key[:i], key[:i] + other + key[i+1:], key + "A", "sck_"} {
			if b.good(text) {
				t.Errorf("%q is good", text)
			}
		}
	}
	if n := b.store.reads.Load() - before; n != 0 {
		t.Errorf("%d reads for garbage, want none", n)
	}
}
