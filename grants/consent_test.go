package grants_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/store"
)

func (b *bench) consent(user uuid.UUID, client, epoch uint32) *grants.Consent {
	b.t.Helper()
	c, err := b.grants.Consent(b.ctx, user, client, epoch)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// A user's answer is remembered for that client of that epoch, is replaced by the next one, and can be forgotten.
func TestAConsentIsRemembered(t *testing.T) {
	onEngines(t, func(b *bench) {
		if b.consent(ada, app, 2) != nil {
			b.t.Fatal("there is a consent before any was given")
		}
		given := b.store.Now().Add(-time.Hour).Truncate(time.Second)
		first := grants.Consent{Asked: []uint32{3, 1, 2}, Granted: []uint32{2, 1}, Remember: true, Client: app, ClientEpoch: 2, Given: given}
		if err := b.grants.SaveConsent(b.ctx, ada, first); err != nil {
			b.t.Fatal(err)
		}
		c := b.consent(ada, app, 2)
		if c == nil || !slices.Equal(c.Asked, []uint32{1, 2, 3}) || !slices.Equal(c.Granted, []uint32{1, 2}) || !c.Remember ||
			c.Client != app || c.ClientEpoch != 2 || !c.Given.Equal(given) {
			b.t.Fatalf("got %+v", c)
		}
		if b.consent(ada, otherApp, 2) != nil || b.consent(uuid.New(), app, 2) != nil {
			b.t.Error("another's consent was found")
		}
		if b.consent(ada, app, 3) != nil || b.consent(ada, app, 1) != nil {
			b.t.Error("a consent to a client of another epoch was found")
		}
		if err := b.grants.SaveConsent(b.ctx, ada, grants.Consent{Asked: []uint32{1}, Client: app, ClientEpoch: 3}); err != nil {
			b.t.Fatal(err)
		}
		if c := b.consent(ada, app, 3); c == nil || len(c.Granted) != 0 || c.Remember || c.Given.IsZero() {
			b.t.Errorf("the later answer: %+v", c)
		}
		tokens := b.issue(public(), ada)
		for range 2 {
			if err := b.grants.ForgetConsent(b.ctx, ada, app); err != nil || b.consent(ada, app, 3) != nil {
				b.t.Errorf("forget: %v", err)
			}
		}
		if !b.good(tokens.Access) {
			b.t.Error("forgetting a consent ended a grant")
		}
	})
}

// A user sees every client that was answered, also one of another epoch, and no other user's.
func TestAUserListsConsents(t *testing.T) {
	onEngines(t, func(b *bench) {
		bob := uuid.New()
		for _, c := range []grants.Consent{{Client: otherApp, ClientEpoch: 3}, {Client: app, Remember: true}, {Client: 300}} {
			if err := b.grants.SaveConsent(b.ctx, ada, c); err != nil {
				b.t.Fatal(err)
			}
		}
		if err := b.grants.ForgetConsent(b.ctx, ada, 300); err != nil {
			b.t.Fatal(err)
		}
		list, err := b.grants.Consents(b.ctx, ada)
		if err != nil || len(list) != 2 || list[0].Client != app || !list[0].Remember || list[1].Client != otherApp || list[1].ClientEpoch != 3 {
			b.t.Errorf("got %+v, %v", list, err)
		}
		if list, err := b.grants.Consents(b.ctx, bob); err != nil || len(list) != 0 {
			b.t.Errorf("another user's: %+v, %v", list, err)
		}
	})
}

// What can grow has an expiry: a year after it was given, a consent is forgotten.
func TestAConsentLastsAYear(t *testing.T) {
	b := onBolt(t)
	if err := b.grants.SaveConsent(b.ctx, ada, grants.Consent{Client: app, Remember: true}); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(364 * 24 * time.Hour)
	if b.consent(ada, app, 0) == nil {
		t.Error("forgotten early")
	}
	b.clock.Advance(2 * 24 * time.Hour)
	if b.consent(ada, app, 0) != nil {
		t.Error("remembered after a year")
	}
}

// Store trouble is neither a consent nor none.
func TestAStoreInTroubleIsNoAnswerAboutConsent(t *testing.T) {
	b := onBolt(t)
	b.store.Close()
	_, read := b.grants.Consent(b.ctx, ada, app, 0)
	save, forget := b.grants.SaveConsent(b.ctx, ada, grants.Consent{Client: app}), b.grants.ForgetConsent(b.ctx, ada, app)
	for name, err := range map[string]error{"read": read, "save": save, "forget": forget} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
}
