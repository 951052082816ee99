package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/safeconduct/safeconduct/clients"
	"github.com/safeconduct/safeconduct/grants"
	"github.com/safeconduct/safeconduct/keys"
	"github.com/safeconduct/safeconduct/resources"
	"github.com/safeconduct/safeconduct/store"
	"github.com/safeconduct/safeconduct/users"
)

const (
	seedLife     = 2 * time.Hour // of seeded access tokens: longer than any run
	seedWorkers  = 256           // writers at once: they share batches and fsyncs
	grantsEach   = 20            // grants of one user for one client, below the cap
	ownersMax    = 5000          // users who have grants; what comes on top is machines'
	askedMax     = 100_000       // tokens that are kept to be asked for
	userPassword = "correct horse battery staple"
	signedScope  = "stock:read" // of a resource whose access tokens are signed
)

// cheapHash is next to nothing, so that a login can be measured apart from its hash.
var cheapHash = users.Params{MemoryKiB: 8, Passes: 1, Threads: 1}

// cheapQueue has room for every connection: what is measured apart from the hash must not be turned away because of it.
const cheapQueue = 1000

// fixture is what the requests of a run are made of.
type fixture struct {
	resource             credential
	machine, web         credential // clients: a service, and one that logs users in
	signing              credential // a service whose access tokens are signed
	signed               []signedAPI
	site, siteRSA        credential // clients that people log in for; their ID tokens are signed by ES256 and RS256
	app                  string     // a public client
	names, slowNames     []string   // users with a cheap hash and with the real one
	access               []string   // access tokens to ask for
	refresh              []string   // one chain of the public client for each connection
	revocable            []string   // access tokens of the machine, each good for one revocation
	sessions             []string   // of people who have allowed the sites everything
	logins, slowLogins   atomic.Int64
	flows                atomic.Int64
	revoked, revokedMax  atomic.Int64 // revokedMax is how far the current round may go
	owners               []uuid.UUID
	total                int // grants in the store that access tokens were made for
	scopes, resourceNums []uint32
	appNumber, webNumber uint32
	machineNumber        uint32
}

type credential struct{ id, secret string }

// signedAPI is a resource whose access tokens are signed by an algorithm.
type signedAPI struct {
	credential
	audience, scope, algorithm string
}

// everybody answers for users and clients that were made a moment ago: nobody has changed them.
type everybody struct{}

func (everybody) User(context.Context, uuid.UUID, bool) (grants.Standing, error) {
	return grants.Standing{Epoch: 1, Enabled: true}, nil
}

func (everybody) Client(context.Context, uint32) (grants.Standing, error) {
	return grants.Standing{Epoch: 1, Enabled: true}, nil
}

func (everybody) Session(context.Context, uuid.UUID, uuid.UUID) (bool, error) { return true, nil }

func newService(s store.Store, ring *keys.Ring) *grants.Service {
	return grants.New(grants.Config{Store: s, Keys: ring, Parties: everybody{}, Audit: func(context.Context, grants.Event) {}})
}

// seed registers everything in an empty store and makes the first grants.
func seed(ctx context.Context, s store.Store, ring *keys.Ring, o options) (*fixture, error) {
	f := &fixture{}
	changes := store.NewChanges(s)
	if err := f.register(ctx, s, changes, o); err != nil {
		return nil, err
	}
	if err := f.registerPeople(ctx, s, ring, changes, o.people); err != nil {
		return nil, err
	}
	service := newService(s, ring)
	f.refresh = make([]string, o.connections)
	for i := range f.refresh {
		d := f.delegation(f.appNumber, f.owners[i%len(f.owners)])
		d.Refreshable = true
		tokens, err := service.Issue(ctx, d)
		if err != nil {
			return nil, err
		}
		f.refresh[i] = tokens.Refresh
	}
	f.revocable = make([]string, o.revocations)
	if err := parallel(len(f.revocable), func(i int) error {
		tokens, err := service.Issue(ctx, f.delegation(f.machineNumber, uuid.Nil))
		f.revocable[i] = tokens.Access
		return err
	}); err != nil {
		return nil, err
	}
	return f, f.grow(ctx, s, ring, o.sizes[0])
}

func (f *fixture) register(ctx context.Context, s store.Store, changes *store.Changes, o options) error {
	resource, secret, err := resources.New(s, changes).Create(ctx, resources.Definition{
		ID: "https://orders.example.com/api", Slug: "orders", Name: "Orders", AccessLifetime: 15 * time.Minute,
		Scopes: []resources.Scope{{Name: "orders:read"}, {Name: "orders:write"}, {Name: "orders:cancel"}},
	})
	if err != nil {
		return err
	}
	if err := f.registerSigned(ctx, s, changes); err != nil {
		return err
	}
	f.resource, f.resourceNums = credential{resource.Slug, secret}, []uint32{resource.Number}
	var scopes []string
	for _, scope := range resource.Scopes {
		scopes, f.scopes = append(scopes, scope.Name), append(f.scopes, scope.Number)
	}
	registry := clients.New(s, changes)
	create := func(id string, kind clients.Type, grantTypes ...string) (*clients.Client, string) {
		c, secret, createErr := registry.Create(ctx, clients.Registration{ID: id, Name: id, Type: kind, GrantTypes: grantTypes, Scopes: scopes, FirstParty: true})
		err = errors.Join(err, createErr)
		if c == nil {
			c = &clients.Client{}
		}
		return c, secret
	}
	machine, machineSecret := create("bench-machine", clients.Service, clients.ClientCredentials)
	web, webSecret := create("bench-web", clients.Confidential, clients.Password, clients.RefreshToken)
	app, _ := create("bench-app", clients.Public, clients.Password, clients.RefreshToken)
	scopes = nil
	for _, api := range f.signed {
		scopes = append(scopes, api.scope)
	}
	signing, signingSecret := create("bench-signing", clients.Service, clients.ClientCredentials)
	if err != nil {
		return err
	}
	f.signing = credential{signing.ID, signingSecret}
	f.machine, f.web, f.app = credential{machine.ID, machineSecret}, credential{web.ID, webSecret}, app.ID
	f.machineNumber, f.webNumber, f.appNumber = machine.Number, web.Number, app.Number
	return f.registerUsers(ctx, s, changes, o)
}

func (f *fixture) registerSigned(ctx context.Context, s store.Store, changes *store.Changes) error {
	for _, api := range []signedAPI{
		{algorithm: keys.ES256, scope: signedScope, credential: credential{id: "stock"}},
		{algorithm: keys.RS256, scope: "books:read", credential: credential{id: "books"}},
		{algorithm: keys.EdDSA, scope: "mail:read", credential: credential{id: "mail"}},
	} {
		api.audience = "https://" + api.id + ".example.com/api"
		_, secret, err := resources.New(s, changes).Create(ctx, resources.Definition{
			ID: api.audience, Slug: api.id, Name: api.id, Format: resources.FormatJWT, Alg: api.algorithm,
			Scopes: []resources.Scope{{Name: api.scope}},
		})
		if err != nil {
			return err
		}
		api.secret = secret
		f.signed = append(f.signed, api)
	}
	return nil
}

func (f *fixture) registerUsers(ctx context.Context, s store.Store, changes *store.Changes, o options) error {
	registry := func(p users.Params) *users.Registry {
		return users.New(users.Config{Store: s, Changes: changes, Grants: grants.NewEnder(s), Hasher: users.NewHasher(p, 0, seedWorkers)})
	}
	owners := min(ownersMax, (o.sizes[len(o.sizes)-1]+grantsEach-1)/grantsEach)
	slow := max(2, int(o.duration.Seconds()*60)*(o.rounds+1)/grantsEach)
	if slices.Contains(o.only, floodName) {
		slow = max(slow, floodUsers)
	}
	f.owners = make([]uuid.UUID, owners)
	create := func(r *users.Registry, name, password string) (uuid.UUID, error) {
		u, err := r.Create(ctx, users.NewUser{Username: name, Password: password})
		if err != nil {
			return uuid.Nil, err
		}
		return u.ID, nil
	}
	cheap, real := registry(cheapHash), registry(users.Params{})
	f.names, f.slowNames = make([]string, o.users), make([]string, slow)
	return parallel(owners+o.users+slow, func(i int) (err error) {
		switch {
		case i < owners:
			f.owners[i], err = create(cheap, fmt.Sprintf("owner%d", i), "")
		case i < owners+o.users:
			i -= owners
			f.names[i] = fmt.Sprintf("user%d", i)
			_, err = create(cheap, f.names[i], userPassword)
		default:
			i -= owners + o.users
			f.slowNames[i] = fmt.Sprintf("slow%d", i)
			_, err = create(real, f.slowNames[i], userPassword)
		}
		return err
	})
}

func (f *fixture) delegation(client uint32, user uuid.UUID) grants.Delegation {
	d := grants.Delegation{
		User: user, Client: client, ClientEpoch: 1, Scopes: f.scopes, Resources: f.resourceNums, AuthTime: time.Now(),
		Terms: grants.Terms{
			Access: func([]uint32) time.Duration { return seedLife },
			Idle:   14 * 24 * time.Hour, Absolute: 90 * 24 * time.Hour,
		},
	}
	if user != uuid.Nil {
		d.UserEpoch, d.Method, d.Refreshable = 1, grants.MethodPassword, true
	}
	return d
}

// grow makes grants until there are size of them: first those of users, grantsEach for each, whose tokens are kept, then
// ballast.
func (f *fixture) grow(ctx context.Context, s store.Store, ring *keys.Ring, size int) error {
	service := newService(s, ring)
	first, kept := f.total, len(f.access)
	asked := max(first, min(size, len(f.owners)*grantsEach))
	tokens := make([]string, max(0, min(asked, askedMax)-kept))
	err := parallel(asked-first, func(i int) error {
		i += first
		t, err := service.Issue(ctx, f.delegation(f.webNumber, f.owners[i%len(f.owners)]))
		if i >= kept && i-kept < len(tokens) {
			tokens[i-kept] = t.Access
		}
		return err
	})
	f.access, f.total = append(f.access, tokens...), size
	if err != nil {
		return err
	}
	return f.ballast(ctx, s, service, size-asked)
}

// ballast fills the store with n grants that nobody asks for: copies of a machine's, each under a name of its own. So they
// cost one write each, and ten million of them minutes.
func (f *fixture) ballast(ctx context.Context, s store.Store, service *grants.Service, n int) error {
	t, err := service.Issue(ctx, f.delegation(f.machineNumber, uuid.Nil))
	if err != nil {
		return err
	}
	checked, err := service.Check(ctx, t.Access)
	if err != nil {
		return err
	}
	key := func(id uuid.UUID) string { return "g" + string(id[:]) }
	one, err := s.Get(ctx, key(checked.ID))
	if err != nil {
		return fmt.Errorf("read a grant: %w", err)
	}
	ends := s.Now().Add(seedLife)
	return parallel(n, func(int) error {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		return s.Set(ctx, key(id), one.Value, ends)
	})
}

// parallel does n things, many at once, until one fails.
func parallel(n int, do func(i int) error) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	errs := make([]error, seedWorkers)
	var failed atomic.Bool
	for w := range errs {
		wait.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if errs[w] = do(i); errs[w] != nil {
					failed.Store(true)
				}
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
