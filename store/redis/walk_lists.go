package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-redis/redis/v8"

	"github.com/safeconduct/safeconduct/store"
)

// fromStart is where the first page of a list begins.
const fromStart = "-"

// list is how a kind of keys is read that hold many items each.
type list struct {
	kind string
	// page asks for a page of what a key holds, from a place on.
	page func(ctx context.Context, key, from string) *call
	// read tells the live items of a page; it returns how many there were in all, and where the next page begins.
	read func(s *Store, name string, c *call, tell func(store.Item) error) (n int, next string, err error)
}

// lists are the kinds of keys that hold many items each.
func lists() []list {
	return []list{
		{kindIndex, indexPage, (*Store).readIndexPage},
		{kindLog, logPage, (*Store).readLogPage},
	}
}

// walkLists tells what all keys of a kind hold. Most are small: the first pages of many keys travel together.
func (s *Store) walkLists(ctx context.Context, l list, tell func(store.Item) error) error {
	return s.scanAll(ctx, l.kind, func(keys []string) error {
		first := make([]*call, len(keys))
		for i, key := range keys {
			first[i] = l.page(ctx, key, fromStart)
		}
		if err := s.runKeyed(ctx, "read all lists", first); err != nil {
			return err
		}
		for i, key := range keys {
			if err := s.walkList(ctx, l, key, first[i], tell); err != nil {
				return err
			}
		}
		return nil
	})
}

// walkList tells what a key holds, whose first page is there.
func (s *Store) walkList(ctx context.Context, l list, key string, c *call, tell func(store.Item) error) error {
	for {
		count, next, err := l.read(s, key[len(s.prefix)+len(l.kind):], c, tell)
		if err != nil || count < pageSize {
			return err
		}
		c = l.page(ctx, key, next)
		if err := s.runKeyed(ctx, "read all lists", []*call{c}); err != nil {
			return err
		}
	}
}

func indexPage(ctx context.Context, key, from string) *call {
	return &call{cmd: redis.NewStringSliceCmd(ctx, "zrangebylex", key, from, "+", "limit", 0, pageSize), key: key}
}

func (s *Store) readIndexPage(name string, c *call, tell func(store.Item) error) (n int, next string, err error) {
	page := c.cmd.(*redis.StringSliceCmd).Val()
	now := s.Now()
	for _, raw := range page {
		if len(raw) < memberTail {
			return 0, "", fmt.Errorf("redis: read an index: a member of %d bytes", len(raw))
		}
		next = "(" + raw
		if m := memberFrom(raw); m.Expires.After(now) {
			if err := tell(store.Item{Kind: store.KindMember, Name: name, Member: m.Name, Expires: m.Expires}); err != nil {
				return 0, "", err
			}
		}
	}
	return len(page), next, nil
}

func logPage(ctx context.Context, key, from string) *call {
	return &call{cmd: redis.NewSliceCmd(ctx, "xrange", key, from, "+", "count", pageSize), key: key}
}

func (s *Store) readLogPage(name string, c *call, tell func(store.Item) error) (n int, next string, err error) {
	page := c.cmd.(*redis.SliceCmd).Val()
	for _, raw := range page {
		item, err := s.entryItem(name, raw, s.Now())
		if err != nil {
			return 0, "", err
		}
		next = strconv.FormatUint(item.Seq+1, 10)
		if item.Kind != 0 {
			if err := tell(item); err != nil {
				return 0, "", err
			}
		}
	}
	return len(page), next, nil
}

// entryItem is an entry of a log, of no kind when it has expired.
func (s *Store) entryItem(log string, raw any, now time.Time) (store.Item, error) {
	entry, until, err := entryFrom(raw)
	item := store.Item{Name: log, Seq: entry.Seq, Value: entry.Value, Expires: until.time()}
	if err == nil && !until.passed(now) {
		item.Kind = store.KindEntry
	}
	return item, err
}
