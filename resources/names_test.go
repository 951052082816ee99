package resources_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// One scope has one owner, one identifier one resource: else a token for one API would be good at another.
func TestNamesAreUniqueOverAllResources(t *testing.T) {
	r, _ := open(t)
	create(t, r, define("orders", "orders:read"))
	sameID := define("stock", "stock:read")
	sameID.ID = "https://api.example.org/orders"
	for name, d := range map[string]resources.Definition{
		"slug":       define("orders", "other"),
		"identifier": sameID,
		"scope":      define("stock", "stock:read", "orders:read"),
	} {
		_, _, err := r.Create(t.Context(), d)
		wantErr(t, name, err, store.ErrExists)
	}
	create(t, r, define("stock", "stock:read"))
	_, err := r.Update(t.Context(), "stock", func(resource *resources.Resource) error {
		resource.Scopes = append(resource.Scopes, resources.Scope{Name: "orders:read"})
		return nil
	})
	wantErr(t, "by update", err, store.ErrExists)
	if err == nil || !strings.Contains(err.Error(), `scope "orders:read" belongs to another resource`) {
		t.Errorf("the message is %v", err)
	}
	// Case matters: these are two scopes (RFC 6749 §3.3).
	create(t, r, define("shouting", "ORDERS:READ"))
}

// Of many creators at once exactly one owns a scope.
func TestScopeHasOneOwnerUnderRace(t *testing.T) {
	r, _ := open(t)
	const creators = 32
	for i := range creators / 2 {
		create(t, r, define(fmt.Sprint("old-", i)))
	}
	var mu sync.Mutex
	wins := 0
	var wait sync.WaitGroup
	for i := range creators {
		wait.Go(func() {
			var err error
			if i%2 == 0 {
				_, _, err = r.Create(t.Context(), define(fmt.Sprint("new-", i), fmt.Sprint("own:", i), "wanted"))
			} else {
				_, err = r.Update(t.Context(), fmt.Sprint("old-", i/2), func(resource *resources.Resource) error {
					resource.Scopes = []resources.Scope{{Name: "wanted"}}
					return nil
				})
			}
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
	owners := 0
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range list {
		for _, s := range resource.Scopes {
			if s.Name == "wanted" {
				owners++
			}
		}
	}
	if wins != 1 || owners != 1 {
		t.Errorf("%d won and %d own the scope, want 1 and 1", wins, owners)
	}
}

// Grants hold scopes by number. A scope that is removed and added again is another one: what was granted before must
// not come back with it. One that stays keeps its number.
func TestRemovedScopesDoNotComeBack(t *testing.T) {
	r, _ := open(t)
	before, _ := create(t, r, define("orders", "orders:read", "orders:write"))
	set := func(names ...string) *resources.Resource {
		after, err := r.Update(t.Context(), "orders", func(resource *resources.Resource) error {
			resource.Scopes = define("orders", names...).Scopes
			for i := range resource.Scopes {
				resource.Scopes[i].Number = before.Scopes[1].Number // a number from outside is not believed
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return after
	}
	set("orders:read")
	after := set("orders:write", "orders:read")
	if after.Scopes[1].Number != before.Scopes[0].Number {
		t.Error("the scope that stayed has a new number")
	}
	if after.Scopes[0].Number == before.Scopes[1].Number || after.Scopes[0].Number == 0 {
		t.Error("the scope that came back has its old number")
	}
	if _, _, found := catalogue(t, r).ScopeByNumber(before.Scopes[1].Number); found {
		t.Error("the old number still means something")
	}
}

// Should the counter be set back, by a restored backup or a failover, no number may come to mean something else.
func TestNumbersAreNotReusedWhenTheCounterIsLost(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	r := on(s)
	create(t, r, define("orders", "orders:read", "orders:write"))
	if err := s.Delete(t.Context(), "resource:number"); err != nil {
		t.Fatal(err)
	}
	create(t, r, define("stock", "stock:read"))
	if c := catalogue(t, r); len(c.All()) != 2 {
		t.Fatalf("%d resources", len(c.All()))
	}
	seen := make(map[uint32]bool)
	for _, resource := range catalogue(t, r).All() {
		for _, s := range append(resource.Scopes, resources.Scope{Number: resource.Number}) {
			if seen[s.Number] {
				t.Errorf("number %d is used twice", s.Number)
			}
			seen[s.Number] = true
		}
	}
}
