package redis

import (
	"context"
	"errors"
	"fmt"
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

// masters are the nodes that hold the keys, each its own part of them. A walk goes from one to the next.
func (s *Store) masters() []*node { return []*node{s.node} }

// masterOf is the node that holds a key.
func (s *Store) masterOf(string) *node { return s.node }

// scan calls see with all keys of a kind on a node, some perhaps twice. Keys that come or go meanwhile may be told or not.
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
	for len(calls) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.alive.Err() != nil {
			return s.unavailable(doing, redis.ErrClosed)
		}
		batch := calls[:min(together, len(calls))]
		calls = calls[len(batch):]
		n.run(batch, time.Now())
		for _, c := range batch {
			if err := c.cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
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
