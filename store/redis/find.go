package redis

import (
	"context"
	"errors"
	"strconv"

	"github.com/go-redis/redis/v8"

	"github.com/safeconduct/safeconduct/store"
)

// Find looks the items up, many in a pipeline.
func (s *Store) Find(ctx context.Context, items []store.Item) ([]store.Item, error) {
	calls := make([]*call, len(items))
	for i, item := range items {
		var err error
		if calls[i], err = s.finding(ctx, item); err != nil {
			return nil, err
		}
	}
	if err := s.runKeyed(ctx, "look items up", calls); err != nil {
		return nil, err
	}
	found := make([]store.Item, len(items))
	for i, item := range items {
		var err error
		if found[i], err = s.foundIn(item, calls[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// finding is the call that asks for an item.
func (s *Store) finding(ctx context.Context, i store.Item) (*call, error) {
	switch i.Kind {
	case store.KindRecord, store.KindCounter:
		key := s.key(kindRecord, i.Name)
		return s.scripts.describe.call(ctx, key, wantAll), nil
	case store.KindMember:
		key := s.key(kindIndex, i.Name)
		return &call{cmd: redis.NewStringSliceCmd(ctx, "zrangebylex", key, "["+i.Member+"\x00", "("+i.Member+"\x01"), key: key}, nil
	case store.KindEntry:
		key, seq := s.key(kindLog, i.Name), strconv.FormatUint(i.Seq, 10)
		return &call{cmd: redis.NewSliceCmd(ctx, "xrange", key, seq, seq), key: key}, nil
	}
	return nil, errors.New("redis: an item is of no known kind")
}

// foundIn reads the answer.
func (s *Store) foundIn(wanted store.Item, c *call) (store.Item, error) {
	switch cmd := c.cmd.(type) {
	case *redis.StringSliceCmd:
		for _, raw := range cmd.Val() {
			if len(raw) != len(wanted.Member)+memberTail {
				continue // of a longer name
			}
			if m := memberFrom(raw); m.Expires.After(s.Now()) {
				return store.Item{Kind: store.KindMember, Name: wanted.Name, Member: m.Name, Expires: m.Expires}, nil
			}
		}
	case *redis.SliceCmd:
		if len(cmd.Val()) == 1 {
			item, err := s.entryItem(wanted.Name, cmd.Val()[0], s.Now())
			if err != nil || item.Kind != 0 {
				return item, err
			}
		}
	default:
		item, err := s.described(s.key(kindRecord, wanted.Name), c)
		if err != nil || item.Kind == wanted.Kind {
			return item, err
		}
	}
	return store.Item{}, nil
}
