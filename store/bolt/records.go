package bolt

import (
	"context"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/safeconduct/safeconduct/store"
)

const idSize = len(store.WriteID{})

// Get returns the live record under key.
func (s *Store) Get(ctx context.Context, key string) (store.Record, error) {
	stored, err := plainKey(recordKind, key)
	if err != nil {
		return store.Record{}, err
	}
	var found store.Record
	err = s.read(ctx, func(db *bbolt.Tx) error {
		name, _ := recordKind.bucket()
		raw := db.Bucket([]byte(name)).Get(stored)
		if raw == nil {
			return store.ErrNotFound
		}
		it, err := decodeItem(stored, raw)
		if err != nil {
			return err
		}
		if !it.live(s.Now().UnixMilli()) {
			return store.ErrNotFound
		}
		found.ID = it.writeID()
		found.Value = slices.Clone(it.payload[idSize:])
		return nil
	})
	return found, err
}

// Set writes value under key.
func (s *Store) Set(ctx context.Context, key string, value []byte, expires time.Time) error {
	return s.writeRecord(ctx, key, value, expires, func(*item) error { return nil })
}

// Add writes value under key if no live record is there.
func (s *Store) Add(ctx context.Context, key string, value []byte, expires time.Time) error {
	return s.writeRecord(ctx, key, value, expires, func(live *item) error {
		if live != nil {
			return store.ErrExists
		}
		return nil
	})
}

// Swap replaces the record under key while it is still old.
func (s *Store) Swap(ctx context.Context, key string, old store.Record, value []byte, expires time.Time) error {
	return s.writeRecord(ctx, key, value, expires, func(live *item) error {
		if live == nil || live.writeID() != old.ID {
			return store.ErrConflict
		}
		return nil
	})
}

// writeRecord writes a record if allowed, which is shown the live one, finds nothing against it.
func (s *Store) writeRecord(ctx context.Context, key string, value []byte, expires time.Time, allowed func(live *item) error) error {
	stored, err := plainKey(recordKind, key)
	if err != nil {
		return err
	}
	until, err := unixExpiry(expires)
	if err != nil {
		return err
	}
	id := store.NewWriteID()
	payload := append(id[:], value...)
	return s.write(&write{ctx: ctx, size: len(payload), run: func(t *tx) error {
		live, there, err := t.findLive(stored)
		if err != nil {
			return err
		}
		if err := allowed(live); err != nil {
			return err
		}
		return t.put(stored, there, until, payload)
	}})
}

// Delete ends the record or counter under key.
func (s *Store) Delete(ctx context.Context, key string) error {
	record, err := plainKey(recordKind, key)
	if err != nil {
		return err
	}
	counter, _ := plainKey(counterKind, key)
	return s.write(&write{ctx: ctx, frees: true, run: func(t *tx) error {
		for _, stored := range [][]byte{record, counter} {
			there, err := t.find(stored)
			if err != nil {
				return err
			}
			if there == nil {
				continue
			}
			if err := t.drop(stored, there); err != nil {
				return err
			}
		}
		return nil
	}})
}

// writeID is the id of the write that put a record there.
func (it *item) writeID() store.WriteID { return store.WriteID(it.payload[:idSize]) }
