// Package redis keeps the records of Safeconduct in Redis (6.2 or newer), so that any number of processes can share
// them. Only cmd names it; the packages of rules see a store.Store.
//
// Each call is one command, or one script, on one key. Calls that arrive while others are under way go out together
// in one pipeline. A pipeline whose connection broke, or whose answers did not come, is sent once more on a fresh
// connection: the write ids make that safe. What Redis cannot do now is store.ErrUnavailable, within about a second
// and a half. Expiry is counted by the clock of Redis, and Now tells that clock.
//
// Redis must never evict records: Open refuses a server whose maxmemory-policy is not noeviction.
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/go-redis/redis/v8"

	"github.com/safeconduct/safeconduct/store"
)

var _ store.Store = (*Store)(nil)

// The first byte after the prefix tells what a key holds, so that a record, an index and a log of one name do not meet.
const (
	kindRecord = "r" // and counters: Delete ends both
	kindIndex  = "i"
	kindLog    = "l"
	kindTopic  = "t"
	kindMarker = "m" // see Empty

	kindUnfinished = "u" // see Fill
)

// Store is a handle on one Redis. Make it with Open.
type Store struct {
	node    *node
	clock   *clock
	scripts scripts
	prefix  string

	database int

	// alive ends with Close, and takes what runs in the background with it.
	alive      context.Context
	end        context.CancelFunc
	mu         sync.Mutex // so that nothing begins in the background while Close waits for it
	background sync.WaitGroup
}

// Open opens a handle. It refuses a server that is there but unfit: a wrong password, a policy that evicts records, a
// version before 6.2, a replica. When the server is not there, Open still gives a handle: its calls return
// store.ErrUnavailable until the server appears, and if that proves unfit they go on and say why.
func Open(ctx context.Context, o Options) (*Store, error) {
	address, err := o.address()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}

	s := &Store{clock: newClock(o.Clock), scripts: newScripts(), prefix: o.Prefix, database: address.database}
	s.alive, s.end = context.WithCancel(context.Background())
	s.node = newNode(address, s.markerKey(), s.clock, o.Logger)
	s.node.uncoalesced = o.uncoalesced

	// Whatever else the answer is: a server that is not there, or not ready, may yet become so.
	ping := &call{cmd: redis.NewStatusCmd(ctx, "ping")}
	if reason := refusalOf(address.host, s.node.do(ctx, ping)); reason != nil {
		_ = s.Close()
		return nil, reason
	}
	s.inBackground(context.Background(), s.keepTime)
	return s, nil
}

// Ping reports whether Redis answers, and is fit to keep records.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, "ping", &call{cmd: redis.NewStatusCmd(ctx, "ping")})
}

// Empty reports whether nothing was ever written under the prefix. It asks for one key, which the first write of every
// handle leaves behind for good.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	cmd := redis.NewIntCmd(ctx, "exists", s.markerKey())
	if err := s.do(ctx, "look for the first write", &call{cmd: cmd}); err != nil {
		return false, err
	}
	return cmd.Val() == 0, nil
}

// Close ends the handle, its subscriptions and its connections. Closing again does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	err := s.node.client.Close()
	s.background.Wait()
	if err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

// do carries out a call and says in its error what could not be done.
func (s *Store) do(ctx context.Context, doing string, c *call) error {
	if s.alive.Err() != nil {
		return s.unavailable(doing, redis.ErrClosed)
	}
	err := s.node.do(ctx, c)
	if err == nil || errors.Is(err, redis.Nil) || errors.Is(err, ctx.Err()) {
		return err
	}
	return s.unavailable(doing, err)
}

// unavailable wraps store.ErrUnavailable, with what caused err as text only: nobody shall decide on that.
func (s *Store) unavailable(doing string, err error) error {
	if reason := refusalOf(s.node.host, err); reason != nil {
		err = reason
	}
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

func (s *Store) key(kind, name string) string { return s.prefix + kind + name }

func (s *Store) markerKey() string { return s.prefix + kindMarker }
