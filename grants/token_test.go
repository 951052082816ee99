package grants_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
)

// Whatever is not exactly a token that was made here is refused by arithmetic, without a look at the store: it cannot be
// used to load it.
func TestGarbageCostsNoRead(t *testing.T) {
	b := onBolt(t)
	tokens := b.issue(public(), ada)
	before := b.store.reads.Load()
	try := func(text string) {
		t.Helper()
		if b.good(text) {
			t.Errorf("%q is good", text)
		}
		if _, err := b.refresh(public(), text); !errors.Is(err, grants.ErrInvalid) {
			t.Errorf("%q as a refresh token: %v", text, err)
		}
	}
	for _, token := range []string{tokens.Access, tokens.Refresh} {
		for i := range token {
			try(token[:i]) // truncated
			other := byte('A')
			if token[i] == other {
				other = 'B'
			}
			try(token[:i] + string(other) + token[i+1:])
			flipped := token[:i] + strings.ToUpper(token[i:i+1]) + token[i+1:]
			if flipped != token {
				try(flipped)
			}
			try(token[:i] + "\n" + token[i:]) // what a lenient decoder would skip
		}
		try(token + "A")
		try(token + "=")
		try(" " + token)
	}
	if n := b.store.reads.Load() - before; n != 0 {
		t.Errorf("%d reads for garbage, want none", n)
	}
}

// An expired token says so itself.
func TestAnExpiredTokenCostsNoRead(t *testing.T) {
	b := onBolt(t)
	tokens := b.issue(public(), ada)
	b.clock.Advance(access + 2*time.Second)
	before := b.store.reads.Load()
	if b.good(tokens.Access) {
		t.Error("an expired token is good")
	}
	if n := b.store.reads.Load() - before; n != 0 {
		t.Errorf("%d reads for an expired token, want none", n)
	}
}

// Each kind of token works only in its own place.
func TestTokenKindsAreNotInterchangeable(t *testing.T) {
	b := onBolt(t)
	tokens, code := b.issue(public(), ada), b.code(ada)
	if b.good(tokens.Refresh) || b.good(code) {
		t.Error("a refresh token or code passed as an access token")
	}
	b.mustRefuse(public(), tokens.Access)
	b.mustRefuse(public(), code)
	for _, text := range []string{tokens.Access, tokens.Refresh} {
		if _, err := b.redeem(text); !errors.Is(err, grants.ErrInvalid) {
			t.Errorf("a token passed as a code: %v", err)
		}
	}
	// Also under the other kind's prefix, with a checksum that fits.
	for _, prefix := range []string{"scr_", "scc_"} {
		if b.good(respell(tokens.Refresh, prefix, "sca_")) {
			t.Error("a token passed under another prefix")
		}
	}
}

// Two tokens are never the same, and nothing in them can be foreseen: they differ far beyond their number.
func TestTokensAreUnique(t *testing.T) {
	b := onBolt(t)
	seen := make(map[string]bool)
	for range 2000 {
		tokens, err := b.grants.Issue(b.ctx, grants.Delegation{Client: app, Scopes: []uint32{1}, Resources: []uint32{1}, Refreshable: true, Terms: public()})
		if err != nil {
			t.Fatal(err)
		}
		if seen[tokens.Access] || seen[tokens.Refresh] {
			t.Fatal("a token was given out twice")
		}
		seen[tokens.Access], seen[tokens.Refresh] = true, true
	}
}

// A stranger's server with other system secrets makes nothing that works here, even for a grant that it knows all
// about: the store alone forges nothing.
func TestADumpOfTheStoreForgesNothing(t *testing.T) {
	b := onBolt(t)
	tokens := b.issue(public(), uuid.Nil)
	thief := b.with(newRing(t)) // reads the same records, salts and all
	forged, err := thief.Issue(b.ctx, grants.Delegation{Client: app, Scopes: []uint32{1}, Resources: []uint32{1}, Refreshable: true, Terms: public()})
	if err != nil {
		t.Fatal(err)
	}
	if b.good(forged.Access) {
		t.Error("a token made with other secrets is good")
	}
	b.mustRefuse(public(), forged.Refresh)
	if !b.good(tokens.Access) {
		t.Error("the real token is not good any more")
	}
}
