// Package redis keeps the records of Safeconduct in Redis (6.2 or newer), so that any number of processes can share
// them. Only cmd names it; the packages of rules see a store.Store.
//
// It may be one node, a master whose sentinels replace it when it dies, or a cluster. Each call is one command, or one
// script, on one key. Calls that arrive while others are under way to the same node go out together in one pipeline. A
// pipeline whose connection broke, or whose answers did not come, is sent once more on a fresh connection: the write ids
// make that safe. What Redis cannot do now is store.ErrUnavailable, within about a second and a half. Expiry is counted by the clock of Redis, and Now tells that clock.
//
// What takes rights away is done when a replica has it, where there are replicas.
//
// Redis must never evict records: Open refuses a server whose maxmemory-policy is not noeviction.
package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/go-redis/redis/v8"

	"github.com/safeconduct/safeconduct/store"
)

var _ store.Store = (*Store)(nil)

// The first byte after the prefix tells what a key holds, so that a record, an index and a log of one name do not meet. No
// prefix may have such a byte, so the keys of one installation never look like those of another.
const (
	kindRecord     = "\x01" // and counters: Delete ends both
	kindIndex      = "\x02"
	kindLog        = "\x03"
	kindTopic      = "\x04"
	kindMarker     = "\x05" // see Empty
	kindUnfinished = "\x06" // see Fill
)

// Store is a handle on one Redis. Make it with Open.
type Store struct {
	terms     *terms
	node      *node      // nil for a cluster
	sentinels *sentinels // nil without
	cluster   *cluster   // nil for what is none
	clock     *clock
	scripts   scripts
	prefix    string
	marked    atomic.Bool // the marker key is known to be there

	// alive ends with Close, and takes what runs in the background with it.
	alive      context.Context
	end        context.CancelFunc
	mu         sync.Mutex // so that nothing begins in the background while Close waits for it
	background sync.WaitGroup
}

// nodes are those that hold records.
func (s *Store) nodes() []*node {
	if s.cluster != nil {
		return s.cluster.masters()
	}
	return []*node{s.node}
}

// holder is the node that holds a key, or nil while that is not known.
func (s *Store) holder(key string) *node {
	if s.cluster != nil {
		return s.cluster.holder(key)
	}
	return s.node
}

// Ping reports whether Redis answers, and is fit to keep records. In a cluster, one master that can serve is enough.
func (s *Store) Ping(ctx context.Context) error {
	if s.cluster == nil {
		return s.do(ctx, "ping", &call{cmd: redis.NewStatusCmd(ctx, "ping")})
	}
	if err := s.open(); err != nil {
		return s.unavailable("ping", err)
	}
	err := s.cluster.ping(ctx)
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	return s.unavailable("ping", err)
}

// Empty reports whether nothing was ever written under the prefix. It asks for one key, which the first write of every
// handle leaves behind for good.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	cmd := redis.NewIntCmd(ctx, "exists", s.markerKey())
	if err := s.do(ctx, "look for the first write", &call{cmd: cmd, key: s.markerKey()}); err != nil {
		return false, err
	}
	return cmd.Val() == 0, nil
}

// mark leaves the marker of Empty, unless it is known to be there.
func (s *Store) mark(ctx context.Context) error {
	if s.marked.Load() {
		return nil
	}
	err := s.carry(ctx, &call{cmd: redis.NewStatusCmd(ctx, "set", s.markerKey(), "1"), key: s.markerKey()})
	if err != nil && isAnswer(err) {
		// A full memory takes no marker, and needs none where it is: what takes rights away must go on.
		there := redis.NewIntCmd(ctx, "exists", s.markerKey())
		if s.carry(ctx, &call{cmd: there, key: s.markerKey()}) == nil && there.Val() == 1 {
			err = nil
		}
	}
	if err == nil {
		s.marked.Store(true)
	}
	return err
}

// Close ends the handle, its subscriptions and its connections. Closing again does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	var err error
	if s.cluster != nil {
		s.cluster.close()
	}
	if s.node != nil {
		err = s.node.client.Close()
	}
	if s.sentinels != nil {
		s.sentinels.close()
	}
	s.background.Wait()
	if err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

func (s *Store) open() error {
	if s.alive.Err() != nil {
		return redis.ErrClosed
	}
	return nil
}

// do carries out a call and says in its error what could not be done.
func (s *Store) do(ctx context.Context, doing string, c *call) error {
	err := s.open()
	if err == nil && c.creates {
		err = s.mark(ctx)
	}
	if err == nil {
		err = s.carry(ctx, c)
	}
	if err == nil && c.creates {
		// Only now it may have turned out that the server has lost its data. The next write makes up for an error here.
		_ = s.mark(ctx)
	}
	if err == nil || errors.Is(err, redis.Nil) || errors.Is(err, ctx.Err()) {
		return err
	}
	return s.unavailable(doing, err)
}

// carry brings a call to the node that it is for.
func (s *Store) carry(ctx context.Context, c *call) error {
	if s.cluster != nil {
		return s.cluster.do(ctx, c)
	}
	return s.node.do(ctx, c)
}

// unavailable wraps store.ErrUnavailable, with what caused err as text only: nobody shall decide on that.
func (s *Store) unavailable(doing string, err error) error {
	return fmt.Errorf("redis: %s: %s: %w", doing, plain(err), store.ErrUnavailable)
}

// inBackground runs what ends with ctx or with the store, unless the store is closed already.
func (s *Store) inBackground(ctx context.Context, run func(context.Context)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive.Err() != nil {
		return false
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.alive, cancel)
	s.background.Go(func() {
		defer cancel()
		defer stop()
		run(ctx)
	})
	return true
}

// RecordKey is how Redis calls a record under a prefix, for who must know on which node of a cluster it lies.
func RecordKey(prefix, key string) string { return prefix + kindRecord + key }

// LogKey is RecordKey for a log.
func LogKey(prefix, log string) string { return prefix + kindLog + log }

func (s *Store) key(kind, name string) string { return s.prefix + kind + name }

func (s *Store) markerKey() string { return s.prefix + kindMarker }
