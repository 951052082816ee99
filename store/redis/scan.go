package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-redis/redis/v8"
)

const (
	// scanCount is how many keys Redis looks at for one answer: few enough not to hold others up.
	scanCount = 512
	// together is how many calls of a walk or a filling travel in one pipeline.
	together = 128
)

// everyNode is all nodes that hold records. A cluster of which a part is not known has not told everything.
func (s *Store) everyNode(doing string) ([]*node, error) {
	if s.cluster != nil {
		for i := range s.cluster.slots {
			if s.cluster.slots[i].Load() == nil {
				return nil, s.unavailable(doing, errNoMaster)
			}
		}
	}
	return s.nodes(), nil
}

// where names the server in messages.
func (s *Store) where() string { return s.terms.address.hosts[0] }

// scanAll calls see with all keys of a kind, some perhaps twice. Keys that come or go meanwhile may be told or not.
func (s *Store) scanAll(ctx context.Context, kind string, see func(keys []string) error) error {
	nodes, err := s.everyNode("look through the keys")
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := s.scan(ctx, n, kind, see); err != nil {
			return err
		}
	}
	return nil
}

// scan is scanAll of one node.
func (s *Store) scan(ctx context.Context, n *node, kind string, see func(keys []string) error) error {
	pattern := globQuote(s.prefix+kind) + "*"
	for cursor := "0"; ; {
		cmd := redis.NewSliceCmd(ctx, "scan", cursor, "match", pattern, "count", scanCount)
		if err := s.runAll(ctx, n, "look through the keys", []*call{{cmd: cmd}}); err != nil {
			return err
		}
		answer := cmd.Val()
		if len(answer) != 2 {
			return fmt.Errorf("redis: look through the keys: an answer of %d parts", len(answer))
		}
		cursor, _ = answer[0].(string)
		raw, _ := answer[1].([]any)
		keys := make([]string, 0, len(raw))
		for _, key := range raw {
			if text, ok := key.(string); ok {
				keys = append(keys, text)
			}
		}
		if len(keys) > 0 {
			if err := see(keys); err != nil {
				return err
			}
		}
		if cursor == "0" {
			return nil
		}
	}
}

// runAll carries calls out on a node, in pipelines beside those of the queue: this is the work of one who has many calls
// and can wait.
func (s *Store) runAll(ctx context.Context, n *node, doing string, calls []*call) error {
	return s.pipelined(ctx, n, doing, calls, func(_ *call, err error) error { return err })
}

// runKeyed carries calls out where their keys are, in pipelines. What a node of a cluster would not take, because its
// slot has moved, goes the way of a single call.
func (s *Store) runKeyed(ctx context.Context, doing string, calls []*call) error {
	byNode := map[*node][]*call{}
	for _, c := range calls {
		n := s.holder(c.key)
		byNode[n] = append(byNode[n], c)
	}
	for n, own := range byNode {
		err := s.pipelined(ctx, n, doing, own, func(c *call, err error) error {
			if s.cluster == nil {
				return err
			}
			c.repeat()
			return s.carry(ctx, c)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pipelined carries calls out on a node. What fails is given to otherwise. The node is nil when it is not known: then
// everything fails.
func (s *Store) pipelined(ctx context.Context, n *node, doing string, calls []*call, otherwise func(*call, error) error) error {
	for batch := range slices.Chunk(calls, together) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.open(); err != nil {
			return s.unavailable(doing, err)
		}
		if n != nil {
			n.run(batch, time.Now(), false)
		}
		for _, c := range batch {
			err := c.cmd.Err()
			if n == nil {
				err = errNoMaster
			}
			if err != nil && !errors.Is(err, redis.Nil) {
				err = otherwise(c, err)
			}
			if err != nil && !errors.Is(err, redis.Nil) {
				return s.unavailable(doing, err)
			}
		}
	}
	return nil
}

// globQuote takes their meaning from the characters that have one in a pattern of SCAN.
func globQuote(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}
