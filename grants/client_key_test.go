package grants_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
)

func (b *bench) issueClientKey(client, epoch uint32) (string, grants.Grant, error) {
	return b.grants.IssueKey(b.ctx, grants.Delegation{Client: client, ClientEpoch: epoch, Scopes: []uint32{1}, Resources: []uint32{1}},
		grants.Key{Label: "nightly", Life: keyLife})
}

// clientKey makes a key of a client's own.
func (b *bench) clientKey(client uint32) (string, uuid.UUID) {
	b.t.Helper()
	text, made, err := b.issueClientKey(client, 0)
	if err != nil {
		b.t.Fatalf("issue a client's key: %v", err)
	}
	return text, made.ID
}

// keys lists the ids of an owner's keys, in pages of two.
func (b *bench) keys(o grants.Owner) []uuid.UUID {
	b.t.Helper()
	var ids []uuid.UUID
	after := grants.Cursor{}
	for {
		page, err := b.grants.Keys(b.ctx, o, after, 2)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, g := range page {
			ids = append(ids, g.ID)
		}
		if len(page) < 2 {
			return ids
		}
		if after, err = grants.ParseCursor(page[1].Cursor()); err != nil {
			b.t.Fatal(err)
		}
	}
}

// Keys are listed by whose own they are, the oldest first: those of one owner, and nothing else that was granted.
func TestKeysAreListedByTheirOwner(t *testing.T) {
	onEngines(t, func(b *bench) {
		b.issue(public(), ada)
		var own, others, users []uuid.UUID
		for range 3 {
			_, id := b.clientKey(app)
			own = append(own, id)
			_, id = b.clientKey(otherApp)
			others = append(others, id)
			_, made, err := b.issueKey("script")
			if err != nil {
				b.t.Fatal(err)
			}
			users = append(users, made.ID)
		}
		for o, want := range map[grants.Owner][]uuid.UUID{{Client: app}: own, {Client: otherApp}: others, {User: ada}: users, {User: uuid.New()}: nil, {Client: 99}: nil} {
			got := b.keys(o)
			sort := func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }
			slices.SortFunc(want, sort) // of one moment they come in any order
			if !slices.IsSortedFunc(got, sort) || !slices.Equal(got, want) {
				b.t.Errorf("keys of %v: %v, want %v", o, got, want)
			}
		}
	})
}

// Who ends a key must be its owner; for the others it is as if there was none.
func TestAKeyIsEndedByItsOwnerAlone(t *testing.T) {
	onEngines(t, func(b *bench) {
		text, id := b.clientKey(app)
		users, made, err := b.issueKey("script")
		if err != nil {
			b.t.Fatal(err)
		}
		for _, o := range []grants.Owner{{Client: otherApp}, {User: ada}, {User: uuid.New()}, {}} {
			if found, err := b.grants.EndKey(b.ctx, o, id); found || err != nil || !b.good(text) {
				b.t.Errorf("%v ended a key of another: %v, %v", o, found, err)
			}
		}
		if found, err := b.grants.EndKey(b.ctx, grants.Owner{Client: app}, made.ID); found || err != nil || !b.good(users) {
			b.t.Errorf("a client ended a user's key: %v, %v", found, err)
		}
		tokens := b.issue(public(), ada)
		if found, err := b.grants.EndKey(b.ctx, grants.Owner{User: ada}, tokens.Grant.ID); found || err != nil || !b.good(tokens.Access) {
			b.t.Errorf("a grant was ended as a key: %v, %v", found, err)
		}
		for o, key := range map[grants.Owner]uuid.UUID{{Client: app}: id, {User: ada}: made.ID} {
			if found, err := b.grants.EndKey(b.ctx, o, key); !found || err != nil {
				b.t.Errorf("%v: %v, %v", o, found, err)
			}
			if found, err := b.grants.EndKey(b.ctx, o, key); found || err != nil || len(b.keys(o)) != 0 {
				b.t.Errorf("%v again: %v, %v", o, found, err)
			}
		}
		if b.good(text) || b.good(users) {
			b.t.Error("a key that was ended is good")
		}
	})
}

// A client has at most 100 keys; two that come at once make no 101st, and those that its next epoch ended take no place.
func TestAPIKeysPerClientAreCapped(t *testing.T) {
	b := onBolt(t)
	text, id := b.clientKey(app)
	for range grants.KeysPerOwner - 2 {
		b.clientKey(app)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, _, err := b.issueClientKey(app, 0); err != nil && !errors.Is(err, grants.ErrTooMany) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := len(b.keys(grants.Owner{Client: app})); n > grants.KeysPerOwner {
		t.Errorf("%d keys", n)
	} else if n < grants.KeysPerOwner {
		b.clientKey(app) // all four gave way to each other
	}
	if _, _, err := b.issueClientKey(app, 0); !errors.Is(err, grants.ErrTooMany) || !b.good(text) {
		t.Errorf("got %v, want ErrTooMany and the oldest good", err)
	}
	b.clientKey(otherApp)
	if found, err := b.grants.EndKey(b.ctx, grants.Owner{Client: app}, id); !found || err != nil {
		t.Fatal(found, err)
	}
	last, _ := b.clientKey(app)
	if _, _, err := b.issueClientKey(app, 0); !errors.Is(err, grants.ErrTooMany) {
		t.Errorf("got %v, want ErrTooMany", err)
	}
	b.parties.setClient(app, grants.Standing{Epoch: 1, Enabled: true})
	if b.good(last) || len(b.keys(grants.Owner{Client: app})) != 0 {
		t.Error("keys of an earlier epoch are listed or good")
	}
	if _, _, err := b.issueClientKey(app, 1); err != nil {
		t.Errorf("there is no room after the new epoch: %v", err)
	}
	if n := len(b.keys(grants.Owner{Client: app})); n != 1 {
		t.Errorf("%d keys are listed, want 1", n)
	}
}

// A key that was used up by time is in no list, and neither is one that its holder revoked.
func TestAClientsKeyLeavesTheListWhenItEnds(t *testing.T) {
	b := onBolt(t)
	revoked, _ := b.clientKey(app)
	if err := b.grants.Revoke(b.ctx, revoked, app); err != nil || len(b.keys(grants.Owner{Client: app})) != 0 {
		t.Errorf("after the revocation: %v", err)
	}
	b.clientKey(app)
	b.clock.Advance(keyLife + 1)
	if left := b.keys(grants.Owner{Client: app}); len(left) != 0 {
		t.Errorf("after its end: %v", left)
	}
}

// Who makes a key by the right of a token takes over the epoch in which that was granted.
func TestTheEpochOfAGrantCanBeTakenOver(t *testing.T) {
	b := onBolt(t)
	b.parties.setUser(ada, grants.Standing{Epoch: 7, Enabled: true})
	_, made, err := b.grants.IssueKey(b.ctx, grants.Delegation{User: ada, UserEpoch: 7}, grants.Key{Label: "x", Life: keyLife})
	if err != nil {
		t.Fatal(err)
	}
	if epoch, err := b.grants.UserEpoch(b.ctx, made.ID); epoch != 7 || err != nil {
		t.Errorf("got %d, %v", epoch, err)
	}
	if _, err := b.grants.EndKey(b.ctx, grants.Owner{User: ada}, made.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.grants.UserEpoch(b.ctx, made.ID)
	b.mustBeInvalid("a grant that ended", err)
}
