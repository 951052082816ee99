package grants_test

import (
	"errors"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/store"
)

// indexed counts the names in ada's index.
func (b *bench) indexed() int {
	b.t.Helper()
	members, err := b.store.Members(b.ctx, "u"+string(ada[:]), "", 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(members)
}

// Taking a client's rights away ends all that it holds of the user, codes too, and nothing of another client or of the
// user's own.
func TestEndingAClientEndsItsGrantsOfTheUser(t *testing.T) {
	onEngines(t, func(b *bench) {
		first, code := b.issue(public(), ada), b.code(ada)
		d := inSession(true)
		second := b.mustIssue(d)
		d.Client = otherApp
		other, key := b.mustIssue(d), b.key("script")
		if n, err := b.grants.EndClient(b.ctx, ada, app); n != 3 || err != nil {
			b.t.Fatalf("ended %d, %v, want 3", n, err)
		}
		if b.good(first.Access) || b.good(second.Access) {
			b.t.Error("an access token outlived the end")
		}
		b.mustRefuse(public(), second.Refresh)
		_, err := b.redeem(code)
		b.mustBeInvalid("the code", err)
		if !b.good(other.Access) || !b.good(key) {
			b.t.Error("what is not the client's was ended")
		}
		if n, err := b.grants.EndClient(b.ctx, ada, app); n != 0 || err != nil || b.indexed() != 2 {
			b.t.Errorf("again: ended %d, %v, %d names left", n, err, b.indexed())
		}
		if b.issue(public(), ada); len(b.list()) != 3 {
			b.t.Error("the user cannot allow the client anew")
		}
	})
}

// A grant that is being made when its client's, or its own, end comes is refused if its name was there, and gone. One
// whose name was not there has begun later.
func TestAnEndReachesAGrantThatIsBeingMade(t *testing.T) {
	ends := map[string]func(b *bench){
		"client": func(b *bench) {
			if n, err := b.grants.EndClient(b.ctx, ada, app); n != 1 || err != nil {
				b.t.Errorf("ended %d, %v, want 1", n, err)
			}
		},
		"grant": func(b *bench) {
			members, err := b.store.Members(b.ctx, "u"+string(ada[:]), "", 1)
			if err != nil || len(members) != 1 {
				b.t.Fatalf("%v, %v", members, err)
			}
			id := [16]byte([]byte(members[0].Name[4:]))
			if found, err := b.grants.End(b.ctx, ada, id); !found || err != nil {
				b.t.Errorf("found %v, %v", found, err)
			}
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			onEngines(t, func(b *bench) {
				b.store.onAdd = func() { end(b) }
				_, err := b.grants.Issue(b.ctx, inSession(false))
				b.mustBeInvalid("ended before its record", err)
				b.parties.onFresh = func() { b.parties.onFresh = nil; end(b) }
				tokens, err := b.grants.Issue(b.ctx, inSession(false))
				// The grant was there, and is gone: that its maker does not know is no harm.
				if err != nil || b.good(tokens.Access) {
					b.t.Errorf("ended after its record: %v, good: %v", err, b.good(tokens.Access))
				}
				if len(b.list()) != 0 || b.indexed() != 0 {
					b.t.Errorf("%d listed, %d names", len(b.list()), b.indexed())
				}
			})
		})
	}
	t.Run("begun later", func(t *testing.T) {
		b := onBolt(t)
		b.store.onEnroll = func() { b.grants.EndClient(b.ctx, ada, app) }
		if tokens := b.mustIssue(inSession(false)); !b.good(tokens.Access) {
			t.Error("a grant that began after the end is not good")
		}
	})
}

// What lies under the key of an ended grant is no grant for anybody, and is forgotten.
func TestATombstoneIsNoGrant(t *testing.T) {
	b := onBolt(t)
	tokens, key := b.issue(public(), ada), b.key("script")
	text, id := b.mustIssueCode(inSession(false), grants.Code{Life: time.Minute})
	for _, client := range []uint32{app, 0} {
		if _, err := b.grants.EndClient(b.ctx, ada, client); err != nil {
			t.Fatal(err)
		}
	}
	grave := "g" + string(id[:])
	if r, err := b.store.Get(b.ctx, grave); err != nil || len(r.Value) != 1 {
		t.Fatalf("no tombstone: %v, %v", r.Value, err)
	}
	if b.good(tokens.Access) || b.good(key) || len(b.list()) != 0 {
		t.Error("a tombstone is good for something")
	}
	b.mustRefuse(public(), tokens.Refresh)
	_, err := b.grants.Redeem(b.ctx, text, "", "", grants.Presenter{Client: app, Terms: public()}, grants.Ask{})
	b.mustBeInvalid("redeem", err)
	_, err = b.grants.RepeatCode(b.ctx, id)
	b.mustBeInvalid("repeat", err)
	if err := b.grants.Revoke(b.ctx, tokens.Refresh, app); err != nil {
		t.Errorf("revoke: %v", err)
	}
	if found, err := b.grants.End(b.ctx, ada, id); found || err != nil {
		t.Errorf("ended again: %v, %v", found, err)
	}
	b.clock.Advance(2 * time.Minute)
	if _, err := b.store.Get(b.ctx, grave); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the tombstone is left: %v", err)
	}
}

// A grant that took so long to be written that its name passes for one that a crash left refuses itself.
func TestAGrantThatWasWrittenTooSlowlyIsRefused(t *testing.T) {
	b := onBolt(t)
	b.store.onAdd = func() {
		if _, err := b.grants.EndClient(b.ctx, ada, app); err != nil {
			t.Error(err)
		}
		b.clock.Advance(2 * time.Minute)
	}
	if _, err := b.grants.Issue(b.ctx, inSession(false)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if len(b.list()) != 0 || b.indexed() != 0 {
		t.Error("something is left")
	}
}

// A consent that is not to be remembered allows nothing by itself.
func TestAConsentForOnceAllowsNoSilentGrant(t *testing.T) {
	b := onBolt(t)
	d := inSession(false)
	d.Remembered = true
	for _, remember := range []bool{true, false} {
		if err := b.grants.SaveConsent(b.ctx, ada, grants.Consent{Client: app, Granted: []uint32{1}, Remember: remember}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.grants.Issue(b.ctx, d); (err == nil) != remember {
			t.Errorf("remembered %v: got %v", remember, err)
		}
	}
}

// A grant that was allowed because a consent was remembered does not outlive the end of that consent: whoever takes a
// client's rights away forgets the consent first and ends the grants then, and the grant that began in between looks at
// the consent again.
func TestARememberedConsentIsLookedAtAgain(t *testing.T) {
	remembered := inSession(false)
	remembered.Remembered = true
	take := func(b *bench) func() {
		return func() {
			if err := b.grants.ForgetConsent(b.ctx, ada, app); err != nil {
				b.t.Error(err)
			}
			if _, err := b.grants.EndClient(b.ctx, ada, app); err != nil {
				b.t.Error(err)
			}
		}
	}
	for name, hook := range map[string]func(b *bench, act func()){
		"before its name":   func(b *bench, act func()) { b.store.onEnroll = act },
		"before its record": func(b *bench, act func()) { b.store.onAdd = act },
		"before the look":   func(b *bench, act func()) { b.parties.onFresh = act },
	} {
		t.Run(name, func(t *testing.T) {
			b := onBolt(t)
			if err := b.grants.SaveConsent(b.ctx, ada, grants.Consent{Client: app, Granted: []uint32{1}, Remember: true}); err != nil {
				t.Fatal(err)
			}
			if tokens := b.mustIssue(remembered); !b.good(tokens.Access) {
				t.Fatal("a remembered consent is good for nothing")
			}
			hook(b, take(b))
			_, err := b.grants.Issue(b.ctx, remembered)
			b.mustBeInvalid("issue", err)
			if list := b.list(); len(list) != 0 {
				t.Errorf("left: %v", list)
			}
		})
	}
}
