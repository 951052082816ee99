package bolt

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/safeconduct/safeconduct/store"
)

// Append writes entry at the end of log. Its number is the time in microseconds, or one more than the last if that is
// greater: so numbers grow even in a file that was restored from an older copy.
func (s *Store) Append(ctx context.Context, log string, entry []byte, expires time.Time) (uint64, error) {
	prefix, err := listKey(logKind, log)
	if err != nil {
		return 0, err
	}
	until, err := unixExpiry(expires)
	if err != nil {
		return 0, err
	}
	payload := slices.Clone(entry)
	var seq uint64
	err = s.write(&write{ctx: ctx, size: len(payload), run: func(t *tx) error {
		seq = max(t.sums.seq+1, uint64(t.now)*uint64(time.Millisecond/time.Microsecond))
		t.sums.seq = seq
		return t.put(binary.BigEndian.AppendUint64(slices.Clip(prefix), seq), nil, until, payload)
	}})
	if err != nil {
		return 0, err
	}
	return seq, nil
}

// Since returns up to limit live entries of log after number seq.
func (s *Store) Since(ctx context.Context, log string, seq uint64, limit int) ([]store.Entry, error) {
	prefix, err := listKey(logKind, log)
	if err != nil || limit <= 0 || seq == math.MaxUint64 {
		return nil, err
	}
	after := binary.BigEndian.AppendUint64(slices.Clip(prefix), seq)
	var entries []store.Entry
	err = s.read(ctx, func(db *bbolt.Tx) error {
		return each(db, prefix, after, s.Now().UnixMilli(), func(key []byte, it *item) bool {
			entries = append(entries, store.Entry{
				Seq:   binary.BigEndian.Uint64(key[len(prefix):]),
				Value: slices.Clone(it.payload),
			})
			return len(entries) < limit
		})
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}
