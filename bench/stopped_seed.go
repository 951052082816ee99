package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/store/redis"
	"github.com/safeconduct/safeconduct/store/storetest/redistest"
	"github.com/safeconduct/safeconduct/users"
)

// clusterGrants are spread over the masters, each for a user of its own.
const clusterGrants = 400

// split says which grants a stop concerns.
type split struct {
	stop     *redistest.Server
	on       string   // a key that lies there
	stranded []string // tokens whose grant lies on the master to stop
	others   []string // tokens of which neither grant nor user does
}

// seedCluster makes grants in a cluster, chooses the master to stop, and tells the grants apart.
func (b *bench) seedCluster(ctx context.Context, p *place, cluster *redistest.Cluster) (*split, error) {
	s, err := openStore(ctx, p.engine, p.at)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	p.fixture = &fixture{}
	o := options{connections: 1, people: 1, users: 1, sizes: []int{clusterGrants * grantsEach}}
	if err := p.fixture.register(ctx, s, store.NewChanges(s), o); err != nil {
		return nil, err
	}
	service := newService(s, b.ring)
	p.fixture.access = make([]string, clusterGrants)
	if err := parallel(clusterGrants, func(i int) error {
		tokens, err := service.Issue(ctx, p.fixture.delegation(p.fixture.webNumber, p.fixture.owners[i]))
		p.fixture.access[i] = tokens.Access
		return err
	}); err != nil {
		return nil, err
	}
	noter := &keyNoter{Store: s}
	m := mastersOf{cluster: cluster, bySlot: make(map[string]*redistest.Server)}
	found := &split{}
	if found.stop, err = b.chooseMaster(ctx, noter, p.fixture, m); err != nil {
		return nil, err
	}
	return found, b.tellApart(ctx, noter, p.fixture, m, found)
}

// mastersOf remembers which master holds which slot: to ask takes long, and four hundred grants are many.
type mastersOf struct {
	cluster *redistest.Cluster
	bySlot  map[string]*redistest.Server
}

func (m mastersOf) key(key string) *redistest.Server {
	slot := m.cluster.Slot(key)
	if m.bySlot[slot] == nil {
		m.bySlot[slot] = m.cluster.MasterOf(key)
	}
	return m.bySlot[slot]
}

// chooseMaster is not the one with the log of changes: while that is away nobody may trust what is remembered, so it
// concerns every request. Of the others it is the one that holds the fewest records which all requests share, the
// client's and those of the resource. These are read once and then remembered.
func (b *bench) chooseMaster(ctx context.Context, s *keyNoter, f *fixture, m mastersOf) (*redistest.Server, error) {
	changes := store.NewChanges(s) // does not run, so nothing is remembered here and every key is seen
	shared, err := s.during(func() error {
		_, noClient := clients.New(s, changes).ByNumber(ctx, f.webNumber)
		registry := resources.New(s, changes)
		_, noResource := registry.Authenticate(ctx, f.resource.id, f.resource.secret)
		_, noCatalogue := registry.Catalogue(ctx)
		return errors.Join(noClient, noResource, noCatalogue)
	})
	if err != nil {
		return nil, fmt.Errorf("look for the shared records: %w", err)
	}
	held := make(map[*redistest.Server]int)
	for _, key := range shared {
		held[m.key(key)]++
	}
	masters := m.cluster.Masters()
	log := m.key(redis.LogKey(redis.DefaultPrefix, store.ChangesTopic))
	masters = slices.DeleteFunc(masters, func(master *redistest.Server) bool { return master == log })
	stop := slices.MinFunc(masters, func(x, y *redistest.Server) int { return held[x] - held[y] })
	b.note("%s: of %d records that all requests share, %d lie on the master to stop", stoppedName, len(shared), held[stop])
	return stop, nil
}

// tellApart sorts the tokens by where their grants and users lie.
func (b *bench) tellApart(ctx context.Context, s *keyNoter, f *fixture, m mastersOf, found *split) error {
	service := newService(s, b.ring)
	registry := users.New(users.Config{Store: s, Changes: store.NewChanges(s), Grants: grants.NewEnder(s), Hasher: users.NewHasher(cheapHash, 1, 0)})
	there := func(key string) bool { return m.key(key) == found.stop }
	for i, token := range f.access {
		grant, noGrant := s.during(func() error { _, err := service.Check(ctx, token); return err })
		user, noUser := s.during(func() error { _, err := registry.Get(ctx, f.owners[i]); return err })
		if err := errors.Join(noGrant, noUser); err != nil {
			return fmt.Errorf("look for a grant: %w", err)
		}
		switch {
		case slices.ContainsFunc(grant, there):
			found.stranded, found.on = append(found.stranded, token), grant[0]
		case !slices.ContainsFunc(user, there):
			found.others = append(found.others, token)
		}
	}
	if len(found.stranded) == 0 || len(found.others) == 0 {
		return errors.New("the grants do not lie on all masters")
	}
	return nil
}

// keyNoter notes the keys that are read, as they are called in Redis.
type keyNoter struct {
	store.Store
	keys []string
}

// during returns the keys that are read while do runs.
func (n *keyNoter) during(do func() error) ([]string, error) {
	n.keys = nil
	err := do()
	return n.keys, err
}

func (n *keyNoter) Get(ctx context.Context, key string) (store.Record, error) {
	n.keys = append(n.keys, redis.RecordKey(redis.DefaultPrefix, key))
	return n.Store.Get(ctx, key)
}

func (n *keyNoter) Members(ctx context.Context, index, after string, limit int) ([]store.Member, error) {
	n.keys = append(n.keys, redis.DefaultPrefix+"i"+index)
	return n.Store.Members(ctx, index, after, limit)
}
