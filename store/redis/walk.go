package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/go-redis/redis/v8"

	"github.com/safeconduct/safeconduct/store"
)

var _ store.Walker = (*Store)(nil)

// Which of the keys under kindRecord the script that describes them tells of.
const (
	wantPassing  = "p" // records that expire
	wantLasting  = "l" // records that stay
	wantCounters = "c"
	wantAll      = "a"
)

// Walk tells what is there, one master after the other, in the order of the contract: it goes over all keys once for each
// part. Each item is as it was at some moment of the walk.
func (s *Store) Walk(ctx context.Context, see func(store.Item) error) (store.Mark, error) {
	var mark store.Mark
	tell := func(i store.Item) error {
		mark.Seq = max(mark.Seq, i.Seq)
		return see(i)
	}
	for _, wanted := range []string{wantPassing, wantLasting, wantCounters} {
		if err := s.walkStrings(ctx, wanted, tell); err != nil {
			return mark, err
		}
	}
	for _, l := range lists() {
		if err := s.walkLists(ctx, l, tell); err != nil {
			return mark, err
		}
	}
	mark.Now = s.Now()
	return mark, nil
}

// walkStrings tells the records or the counters.
func (s *Store) walkStrings(ctx context.Context, wanted string, tell func(store.Item) error) error {
	return s.scanAll(ctx, kindRecord, func(keys []string) error {
		calls := make([]*call, len(keys))
		for i, key := range keys {
			calls[i] = s.scripts.describe.call(ctx, key, wanted)
		}
		if err := s.runKeyed(ctx, "read all records", calls); err != nil {
			return err
		}
		for i, key := range keys {
			item, err := s.described(key, calls[i])
			if err != nil {
				return err
			}
			if item.Kind != 0 {
				if err := tell(item); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// described is the item that the script tells of, of no kind if it tells nothing.
func (s *Store) described(key string, c *call) (store.Item, error) {
	answer, _ := c.cmd.(*redis.Cmd).Val().([]any)
	if len(answer) == 0 {
		return store.Item{}, nil
	}
	item := store.Item{Name: key[len(s.prefix)+len(kindRecord):], Expires: store.Forever}
	if len(answer) != 3 {
		return item, fmt.Errorf("redis: read all records: an answer of %d parts", len(answer))
	}
	text, _ := answer[0].(string)
	if at, _ := answer[1].(int64); at >= 0 {
		item.Expires = expiry(at + 1).time() // the key is told the last millisecond in which it lives
	}
	if counter, _ := answer[2].(int64); counter == 1 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return item, fmt.Errorf("redis: read a counter: %w", err)
		}
		item.Kind, item.Count = store.KindCounter, n
		return item, nil
	}
	if len(text) < idSize {
		return item, fmt.Errorf("redis: read all records: what is stored under a key is neither a record nor a counter")
	}
	item.Kind, item.ID, item.Value = store.KindRecord, store.WriteID([]byte(text[:idSize])), []byte(text[idSize:])
	return item, nil
}

// Extent is the number of keys, those of others in the same database too.
func (s *Store) Extent(ctx context.Context) (int64, error) {
	var all int64
	nodes, err := s.everyNode("count the keys")
	if err != nil {
		return 0, err
	}
	for _, n := range nodes {
		cmd := redis.NewIntCmd(ctx, "dbsize")
		if err := s.runAll(ctx, n, "count the keys", []*call{{cmd: cmd}}); err != nil {
			return 0, err
		}
		all += cmd.Val()
	}
	return all, nil
}

// Snapshot is false: Redis goes on while it is read.
func (s *Store) Snapshot() bool { return false }
