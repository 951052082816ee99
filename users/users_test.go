package users_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
	"github.com/safeconduct/safeconduct/users"
)

const password = "correct horse battery"

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// ender stands for what ends grants: it remembers whom it ended, and at which epoch it found him.
type ender struct {
	registry *users.Registry
	mu       sync.Mutex
	fails    error
	epochs   map[uuid.UUID][]uint32
}

func (e *ender) EndUser(ctx context.Context, id uuid.UUID) error {
	var epoch uint32
	u, err := e.registry.Fresh(ctx, id)
	if err == nil {
		epoch = u.Epoch
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fails != nil {
		return e.fails
	}
	e.epochs[id] = append(e.epochs[id], epoch)
	return nil
}

func (e *ender) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fails = err
}

func (e *ender) ended(id uuid.UUID) []uint32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.epochs[id]
}

// room is a registry with what stands around it.
type room struct {
	*users.Registry
	store  store.Store
	clock  *bolttest.Clock
	hasher *users.Hasher
	ender  *ender
}

func open(t testing.TB) *room {
	t.Helper()
	s, c := bolttest.Open(t, noon)
	r := on(s, users.NewHasher(cheap, 4, 10_000), users.Limits{})
	r.clock = c
	return r
}

// on makes one more registry on a store, as another process has it.
func on(s store.Store, h *users.Hasher, limits users.Limits) *room {
	e := &ender{epochs: make(map[uuid.UUID][]uint32)}
	r := &room{store: s, hasher: h, ender: e}
	r.Registry = users.New(users.Config{Store: s, Changes: store.NewChanges(s), Grants: e, Hasher: h, Limits: limits})
	e.registry = r.Registry
	return r
}

func (r *room) create(t *testing.T, username string) *users.User {
	t.Helper()
	u, err := r.Create(t.Context(), users.NewUser{Username: username, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// try attempts a login from an address of its own, so that only the account's limit matters.
func (r *room) try(t *testing.T, username, password string) error {
	t.Helper()
	_, err := r.Authenticate(t.Context(), users.Attempt{Username: username, Password: password, Network: anywhere()})
	return err
}

var addresses = func() func() netip.Addr {
	var mu sync.Mutex
	next := netip.MustParseAddr("10.0.0.0")
	return func() netip.Addr {
		mu.Lock()
		defer mu.Unlock()
		next = next.Next()
		return next
	}
}()

func anywhere() netip.Addr { return addresses() }

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestUserIsFoundByEverySpellingOfTheName(t *testing.T) {
	r := open(t)
	u := r.create(t, "Ａlice")
	if u.Username != "alice" || u.Epoch != 1 || u.Disabled || u.Hash == "" || strings.Contains(u.Hash, password) {
		t.Errorf("got %+v", u)
	}
	for _, spelling := range []string{"alice", "ALICE", "aLiCe", "Ａlice", "ａｌｉｃｅ", "al\u2170ce"} {
		found, err := r.ByName(t.Context(), spelling)
		if err != nil || found.ID != u.ID {
			t.Errorf("%q: got %v", spelling, err)
		}
		_, err = r.Create(t.Context(), users.NewUser{Username: spelling})
		wantErr(t, "create "+spelling, err, store.ErrExists)
	}
	for _, other := range []string{"alic", "alice2", "", "al ice", "\x00"} {
		_, err := r.ByName(t.Context(), other)
		wantErr(t, fmt.Sprintf("%q", other), err, store.ErrNotFound)
	}
}

// Of many who create one user at once, in different spellings, exactly one succeeds.
func TestUsernameHasOneWinner(t *testing.T) {
	r := open(t)
	spellings := []string{"alice", "ALICE", "Ａlice", "aLICE"}
	var mu sync.Mutex
	wins := 0
	var wait sync.WaitGroup
	for i := range 32 {
		wait.Go(func() {
			_, err := r.Create(t.Context(), users.NewUser{Username: spellings[i%len(spellings)]})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				wins++
			} else if !errors.Is(err, store.ErrExists) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	list, err := r.List(t.Context(), uuid.Nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	if wins != 1 || len(list) != 1 {
		t.Errorf("%d won, %d are listed", wins, len(list))
	}
}

func TestListGoesThroughAllUsers(t *testing.T) {
	r := open(t)
	for i := range 12 {
		r.create(t, fmt.Sprint("user-", i))
	}
	seen := make(map[uuid.UUID]bool)
	after := uuid.Nil
	for {
		page, err := r.List(t.Context(), after, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page {
			seen[u.ID] = true
			after = u.ID
		}
		if len(page) < 5 {
			break
		}
	}
	if len(seen) != 12 {
		t.Errorf("saw %d users, want 12", len(seen))
	}
}
