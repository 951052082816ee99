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
	// walkPatience is how long what gets no answer is tried again, walkPause how long is waited in between.
	walkPatience = 15 * time.Second
	walkPause    = 100 * time.Millisecond
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
	return s.patiently(ctx, doing, calls, func(batch []*call) { n.run(batch, time.Now(), false) })
}

// runKeyed is runAll for calls that go where their keys are.
func (s *Store) runKeyed(ctx context.Context, doing string, calls []*call) error {
	return s.patiently(ctx, doing, calls, func(batch []*call) {
		byNode := map[*node][]*call{}
		for _, c := range batch {
			n := s.holder(c.key)
			byNode[n] = append(byNode[n], c)
		}
		for n, own := range byNode {
			if n != nil {
				n.run(own, time.Now(), false)
			}
			for _, c := range own {
				if err := c.cmd.Err(); s.cluster != nil && (n == nil || err != nil && !errors.Is(err, redis.Nil)) {
					// Its slot has moved, or nobody holds it now: it goes the way of a single call.
					c.repeat()
					c.cmd.SetErr(s.carry(ctx, c))
				}
			}
		}
	})
}

// patiently sends calls that do no harm when they are repeated, and repeats those that got no answer: the work of an
// hour must not be lost because Redis was busy for a second.
func (s *Store) patiently(ctx context.Context, doing string, calls []*call, send func([]*call)) error {
	for batch := range slices.Chunk(calls, together) {
		if err := s.sendUntilAnswered(ctx, slices.Clone(batch), send); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return s.unavailable(doing, err)
		}
	}
	return nil
}

func (s *Store) sendUntilAnswered(ctx context.Context, calls []*call, send func([]*call)) error {
	for deadline := time.Now().Add(walkPatience); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.open(); err != nil {
			return err
		}
		send(calls)
		var cause error
		calls = slices.DeleteFunc(calls, func(c *call) bool {
			err := c.cmd.Err()
			if err == nil || errors.Is(err, redis.Nil) {
				return true
			}
			if cause == nil {
				cause = err
			}
			return false
		})
		if len(calls) == 0 {
			return nil
		}
		_, refused := errors.AsType[*refusal](cause)
		if refused || isAnswer(cause) && !isPassing(cause) || time.Now().After(deadline) {
			return cause
		}
		for _, c := range calls {
			c.repeat()
		}
		select {
		case <-ctx.Done():
		case <-s.alive.Done():
		case <-time.After(walkPause):
		}
	}
}

// globQuote takes their meaning from the characters that have one in a pattern of SCAN.
func globQuote(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}
