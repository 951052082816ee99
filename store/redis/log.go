package redis

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/safeconduct/safeconduct/store"
)

// A log is a stream. Its numbers are the microseconds of the store's clock, or one more than the last number when
// that is higher: so they grow even when the log was lost and begins anew. An entry is one field of the write id, the
// stamp of its expiry and the value.

// How many of the last entries Append looks through for its own write id. A first attempt can only find it when
// Redis stood still and then met both attempts at once; a repetition may come after many others.
const (
	lookBack         = 16
	lookBackRepeated = 1024
)

// Append writes entry at the end of log and returns its number.
func (s *Store) Append(ctx context.Context, log string, entry []byte, expires time.Time) (uint64, error) {
	until, err := expiryOf(expires)
	if err != nil {
		return 0, err
	}
	id := store.NewWriteID()
	c := s.scripts.append.call(ctx, s.key(kindLog, log), id[:], until.stamp(), until.keyArg(), bytes.Clone(entry), s.clock.told(), lookBack)
	c.creates, c.lasting = true, true
	c.repeated = func(args []any) { args[len(args)-1] = lookBackRepeated }
	if err := s.do(ctx, "append to a log", c); err != nil {
		return 0, err
	}
	return parseSeq(c.text())
}

// Since returns up to limit live entries of log with a number greater than seq, in order.
func (s *Store) Since(ctx context.Context, log string, seq uint64, limit int) ([]store.Entry, error) {
	var entries []store.Entry
	key, now := s.key(kindLog, log), s.Now()
	count := min(limit, pageSize)
	for len(entries) < limit && seq < math.MaxUint64 {
		from := strconv.FormatUint(seq+1, 10)
		cmd := redis.NewSliceCmd(ctx, "xrange", key, from, "+", "count", count)
		if err := s.do(ctx, "read a log", &call{cmd: cmd, key: key}); err != nil {
			return nil, err
		}
		page := cmd.Val()
		for _, raw := range page {
			entry, until, err := entryFrom(raw)
			if err != nil {
				return nil, err
			}
			seq = entry.Seq
			if !until.passed(now) && len(entries) < limit {
				entries = append(entries, entry)
			}
		}
		if len(page) < count {
			break
		}
		// Only expired entries make another round needed. There may be many of them, so the rounds get longer.
		count = min(2*count, pageSize)
	}
	return entries, nil
}

// entryFrom reads an element of XRANGE's answer: a number and a list of one field.
func entryFrom(raw any) (store.Entry, expiry, error) {
	if element, ok := raw.([]any); ok && len(element) == 2 {
		id, _ := element[0].(string)
		fields, _ := element[1].([]any)
		seq, err := parseSeq(id)
		if err == nil && len(fields) == 2 {
			if data, ok := fields[1].(string); ok && len(data) >= idSize+stampSize {
				value := data[idSize+stampSize:]
				return store.Entry{Seq: seq, Value: []byte(value)}, expiryFrom(data[idSize : idSize+stampSize]), nil
			}
		}
	}
	return store.Entry{}, 0, fmt.Errorf("redis: read a log: what is stored there is none")
}

func parseSeq(id string) (uint64, error) {
	number, _, _ := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("redis: the number of a log entry cannot be read: %w", err)
	}
	return seq, nil
}
