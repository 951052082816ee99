package resources

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/safeconduct/safeconduct/store"
)

// keepFor bounds how long a change that nobody announced, because its writer died before it could, stays unknown.
const keepFor = 30 * time.Second

// Catalogue is a snapshot of all resources and scopes. It does not change; what it returns is shared and must not be
// modified. A disabled resource and its scopes are absent from all answers but All.
type Catalogue struct {
	resources []*Resource
	byNumber  map[uint32]*Resource
	byID      map[string]*Resource
	scopes    map[string]owned
	numbers   map[uint32]owned
	implied   map[uint32][]uint32 // what a scope brings along, at any remove; nothing for most

	version uint64 // of the changes that were known when the reading began
	build   uint64 // which reading it is
	read    time.Time
}

// owned is a scope with the resource that it belongs to.
type owned struct {
	scope    Scope
	resource *Resource
}

// Catalogue returns the snapshot as it was within the last second. It costs next to nothing while nothing changes.
func (r *Registry) Catalogue(ctx context.Context) (*Catalogue, error) {
	return r.catalogue.current(ctx)
}

// Scope returns the scope of a name and the resource that it belongs to.
func (c *Catalogue) Scope(name string) (Scope, *Resource, bool) {
	o, found := c.scopes[name]
	return o.scope, o.resource, found
}

// ScopeByNumber is Scope by the scope's number.
func (c *Catalogue) ScopeByNumber(number uint32) (Scope, *Resource, bool) {
	o, found := c.numbers[number]
	return o.scope, o.resource, found
}

// Resource returns the resource of a number.
func (c *Catalogue) Resource(number uint32) (*Resource, bool) {
	r, found := c.byNumber[number]
	return r, found
}

// ByID returns the resource of an identifier.
func (c *Catalogue) ByID(identifier string) (*Resource, bool) {
	r, found := c.byID[identifier]
	return r, found
}

// Expand returns scopes with all that they imply, at any remove: first the given ones as they are, then the others. It
// returns the given slice itself if they imply nothing.
func (c *Catalogue) Expand(numbers []uint32) []uint32 {
	out := numbers
	for _, number := range numbers {
		for _, implied := range c.implied[number] {
			if !slices.Contains(out, implied) {
				out = append(out[:len(out):len(out)], implied)
			}
		}
	}
	return out
}

// All returns every resource, the disabled ones too, in the order of their slugs.
func (c *Catalogue) All() []*Resource { return slices.Clone(c.resources) }

func newSnapshot(resources []*Resource) *Catalogue {
	c := &Catalogue{
		resources: resources,
		byNumber:  make(map[uint32]*Resource),
		byID:      make(map[string]*Resource),
		scopes:    make(map[string]owned),
		numbers:   make(map[uint32]owned),
		implied:   make(map[uint32][]uint32),
	}
	for _, r := range resources {
		if r.Disabled {
			continue
		}
		c.byNumber[r.Number] = r
		c.byID[r.ID] = r
		for _, s := range r.Scopes {
			c.scopes[s.Name] = owned{scope: s, resource: r}
			c.numbers[s.Number] = owned{scope: s, resource: r}
		}
		for _, s := range r.Scopes {
			if found := c.reach(r, s); len(found) > 0 {
				c.implied[s.Number] = found
			}
		}
	}
	return c
}

// reach is what a scope implies, at any remove. Only scopes of the same resource count, whatever a record says: no other
// audience follows from an implication.
func (c *Catalogue) reach(r *Resource, from Scope) []uint32 {
	var found []uint32
	for next := from.Implies; len(next) > 0; {
		name := next[0]
		next = next[1:]
		to, known := c.scopes[name]
		if !known || to.resource != r || to.scope.Number == from.Number || slices.Contains(found, to.scope.Number) {
			continue
		}
		found = append(found, to.scope.Number)
		next = append(slices.Clone(next), to.scope.Implies...)
	}
	return found
}

// catalogue keeps the snapshot of this process.
type catalogue struct {
	table   *store.Table[Resource]
	changes *store.Changes
	version atomic.Uint64 // counts the changes that were told
	latest  atomic.Pointer[Catalogue]

	mu     sync.Mutex
	builds atomic.Uint64 // counts the readings that began
}

func newCatalogue(table *store.Table[Resource], changes *store.Changes) *catalogue {
	c := &catalogue{table: table, changes: changes}
	changes.Listen(func(subject string) {
		if subject == "" || strings.HasPrefix(subject, kind+"/") {
			c.version.Add(1)
		}
	})
	return c
}

func (c *catalogue) current(ctx context.Context) (*Catalogue, error) {
	if latest := c.latest.Load(); latest != nil && c.trusts(latest) {
		return latest, nil
	}
	begun := c.builds.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	// A reading that began after this call did is as good as one of its own.
	if latest := c.latest.Load(); latest != nil && (latest.build > begun || c.trusts(latest)) {
		return latest, nil
	}
	build, version, read := c.builds.Add(1), c.version.Load(), time.Now()
	resources, err := list(ctx, c.table)
	if err != nil {
		return nil, err
	}
	snapshot := newSnapshot(resources)
	snapshot.version, snapshot.build, snapshot.read = version, build, read
	c.latest.Store(snapshot)
	return snapshot, nil
}

func (c *catalogue) trusts(snapshot *Catalogue) bool {
	return snapshot.version == c.version.Load() && c.changes.Fresh() && time.Since(snapshot.read) < keepFor
}
