package grants_test

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/grants"
)

// RFC 6749 §4.1.3: the right client with the right redirect URI and verifier gets tokens.
func TestACodeIsRedeemed(t *testing.T) {
	b := onBolt(t)
	tokens, err := b.redeem(b.code(ada))
	if err != nil || !b.good(tokens.Access) || tokens.Grant.User != ada {
		t.Fatalf("got %+v, %v", tokens, err)
	}
	b.mustRefresh(public(), tokens.Refresh)
}

// RFC 6749 §4.1.2: a code works once. Of 64 redemptions at once exactly one gets tokens, and the losers, which an
// honest client's double sends may be, do not end the winner's grant.
func TestACodeIsSingleUse(t *testing.T) {
	onEngines(t, func(b *bench) {
		for range 20 {
			code := b.code(ada)
			var wins atomic.Int64
			var wait sync.WaitGroup
			var winner grants.Tokens
			for range 64 {
				wait.Go(func() {
					tokens, err := b.redeem(code)
					switch {
					case err == nil:
						wins.Add(1)
						winner = tokens
					case !errors.Is(err, grants.ErrInvalid):
						b.t.Errorf("redeem: %v", err)
					}
				})
			}
			wait.Wait()
			if wins.Load() != 1 {
				b.t.Fatalf("%d redemptions won", wins.Load())
			}
			if !b.good(winner.Access) {
				b.t.Fatal("a double send ended the grant")
			}
		}
	})
}

// RFC 6749 §4.1.2: a code that comes again later, with everything that its client holds, ends what was issued from it,
// also when it has expired meanwhile.
func TestAReplayedCodeEndsTheGrant(t *testing.T) {
	for _, later := range []time.Duration{3 * time.Second, 30 * time.Second, 2 * time.Minute} {
		t.Run(later.String(), func(t *testing.T) {
			b := onBolt(t)
			code := b.code(ada)
			tokens, err := b.redeem(code)
			if err != nil {
				t.Fatal(err)
			}
			b.clock.Advance(later)
			if _, err := b.redeem(code); !errors.Is(err, grants.ErrInvalid) {
				t.Fatalf("replay: got %v, want ErrInvalid", err)
			}
			if b.good(tokens.Access) {
				t.Error("the access token outlived the replay")
			}
			b.mustRefuse(public(), tokens.Refresh)
			if !b.events.has(grants.EventCodeReplayed, true) {
				t.Error("the replay was not reported")
			}
		})
	}
}

// Who holds a spent code but not what its client knows must not be able to end grants with it.
func TestAReplayThatFailsACheckDoesNotEndTheGrant(t *testing.T) {
	b := onBolt(t)
	code := b.code(ada)
	tokens, err := b.redeem(code)
	if err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(10 * time.Second)
	by := grants.Presenter{Client: app, Terms: public()}
	for name, replay := range map[string]func() error{
		"without verifier": func() error { _, err := b.grants.Redeem(b.ctx, code, redirectURI, "", by, grants.Ask{}); return err },
		"with a wrong verifier": func() error {
			_, err := b.grants.Redeem(b.ctx, code, redirectURI, strings.Repeat("w", 43), by, grants.Ask{})
			return err
		},
		"with another redirect": func() error {
			_, err := b.grants.Redeem(b.ctx, code, "https://evil.example", verifier, by, grants.Ask{})
			return err
		},
		"by another client": func() error {
			_, err := b.grants.Redeem(b.ctx, code, redirectURI, verifier, grants.Presenter{Client: otherApp, Terms: public()}, grants.Ask{})
			return err
		},
	} {
		if err := replay(); !errors.Is(err, grants.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	if !b.good(tokens.Access) {
		t.Error("a failed replay ended the grant")
	}
}

// RFC 7636 §4.6, RFC 9700 §4.5.3.1: a wrong verifier from the right client spends the code.
func TestAWrongVerifierSpendsTheCode(t *testing.T) {
	for name, wrong := range map[string]string{
		"another": strings.Repeat("w", 43), "none": "", "too short": strings.Repeat("v", 42), "too long": strings.Repeat("v", 129),
		"one character": "v", "not unreserved": strings.Repeat("v", 42) + "é",
	} {
		t.Run(name, func(t *testing.T) {
			b := onBolt(t)
			code := b.code(ada)
			if _, err := b.grants.Redeem(b.ctx, code, redirectURI, wrong, grants.Presenter{Client: app, Terms: public()}, grants.Ask{}); !errors.Is(err, grants.ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
			if _, err := b.redeem(code); !errors.Is(err, grants.ErrInvalid) {
				t.Errorf("the spent code was redeemed: %v", err)
			}
		})
	}
}

// RFC 9700 §4.8.2: a verifier for a code that was asked for without a challenge is refused.
func TestAVerifierWithoutAChallengeIsRefused(t *testing.T) {
	b := onBolt(t)
	code, _, err := b.grants.IssueCode(b.ctx, grants.Delegation{Client: app, User: ada, Scopes: []uint32{1}, Resources: []uint32{1}, Terms: public()},
		grants.Code{RedirectURI: redirectURI, Life: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.redeem(code); !errors.Is(err, grants.ErrInvalid) {
		t.Fatalf("got %v, want ErrInvalid", err)
	}
}

// RFC 6749 §4.1.3: bound to the client, and another client's attempt leaves the code to its owner.
func TestAWrongClientDoesNotSpendTheCode(t *testing.T) {
	b := onBolt(t)
	code := b.code(ada)
	if _, err := b.grants.Redeem(b.ctx, code, redirectURI, verifier, grants.Presenter{Client: otherApp, Terms: public()}, grants.Ask{}); !errors.Is(err, grants.ErrInvalid) {
		t.Fatalf("got %v, want ErrInvalid", err)
	}
	if _, err := b.redeem(code); err != nil {
		t.Errorf("the owner's redemption: %v", err)
	}
}

// RFC 6749 §4.1.3: the redirect URI is repeated exactly, or absent where the authorization request had none.
func TestTheRedirectURIMustBeRepeated(t *testing.T) {
	b := onBolt(t)
	by := grants.Presenter{Client: app, Terms: public()}
	for _, wrong := range []string{"", redirectURI + "/", "https://evil.example"} {
		if _, err := b.grants.Redeem(b.ctx, b.code(ada), wrong, verifier, by, grants.Ask{}); !errors.Is(err, grants.ErrInvalid) {
			t.Errorf("redirect %q: got %v, want ErrInvalid", wrong, err)
		}
	}
	challenge := sha256.Sum256([]byte(verifier))
	code, _, err := b.grants.IssueCode(b.ctx, grants.Delegation{Client: app, User: ada, Scopes: []uint32{1}, Resources: []uint32{1}, Terms: public()},
		grants.Code{Challenge: challenge[:], Life: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.grants.Redeem(b.ctx, code, "", verifier, by, grants.Ask{}); err != nil {
		t.Errorf("without redirect URI: %v", err)
	}
}

// FAPI 2.0, OWASP ASVS 10.4.3: a code lives a minute.
func TestACodeExpires(t *testing.T) {
	b := onBolt(t)
	code := b.code(ada)
	b.clock.Advance(61 * time.Second)
	if _, err := b.redeem(code); !errors.Is(err, grants.ErrInvalid) {
		t.Fatalf("got %v, want ErrInvalid", err)
	}
}

// Until its code is redeemed a grant gives nothing: neither its code nor anything else is an access token.
func TestAPendingGrantGivesNothing(t *testing.T) {
	b := onBolt(t)
	code := b.code(ada)
	if b.good(code) {
		t.Error("a code passed as an access token")
	}
	b.mustRefuse(public(), code)
}

// RFC 7636 §4.2: an S256 challenge is 43 characters of base64url and nothing else.
func TestChallengesAreReadStrictly(t *testing.T) {
	good := "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if _, ok := grants.ParseChallenge(good); !ok {
		t.Error("the example of RFC 7636 was refused")
	}
	for _, bad := range []string{"", good[:42], good + "A", good[:42] + "=", good[:42] + "+", good[:42] + "/", good[:42] + "N", good[:41] + "\n" + good[42:]} {
		if _, ok := grants.ParseChallenge(bad); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
}
