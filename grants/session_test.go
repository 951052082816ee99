package grants_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
)

var atHome = uuid.MustParse("5b0c5f5e-11a4-4d0e-8c57-0d9f0a1b2c3d") // ada's session

// inSession is what ada allows in a session.
func inSession(offline bool) grants.Delegation {
	return grants.Delegation{
		User: ada, Client: app, Session: atHome, Offline: offline, Scopes: []uint32{1, 2}, Resources: []uint32{1, 2},
		Refreshable: true, Terms: public(),
	}
}

func (b *bench) logOut(session uuid.UUID) {
	b.t.Helper()
	b.parties.endSession(session)
	if err := b.grants.EndSession(b.ctx, ada, session); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) mustIssue(d grants.Delegation) grants.Tokens {
	b.t.Helper()
	tokens, err := b.grants.Issue(b.ctx, d)
	if err != nil {
		b.t.Fatalf("issue: %v", err)
	}
	return tokens
}

func (b *bench) mustIssueCode(d grants.Delegation, c grants.Code) (string, uuid.UUID) {
	b.t.Helper()
	text, id, err := b.grants.IssueCode(b.ctx, d, c)
	if err != nil {
		b.t.Fatalf("issue code: %v", err)
	}
	return text, id
}

func (b *bench) mustBeInvalid(what string, err error) {
	b.t.Helper()
	if !errors.Is(err, grants.ErrInvalid) {
		b.t.Errorf("%s: got %v, want ErrInvalid", what, err)
	}
}

// OpenID Connect Core §11: a grant ends with the session that it was made in, unless offline access was granted. Other
// sessions, grants of none and API keys stay.
func TestAGrantEndsWithItsSession(t *testing.T) {
	onEngines(t, func(b *bench) {
		bound, offline := b.mustIssue(inSession(false)), b.mustIssue(inSession(true))
		elsewhere := inSession(false)
		elsewhere.Session = uuid.New()
		other, none, key := b.mustIssue(elsewhere), b.issue(public(), ada), b.key("script")
		if g := bound.Grant; g.Session != atHome || g.Offline || !offline.Grant.Offline || none.Grant.Session != uuid.Nil {
			b.t.Errorf("sessions are not told: %+v", g)
		}
		b.logOut(atHome)
		if b.good(bound.Access) {
			b.t.Error("an access token outlived its session")
		}
		b.mustRefuse(public(), bound.Refresh)
		for name, token := range map[string]string{"offline": offline.Access, "another session": other.Access, "no session": none.Access, "key": key} {
			if !b.good(token) {
				b.t.Errorf("%s: ended too", name)
			}
		}
		b.mustRefresh(public(), offline.Refresh)
	})
}

// A code that waits for its redemption ends with the session, whatever it is for; one that was redeemed before does only
// if what it was redeemed for is not offline.
func TestACodeEndsWithItsSession(t *testing.T) {
	for _, offline := range []bool{false, true} {
		b := onBolt(t)
		pending, id := b.mustIssueCode(inSession(offline), grants.Code{Life: time.Minute})
		redeemed, _ := b.mustIssueCode(inSession(offline), grants.Code{Life: time.Minute})
		by := grants.Presenter{Client: app, Terms: public()}
		tokens, err := b.grants.Redeem(b.ctx, redeemed, "", "", by, grants.Ask{})
		if err != nil {
			t.Fatal(err)
		}
		b.logOut(atHome)
		_, err = b.grants.Redeem(b.ctx, pending, "", "", by, grants.Ask{})
		b.mustBeInvalid("a code of an ended session", err)
		_, err = b.grants.RepeatCode(b.ctx, id)
		b.mustBeInvalid("the same, repeated", err)
		if b.good(tokens.Access) != offline {
			t.Errorf("offline %v: the redeemed grant lives: %v", offline, !offline)
		}
	}
}

// Whenever a session ends while a grant is made in it, the grant is refused and gone: before its name, before its
// record, and before the look at the session.
func TestAGrantThatIsMadeWhileItsSessionEndsIsRefused(t *testing.T) {
	for name, hook := range map[string]func(b *bench, act func()){
		"before its name":   func(b *bench, act func()) { b.store.onEnroll = act },
		"before its record": func(b *bench, act func()) { b.store.onAdd = act },
		"before the look":   func(b *bench, act func()) { b.parties.onFresh = act },
	} {
		t.Run(name, func(t *testing.T) {
			for _, offline := range []bool{false, true} {
				b := onBolt(t)
				hook(b, func() { b.logOut(atHome) })
				_, err := b.grants.Issue(b.ctx, inSession(offline))
				b.mustBeInvalid("issue", err)
				_, _, err = b.grants.IssueCode(b.ctx, inSession(offline), grants.Code{Life: time.Minute})
				b.mustBeInvalid("a code in an ended session", err)
				if list := b.list(); len(list) != 0 {
					t.Errorf("left: %v", list)
				}
			}
		})
	}
}

// The end of no session is the end of nothing.
func TestTheEndOfNoSessionEndsNothing(t *testing.T) {
	b := onBolt(t)
	tokens := b.issue(public(), ada)
	if err := b.grants.EndSession(b.ctx, ada, uuid.Nil); err != nil || !b.good(tokens.Access) {
		t.Errorf("%v, good: %v", err, b.good(tokens.Access))
	}
}

// A grant never outlives the absolute life that the caller gave, which is that of the session: also a code that is
// redeemed later than that gives nothing.
func TestAGrantEndsWithItsAbsoluteLife(t *testing.T) {
	b := onBolt(t)
	d := inSession(false)
	d.Terms.Absolute = 30 * time.Second
	tokens := b.mustIssue(d)
	text, id := b.mustIssueCode(d, grants.Code{Life: time.Minute})
	b.clock.Advance(29 * time.Second)
	if !b.good(tokens.Access) {
		t.Error("ended early")
	}
	b.clock.Advance(2 * time.Second)
	if b.good(tokens.Access) {
		t.Error("an access token outlived the session")
	}
	b.mustRefuse(d.Terms, tokens.Refresh)
	_, err := b.grants.Redeem(b.ctx, text, "", "", grants.Presenter{Client: app, Terms: d.Terms}, grants.Ask{})
	b.mustBeInvalid("redemption after the session's end", err)
	_, err = b.grants.RepeatCode(b.ctx, id)
	b.mustBeInvalid("repetition after the session's end", err)
}
