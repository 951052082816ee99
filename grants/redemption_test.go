package grants_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
)

// wideCode is a code for scopes 1 and 2 of resources 1 and 2.
func (b *bench) wideCode() string {
	b.t.Helper()
	challenge := sha256.Sum256([]byte(verifier))
	text, _ := b.mustIssueCode(inSession(false), grants.Code{Challenge: challenge[:], RedirectURI: redirectURI, Life: time.Minute})
	return text
}

func (b *bench) redeemFor(code string, ask grants.Ask) (grants.Tokens, error) {
	return b.grants.Redeem(b.ctx, code, redirectURI, verifier, grants.Presenter{Client: app, Terms: public()}, ask)
}

// RFC 8707 §2.2: a resource in the token request narrows the access token, and the refresh token still covers all that
// was granted.
func TestARedemptionCanAskForLess(t *testing.T) {
	b := onBolt(t)
	for name, c := range map[string]struct {
		ask               grants.Ask
		scopes, resources []uint32
		narrowed          bool
	}{
		"one resource":  {grants.Ask{Resources: []uint32{2}}, []uint32{1, 2}, []uint32{2}, true},
		"one scope":     {grants.Ask{Scopes: []uint32{1}}, []uint32{1}, []uint32{1, 2}, true},
		"all of it":     {grants.Ask{Resources: []uint32{2, 1}}, []uint32{1, 2}, []uint32{1, 2}, false},
		"nothing named": {grants.Ask{}, []uint32{1, 2}, []uint32{1, 2}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tokens, err := b.redeemFor(b.wideCode(), c.ask)
			if err != nil {
				t.Fatal(err)
			}
			token, err := b.grants.Check(b.ctx, tokens.Access)
			if err != nil || token.Narrowed != c.narrowed || !slices.Equal(token.Scopes, c.scopes) || !slices.Equal(token.Resources, c.resources) ||
				!slices.Equal(tokens.Grant.Resources, c.resources) {
				t.Errorf("got %+v, %v", token, err)
			}
			next := b.mustRefresh(public(), tokens.Refresh)
			if token, err := b.grants.Check(b.ctx, next.Access); err != nil || token.Narrowed || len(token.Resources) != 2 || len(token.Scopes) != 2 {
				t.Errorf("after a refresh: %+v, %v", token, err)
			}
			if token, err := b.grants.Check(b.ctx, tokens.Access); err != nil || token.Narrowed != c.narrowed {
				t.Errorf("a token widened: %+v, %v", token, err)
			}
		})
	}
}

// RFC 8707 §2: an ask for more than was granted is answered as such, and leaves the code to be redeemed.
func TestAWrongAskDoesNotSpendTheCode(t *testing.T) {
	b := onBolt(t)
	code := b.wideCode()
	if _, err := b.redeemFor(code, grants.Ask{Resources: []uint32{1, 3}}); !errors.Is(err, grants.ErrResource) {
		t.Errorf("resource: got %v, want ErrResource", err)
	}
	if _, err := b.redeemFor(code, grants.Ask{Scopes: []uint32{9}}); !errors.Is(err, grants.ErrScope) {
		t.Errorf("scope: got %v, want ErrScope", err)
	}
	if tokens, err := b.redeemFor(code, grants.Ask{Resources: []uint32{1}}); err != nil || !b.good(tokens.Access) {
		t.Errorf("the code was spent: %v", err)
	}
}

// Only who passes every other check learns that an ask was wrong; for all others the code's own rules hold.
func TestAWrongAskTellsAStrangerNothing(t *testing.T) {
	ask := grants.Ask{Resources: []uint32{3}}
	by := grants.Presenter{Client: app, Terms: public()}
	b := onBolt(t)
	code := b.wideCode()
	_, err := b.grants.Redeem(b.ctx, code, redirectURI, verifier, grants.Presenter{Client: otherApp, Terms: public()}, ask)
	b.mustBeInvalid("another client", err)
	_, err = b.grants.Redeem(b.ctx, code, "https://evil.example", verifier, by, ask)
	b.mustBeInvalid("another redirect", err)
	_, err = b.grants.Redeem(b.ctx, code, redirectURI, strings.Repeat("w", 43), by, ask)
	b.mustBeInvalid("a wrong verifier", err)
	_, err = b.redeemFor(code, grants.Ask{})
	b.mustBeInvalid("a code spent by a wrong verifier", err)

	code = b.wideCode()
	if _, err := b.redeemFor(code, grants.Ask{}); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(3 * time.Second)
	_, err = b.redeemFor(code, ask)
	b.mustBeInvalid("a replay", err)
	if !b.events.has(grants.EventCodeReplayed, true) {
		t.Error("a replay with a wrong ask is no replay any more")
	}
}

// What the authorization request said is handed back by the redemption, once, and is not kept.
func TestANoteIsHandedBackOnce(t *testing.T) {
	onEngines(t, func(b *bench) {
		note := []byte("nonce=n-0S6_WzA2Mj&" + strings.Repeat("x", 1000))
		text, id := b.mustIssueCode(inSession(false), grants.Code{Life: time.Minute, Note: note})
		stored := func() []byte {
			r, err := b.store.Get(b.ctx, "g"+string(id[:]))
			if err != nil {
				b.t.Fatal(err)
			}
			return r.Value
		}
		if !bytes.Contains(stored(), note) {
			b.t.Fatal("the note is not kept")
		}
		by := grants.Presenter{Client: app, Terms: public()}
		if _, err := b.grants.Redeem(b.ctx, text, "", "", by, grants.Ask{Resources: []uint32{9}}); !errors.Is(err, grants.ErrResource) {
			b.t.Fatal(err)
		}
		tokens, err := b.grants.Redeem(b.ctx, text, "", "", by, grants.Ask{})
		if err != nil || !bytes.Equal(tokens.Note, note) {
			b.t.Fatalf("got %q, %v", tokens.Note, err)
		}
		if bytes.Contains(stored(), []byte("nonce")) {
			b.t.Error("the note was kept")
		}
		if next := b.mustRefresh(public(), tokens.Refresh); next.Note != nil {
			b.t.Errorf("a refresh handed back %q", next.Note)
		}
	})
}

// A note is bounded.
func TestANoteIsBounded(t *testing.T) {
	b := onBolt(t)
	if _, _, err := b.grants.IssueCode(b.ctx, inSession(false), grants.Code{Life: time.Minute, Note: make([]byte, grants.NoteMax)}); err != nil {
		t.Errorf("the largest note: %v", err)
	}
	if _, _, err := b.grants.IssueCode(b.ctx, inSession(false), grants.Code{Life: time.Minute, Note: make([]byte, grants.NoteMax+1)}); err == nil {
		t.Error("a larger note was kept")
	}
}

// A page of consent that is sent twice leads to the same code, as long as it can be redeemed.
func TestACodeIsRepeatedWhileItIsPending(t *testing.T) {
	onEngines(t, func(b *bench) {
		text, id := b.mustIssueCode(inSession(false), grants.Code{Life: time.Minute})
		if again, err := b.grants.RepeatCode(b.ctx, id); err != nil || again != text {
			b.t.Errorf("got %q, %v, want %q", again, err, text)
		}
		if _, err := b.grants.Redeem(b.ctx, text, "", "", grants.Presenter{Client: app, Terms: public()}, grants.Ask{}); err != nil {
			b.t.Fatal(err)
		}
		_, err := b.grants.RepeatCode(b.ctx, id)
		b.mustBeInvalid("a redeemed code", err)
		_, err = b.grants.RepeatCode(b.ctx, uuid.New())
		b.mustBeInvalid("no code", err)
		_, err = b.grants.RepeatCode(b.ctx, b.issue(public(), ada).Grant.ID)
		b.mustBeInvalid("a grant without a code", err)
		if b.clock == nil {
			return
		}
		_, id = b.mustIssueCode(inSession(false), grants.Code{Life: time.Minute})
		b.clock.Advance(61 * time.Second)
		_, err = b.grants.RepeatCode(b.ctx, id)
		b.mustBeInvalid("a code that has lapsed", err)
	})
}
