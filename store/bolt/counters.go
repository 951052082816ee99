package bolt

import (
	"context"
	"encoding/binary"
	"time"
)

// Increment adds one to the counter under key.
func (s *Store) Increment(ctx context.Context, key string, expires time.Time) (int64, error) {
	stored, err := plainKey(counterKind, key)
	if err != nil {
		return 0, err
	}
	until, err := unixExpiry(expires)
	if err != nil {
		return 0, err
	}
	var n uint64
	err = s.write(&write{ctx: ctx, run: func(t *tx) error {
		live, there, err := t.findLive(stored)
		if err != nil {
			return err
		}
		n = 1
		if live != nil {
			n += binary.BigEndian.Uint64(live.payload)
		}
		return t.put(stored, there, until, binary.BigEndian.AppendUint64(nil, n))
	}})
	if err != nil {
		return 0, err
	}
	return int64(n), nil
}
