package redis

import (
	"context"
	"errors"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/safeconduct/safeconduct/store"
)

// A record is stored as its write id and its value, one after the other.
const idSize = len(store.WriteID{})

// Get returns the live record under key, or store.ErrNotFound.
func (s *Store) Get(ctx context.Context, key string) (store.Record, error) {
	key = s.key(kindRecord, key)
	cmd := redis.NewStringCmd(ctx, "get", key)
	err := s.do(ctx, "read a record", &call{cmd: cmd, key: key})
	if errors.Is(err, redis.Nil) {
		return store.Record{}, store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, err
	}
	stored, _ := cmd.Bytes()
	if len(stored) < idSize {
		return store.Record{}, errors.New("redis: read a record: what is stored there is none")
	}
	return store.Record{ID: store.WriteID(stored), Value: stored[idSize:]}, nil
}

// Set writes value under key, whatever was there.
func (s *Store) Set(ctx context.Context, key string, value []byte, expires time.Time) error {
	until, err := expiryOf(expires)
	if err != nil {
		return err
	}
	key = s.key(kindRecord, key)
	args := []any{"set", key, stored(store.NewWriteID(), value)}
	if until != forever {
		args = append(args, "pxat", until.keyArg())
	}
	return s.do(ctx, "write a record", &call{cmd: redis.NewStatusCmd(ctx, args...), key: key, creates: true, lasting: store.Lasts(ctx)})
}

// Add writes value under key only if no live record holds it, else it returns store.ErrExists.
func (s *Store) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	until, err := expiryOf(expires)
	if err != nil {
		return err
	}
	c := s.scripts.add.call(ctx, s.key(kindRecord, key), stored(store.NewWriteID(), value), until.keyArg())
	c.creates, c.lasting = true, store.Lasts(ctx)
	return s.doOr(ctx, "add a record", c, store.ErrExists)
}

// Swap replaces the record under key only while it is still old, else it returns store.ErrConflict.
func (s *Store) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	until, err := expiryOf(expires)
	if err != nil {
		return err
	}
	c := s.scripts.swap.call(ctx, s.key(kindRecord, key), stored(store.NewWriteID(), value), until.keyArg(), old.ID[:])
	c.lasting = store.Lasts(ctx)
	return s.doOr(ctx, "swap a record", c, store.ErrConflict)
}

// Delete ends the record or counter under key. DEL works when the memory is full.
func (s *Store) Delete(ctx context.Context, key string) error {
	key = s.key(kindRecord, key)
	return s.do(ctx, "delete a record", &call{cmd: redis.NewIntCmd(ctx, "del", key), key: key, lasting: true})
}

// Increment adds one to the counter under key and returns the new count.
func (s *Store) Increment(ctx context.Context, key string, expires time.Time) (int64, error) {
	until, err := expiryOf(expires)
	if err != nil {
		return 0, err
	}
	c := s.scripts.increment.call(ctx, s.key(kindRecord, key), until.keyArg())
	c.creates = true
	if err := s.do(ctx, "count", c); err != nil {
		return 0, err
	}
	return c.integer(), nil
}

// doOr carries out a script that answers 1 when it did its work, and 0 for the refusal.
func (s *Store) doOr(ctx context.Context, doing string, c *call, refusal error) error {
	if err := s.do(ctx, doing, c); err != nil {
		return err
	}
	if c.integer() != 1 {
		return refusal
	}
	return nil
}

// stored is value behind its write id.
func stored(id store.WriteID, value []byte) []byte {
	return append(append(make([]byte, 0, idSize+len(value)), id[:]...), value...)
}
