package resources_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/bolt/bolttest"
)

// The audience of a token follows from its scopes: each scope leads to its one resource.
func TestCatalogueLeadsFromScopeToAudience(t *testing.T) {
	r, _ := open(t)
	orders, _ := create(t, r, define("orders", "orders:read", "orders:write"))
	stock, _ := create(t, r, define("stock", "stock:read"))
	c := catalogue(t, r)
	for scope, want := range map[string]*resources.Resource{"orders:read": orders, "orders:write": orders, "stock:read": stock} {
		got, resource, found := c.Scope(scope)
		if !found || got.Name != scope || resource.ID != want.ID {
			t.Errorf("%s leads to %+v", scope, resource)
		}
		again, resource, found := c.ScopeByNumber(got.Number)
		if !found || again.Number != got.Number || resource.Number != want.Number {
			t.Errorf("#%d leads to %+v of %+v", got.Number, again, resource)
		}
	}
	for _, want := range []*resources.Resource{orders, stock} {
		byNumber, found := c.Resource(want.Number)
		byID, foundID := c.ByID(want.ID)
		if !found || !foundID || byNumber != byID || byID.Slug != want.Slug {
			t.Errorf("%s is not found by its number and identifier", want.Slug)
		}
	}
	for _, unknown := range []string{"", "orders", "orders:", "ORDERS:READ", "orders:read "} {
		if _, _, found := c.Scope(unknown); found {
			t.Errorf("%q was found", unknown)
		}
	}
	if _, found := c.ByID(orders.ID + "/"); found {
		t.Error("an identifier was found in another spelling")
	}
	if _, _, found := c.ScopeByNumber(orders.Number); found {
		t.Error("the number of a resource was taken for that of a scope")
	}
	var slugs []string
	for _, resource := range c.All() {
		slugs = append(slugs, resource.Slug)
	}
	if !slices.Equal(slugs, []string{"orders", "stock"}) {
		t.Errorf("all are %v", slugs)
	}
}

// A disabled resource has no audience and no scopes, whoever asks; only its administrator still sees it.
func TestDisabledResourceIsAbsentFromTheCatalogue(t *testing.T) {
	r, _ := open(t)
	orders, secret := create(t, r, define("orders", "orders:read"))
	_, err := r.Update(t.Context(), "orders", func(resource *resources.Resource) error {
		resource.Disabled = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := catalogue(t, r)
	_, _, byName := c.Scope("orders:read")
	_, _, byNumber := c.ScopeByNumber(orders.Scopes[0].Number)
	_, resource := c.Resource(orders.Number)
	_, byID := c.ByID(orders.ID)
	if byName || byNumber || resource || byID || len(c.All()) != 1 {
		t.Errorf("found by name %v, number %v, resource %v, identifier %v among %d", byName, byNumber, resource, byID, len(c.All()))
	}
	_, err = r.Authenticate(t.Context(), "orders", secret)
	wantErr(t, "its credential", err, resources.ErrUnauthenticated)
}

// counting counts the listings of a store.
type counting struct {
	store.Store
	listings atomic.Int64
}

func (c *counting) Members(ctx context.Context, index, after string, limit int) ([]store.Member, error) {
	c.listings.Add(1)
	return c.Store.Members(ctx, index, after, limit)
}

// running is a registry with its changes running, as a process has them.
func running(t *testing.T, s store.Store) *resources.Registry {
	t.Helper()
	return resources.New(s, bolttest.Changes(t, s))
}

// A new scope, a changed one and a removed one hold at every process within a second, without a restart.
func TestCatalogueFollowsOtherProcesses(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	here, there := running(t, s), running(t, s)
	if len(catalogue(t, there).All()) != 0 {
		t.Fatal("there is something in a new store")
	}
	create(t, here, define("orders", "orders:read"))
	if _, _, found := catalogue(t, here).Scope("orders:read"); !found {
		t.Error("the process that made it does not know it at once")
	}
	bolttest.WithinASecond(t, "the new scope is unknown", func() bool {
		_, _, found := catalogue(t, there).Scope("orders:read")
		return found
	})
	_, err := here.Update(t.Context(), "orders", func(resource *resources.Resource) error {
		resource.Scopes[0].Sensitive = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	bolttest.WithinASecond(t, "the scope is not sensitive", func() bool {
		scope, _, _ := catalogue(t, there).Scope("orders:read")
		return scope.Sensitive
	})
	if err := here.Delete(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	bolttest.WithinASecond(t, "the deleted scope is known", func() bool {
		_, _, found := catalogue(t, there).Scope("orders:read")
		return !found
	})
}

// Every request asks for it: without a change the store is not.
func TestCatalogueIsKeptInMemory(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	c := &counting{Store: s}
	r := running(t, c)
	create(t, r, define("orders", "orders:read"))
	var last *resources.Catalogue
	bolttest.WithinASecond(t, "the snapshot changes", func() bool { // until this process has read its own announcement
		before := last
		last = catalogue(t, r)
		time.Sleep(50 * time.Millisecond)
		return before == last
	})
	before := c.listings.Load()
	for range 1000 {
		if catalogue(t, r) != last {
			t.Fatal("the snapshot was made again")
		}
	}
	if n := c.listings.Load() - before; n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	if allocations := testing.AllocsPerRun(100, func() { r.Catalogue(context.Background()) }); allocations != 0 {
		t.Errorf("a call allocates %v times", allocations)
	}
}

// While changes cannot be followed nothing remembered is trusted. Those who ask at once share the reading.
func TestCatalogueWithoutChangesIsReadEachTime(t *testing.T) {
	s, _ := bolttest.Open(t, noon)
	c := &counting{Store: s}
	r, other := on(c), on(s)
	for _, slug := range []string{"orders", "stock"} {
		create(t, other, define(slug, slug+":read"))
		if _, _, found := catalogue(t, r).Scope(slug + ":read"); !found {
			t.Errorf("%s is unknown", slug)
		}
	}
	before := c.listings.Load()
	var wait sync.WaitGroup
	for range 100 {
		wait.Go(func() { catalogue(t, r) })
	}
	wait.Wait()
	if n := c.listings.Load() - before; n > 100 {
		t.Errorf("100 calls at once read %d times", n)
	}
	s.Close()
	_, err := r.Catalogue(t.Context())
	wantErr(t, "closed store", err, store.ErrUnavailable)
}

// The snapshot in somebody's hands does not change under them.
func TestCatalogueIsASnapshot(t *testing.T) {
	r, _ := open(t)
	create(t, r, define("orders", "orders:read"))
	before := catalogue(t, r)
	all := before.All()
	all[0] = nil
	if err := r.Delete(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	if _, _, found := before.Scope("orders:read"); !found || before.All()[0] == nil {
		t.Error("the snapshot changed")
	}
	if _, _, found := catalogue(t, r).Scope("orders:read"); found {
		t.Error("the next snapshot did not")
	}
}
