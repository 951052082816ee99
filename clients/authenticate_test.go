package clients_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

func present(t *testing.T, r *clients.Registry, id, secret, method string) error {
	t.Helper()
	c, err := r.Authenticate(t.Context(), clients.Presented{ID: id, Secret: secret, Method: method})
	if (c == nil) == (err == nil) {
		t.Errorf("got client %v with error %v", c, err)
	}
	return err
}

// RFC 6749 §2.3, CVE-2026-16093: only the registered method, only with a live secret of this client. The
// answer is one and the same, the reason is for the log.
func TestAuthenticationRefuses(t *testing.T) {
	r, _ := open(t)
	basic, secret := create(t, r, confidential())
	n := confidential()
	n.AuthMethod = clients.SecretPost
	post, postSecret := create(t, r, n)
	job, jobSecret := create(t, r, service())
	phone, _ := create(t, r, public())
	off, offSecret := create(t, r, service())
	offPublic, _ := create(t, r, public())
	for _, id := range []string{off.ID, offPublic.ID} {
		if _, err := r.Disable(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}

	for _, good := range []clients.Presented{
		{ID: basic.ID, Secret: secret, Method: clients.SecretBasic},
		{ID: post.ID, Secret: postSecret, Method: clients.SecretPost},
		{ID: job.ID, Secret: jobSecret, Method: clients.SecretBasic},
		{ID: phone.ID, Method: clients.None},
	} {
		wantErr(t, good.ID, present(t, r, good.ID, good.Secret, good.Method), nil)
	}
	for _, test := range []struct{ name, id, secret, method, reason string }{
		{"unknown", "nobody", secret, clients.SecretBasic, "unknown"},
		{"impossible ID", "No Body", secret, clients.SecretBasic, "unknown"},
		{"empty ID", "", secret, clients.SecretBasic, "unknown"},
		{"empty everything", "", "", "", "unknown"},
		{"ID in capitals", strings.ToUpper(basic.ID), secret, clients.SecretBasic, "unknown"},
		{"wrong secret", basic.ID, secret + "x", clients.SecretBasic, "wrong"},
		{"other client's secret", basic.ID, postSecret, clients.SecretBasic, "wrong"},
		{"endless secret", basic.ID, strings.Repeat("x", 1<<20), clients.SecretBasic, "wrong"},
		{"secret with NUL", basic.ID, secret + "\x00", clients.SecretBasic, "wrong"},
		{"no secret", basic.ID, "", clients.SecretBasic, "no secret"},
		{"no secret and no method", basic.ID, "", clients.None, "registered for"},
		{"good secret and no method", basic.ID, secret, clients.None, "registered for"},
		{"good secret by post", basic.ID, secret, clients.SecretPost, "registered for"},
		{"good secret by basic", post.ID, postSecret, clients.SecretBasic, "registered for"},
		{"good secret by assertion", basic.ID, secret, "private_key_jwt", "registered for"},
		{"good secret by empty method", basic.ID, secret, "", "registered for"},
		{"public with a secret", phone.ID, "anything", clients.None, "presented a secret"},
		{"public by basic", phone.ID, "anything", clients.SecretBasic, "registered for"},
		{"public by empty basic", phone.ID, "", clients.SecretBasic, "registered for"},
		{"disabled", off.ID, offSecret, clients.SecretBasic, "disabled"},
		{"disabled public", offPublic.ID, "", clients.None, "disabled"},
	} {
		err := present(t, r, test.id, test.secret, test.method)
		if !errors.Is(err, clients.ErrUnauthenticated) || err.Error() != clients.ErrUnauthenticated.Error() {
			t.Errorf("%s: got %v, want ErrUnauthenticated", test.name, err)
			continue
		}
		reason := clients.Reason(err)
		if !strings.Contains(reason, test.reason) || strings.Contains(reason, secret) || strings.Contains(reason, postSecret) {
			t.Errorf("%s: the reason is %q", test.name, reason)
		}
	}
	if clients.Reason(nil) != "" || clients.Reason(errors.New("x")) != "" {
		t.Error("other errors have a reason")
	}
}

// counting counts the reads of a store.
type counting struct {
	store.Store
	reads atomic.Int64
}

func (c *counting) Get(ctx context.Context, key string) (store.Record, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, key)
}

// Whether a client exists is not told by the time either: a wrong secret costs the store as much
// as an unknown client does, while a good one costs it nothing.
func TestUnknownClientCostsAsMuchAsWrongSecret(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	c := &counting{Store: s}
	r := running(t, c)
	known, secret := create(t, r, confidential())
	cost := func(id, secret string) int64 {
		before := c.reads.Load()
		present(t, r, id, secret, clients.SecretBasic)
		return c.reads.Load() - before
	}
	// It is remembered once this process has read its own announcement of the creation.
	bolttest.WithinASecond(t, "a good secret costs a read", func() bool { return cost(known.ID, secret) == 0 })
	for range 3 {
		if n := cost(known.ID, "wrong"); n != 1 {
			t.Errorf("a wrong secret costs %d reads, want 1", n)
		}
		if n := cost("nobody", "wrong"); n != 1 {
			t.Errorf("an unknown client costs %d reads, want 1", n)
		}
	}
}

// A secret is changed without a pause: two are good for a while, then the old one is not.
func TestSecretRotation(t *testing.T) {
	r, clock := open(t)
	n := confidential()
	n.SecretLifetime = 24 * time.Hour
	c, old := create(t, r, n)
	clock.Advance(12 * time.Hour)
	fresh, credential, err := r.AddSecret(t.Context(), c.ID, 0)
	if err != nil || fresh == old || credential.ID == "" || !credential.Expires.IsZero() {
		t.Fatalf("got %+v and %v", credential, err)
	}
	wantErr(t, "old", present(t, r, c.ID, old, clients.SecretBasic), nil)
	wantErr(t, "new", present(t, r, c.ID, fresh, clients.SecretBasic), nil)
	clock.Advance(12*time.Hour - time.Second)
	wantErr(t, "old, a second before its end", present(t, r, c.ID, old, clients.SecretBasic), nil)
	clock.Advance(time.Second)
	wantErr(t, "old, at its end", present(t, r, c.ID, old, clients.SecretBasic), clients.ErrUnauthenticated)
	wantErr(t, "new", present(t, r, c.ID, fresh, clients.SecretBasic), nil)
}

func TestSecretsAreRevoked(t *testing.T) {
	r, _ := open(t)
	c, first := create(t, r, confidential())
	second, credential, err := r.AddSecret(t.Context(), c.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a repetition does no harm
		wantErr(t, "revoke", r.RevokeSecret(t.Context(), c.ID, c.Secrets[0].ID), nil)
	}
	wantErr(t, "revoked", present(t, r, c.ID, first, clients.SecretBasic), clients.ErrUnauthenticated)
	wantErr(t, "the other", present(t, r, c.ID, second, clients.SecretBasic), nil)
	// CVE-2026-44476: a confidential client without a secret does not exist.
	wantInvalid(t, "the last one", r.RevokeSecret(t.Context(), c.ID, credential.ID), "secrets")
	wantErr(t, "the last one", present(t, r, c.ID, second, clients.SecretBasic), nil)
	wantErr(t, "nobody's", r.RevokeSecret(t.Context(), "nobody", credential.ID), store.ErrNotFound)
}

func TestSecretsAreFew(t *testing.T) {
	r, clock := open(t)
	c, _ := create(t, r, confidential())
	for range 4 {
		if _, _, err := r.AddSecret(t.Context(), c.ID, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := r.AddSecret(t.Context(), c.ID, time.Hour)
	wantInvalid(t, "a sixth", err, "secrets")
	clock.Advance(time.Hour) // those that have ended make room
	if _, _, err := r.AddSecret(t.Context(), c.ID, time.Hour); err != nil {
		t.Error(err)
	}
	now, err := r.Fresh(t.Context(), c.Number)
	if err != nil || len(now.Secrets) != 2 {
		t.Errorf("%d secrets are kept, want 2: %v", len(now.Secrets), err)
	}
	phone, _ := create(t, r, public())
	_, _, err = r.AddSecret(t.Context(), phone.ID, 0)
	wantInvalid(t, "a public client's", err, "secrets")
	_, _, err = r.AddSecret(t.Context(), c.ID, -time.Hour)
	wantInvalid(t, "a secret of the past", err, "lifetime")
}

// A disabled client stays disabled until it is enabled, and what was granted to it has ended for good.
func TestDisableAndEnable(t *testing.T) {
	r, _ := open(t)
	c, secret := create(t, r, confidential())
	off, err := r.Disable(t.Context(), c.ID)
	if err != nil || !off.Disabled || off.Epoch <= c.Epoch {
		t.Fatalf("got %+v and %v", off, err)
	}
	wantErr(t, "disabled", present(t, r, c.ID, secret, clients.SecretBasic), clients.ErrUnauthenticated)
	on, err := r.Enable(t.Context(), c.ID)
	if err != nil || on.Disabled || on.Epoch != off.Epoch {
		t.Fatalf("got %+v and %v", on, err)
	}
	wantErr(t, "enabled", present(t, r, c.ID, secret, clients.SecretBasic), nil)
	for range 2 {
		wantErr(t, "delete", r.Delete(t.Context(), c.ID), nil)
	}
	wantErr(t, "deleted", present(t, r, c.ID, secret, clients.SecretBasic), clients.ErrUnauthenticated)
}

// Infrastructure that fails must never look like a wrong secret (ory/hydra #1928).
func TestStoreTroubleIsNotAWrongSecret(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	r := on(s)
	c, secret := create(t, r, confidential())
	s.Close()
	for _, id := range []string{c.ID, "nobody"} {
		err := present(t, r, id, secret, clients.SecretBasic)
		wantErr(t, id, err, store.ErrUnavailable)
		if errors.Is(err, clients.ErrUnauthenticated) {
			t.Errorf("%s: it is ErrUnauthenticated too", id)
		}
	}
}

// running is a registry with its changes running, as a process has them.
func running(t *testing.T, s store.Store) *clients.Registry {
	t.Helper()
	return clients.New(s, bolttest.Changes(t, s))
}

// What is changed at one process holds at every other within a second, also for what that one remembers; and a new
// secret is good everywhere at once.
func TestChangesReachOtherProcesses(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	here, there := running(t, s), running(t, s)
	c, secret := create(t, here, confidential())
	wantErr(t, "there", present(t, there, c.ID, secret, clients.SecretBasic), nil)

	for i := range 3 {
		added, _, err := here.AddSecret(t.Context(), c.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, fmt.Sprint("new secret ", i), present(t, there, c.ID, added, clients.SecretBasic), nil)
	}
	wantErr(t, "revoke", here.RevokeSecret(t.Context(), c.ID, c.Secrets[0].ID), nil)
	bolttest.WithinASecond(t, "the revoked secret is good", func() bool { return present(t, there, c.ID, secret, clients.SecretBasic) != nil })

	if _, err := here.Disable(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "disabled, here", present(t, here, c.ID, secret, clients.SecretBasic), clients.ErrUnauthenticated)
	bolttest.WithinASecond(t, "the client is not disabled", func() bool {
		byNumber, err := there.ByNumber(t.Context(), c.Number)
		byID, errID := there.Get(t.Context(), c.ID)
		return err == nil && errID == nil && byNumber.Disabled && byID.Disabled && byID.Epoch > c.Epoch
	})
	if err := here.Delete(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	bolttest.WithinASecond(t, "the client is there", func() bool {
		_, err := there.ByNumber(t.Context(), c.Number)
		return errors.Is(err, store.ErrNotFound)
	})
}
