package users_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/users"
)

func TestRightPasswordLetsIn(t *testing.T) {
	r := open(t)
	u := r.create(t, "alice")
	got, err := r.Authenticate(t.Context(), users.Attempt{Username: "ALICE", Password: password, Network: anywhere()})
	if err != nil || got.ID != u.ID {
		t.Errorf("got %v", err)
	}
}

// counting counts the calls of a store by their names.
type counting struct {
	store.Store
	reads, writes atomic.Int64
}

func (c *counting) Get(ctx context.Context, key string) (store.Record, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, key)
}

func (c *counting) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	c.writes.Add(1)
	return c.Store.Add(ctx, key, value, expires)
}

func (c *counting) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	c.writes.Add(1)
	return c.Store.Swap(ctx, key, old, value, expires)
}

func (c *counting) Delete(ctx context.Context, key string) error {
	c.writes.Add(1)
	return c.Store.Delete(ctx, key)
}

// Nobody learns which names exist, which are disabled and which have no password: the answer is
// the same, and so is the work, counted in hashes and in calls of the store.
func TestEveryFailureLooksTheSame(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	c := &counting{Store: s}
	r := on(c, users.NewHasher(cheap, 1, 1), users.Limits{})
	r.create(t, "alice")
	disabled := r.create(t, "disabled")
	if _, err := r.Disable(t.Context(), disabled.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Create(t.Context(), users.NewUser{Username: "passwordless"}); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, test := range []struct{ name, username, password string }{
		{"wrong password", "alice", "wrong horse battery"},
		{"unknown", "nobody", password},
		{"no possible name", "no body", password},
		{"disabled", "disabled", password},
		{"disabled and wrong", "disabled", "wrong horse battery"},
		{"without password", "passwordless", password},
	} {
		hashes, reads, writes := r.hasher.Computed(), c.reads.Load(), c.writes.Load()
		err := r.try(t, test.username, test.password)
		if !errors.Is(err, users.ErrCredentials) {
			t.Errorf("%s: got %v, want ErrCredentials", test.name, err)
			continue
		}
		if text == "" {
			text = err.Error()
		}
		if err.Error() != text {
			t.Errorf("%s: the text is %q, before it was %q", test.name, err, text)
		}
		hashes, reads, writes = r.hasher.Computed()-hashes, c.reads.Load()-reads, c.writes.Load()-writes
		if hashes != 1 || reads != 4 || writes != 2 {
			t.Errorf("%s: %d hashes, %d reads and %d writes, want 1, 4 and 2", test.name, hashes, reads, writes)
		}
	}
}

// CVE-2026-41571: what a careless client sends for "nothing" opens no account.
func TestNoPasswordIsNoPassword(t *testing.T) {
	r := open(t)
	if _, err := r.Create(t.Context(), users.NewUser{Username: "bare"}); err != nil {
		t.Fatal(err)
	}
	for _, nothing := range []string{"", "null", "undefined", "        ", "\x00\x00\x00\x00\x00\x00\x00\x00"} {
		wantErr(t, nothing, r.try(t, "bare", nothing), users.ErrCredentials)
	}
}

// A password that nobody can have is refused before anything is read, counted or hashed.
func TestImpossiblePasswordCostsNothing(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	c := &counting{Store: s}
	r := on(c, users.NewHasher(cheap, 1, 1), users.Limits{})
	r.create(t, "alice")
	hashes, reads, writes := r.hasher.Computed(), c.reads.Load(), c.writes.Load()
	for _, bad := range []string{"", strings.Repeat("x", 1<<20), "correct\x00horse", "correct \xff horse"} {
		wantErr(t, "impossible password", r.try(t, "alice", bad), users.ErrCredentials)
	}
	if n := r.hasher.Computed() - hashes + uint64(c.reads.Load()-reads) + uint64(c.writes.Load()-writes); n != 0 {
		t.Errorf("%d hashes and calls of the store, want none", n)
	}
	wantErr(t, "the right password afterwards", r.try(t, "alice", password), nil)
}

// A second factor that is demanded must not be left out by asking somewhere else, and the password must not be tried
// out there: the error is like any other, also to a caller that has never heard of second factors.
func TestSecondFactorIsNotSkipped(t *testing.T) {
	r := open(t)
	u, err := r.Create(t.Context(), users.NewUser{Username: "alice", Password: password, SecondFactor: true})
	if err != nil {
		t.Fatal(err)
	}
	err = r.try(t, "alice", password)
	wantErr(t, "right password", err, users.ErrSecondFactor)
	wantErr(t, "right password", err, users.ErrCredentials)
	if err := r.try(t, "alice", "wrong horse battery"); errors.Is(err, users.ErrSecondFactor) || !errors.Is(err, users.ErrCredentials) {
		t.Errorf("wrong password: got %v", err)
	}
	got, err := r.Authenticate(t.Context(), users.Attempt{Username: "alice", Password: password, Network: anywhere(), AllowSecondFactor: true})
	if err != nil || got.ID != u.ID || !got.SecondFactor {
		t.Errorf("asked by somebody who asks for more: %v", err)
	}
}

// ASVS 5.0 App. C: when the cost is raised, each user's hash follows at the next login.
func TestLoginRehashesWithNewParameters(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	old := on(s, users.NewHasher(cheap, 1, 1), users.Limits{})
	u := old.create(t, "alice")
	dearer := on(s, users.NewHasher(users.Params{MemoryKiB: 64, Passes: 2, Threads: 1}, 1, 1), users.Limits{})
	wantErr(t, "wrong password", dearer.try(t, "alice", "wrong horse battery"), users.ErrCredentials)
	if now, err := dearer.Fresh(t.Context(), u.ID); err != nil || now.Hash != u.Hash {
		t.Fatalf("a wrong password changed the hash: %v", err)
	}
	wantErr(t, "login", dearer.try(t, "alice", password), nil)
	now, err := dearer.Fresh(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(now.Hash, "$argon2id$v=19$m=64,t=2,p=1$") || now.Epoch != u.Epoch || len(dearer.ender.ended(u.ID)) != 0 {
		t.Errorf("got hash %s at epoch %d", now.Hash, now.Epoch)
	}
	hashes := dearer.hasher.Computed()
	wantErr(t, "login", dearer.try(t, "alice", password), nil)
	if n := dearer.hasher.Computed() - hashes; n != 1 {
		t.Errorf("the next login computed %d hashes, want 1", n)
	}
}

// Infrastructure that fails must never look like a wrong password (ory/hydra #1928).
func TestStoreTroubleIsNotAWrongPassword(t *testing.T) {
	r := open(t)
	r.create(t, "alice")
	r.store.Close()
	for _, username := range []string{"alice", "nobody", "no body"} {
		err := r.try(t, username, password)
		wantErr(t, username, err, store.ErrUnavailable)
		if errors.Is(err, users.ErrCredentials) {
			t.Errorf("%s: it is ErrCredentials too", username)
		}
	}
	if n := r.hasher.Computed(); n != 1 {
		t.Errorf("%d hashes were computed, want only the one of the creation", n)
	}
}

// Who is turned away because of the crowd has not guessed.
func TestCrowdedOutAttemptsAreNotCounted(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	free := on(s, users.NewHasher(cheap, 1, 1), users.Limits{})
	free.create(t, "alice")
	full := on(s, slow(t, -1), users.Limits{})
	for range 8 {
		err := full.try(t, "alice", "wrong horse battery")
		wantErr(t, "a full queue", err, users.ErrBusy)
		if errors.Is(err, users.ErrCredentials) {
			t.Error("it is ErrCredentials too")
		}
	}
	wantErr(t, "afterwards", free.try(t, "alice", password), nil)
}

// leaving is a store whose caller goes away as soon as his attempt has been counted.
type leaving struct {
	store.Store
	writes int
	leave  context.CancelFunc
}

func (l *leaving) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	err := l.Store.Add(ctx, key, value, expires)
	l.count()
	return err
}

func (l *leaving) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	err := l.Store.Swap(ctx, key, old, value, expires)
	l.count()
	return err
}

func (l *leaving) count() {
	if l.writes++; l.writes == 2 { // the network and the account
		l.leave()
	}
}

// Nor has who went away before his turn.
func TestAbandonedAttemptsAreNotCounted(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	free := on(s, users.NewHasher(cheap, 1, 1), users.Limits{})
	free.create(t, "alice")
	hashes := free.hasher.Computed()
	for range 8 {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		r := on(&leaving{Store: s, leave: leave}, free.hasher, users.Limits{})
		_, err := r.Authenticate(ctx, users.Attempt{Username: "alice", Password: "wrong horse battery"})
		wantErr(t, "gone", err, context.Canceled)
	}
	if n := free.hasher.Computed() - hashes; n != 0 {
		t.Errorf("%d hashes were computed", n)
	}
	wantErr(t, "afterwards", free.try(t, "alice", password), nil)
}
