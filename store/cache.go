package store

import (
	"context"
	"hash/maphash"
	"strings"
	"sync"
	"time"
)

const (
	// cacheShards keeps readers of different records out of each other's way, in caches that are large enough.
	cacheShards  = 16
	shardMinimum = 64
	// keepFor bounds how long a value outlives a change that nobody announced, because its writer died before it could.
	keepFor = 30 * time.Second
)

// Cache remembers values of one kind that were read from the store, until Changes tells that they changed. It trusts
// nothing while Changes is not fresh. Values are shared by all callers and must not be modified.
type Cache[T any] struct {
	changes *Changes
	kind    string
	seed    maphash.Seed
	shards  []cacheShard[T]
}

type cacheShard[T any] struct {
	limit int

	mu      sync.RWMutex
	kept    map[string]cached[T]
	reading map[string]*reading
}

type cached[T any] struct {
	value T
	read  int64 // when the reading began, by Changes.clock
}

// reading is one or more readings of a value under way. A change that arrives meanwhile spoils it: nobody knows
// whether the value was read before the change or after.
type reading struct {
	readers int
	spoiled bool
}

// NewCache makes a cache for the records whose subjects are kind followed by their id, as "client/", of at most limit
// values.
func NewCache[T any](c *Changes, kind string, limit int) *Cache[T] {
	limit = max(limit, 1)
	count := max(min(cacheShards, limit/shardMinimum), 1)
	cache := &Cache[T]{changes: c, kind: kind, seed: maphash.MakeSeed(), shards: make([]cacheShard[T], count)}
	for i := range cache.shards {
		cache.shards[i] = cacheShard[T]{
			limit:   limit / count,
			kept:    make(map[string]cached[T]),
			reading: make(map[string]*reading),
		}
	}
	c.Listen(cache.changed)
	return cache
}

// Load returns the value of id: from memory while Changes is fresh, else by read. Errors are not remembered. Of
// callers that miss at once each reads for itself.
func (c *Cache[T]) Load(ctx context.Context, id string, read func(context.Context) (T, error)) (T, error) {
	if value, found := c.Lookup(id); found {
		return value, nil
	}
	now, fresh := c.changes.fresh()
	shard := c.shard(id)
	r := shard.begin(id)
	keep := false
	var value T
	defer func() { shard.end(id, r, cached[T]{value: value, read: now}, keep) }()
	value, err := read(ctx)
	keep = fresh && err == nil
	return value, err
}

// Lookup returns the value of id if it is in memory and trusted. Who asks it first and finds something need not make a
// function that reads.
func (c *Cache[T]) Lookup(id string) (value T, found bool) {
	now, fresh := c.changes.fresh()
	if !fresh {
		return value, false
	}
	return c.shard(id).lookup(id, now)
}

// forget drops what is remembered of id, and keeps readings under way from being remembered.
func (c *Cache[T]) forget(id string) { c.shard(id).forget(id) }

// changed is told of every change.
func (c *Cache[T]) changed(subject string) {
	if id, ours := strings.CutPrefix(subject, c.kind); ours {
		c.forget(id)
	}
	if subject == "" {
		for i := range c.shards {
			c.shards[i].forgetAll()
		}
	}
}

func (c *Cache[T]) shard(id string) *cacheShard[T] {
	return &c.shards[maphash.String(c.seed, id)%uint64(len(c.shards))]
}

func (s *cacheShard[T]) lookup(id string, now int64) (value T, found bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, found := s.kept[id]
	if !found || now-k.read >= int64(keepFor) {
		return value, false
	}
	return k.value, true
}

func (s *cacheShard[T]) begin(id string) *reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reading[id]
	if r == nil {
		r = &reading{}
		s.reading[id] = r
	}
	r.readers++
	return r
}

func (s *cacheShard[T]) end(id string, r *reading, value cached[T], keep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.readers--
	if r.readers == 0 && s.reading[id] == r {
		delete(s.reading, id)
	}
	if !keep || r.spoiled {
		return
	}
	if _, there := s.kept[id]; !there && len(s.kept) >= s.limit {
		for victim := range s.kept { // Go's order is random enough: no pattern of requests can flush one value
			delete(s.kept, victim)
			break
		}
	}
	s.kept[id] = value
}

func (s *cacheShard[T]) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, id)
	s.spoil(id)
}

func (s *cacheShard[T]) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.kept)
	for id := range s.reading {
		s.spoil(id)
	}
}

// spoil leaves the readings of id to end unremembered; one that begins later is a new one.
func (s *cacheShard[T]) spoil(id string) {
	if r := s.reading[id]; r != nil {
		r.spoiled = true
		delete(s.reading, id)
	}
}
