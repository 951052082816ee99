package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/safeconduct/safeconduct/keys"
)

// bench is one run.
type bench struct {
	options
	dir      string
	progress io.Writer
	cores    cores

	secret keys.Secret
	ring   *keys.Ring
	redis  *redisServer
	floor  *child
	floors *fixture // what the floor is asked about
	places []*place
}

// place is an engine with what was seeded into it, and the server that runs on it.
type place struct {
	engine, at string
	fixture    *fixture
	server     *child
	slowHash   bool // the parameters that the server runs with
}

func (b *bench) note(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

func (b *bench) close() {
	for _, p := range b.places {
		p.stop()
	}
	if b.floor != nil {
		b.floor.stop()
	}
	if b.redis != nil {
		b.redis.stop()
	}
}

// measure is the whole run.
func (b *bench) measure(ctx context.Context) (*report, error) {
	r := newReport(b)
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	r.redis = b.redis
	for _, s := range scenarios() {
		if !slices.Contains(b.only, s.name) {
			continue
		}
		results, err := b.runScenario(ctx, s, b.sizes[0])
		if err != nil {
			return nil, err
		}
		r.add(results)
	}
	if slices.Contains(b.only, openName) {
		if err := b.measureOpenLoop(ctx, r); err != nil {
			return nil, err
		}
	}
	if slices.Contains(b.only, floodName) {
		if err := b.measureFloods(ctx, r); err != nil {
			return nil, err
		}
	}
	if err := b.measureSizes(ctx, r); err != nil {
		return nil, err
	}
	if slices.Contains(b.only, startName) {
		if err := b.measureStart(r); err != nil {
			return nil, fmt.Errorf("measure the start: %w", err)
		}
	}
	if slices.Contains(b.only, requireName) {
		var err error
		if r.checks, err = b.measureRequire(ctx); err != nil {
			return nil, fmt.Errorf("measure scopes.Require: %w", err)
		}
	}
	r.hash = cheapHashCost()
	if b.redis != nil && slices.Contains(b.only, memoryName) {
		b.note("memory: %d grants of each kind", b.memory)
		var err error
		if r.footprints, err = b.measureMemory(ctx, b.memory); err != nil {
			return nil, err
		}
	}
	if slices.Contains(b.engines, engineRedis) && slices.Contains(b.only, stoppedName) {
		var err error
		if r.stops, err = b.measureStops(ctx); err != nil {
			return nil, fmt.Errorf("stop a master of a cluster: %w", err)
		}
	}
	if slices.Contains(b.only, pagesName) {
		for _, language := range []string{"en", "de"} {
			w, err := weighPages(language)
			if err != nil {
				return nil, fmt.Errorf("weigh the pages: %w", err)
			}
			r.weights = append(r.weights, w)
		}
	}
	if slices.Contains(b.only, feedName) {
		var err error
		if r.feeds, err = b.measureFeeds(ctx); err != nil {
			return nil, err
		}
	}
	r.end()
	return r, nil
}

// prepare starts and fills everything.
func (b *bench) prepare(ctx context.Context) error {
	b.secret = keys.NewSecret()
	var err error
	if b.ring, err = keys.NewRing(b.secret); err != nil {
		return err
	}
	b.redis, err = startRedis(ctx, b.cores, b.dir)
	if errors.Is(err, errNoRedis) {
		b.note("%v: only bolt is measured, and only the floor without Redis", err)
		b.engines = slices.DeleteFunc(slices.Clone(b.engines), func(e string) bool { return e == engineRedis })
	} else if err != nil {
		return err
	}
	for _, engine := range b.engines {
		p := &place{engine: engine, at: filepath.Join(b.dir, "data", "data.db")}
		if engine == engineRedis {
			p.at = b.redis.url
		}
		b.note("%s: seeding", engine)
		if err := p.seed(ctx, b); err != nil {
			return fmt.Errorf("seed %s: %w", engine, err)
		}
		b.places = append(b.places, p)
	}
	if len(b.places) == 0 {
		return errors.New("no engine is left to measure")
	}
	b.floors = b.places[0].fixture
	return b.startFloor(ctx)
}

func (b *bench) startFloor(ctx context.Context) error {
	f := b.floors
	j := job{Floor: true, Credentials: map[string]string{f.resource.id: f.resource.secret, f.machine.id: f.machine.secret, f.signing.id: f.signing.secret, f.web.id: f.web.secret, f.app: "",
		f.site.id: f.site.secret, f.siteRSA.id: f.siteRSA.secret}}
	if b.redis != nil {
		j.Place = b.redis.url
		for _, token := range f.floorTokens() {
			if err := b.redis.client.Set(ctx, floorKey(token), floorAnswer, seedLife).Err(); err != nil {
				return err
			}
		}
	}
	var err error
	b.floor, err = startChild(b.cores, j)
	return err
}

// floorAnswer is as long as a usual answer about a user's token.
const floorAnswer = `{"active":true,"scope":"orders:cancel orders:read orders:write","client_id":"bench-web","username":"owner1234",` +
	`"token_type":"Bearer","exp":1790000000,"sub":"3c9e2f4c-1a34-4f8b-9d2d-0b6c3c1b7a11","aud":"https://orders.example.com/api",` +
	`"iss":"http://127.0.0.1:40000","jti":"019aacc0-7a3b-7c3e-8f51-3f3f6f0b7c11.1"}`

func (f *fixture) floorTokens() []string { return f.access[:min(len(f.access), 1000)] }

func (p *place) seed(ctx context.Context, b *bench) error {
	s, err := openStore(ctx, p.engine, p.at)
	if err != nil {
		return err
	}
	p.fixture, err = seed(ctx, s, b.ring, b.options)
	return errors.Join(err, s.Close())
}

// grow stops the server and brings the store to size grants.
func (p *place) grow(ctx context.Context, b *bench, size int) error {
	p.stop()
	s, err := openStore(ctx, p.engine, p.at)
	if err != nil {
		return err
	}
	return errors.Join(p.fixture.grow(ctx, s, b.ring, size), s.Close())
}

// serve makes sure that a server with these parameters of hashing runs.
func (p *place) serve(b *bench, slowHash bool) error {
	if p.server != nil && p.slowHash == slowHash {
		return nil
	}
	p.stop()
	j := job{Engine: p.engine, Place: p.at, Secret: b.secret.Text(), AccessLog: b.accessLog}
	if !slowHash {
		j.Hash, j.HashQueue = cheapHash, cheapQueue
	}
	var err error
	p.server, err = startChild(b.cores, j)
	p.slowHash = slowHash
	return err
}

func (p *place) stop() {
	if p.server != nil {
		p.server.stop()
		p.server = nil
	}
}

// measureSizes asks for introspections again with more and more grants in the store.
func (b *bench) measureSizes(ctx context.Context, r *report) error {
	index := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == introspectName })
	if !slices.Contains(b.only, introspectName) {
		return nil
	}
	for _, size := range b.sizes[1:] {
		for _, p := range b.places {
			b.note("%s: seeding up to %d grants", p.engine, size)
			if err := p.grow(ctx, b, size); err != nil {
				return fmt.Errorf("seed %s: %w", p.engine, err)
			}
		}
		results, err := b.runScenario(ctx, scenarios()[index], size)
		if err != nil {
			return err
		}
		r.add(results)
	}
	return nil
}

// measureOpenLoop asks at a fixed rate what matters most to those who wait.
func (b *bench) measureOpenLoop(ctx context.Context, r *report) error {
	for _, s := range scenarios() {
		if s.name != introspectName && s.name != refreshName {
			continue
		}
		s.rate, s.goals = b.rate, nil
		results, err := b.runScenario(ctx, s, b.sizes[0])
		if err != nil {
			return err
		}
		r.open = append(r.open, results...)
	}
	return nil
}

// cheapHashCost is what the hash of cheapHash costs. It is taken off the figures of logins "hash apart".
func cheapHashCost() time.Duration {
	best := time.Hour
	for range 20 {
		const times = 50
		began := time.Now()
		for range times {
			argon2.IDKey([]byte(userPassword), make([]byte, 16), cheapHash.Passes, cheapHash.MemoryKiB, cheapHash.Threads, 32)
		}
		best = min(best, time.Since(began)/times)
	}
	return best
}
